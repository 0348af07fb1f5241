//! How proxies ask: each describes the request in headers of its own, with a secret, and what is
//! another's is refused. The requests of Traefik and Envoy are those that they document.

use amaretti::config::Proxy;

use crate::support::{ALICE, Answer, Asking, Client, SECRET, SYNC, Town, narrow};

const FORWARD_AUTH: &str = "/_amaretti/forward-auth";
const ANSWER: &str = "/_amaretti/answer";
const MESSAGES: &str = "/_matrix/client/v3/rooms/!a:hs/messages";

/// A town that this proxy asks, and the proxy with alice's token in hand.
async fn town(proxy: Proxy) -> (Town, Client) {
    let town = Town::asked_by(Asking::by(proxy)).await;
    let token = town.alice_on("PHONE").await.token;
    let proxy = town.operator().with(&token);
    (town, proxy)
}

fn known(client: &Client) -> Client {
    client.sending("x-amaretti-secret", SECRET)
}

fn with(client: &Client, headers: &[(&str, &str)]) -> Client {
    headers.iter().fold(client.clone(), |client, (name, value)| client.sending(name, value))
}

const NGINX: [(&str, &str); 3] = [
    ("x-original-method", "GET"),
    ("x-original-uri", "/_matrix/client/v3/sync?since=s1"),
    ("x-real-ip", "192.0.2.7"),
];

const HAPROXY: [(&str, &str); 3] = [
    ("x-amaretti-method", "GET"),
    ("x-amaretti-uri", "/_matrix/client/v3/sync?since=s1"),
    ("x-amaretti-address", "192.0.2.7"),
];

// Traefik's documentation of ForwardAuth: X-Forwarded-Method, -Proto, -Host, -Uri, -For. Caddy's of
// forward_auth: X-Forwarded-Method and -Uri beside what every proxied request has.
const FORWARDED: [(&str, &str); 5] = [
    ("x-forwarded-method", "GET"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "matrix.example.com"),
    ("x-forwarded-uri", "/_matrix/client/v3/sync?since=s1"),
    ("x-forwarded-for", "192.0.2.7"),
];

#[tokio::test]
async fn every_family_is_understood_by_the_node_that_is_set_to_it() {
    for (proxy, family) in [
        (Proxy::Nginx, NGINX.as_slice()),
        (Proxy::Haproxy, HAPROXY.as_slice()),
        (Proxy::Caddy, FORWARDED.as_slice()),
        (Proxy::Traefik, FORWARDED.as_slice()),
    ] {
        let (_town, asking) = town(proxy).await;
        let answer = with(&known(&asking), family).get(FORWARD_AUTH).await;
        assert_eq!(answer.good().header("x-amaretti-user-id"), Some(ALICE), "{proxy:?}");
    }
}

#[tokio::test]
async fn without_the_secret_nobody_is_told_anything() {
    let (_town, asking) = town(Proxy::Haproxy).await;
    let asking = with(&asking, &HAPROXY);

    asking.get(FORWARD_AUTH).await.unavailable();
    let wrong = asking.sending("x-amaretti-secret", "7c9f1e0b52a84d36a1c0e4f9b8d72636");
    wrong.get(FORWARD_AUTH).await.unavailable();
    known(&wrong).get(FORWARD_AUTH).await.unavailable();
}

#[tokio::test]
async fn a_family_with_a_header_missing_or_twice_is_no_description() {
    for (proxy, family) in [(Proxy::Nginx, NGINX.as_slice()), (Proxy::Haproxy, HAPROXY.as_slice())]
    {
        let (_town, asking) = town(proxy).await;
        for missing in 0..family.len() {
            let mut family = family.to_vec();
            let (name, value) = family.remove(missing);
            let less = with(&known(&asking), &family);
            assert_ne!(less.get(FORWARD_AUTH).await.status.as_u16(), 200, "without {name}");
            let twice = less.sending(name, value).sending(name, value);
            assert_ne!(twice.get(FORWARD_AUTH).await.status.as_u16(), 200, "twice {name}");
        }
    }
}

#[tokio::test]
async fn a_header_of_another_family_is_refused_whoever_sent_it() {
    let families = [NGINX.as_slice(), HAPROXY.as_slice(), FORWARDED.as_slice()];
    for (proxy, own) in
        [(Proxy::Nginx, 0), (Proxy::Haproxy, 1), (Proxy::Caddy, 2), (Proxy::Traefik, 2)]
    {
        let (_town, asking) = town(proxy).await;
        let asking = with(&known(&asking), families[own]);
        for other in (0..families.len()).filter(|other| *other != own) {
            for (name, value) in families[other]
                .iter()
                .filter(|(name, _)| name.ends_with("-method") || name.ends_with("-uri"))
            {
                let answer = asking.sending(name, value).get(FORWARD_AUTH).await;
                let expected = if proxy == Proxy::Nginx { 403 } else { 400 };
                assert_eq!(answer.status.as_u16(), expected, "{proxy:?} {name}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn nginx_is_told_by_the_status_alone_and_then_in_full() {
    let (town, asking) = town(Proxy::Nginx).await;
    let (good, nobody) = (asking.clone(), town.operator());
    let narrowed = nobody.with(&narrow(&asking.token, "action in read"));
    let asks = |client: &Client, path: &'static str| {
        let client = with(&known(client), &NGINX);
        async move { client.get(path).await }
    };
    let bare = |answer: &Answer| (answer.status.as_u16(), answer.body.clone());

    assert_eq!(bare(&asks(&nobody, FORWARD_AUTH).await), (401, String::new()));
    asks(&nobody, ANSWER).await.is(401, "M_MISSING_TOKEN");
    assert_eq!(bare(&asks(&narrowed, FORWARD_AUTH).await), (403, String::new()));
    let answer = asks(&narrowed, ANSWER).await;
    answer.names_caveat("action");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    // Between both the reason may have gone: then it is worth another try.
    asks(&good, ANSWER).await.unavailable();
}

#[tokio::test]
async fn what_is_our_fault_reaches_nginx_as_403_and_its_client_as_503() {
    let town = Town::with(crate::support::Setting {
        asking: Some(Asking::by(Proxy::Nginx)),
        max_staleness: std::time::Duration::ZERO,
        ..Default::default()
    });
    let town = town.await;
    let token = town.mint(crate::support::Wanted::access());
    town.store.close().await;
    let _running = town.follow();
    let asking = with(&known(&town.operator().with(&token)), &NGINX);
    crate::support::until("stale", async || {
        asking.get(ANSWER).await.text("error").contains("database is away")
    })
    .await;
    asking.get(ANSWER).await.unavailable();
    assert_eq!(asking.get(FORWARD_AUTH).await.status.as_u16(), 403);
}

#[tokio::test]
async fn behind_forwarding_proxies_the_last_address_that_is_none_of_theirs_counts() {
    let (_town, asking) = town(Proxy::Caddy).await;
    let asking = known(&asking.with(&narrow(&asking.token, "ip in 192.0.2.0/24")));
    let from = |hops: &'static str| {
        let family = FORWARDED
            .map(|(name, value)| (name, if name == "x-forwarded-for" { hops } else { value }));
        let asking = with(&asking, &family);
        async move { asking.get(FORWARD_AUTH).await }
    };

    from("192.0.2.7").await.good();
    from("203.0.113.1, 192.0.2.7, 127.0.0.1").await.good();
    from("192.0.2.7, 203.0.113.1").await.names_caveat("ip");
    from("192.0.2.7, nonsense").await.names_caveat("ip");
}

/// Caddy asks about this target, without a header of the client's.
async fn caddy_asks(town: &Town, target: &str) -> Answer {
    let client = FORWARDED.iter().fold(known(&town.operator()), |client, (name, value)| {
        client.sending(name, if *name == "x-forwarded-uri" { target } else { value })
    });
    client.get(FORWARD_AUTH).await
}

#[tokio::test]
async fn caddy_is_refused_a_query_token_that_it_cannot_cut_out() {
    let (town, asking) = town(Proxy::Caddy).await;
    let token = &asking.token;

    caddy_asks(&town, &format!("{SYNC}?access_token={token}")).await.good();
    let escaped = token.replace("mma_", "mma%5F");
    let answer = caddy_asks(&town, &format!("{SYNC}?access_token={escaped}")).await;
    answer.is(401, "M_MISSING_TOKEN");
    // It would cut this out of the path, too, and leave `m.room.member`.
    let path = format!("/_matrix/client/v3/rooms/!a:hs/state/m.room.access_token={token}member");
    let answer = caddy_asks(&town, &format!("{path}?access_token={token}")).await;
    answer.is(400, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn caddy_is_told_of_every_header_that_it_copies() {
    let (town, _) = town(Proxy::Caddy).await;

    let answer = caddy_asks(&town, "/_matrix/client/versions").await;

    for name in ["user-id", "device-id", "session-id", "guest", "label"] {
        assert_eq!(answer.good().header(&format!("x-amaretti-{name}")), Some(""), "{answer:?}");
    }
    assert_eq!(answer.header("authorization"), Some(""));
}

// Envoy's documentation of ext_authz over HTTP: the method and the path of the request, the path
// behind `path_prefix`; the headers allowed, here X-Forwarded-For; and headers to add, the secret.
#[tokio::test]
async fn envoy_asks_with_the_method_and_the_path_of_the_request() {
    let (town, asking) = town(Proxy::Envoy).await;
    let asking = known(&asking).sending("x-forwarded-for", "192.0.2.7");
    let path = |target: &str| format!("{FORWARD_AUTH}{target}");

    let answer = asking.call("GET", &path(&format!("{SYNC}?since=s1")), "").await;
    assert_eq!(answer.good().header("x-amaretti-user-id"), Some(ALICE));
    assert_eq!(answer.header("x-envoy-auth-headers-to-remove"), Some("x-amaretti-label"));

    let narrowed = asking.with(&narrow(&asking.token, "room_id in !a:hs"));
    narrowed.call("GET", &path(MESSAGES), "").await.good();
    let other = path(&MESSAGES.replace("!a", "!b"));
    narrowed.call("GET", &other, "").await.names_caveat("room_id");
    narrowed.call("PUT", &path(MESSAGES), "").await.names_caveat("room_id");
    let nobody = known(&town.operator()).sending("x-forwarded-for", "192.0.2.7");
    nobody.call("GET", &path(SYNC), "").await.is(401, "M_MISSING_TOKEN");
    let open = nobody.call("OPTIONS", &path(SYNC), "").await;
    let removed = open.names_nobody().header("x-envoy-auth-headers-to-remove");
    assert!(removed.is_some_and(|names| names.split(',').count() == 5), "{open:?}");
}

#[tokio::test]
async fn a_node_that_no_proxy_may_ask_answers_none() {
    let town = Town::new().await;

    town.operator().get(FORWARD_AUTH).await.is(404, "M_UNRECOGNIZED");
    town.operator().get(ANSWER).await.is(404, "M_UNRECOGNIZED");
}
