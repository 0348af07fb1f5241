//! What a proxy is told of a request: whose it is, or why it may not pass.

use amaretti::config::{Foreign, Proxy};
use amaretti::token::Kind;

use crate::support::{ALICE, Asking, HOUR, LOCKED, SYNC, Town, WHOAMI, Wanted, narrow, session_of};

const MESSAGES: &str = "/_matrix/client/v3/rooms/!a:hs/messages";
const PROFILE: &str = "/_matrix/client/v3/profile/@bob:example.com";
const LOGIN: &str = "/_matrix/client/v3/login";

#[tokio::test]
async fn who_bears_a_token_is_told_in_headers() {
    let town = Town::asked().await;
    let token = town.alice_on("PHONE").await.token;

    let answer = town.operator().with(&token).may("GET", WHOAMI).await;

    let told = |name: &str| answer.good().header(name);
    assert_eq!(told("x-amaretti-user-id"), Some(ALICE));
    assert_eq!(told("x-amaretti-device-id"), Some("PHONE"));
    assert_eq!(told("x-amaretti-session-id"), Some(&*session_of(&token).to_string()));
    assert_eq!(told("x-amaretti-guest"), Some("false"));
    assert_eq!(told("x-amaretti-label"), None);
    assert_eq!(answer.upstream(), format!("Bearer {token}"));
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn labels_and_devices_are_escaped() {
    let town = Town::asked().await;
    let token = town.mint(Wanted { device: Some("my phone, é"), ..Wanted::access() });
    let token = narrow(&narrow(&token, "label = ansible on host7"), "label = 100%, ü");

    let answer = town.operator().with(&token).may("GET", WHOAMI).await;

    let told = |name: &str| answer.good().header(name);
    assert_eq!(told("x-amaretti-device-id"), Some("my%20phone%2C%20%C3%A9"));
    assert_eq!(told("x-amaretti-label"), Some("ansible%20on%20host7,100%25%2C%20%C3%BC"));
}

#[tokio::test]
async fn a_guest_is_told_to_be_one() {
    let town = Town::asked().await;
    let token = town.mint(Wanted { guest: true, ..Wanted::access() });

    let answer = town.operator().with(&token).may("GET", WHOAMI).await;

    assert_eq!(answer.good().header("x-amaretti-guest"), Some("true"));
}

#[tokio::test]
async fn a_refusal_is_that_of_the_client_api_with_its_cors() {
    let town = Town::asked().await;
    let alice = town.alice().await;
    let proxy = town.operator();
    let ended = alice.token.clone();
    alice.logout().await.good();

    proxy.may("GET", SYNC).await.is(401, "M_MISSING_TOKEN");
    proxy.with(&ended).may("GET", SYNC).await.is(401, "M_UNKNOWN_TOKEN").hard();
    let forged = format!("{}AAAA{}", &ended[..40], &ended[44..]);
    proxy.with(&forged).may("GET", SYNC).await.is(401, "M_UNKNOWN_TOKEN").soft();
    proxy.with(&ended[..150]).may("GET", SYNC).await.soft().says("its end is missing");
    let expired = town.mint(Wanted { life: Some(1), ..Wanted::access() });
    town.wait(2);
    let answer = proxy.with(&expired).may("GET", SYNC).await;
    answer.is(401, "M_UNKNOWN_TOKEN").soft();
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn tokens_of_other_kinds_are_no_access_tokens() {
    let town = Town::asked().await;

    for kind in [Kind::Refresh, Kind::Login, Kind::Inner] {
        let token = town.mint(Wanted { kind, ..Wanted::access() });
        town.operator().with(&token).may("GET", SYNC).await.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}

#[tokio::test]
async fn a_locked_account_may_log_out_and_nothing_else() {
    let town = Town::asked().await;
    let token = town.alice().await.token;
    town.after(ALICE, LOCKED).await;
    let town = town.asked_again().await;
    let proxy = town.operator().with(&token);

    proxy.may("GET", SYNC).await.is(401, "M_USER_LOCKED").soft();
    proxy.may("POST", "/_matrix/client/v3/logout").await.good();
}

#[tokio::test]
async fn what_cannot_be_decided_here_is_503_and_never_401() {
    let town = Town::asked().await;
    let never_ends = town.mint(Wanted::access());
    let verifier = town.verifier_of(&[Kind::Access], Asking::by(Proxy::Haproxy)).await;
    let short = town.mint(Wanted { life: Some(HOUR), ..Wanted::access() });

    verifier.operator().with(&short).may("GET", SYNC).await.good();
    verifier.operator().with(&never_ends).may("GET", SYNC).await.good();
    let narrowed = narrow(&short, "action in sync");
    verifier.operator().with(&narrowed).may("GET", SYNC).await.unavailable();
}

#[tokio::test]
async fn public_endpoints_and_preflights_pass_whatever_they_bring() {
    let town = Town::asked().await;
    let proxy = town.operator();

    proxy.may("POST", LOGIN).await.names_nobody();
    proxy.with("garbage").may("POST", LOGIN).await.names_nobody();
    proxy.may("OPTIONS", SYNC).await.names_nobody();
    proxy.may("OPTIONS", "/anywhere").await.names_nobody();
    let basic = town.operator().sending("authorization", "Basic YWxpY2U6eA==");
    assert_eq!(basic.may("POST", LOGIN).await.names_nobody().upstream(), "Basic YWxpY2U6eA==");
    basic.may("GET", PROFILE).await.is(401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn where_a_token_is_optional_one_that_is_there_is_judged() {
    let town = Town::asked().await;
    let alice = town.alice().await;
    let proxy = town.operator();

    proxy.may("GET", PROFILE).await.names_nobody();
    let answer = proxy.with(&alice.token).may("GET", PROFILE).await;
    assert_eq!(answer.good().header("x-amaretti-user-id"), Some(ALICE));
    alice.logout().await.good();
    proxy.with(&alice.token).may("GET", PROFILE).await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn paths_that_are_not_known_want_a_token() {
    let town = Town::asked().await;
    let token = town.alice().await.token;

    for path in ["/_matrix/client/v3/unheard-of", "/_synapse/admin/v1/rooms"] {
        town.operator().may("GET", path).await.is(401, "M_MISSING_TOKEN");
        town.operator().with(&token).may("GET", path).await.good();
        let narrowed = narrow(&token, "action in read");
        town.operator().with(&narrowed).may("GET", path).await.names_caveat("action");
    }
}

#[tokio::test]
async fn each_caveat_about_the_request_is_judged_and_named() {
    let town = Town::asked().await;
    let token = town.alice().await.token;
    let proxy = town.operator();

    let reads = proxy.with(&narrow(&token, "action in read"));
    reads.may("GET", MESSAGES).await.good();
    let send = "/_matrix/client/v3/rooms/!a:hs/send/m.room.message/1";
    reads.may("PUT", send).await.names_caveat("action");
    let in_room = proxy.with(&narrow(&token, "room_id in !a:hs"));
    in_room.may("PUT", send).await.good();
    in_room.may("GET", &MESSAGES.replace("!a", "!b")).await.names_caveat("room_id");
    in_room.may("GET", SYNC).await.names_caveat("room_id");
    let at_home = proxy.with(&narrow(&token, "ip in 192.0.2.0/24"));
    at_home.may_from("192.0.2.7", "GET", SYNC).await.good();
    at_home.may_from("192.0.3.7", "GET", SYNC).await.names_caveat("ip");
    at_home.may_from("unix:", "GET", SYNC).await.names_caveat("ip");
    let media = proxy.with(&narrow(&token, "audience = media"));
    media.may("GET", SYNC).await.names_caveat("audience");
}

#[tokio::test]
async fn a_path_in_a_spelling_that_others_may_read_otherwise_is_refused() {
    let town = Town::asked().await;
    let token = narrow(&town.alice().await.token, "room_id in !a:hs");
    let proxy = town.operator().with(&token);

    for path in [
        "/_matrix/client/v3/rooms/!a:hs/../!b:hs/messages",
        "/_matrix/client/v3/rooms/!a:hs/%2e%2e/!b:hs/messages",
        "/_matrix/client/v3/rooms/!a:hs/%2E%2e%2f!b:hs/messages",
        "/_matrix/client/v3/rooms/!a:hs%2f..%2f!b:hs/messages",
        "/_matrix/client/v3/rooms/!a:hs%252f..%252f!b:hs/messages",
        "//_matrix/client/v3/rooms/!a:hs/messages",
        "/_matrix/client/v3/rooms//!a:hs/messages",
        "/_matrix/client/v3/rooms/!a:hs/messages/",
        "/_matrix/client/v3/rooms/!a:hs/messages;x",
        "/_matrix/client/v3/rooms/!a:hs;!b:hs/messages",
        "/_matrix/client/v3/ROOMS/!a:hs/messages",
        "/_matrix/client/v3/rooms/!a:hs/messages#",
        "/_matrix/client/v3\\rooms/!a:hs/messages",
    ] {
        let answer = proxy.may("GET", path).await;
        assert!([400, 403].contains(&answer.status.as_u16()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_token_in_the_query_becomes_a_header() {
    let town = Town::asked().await;
    let token = town.alice().await.token;
    let proxy = town.operator();

    let answer = proxy.may("GET", &format!("{SYNC}?a=b&access_token={token}&c=d")).await;
    assert_eq!(answer.good().upstream(), format!("Bearer {token}"));
    let both = proxy.with(&token);
    both.may("GET", &format!("{SYNC}?access_token={token}")).await.good();
    both.may("GET", &format!("{SYNC}?access_token=other")).await.is(401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn a_token_in_the_query_that_a_proxy_would_not_cut_out_is_refused() {
    let town = Town::asked().await;
    let token = town.alice().await.token;
    let proxy = town.operator().with(&token);

    for query in [
        format!("%61ccess_token={token}"),
        format!("access%5Ftoken={token}"),
        format!("x=1;access_token={token}"),
        format!("access_token={token}&access_token={token}"),
    ] {
        let answer = proxy.may("GET", &format!("{SYNC}?{query}")).await;
        answer.is(401, "M_MISSING_TOKEN");
        let answer = proxy.may("GET", &format!("{PROFILE}?{query}")).await;
        answer.is(401, "M_MISSING_TOKEN");
    }
    proxy.may("GET", &format!("{SYNC}?filter=%7B%22x%22%3A1%7D&s=a+b")).await.good();
}

#[tokio::test]
async fn foreign_credentials_pass_where_the_upstream_judges_and_nowhere_else() {
    let passing = Asking { foreign: Foreign::Pass, ..Asking::by(Proxy::Haproxy) };
    for foreign in ["appservice-secret", "syt_YWxpY2U_AbCdEfGhIjKlMnOpQrSt_1a2b3c"] {
        let town = Town::asked_by(passing).await;
        let answer = town.operator().with(foreign).may("GET", SYNC).await;
        assert_eq!(answer.names_nobody().upstream(), format!("Bearer {foreign}"));
        let town = Town::asked().await;
        town.operator().with(foreign).may("GET", SYNC).await.is(401, "M_UNKNOWN_TOKEN");
    }
}

#[tokio::test]
async fn old_tokens_of_a_linked_homeserver_are_refused_softly_in_its_place() {
    let linked = Asking { foreign: Foreign::Pass, linked: true, ..Asking::by(Proxy::Haproxy) };
    let town = Town::asked_by(linked).await;

    for old in ["syt_YWxpY2U_AbCdEfGhIjKlMnOpQrSt_1a2b3c", "mct_AbCdEfGhIjKlMnOpQrSt_1a2b3c"] {
        town.operator().with(old).may("GET", SYNC).await.is(401, "M_UNKNOWN_TOKEN").soft();
    }
    town.operator().with("appservice-secret").may("GET", SYNC).await.names_nobody();
}

#[tokio::test]
async fn our_own_tokens_never_pass_as_foreign_ones() {
    let passing = Asking { foreign: Foreign::Pass, ..Asking::by(Proxy::Haproxy) };
    let town = Town::asked_by(passing).await;
    let token = town.alice().await.token;
    let proxy = town.operator();

    for broken in [&token[..60], &format!("{token}A"), "mma_", "mma_AAAA", &"mma_A".repeat(500)] {
        proxy.with(broken).may("GET", SYNC).await.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}
