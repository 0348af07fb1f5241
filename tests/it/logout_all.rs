//! `POST /logout/all`: every session of one user ends.

use serde_json::json;

use crate::support::{ALICE, BOB, HOUR, LOCKED, Town, Wanted, session_of};

#[tokio::test]
async fn every_session_of_the_user_is_dead() {
    let town = Town::new().await;
    let (phone, laptop) = (town.alice().await, town.alice().await);
    let aside = town.bearing(Wanted { device: None, ..Wanted::access() });

    let answer = phone.logout_all().await;

    assert_eq!(answer.good().json, json!({}));
    for dead in [phone, laptop, aside] {
        dead.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    }
}

#[tokio::test]
async fn other_users_live_on() {
    let town = Town::new().await;
    let bob = town.bob().await;

    town.alice().await.logout_all().await.good();

    bob.whoami().await.good();
    assert_eq!(town.store.devices(Some(BOB)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_device_of_the_user_goes() {
    let town = Town::new().await;
    let (phone, _laptop) = (town.alice().await, town.alice().await);

    phone.logout_all().await.good();

    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_begins_in_the_same_millisecond_lives() {
    let town = Town::new().await;
    town.alice().await.logout_all().await.good();

    let after = town.alice().await;

    after.whoami().await.good();
}

#[tokio::test]
async fn a_session_begun_by_a_clock_that_is_ahead_ends_with_its_own_call() {
    let town = Town::new().await;
    let beginning = Some(town.now().plus(HOUR));
    let ahead = town.bearing(Wanted { beginning, ..Wanted::access() });

    ahead.logout_all().await.good();

    ahead.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    town.alice().await.whoami().await.good();
}

#[tokio::test]
async fn a_locked_account_may_log_out_everywhere() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let locked = town.after(ALICE, LOCKED).await;

    alice.at(&locked).logout_all().await.good();

    alice.at(&locked).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn it_is_judged_by_what_others_have_written_heard_of_or_not() {
    let town = Town::new().await;
    let (alice, other) = (town.alice().await, town.alice().await);
    let beside = town.again().await;
    beside.service.end_session(ALICE, session_of(&alice.token)).await.unwrap();

    let answer = alice.logout_all().await;

    answer.is(401, "M_UNKNOWN_TOKEN").hard();
    other.whoami().await.good();
}
