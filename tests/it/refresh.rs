//! `POST /refresh`: the next pair of tokens, and what a refresh token is not good for.

use std::time::Duration;

use amaretti::revocations::Standing;
use amaretti::service::Policy;
use serde_json::json;

use crate::support::{
    ALICE, HOUR, LOCKED, MINUTE, REFRESH, Setting, Town, Wanted, session_of, until,
};

const DAY: u64 = 24 * HOUR;

async fn with(policy: Policy) -> Town {
    Town::with(Setting { policy, ..Setting::default() }).await
}

#[tokio::test]
async fn a_client_that_asks_for_it_is_given_a_refresh_token() {
    let town = Town::new().await;
    let more = json!({ "refresh_token": true });

    let answer = town.anonymous().password("alice", "wonderland", &more).await;

    assert!(answer.good().text("refresh_token").starts_with("mmr_"), "{answer:?}");
    assert_eq!(answer["expires_in_ms"], 15 * MINUTE);
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_another_pair_of_its_session() {
    let town = Town::new().await;
    let (alice, first) = town.renewing_alice().await;
    town.wait(MINUTE);

    let answer = alice.refresh(&first).await;

    let (access, second) = (answer.good().text("access_token"), answer.text("refresh_token"));
    assert_eq!(answer["expires_in_ms"], 15 * MINUTE);
    assert_ne!((access, second), (alice.token.as_str(), first.as_str()));
    assert_eq!(session_of(access), session_of(&alice.token));
    let who = alice.with(access).whoami().await;
    assert_eq!((who.good().text("user_id"), who.text("device_id")), (ALICE, &*alice.device_id));
    alice.refresh(second).await.good();
}

#[tokio::test]
async fn an_access_token_that_was_refreshed_lives_until_it_expires() {
    let town = Town::new().await;
    let (alice, first) = town.renewing_alice().await;
    let answer = alice.refresh(&first).await;
    alice.with(answer.good().text("access_token")).whoami().await.good();
    alice.refresh(answer.text("refresh_token")).await.good();

    alice.whoami().await.good();
    town.wait(15 * MINUTE - 1);
    alice.whoami().await.good();
    town.wait(1);
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_refresh_token_outlives_its_access_token_and_expires_softly_a_year_later() {
    let town = Town::new().await;
    let ((_, brief), (_, long)) = (town.renewing_alice().await, town.renewing_alice().await);

    town.wait(365 * DAY - 1);
    town.anonymous().refresh(&long).await.good();
    town.wait(1);

    town.anonymous().refresh(&brief).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_year_counts_from_the_last_exchange() {
    let town = Town::new().await;
    let (alice, mut token) = town.renewing_alice().await;

    for _ in 0..4 {
        town.wait(300 * DAY);
        alice.refresh(&token).await.good().text("refresh_token").clone_into(&mut token);
    }
}

#[tokio::test]
async fn a_session_that_may_not_grow_older_ends_with_all_its_tokens() {
    let town = with(Policy { session_life: Some(HOUR), ..Policy::default() }).await;
    town.wait(MINUTE);
    let (alice, first) = town.renewing_alice().await;
    town.wait(HOUR - MINUTE);

    let answer = alice.refresh(&first).await;

    assert_eq!(answer.good()["expires_in_ms"], MINUTE);
    let last = alice.with(answer.text("access_token"));
    last.whoami().await.good();
    town.wait(MINUTE);
    last.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    alice.refresh(answer.text("refresh_token")).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_refresh_token_is_good_for_nothing_else() {
    let town = Town::new().await;
    let (alice, refresh) = town.renewing_alice().await;

    let bearer = alice.with(&refresh);

    bearer.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    bearer.logout().await.is(401, "M_UNKNOWN_TOKEN").soft();
    alice.spend(&refresh, &json!({})).await.is(403, "M_FORBIDDEN");
    alice.refresh(&alice.token).await.is(401, "M_UNKNOWN_TOKEN").soft();
    alice.refresh(&town.login_token()).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn what_is_no_refresh_token_leaves_the_client_its_keys() {
    let town = Town::new().await;
    let (alice, good) = town.renewing_alice().await;
    let (cut, _) = good.split_at(good.len() - 9);

    for text in [cut, "", "x", "mmr_", "syr_abc", &"m".repeat(5000)] {
        alice.refresh(text).await.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}

#[tokio::test]
async fn a_session_that_was_ended_by_a_fact_is_ended_for_its_refresh_token() {
    let town = Town::new().await;
    let (phone, phones) = town.renewing_alice_on(json!({ "device_id": "PHONE" })).await;
    let (laptop, laptops) = town.renewing_alice().await;
    let (_tablet, tablets) = town.renewing_alice_on(json!({ "device_id": "TABLET" })).await;

    phone.logout().await.good();
    phone.refresh(&phones).await.is(401, "M_UNKNOWN_TOKEN").hard();
    town.alice_on("TABLET").await;
    phone.refresh(&tablets).await.is(401, "M_UNKNOWN_TOKEN").hard();
    laptop.logout_all().await.good();
    phone.refresh(&laptops).await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn an_exchange_judges_by_what_the_store_knows_and_not_by_what_was_heard() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    let beside = town.again().await;
    alice.at(&beside).logout_all().await.good();

    alice.refresh(&token).await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_locked_account_refreshes_nothing_and_a_deactivated_one_is_ended() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;

    let locked = town.after(ALICE, LOCKED).await;
    alice.at(&locked).refresh(&token).await.is(401, "M_USER_LOCKED").soft();
    let over = town.after(ALICE, Standing::Deactivated).await;
    alice.at(&over).refresh(&token).await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_header_with_an_expired_token_does_not_matter() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    town.wait(HOUR);
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();

    alice.post(REFRESH, &json!({ "refresh_token": token })).await.good();
}

#[tokio::test]
async fn every_spelling_of_the_path_exchanges() {
    let town = Town::new().await;
    let (alice, mut token) = town.renewing_alice().await;

    for version in ["v3", "v1", "unstable/org.matrix.msc2918"] {
        let path = format!("/_matrix/client/{version}/refresh");
        let answer = alice.post(&path, &json!({ "refresh_token": token })).await;
        answer.good().text("refresh_token").clone_into(&mut token);
    }
}

#[tokio::test]
async fn a_body_without_a_refresh_token_is_a_bad_one() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    nobody.post(REFRESH, &json!({})).await.is(400, "M_BAD_JSON");
    nobody.post(REFRESH, &json!({ "refresh_token": 7 })).await.is(400, "M_BAD_JSON");
    nobody.call("POST", REFRESH, "no").await.is(400, "M_NOT_JSON");
}

#[tokio::test]
async fn a_store_that_is_away_is_no_verdict_and_is_not_told_in_json() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    town.store.close().await;

    let answer = alice.refresh(&token).await;

    assert_eq!((answer.status.as_u16(), &answer.json), (503, &json!(null)), "{answer:?}");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    assert!(answer.header("retry-after").is_some_and(|value| value.parse::<u64>().is_ok()));
    alice.at(&town.again().await).refresh(&token).await.good();
}

#[tokio::test]
async fn an_exchange_that_takes_too_long_is_no_verdict_and_is_not_told_in_json() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    let hasty = town.again_with(Setting { patience: Duration::ZERO, ..Setting::default() }).await;
    let held = town.raw_database().await.hold().await;

    let answer = alice.at(&hasty).refresh(&token).await;

    assert_eq!((answer.status.as_u16(), &answer.json), (503, &json!(null)), "{answer:?}");
    assert!(answer.body.contains("took too long"), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    held.let_go().await;
    alice.refresh(&token).await.good();
}

#[tokio::test]
async fn a_feed_that_is_too_old_is_no_verdict_on_a_refresh_token() {
    let town = Town::new().await;
    let ((alice, token), raw) = (town.renewing_alice().await, town.raw_database().await);
    let max_staleness = Duration::from_millis(400);
    let strict = town.again_with(Setting { max_staleness, ..Setting::default() }).await;
    let (_following, alice) = (strict.follow(), alice.at(&strict));
    raw.run("ALTER TABLE feed RENAME TO feed_away").await;

    until("the feed is too old", async || alice.whoami().await.status == 503).await;
    let answer = alice.refresh(&token).await;

    assert_eq!((answer.status.as_u16(), &answer.json), (503, &json!(null)), "{answer:?}");
}

#[tokio::test]
async fn a_session_without_a_refresh_token_is_renewed_by_none_minted_aside() {
    let town = Town::new().await;
    let kind = amaretti::token::Kind::Refresh;
    let aside = town.mint(Wanted { kind, device: Some("ASIDE"), ..Wanted::default() });

    town.anonymous().refresh(&aside).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn the_exchange_of_2015_is_served_where_it_is_switched_on() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    let body = json!({ "refresh_token": token });
    let path = "/_matrix/client/r0/tokenrefresh";
    alice.post(path, &body).await.is(404, "M_UNRECOGNIZED");

    let old =
        alice.at(&town.again_with(Setting { token_refresh: true, ..Setting::default() }).await);

    old.post(path, &json!({ "refresh_token": "mmr_no" })).await.is(403, "M_FORBIDDEN");
    let answer = old.post(path, &body).await;
    assert!(answer.good().text("refresh_token").starts_with("mmr_"), "{answer:?}");
}
