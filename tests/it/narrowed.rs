//! Access tokens that their holders have narrowed: each caveat on the faces that there are.

use serde_json::json;

use crate::support::{Client, MINUTE, Town, Wanted, append, narrow};

/// Alice, with a token narrowed by this caveat.
async fn narrowed(town: &Town, caveat: &str) -> Client {
    let alice = town.alice().await;
    alice.with(&narrow(&alice.token, caveat))
}

#[tokio::test]
async fn an_action_that_is_listed_is_allowed_and_no_other() {
    let town = Town::new().await;
    let identify = narrowed(&town, "action in identify").await;
    let sync = narrowed(&town, "action in read,sync").await;

    identify.whoami().await.good();
    identify.sync().await.names_caveat("action");
    sync.sync().await.good();
    sync.whoami().await.names_caveat("action");
}

#[tokio::test]
async fn a_token_without_the_account_action_logs_nothing_out() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let reader = alice.with(&narrow(&alice.token, "action in identify,read,sync,send"));

    reader.logout().await.names_caveat("action");
    reader.logout_all().await.names_caveat("action");

    alice.whoami().await.good();
}

#[tokio::test]
async fn a_token_with_the_account_action_logs_out_every_spelling_of_its_session() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let other = alice.with(&narrow(&alice.token, "label = other"));

    alice.with(&narrow(&alice.token, "action in account")).logout().await.good();

    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    other.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn time_runs_out_on_its_millisecond_for_every_face() {
    let town = Town::new().await;
    let end = town.now().plus(MINUTE).millis();
    let alice = town.alice().await;
    let brief = alice.with(&narrow(&alice.token, &format!("time < {end}")));

    town.wait(MINUTE - 1);
    brief.whoami().await.good();
    town.wait(1);
    brief.whoami().await.names_caveat("time");
    brief.sync().await.names_caveat("time");
    brief.logout().await.names_caveat("time");

    alice.whoami().await.good();
}

#[tokio::test]
async fn an_address_has_to_be_inside() {
    let town = Town::new().await;
    let at_home = narrowed(&town, "ip in 192.0.2.0/24,2001:db8::/32").await;

    for inside in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7"] {
        at_home.from(inside).whoami().await.good();
    }
    for outside in ["192.0.3.7", "2001:db9::7", "127.0.0.1"] {
        at_home.from(outside).whoami().await.names_caveat("ip");
        at_home.from(outside).logout().await.names_caveat("ip");
    }
}

#[tokio::test]
async fn an_address_that_is_not_known_is_nowhere() {
    let town = Town::new().await;
    let anywhere = narrowed(&town, "ip in 0.0.0.0/0,::/0").await;

    anywhere.whoami().await.names_caveat("ip");
    anywhere.from("192.0.2.7").whoami().await.good();
}

#[tokio::test]
async fn behind_a_proxy_that_is_trusted_the_address_is_the_one_it_tells() {
    let town = Town::new().await;
    let local = narrowed(&town, "ip in 127.0.0.0/8").await.from("127.0.0.1");
    let at_home = narrowed(&town, "ip in 192.0.2.0/24").await.from("127.0.0.1");
    let by_proxy = |hops: &str| at_home.sending("x-forwarded-for", hops);

    local.whoami().await.good();
    local.sending("x-forwarded-for", "192.0.2.7").whoami().await.names_caveat("ip");
    by_proxy("192.0.2.7").whoami().await.good();
    by_proxy("198.51.100.1, 192.0.2.7").whoami().await.good();
    by_proxy("192.0.2.7, 198.51.100.1").whoami().await.names_caveat("ip");
    by_proxy("192.0.2.7, unknown").whoami().await.names_caveat("ip");
}

#[tokio::test]
async fn who_is_no_trusted_proxy_does_not_say_where_it_asks_from() {
    let town = Town::new().await;
    let client = narrowed(&town, "ip in 192.0.2.0/24").await;

    for header in ["x-forwarded-for", "X-Real-IP", "forwarded"] {
        client.from("198.51.100.1").sending(header, "192.0.2.9").whoami().await.names_caveat("ip");
        client.from("192.0.2.7").sending(header, "198.51.100.1").whoami().await.good();
    }
}

#[tokio::test]
async fn a_request_that_names_no_room_is_not_in_one() {
    let town = Town::new().await;
    let in_room = narrowed(&town, "room_id in !a:example.com").await;

    in_room.whoami().await.names_caveat("room_id");
    in_room.sync().await.names_caveat("room_id");
    in_room.logout().await.names_caveat("room_id");
}

#[tokio::test]
async fn a_token_for_another_audience_is_not_for_us() {
    let town = Town::new().await;

    narrowed(&town, "audience = media").await.whoami().await.names_caveat("audience");
}

#[tokio::test]
async fn a_label_narrows_nothing() {
    let town = Town::new().await;

    let labelled = narrowed(&town, "label = ansible on host7").await;

    labelled.whoami().await.good();
    labelled.logout().await.good();
}

#[tokio::test]
async fn every_caveat_has_to_allow_it() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let one = narrow(&alice.token, "action in identify,sync");
    let both = narrow(&one, "action in sync");

    alice.with(&one).whoami().await.good();
    alice.with(&both).whoami().await.names_caveat("action");
    alice.with(&both).sync().await.good();
}

#[tokio::test]
async fn a_caveat_that_nobody_knows_refuses_and_its_place_is_named() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for caveat in ["planet = mars", "time < soon", "Action in identify", "gen = 1", "x"] {
        let answer = alice.with(&append(&alice.token, caveat)).whoami().await;
        answer.is(403, "M_FORBIDDEN").says("caveat number 2");
    }
}

#[tokio::test]
async fn a_caveat_that_was_appended_makes_nobody_somebody_else() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let as_bob = alice.with(&append(&alice.token, "user_id = @bob:example.com"));
    let elsewhere = alice.with(&append(&alice.token, "device_id = OTHER"));
    let herself = alice.with(&append(&alice.token, "user_id = @alice:example.com"));

    as_bob.whoami().await.names_caveat("user_id");
    elsewhere.whoami().await.names_caveat("device_id");
    assert_eq!(herself.whoami().await.good()["user_id"], "@alice:example.com");
}

#[tokio::test]
async fn a_device_cannot_be_appended_to_a_token_without_one() {
    let town = Town::new().await;
    let without = town.bearing(Wanted { device: None, ..Wanted::access() });

    let with = without.with(&append(&without.token, "device_id = PHONE"));

    with.whoami().await.names_caveat("device_id");
}

#[tokio::test]
async fn a_narrowed_token_of_a_dead_session_is_dead_before_it_is_narrow() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let reader = alice.with(&narrow(&alice.token, "action in read"));
    alice.logout().await.good();

    reader.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_refusal_by_a_caveat_has_nothing_to_say_of_keys() {
    let town = Town::new().await;

    let answer = narrowed(&town, "action in read").await.whoami().await;

    assert_eq!(answer.names_caveat("action").json.get("soft_logout"), None);
    assert_eq!(
        answer.json.as_object().unwrap().len(),
        json!({"errcode": 0, "error": 0}).as_object().unwrap().len()
    );
}
