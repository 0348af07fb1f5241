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
fn the_homeserver_is_reached_by_http_or_https_and_by_nothing_else() {
    let url = |url: &str| format!("[homeserver]\nurl = '{url}'\n");
    for (written, reached) in [
        ("http://127.0.0.1:8008", "http://127.0.0.1:8008"),
        ("https://synapse.example.com/", "https://synapse.example.com"),
    ] {
        assert_eq!(Config::parse(&url(written)).unwrap().homeserver.url, reached);
    }
    for nonsense in [
        "127.0.0.1:8008",
        "https://",
        "https:///path",
        "ftp://a",
        "https://me:secret@a",
        "http://a?b",
    ] {
        let said = said(&url(nonsense));
        assert!(said.contains("a URL is wanted, such as http://127.0.0.1:8008"), "{said}");
    }
}
