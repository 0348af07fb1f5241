//! What a homeserver behind is told, when, and what comes of it when it is away.

use std::time::{Duration, Instant};

use amaretti::config::Registration;
use amaretti::service::{Change, Policy};
use axum::http::StatusCode;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{
    ALICE, BOB, DEACTIVATE, DELETE_DEVICES, DEVICES, PASSWORD, Running, Setting, Synapse, Town,
    until,
};

/// A town before a Synapse that nobody has told of anybody.
async fn before_synapse() -> (Town, Synapse) {
    let synapse = Synapse::start().await;
    (Town::with(synapse.setting()).await, synapse)
}

pub(crate) async fn open_town(synapse: &Synapse) -> Town {
    let policy = Policy { registration: Registration::Open, ..Policy::default() };
    Town::with(Setting { policy, ..synapse.setting() }).await
}

/// Tells what is marked, as a node does all the time.
fn tells(town: &Town) -> Running {
    Running::of(|stopped| town.link.clone().unwrap().run(stopped))
}

pub(crate) async fn marks(town: &Town) -> i64 {
    town.store.marks().await.unwrap()
}

async fn settled(town: &Town) {
    until("nothing is marked", async || marks(town).await == 0).await;
}

#[tokio::test]
async fn a_device_is_known_before_its_login_is_answered() {
    let (town, synapse) = before_synapse().await;

    let more = json!({ "device_id": "PHONE", "initial_device_display_name": "Pocket" });
    town.alice_with(&more).await;

    assert_eq!(
        synapse.calls(),
        ["is_localpart_available", "provision_user", "upsert_device"],
        "an account it was never told of is made first"
    );
    assert_eq!(synapse.account("alice").unwrap().devices["PHONE"].as_deref(), Some("Pocket"));
    assert_eq!(marks(&town).await, 0, "there is nothing left to be told");
    let tablet = town.alice().await;
    assert_eq!(synapse.calls(), ["query_user", "upsert_device"]);
    assert!(synapse.devices("alice").contains(&tablet.device_id));
}

#[tokio::test]
async fn a_device_that_logs_in_again_keeps_its_name_and_is_never_deleted() {
    let (town, synapse) = before_synapse().await;
    let name = |name: &str| json!({ "device_id": "PHONE", "initial_device_display_name": name });
    town.alice_with(&name("First")).await;
    synapse.calls();

    town.alice_with(&name("Second")).await;

    assert_eq!(synapse.calls(), ["query_user", "upsert_device"]);
    assert_eq!(synapse.account("alice").unwrap().devices["PHONE"].as_deref(), Some("First"));
}

#[tokio::test]
async fn a_login_token_has_its_device_known_too_and_a_spent_one_has_nobody_told() {
    let (town, synapse) = before_synapse().await;
    let token = town.login_token();
    let login = json!({ "txn_id": "1" });
    let first = town.anonymous().of(&town.anonymous().spend(&token, &login).await);
    assert_eq!(synapse.devices("alice"), [first.device_id.as_str()]);
    synapse.calls();

    let again = town.anonymous().of(&town.anonymous().spend(&token, &login).await);
    town.anonymous().spend(&token, &json!({})).await.is(403, "M_FORBIDDEN");

    assert_eq!(again.token, first.token);
    assert_eq!(synapse.calls(), [""; 0]);
}

#[tokio::test]
async fn without_its_homeserver_nobody_logs_in_and_nothing_is_half_done() {
    let (town, synapse) = before_synapse().await;
    let alice = town.alice_on("PHONE").await;
    for call in ["query_user", "upsert_device"] {
        synapse.fails_at(&[call]);
        let more = json!({ "device_id": "PHONE" });
        town.anonymous().password(ALICE, "wonderland", &more).await.unavailable();
    }
    alice.whoami().await.good();
    synapse.fails_at(&[]);
    synapse.calls();

    let _telling = tells(&town);
    settled(&town).await;

    assert_eq!(synapse.calls(), ["upsert_device"], "what it may not know is looked at again");
    assert_eq!(synapse.devices("alice"), ["PHONE"]);
    town.alice().await;
}

#[tokio::test]
async fn a_device_whose_login_came_to_nothing_is_taken_away_again() {
    let (town, synapse) = before_synapse().await;
    let token = town.login_token();
    let logins = (0..4).map(|_| {
        let (nobody, token) = (town.anonymous(), token.clone());
        async move { nobody.spend(&token, &json!({})).await.status }
    });
    let mut running = tokio::task::JoinSet::new();
    logins.for_each(|login| drop(running.spawn(login)));
    let done = running.join_all().await;
    assert_eq!(done.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{done:?}");

    let _telling = tells(&town);
    settled(&town).await;

    assert_eq!(synapse.devices("alice").len(), 1);
}

#[tokio::test]
async fn whoever_is_refused_here_has_nobody_told() {
    let (town, synapse) = before_synapse().await;
    let nobody = town.anonymous();
    nobody.password(ALICE, "wrong", &json!({})).await.is(403, "M_FORBIDDEN");
    assert!(town.service.set_standing(ALICE, Change::Lock).await.unwrap());
    nobody.password(ALICE, "wonderland", &json!({})).await.is(401, "M_USER_LOCKED");
    assert!(town.service.set_standing(BOB, Change::Deactivate).await.unwrap());
    nobody.password(BOB, "yes-we-can", &json!({})).await.is(403, "M_FORBIDDEN");

    assert_eq!(synapse.calls(), [""; 0]);
}

#[tokio::test]
async fn an_account_that_its_homeserver_has_deactivated_does_not_log_in() {
    let (town, synapse) = before_synapse().await;
    town.alice().await;
    synapse.deactivate("alice");

    town.anonymous().password(ALICE, "wonderland", &json!({})).await.is(403, "M_FORBIDDEN");
    town.anonymous().spend(&town.login_token(), &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn an_account_is_another_of_the_same_name_until_it_is_adopted() {
    let (town, synapse) = before_synapse().await;
    synapse.has("alice");
    let nobody = town.anonymous();
    nobody.password(ALICE, "wonderland", &json!({})).await.is(403, "M_FORBIDDEN").says("adopt");
    assert!(town.service.end_sessions_of(ALICE).await.unwrap().is_some());
    assert!(!synapse.calls().contains(&"sync_devices".to_owned()), "it is told of nobody else's");

    assert!(town.service.add_account(ALICE, "", true).await.unwrap());

    town.alice_on("PHONE").await;
    assert_eq!(synapse.devices("alice"), ["PHONE"]);
}

#[tokio::test]
async fn an_account_that_is_adopted_is_active_again() {
    let (town, synapse) = before_synapse().await;
    synapse.deactivate("dave");

    assert!(town.service.add_account("@dave:example.com", "none", true).await.unwrap());
    let nobody = town.service.add_account("@erin:example.com", "none", true).await;

    assert!(!synapse.account("dave").unwrap().deactivated);
    assert!(nobody.is_err(), "there is nobody to adopt");
    assert!(town.store.password_hash("@erin:example.com").await.unwrap().is_none());
}

#[tokio::test]
async fn an_operator_adds_an_account_at_both_or_at_none() {
    let (town, synapse) = before_synapse().await;
    synapse.has("dave");

    let taken = town.service.add_account("@dave:example.com", "none", false).await;
    assert!(town.service.add_account("@erin:example.com", "none", false).await.unwrap());

    assert!(taken.is_err());
    assert!(town.store.password_hash("@dave:example.com").await.unwrap().is_none());
    assert!(synapse.account("erin").is_some());
    assert!(!town.service.add_account("@erin:example.com", "none", false).await.unwrap());
}

#[tokio::test]
async fn a_logout_deletes_the_device_before_it_is_answered() {
    let (town, synapse) = before_synapse().await;
    let (phone, tablet) = (town.alice_on("PHONE").await, town.alice_on("TABLET").await);

    phone.logout().await.good();
    assert_eq!(synapse.devices("alice"), ["TABLET"]);

    tablet.logout_all().await.good();
    assert_eq!(synapse.devices("alice"), [""; 0]);
    assert_eq!(marks(&town).await, 0);
}

#[tokio::test]
async fn devices_that_are_deleted_or_renamed_are_so_there() {
    let (town, synapse) = before_synapse().await;
    let alice = town.alice_on("PHONE").await;
    for id in ["A", "B", "C"] {
        town.alice_on(id).await;
    }
    alice.prove("POST", DELETE_DEVICES, &json!({ "devices": ["A", "B"] })).await.good();
    assert_eq!(synapse.devices("alice"), ["C", "PHONE"]);

    let name = json!({ "display_name": "Better" });
    alice.send("PUT", &format!("{DEVICES}/C"), &name).await.good();

    assert_eq!(synapse.account("alice").unwrap().devices["C"].as_deref(), Some("Better"));
}

#[tokio::test]
async fn a_change_of_password_leaves_the_callers_device_alone() {
    let (town, synapse) = before_synapse().await;
    let alice = town.alice_on("PHONE").await;
    town.alice_on("TABLET").await;

    alice.prove("POST", PASSWORD, &json!({ "new_password": "through-the-glass" })).await.good();

    assert_eq!(synapse.devices("alice"), ["PHONE"]);
    alice.whoami().await.good();
}

#[tokio::test]
async fn an_account_that_ends_here_ends_there() {
    let (town, synapse) = before_synapse().await;
    let (alice, _bob) = (town.alice().await, town.bob().await);

    alice.prove("POST", DEACTIVATE, &json!({})).await.good();
    assert!(town.service.set_standing(BOB, Change::Deactivate).await.unwrap());

    assert!(synapse.account("alice").unwrap().deactivated);
    assert!(synapse.account("bob").unwrap().deactivated);
}

#[tokio::test]
async fn a_homeserver_that_is_away_holds_up_no_logout_and_is_told_later() {
    let (town, synapse) = before_synapse().await;
    let (phone, tablet) = (town.alice_on("PHONE").await, town.alice_on("TABLET").await);
    synapse.fails_at(&["delete_device"]);

    phone.logout().await.good();

    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    tablet.whoami().await.good();
    assert_eq!((marks(&town).await, synapse.devices("alice").len()), (1, 2));
    synapse.fails_at(&[]);
    let _telling = tells(&town);
    settled(&town).await;
    assert_eq!(synapse.devices("alice"), ["TABLET"]);
}

#[tokio::test]
async fn a_homeserver_that_is_silent_is_waited_for_two_seconds() {
    let (town, synapse) = before_synapse().await;
    let phone = town.alice_on("PHONE").await;
    synapse.hangs_at(&["delete_device"]);
    let began = Instant::now();

    phone.logout().await.good();

    let took = began.elapsed();
    assert!((1900..4000).contains(&took.as_millis()), "{took:?}");
    synapse.goes_on();
    until("the device is gone", async || synapse.devices("alice").is_empty()).await;
}

#[tokio::test]
async fn a_late_delete_never_kills_a_device_that_logged_in_again() {
    let (town, synapse) = before_synapse().await;
    let before = town.alice_on("PHONE").await;
    synapse.hangs_at(&["delete_device"]);
    before.logout().await.good();
    let login = tokio::spawn({
        let nobody = town.anonymous();
        async move { nobody.password(ALICE, "wonderland", &json!({ "device_id": "PHONE" })).await }
    });
    sleep(Duration::from_millis(300)).await;
    assert!(!login.is_finished(), "the login waits for what is being told");
    synapse.goes_on();

    let after = town.anonymous().of(&login.await.unwrap());

    assert_eq!(synapse.devices("alice"), ["PHONE"]);
    after.whoami().await.good();
    before.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    let _telling = tells(&town);
    settled(&town).await;
    assert_eq!(synapse.devices("alice"), ["PHONE"]);
}

#[tokio::test]
async fn a_call_that_was_given_up_keeps_others_from_telling_until_it_is_over() {
    let (town, synapse) = before_synapse().await;
    let phone = town.alice_on("PHONE").await;
    synapse.hangs_at(&["delete_device"]);
    phone.logout().await.good();
    sleep(Duration::from_secs(4)).await;

    // The call has been given up after five seconds; it may arrive all the same.
    let link = town.link.clone().unwrap();
    let early = timeout(Duration::from_secs(1), link.hold(ALICE)).await;

    assert!(early.is_err(), "the hold is left to run out");
    synapse.goes_on();
}

#[tokio::test]
async fn a_mark_outlives_the_process_that_made_it() {
    let (town, synapse) = before_synapse().await;
    let alice = town.alice_on("PHONE").await;
    synapse.fails_at(&["delete_device"]);
    alice.logout().await.good();

    synapse.fails_at(&[]);
    let town = town.again_with(synapse.setting()).await;
    let _telling = tells(&town);
    settled(&town).await;

    assert_eq!(synapse.devices("alice"), [""; 0]);
}

#[tokio::test]
async fn of_two_at_once_on_two_nodes_one_tells_after_the_other() {
    let (town, synapse) = before_synapse().await;
    let other = town.again_with(synapse.setting()).await;
    let mut logins = tokio::task::JoinSet::new();
    for n in 0..12 {
        let nobody = if n % 2 == 0 { town.anonymous() } else { other.anonymous() };
        logins.spawn(async move {
            let more = json!({ "device_id": "PHONE" });
            let login = nobody.password(ALICE, "wonderland", &more).await;
            if n % 3 == 0 { nobody.of(&login).logout().await.status } else { login.status }
        });
    }
    // A logout may find its session ended by a login on the same device.
    let fair = |status: &StatusCode| [200, 401].contains(&status.as_u16());
    assert!(logins.join_all().await.iter().all(fair));
    let (_here, _there) = (tells(&town), tells(&other));
    settled(&town).await;

    let here = town.store.devices(Some(ALICE)).await.unwrap();
    let here: Vec<_> = here.into_iter().map(|device| device.device_id).collect();
    assert_eq!(synapse.devices("alice"), here);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_half_told() {
    let (town, synapse) = before_synapse().await;
    town.alice_on("OTHER").await;
    synapse.hangs_at(&["upsert_device"]);
    let nobody = town.anonymous();
    let login = tokio::spawn(async move {
        nobody.password(ALICE, "wonderland", &json!({ "device_id": "PHONE" })).await
    });
    synapse.calls();
    until("it is told", async || synapse.calls().contains(&"upsert_device".into())).await;
    login.abort();
    synapse.goes_on();

    until("the login is over", async || {
        town.store.devices(Some(ALICE)).await.unwrap().len() == 2 && marks(&town).await == 0
    })
    .await;
    assert_eq!(synapse.devices("alice"), ["OTHER", "PHONE"]);
}
