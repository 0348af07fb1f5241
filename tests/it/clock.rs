//! What time does to tokens, and what setting the clock does not.

use std::sync::Arc;

use amaretti::service::Policy;
use amaretti::time::{Clock, SystemClock};

use crate::support::{BEGINNING, HOUR, MINUTE, Setting, Town, Wanted};

#[tokio::test]
async fn an_expired_token_lets_the_client_keep_its_keys() {
    let town = Town::new().await;
    let alice = town.bearing(Wanted { life: Some(MINUTE), ..Wanted::access() });

    town.wait(MINUTE - 1);
    alice.whoami().await.good();
    town.wait(1);

    let answer = alice.whoami().await;
    answer.is(401, "M_UNKNOWN_TOKEN").soft().says("expired");
    alice.sync().await.is(401, "M_UNKNOWN_TOKEN").soft();
    alice.logout().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn an_expired_token_of_a_session_that_was_logged_out_is_logged_out_first() {
    let town = Town::new().await;
    let alice = town.bearing(Wanted { life: Some(MINUTE), ..Wanted::access() });
    alice.logout().await.good();
    town.wait(HOUR);

    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_token_without_an_end_outlives_everybody() {
    let town = Town::new().await;
    let alice = town.alice().await;

    town.wait(100 * 365 * 24 * HOUR);

    alice.whoami().await.good();
}

#[tokio::test]
async fn the_system_clock_tells_nobody_an_instant_before_the_last() {
    let clock = Arc::new(SystemClock::default());
    let told = |clock: Arc<SystemClock>| {
        let instants: Vec<_> = (0..20_000).map(|_| clock.now()).collect();
        instants.is_sorted()
    };

    let threads: Vec<_> = (0..4)
        .map(|_| clock.clone())
        .map(|clock| std::thread::spawn(move || told(clock)))
        .collect();

    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}

#[tokio::test]
async fn after_the_clock_was_set_back_what_was_logged_out_stays_so() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.logout().await.good();

    let earlier = town.again_at(BEGINNING.minus(HOUR)).await;

    alice.at(&earlier).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn after_the_clock_was_set_back_one_can_log_in_and_out_as_ever() {
    let town = Town::new().await;
    town.alice_on("PHONE").await.logout_all().await.good();

    let earlier = town.again_at(BEGINNING.minus(HOUR)).await;
    let alice = earlier.alice_on("PHONE").await;

    alice.whoami().await.good();
    alice.logout().await.good();
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn after_the_clock_was_set_back_a_spent_login_token_stays_spent() {
    let town = Town::new().await;
    let token = town.login_token();
    town.anonymous().spend(&token, &serde_json::json!({})).await.good();

    let earlier = town.again_at(BEGINNING.minus(HOUR)).await;

    let again = earlier.anonymous().spend(&token, &serde_json::json!({})).await;
    again.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn after_the_clock_was_set_back_into_its_life_a_spent_login_token_stays_spent() {
    let town = Town::new().await;
    let (token, nothing) = (town.login_token(), serde_json::json!({}));
    town.anonymous().spend(&token, &nothing).await.good();
    town.wait(50 * MINUTE);
    town.anonymous().spend(&town.login_token(), &nothing).await.good();

    let earlier = town.again_at(BEGINNING.plus(MINUTE)).await;

    earlier.anonymous().spend(&token, &nothing).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_clock_that_jumps_a_year_ahead_ends_capped_tokens_softly_and_no_session() {
    let town = Town::with(Setting {
        policy: Policy { access_cap: Some(HOUR), ..Policy::default() },
        ..Setting::default()
    })
    .await;
    let capped = town.alice().await;
    let endless = town.bearing(Wanted::access());

    town.wait(365 * 24 * HOUR);

    capped.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    endless.whoami().await.good();
    town.alice().await.whoami().await.good();
}
