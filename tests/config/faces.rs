//! Where proxies ask, and by what they prove themselves.

use amaretti::config::{Config, Foreign, Proxy};

use super::said;

#[test]
fn the_internal_face_may_be_a_socket() {
    let config = Config::parse("internal = 'unix:/run/amaretti/internal.sock'").unwrap();
    assert_eq!(config.internal.to_string(), "unix:/run/amaretti/internal.sock");

    for nonsense in ["unix:", "/run/internal.sock", "unix"] {
        let said = said(&format!("internal = '{nonsense}'"));
        assert!(said.contains("unix:/run/amaretti/internal.sock"), "{said}");
    }
}

#[test]
fn a_proxy_that_asks_wants_a_secret() {
    let said = said("[forward_auth]\nproxy = 'nginx'\n");
    assert!(said.contains("line 2: forward_auth.proxy = \"nginx\": "), "{said}");
    assert!(said.contains("`secret_file`"), "{said}");

    let text = "[forward_auth]\nproxy = 'envoy'\nsecret_file = 'x'\nforeign = 'pass'\n";
    let forward_auth = Config::parse(text).unwrap().forward_auth;
    assert_eq!(forward_auth.proxy.map(Proxy::name), Some("envoy"));
    assert_eq!(forward_auth.foreign, Some(Foreign::Pass));
}

#[test]
fn a_url_is_http_or_https_and_names_a_host_and_nothing_secret() {
    let settings = |url: &str| format!("public_url = '{url}'\n[homeserver]\nurl = '{url}'\n");
    for (written, taken) in [
        ("http://127.0.0.1:8008", "http://127.0.0.1:8008"),
        ("https://synapse.example.com/", "https://synapse.example.com"),
    ] {
        let config = Config::parse(&settings(written)).unwrap();
        assert_eq!(
            (config.homeserver.url.as_str(), config.public_url.as_deref()),
            (taken, Some(taken))
        );
    }
    for nonsense in [
        "127.0.0.1:8008",
        "https://",
        "https:///path",
        "ftp://a",
        "https://me:secret@a",
        "http://a?b",
    ] {
        for setting in ["public_url", "homeserver.url"] {
            let said = said(&format!("{setting} = '{nonsense}'\n"));
            assert!(said.contains("a URL is wanted, such as https://"), "{said}");
        }
    }
}
