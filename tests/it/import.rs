//! Taking over what a Synapse has: who was logged in there is logged in here.

use amaretti::service::{Rehearsal, TakenOver};
use amaretti::store::Synapse;
use serde_json::json;

use crate::support::{Home, MINUTE, REFRESH, Raw, Town, until};

const PHONE: &str = "syt_Y2Fyb2w_phone_000000";
const LAPTOP: &str = "MDAxb_from_before_the_year_2021";
const SHORT_LIVED: &str = "syt_ZG9kbw_short_lived_00";
const RENEWING: &str = "syr_ZG9kbw_present_000000";

/// A Synapse that has been stopped.
struct Stopped {
    synapse: Synapse,
    database: Raw,
    _home: Home,
}

impl Stopped {
    async fn new() -> Self {
        let home = Home::bare();
        let file = home.path().join("homeserver.db");
        let database = home.foreign(&file).await;
        database.run_all(include_str!("synapse.sql")).await;
        let synapse = match home.parameters() {
            Some(parameters) => Synapse::on_server(&parameters).unwrap(),
            None => Synapse::in_file(&file).await.unwrap(),
        };
        Self { synapse, database, _home: home }
    }

    async fn moves_to(&self, town: &Town, rehearsal: Rehearsal) -> TakenOver {
        let users = self.synapse.users_after("", 100, town.now()).await.unwrap();
        town.service.take_over(&users, rehearsal).await.unwrap()
    }

    async fn change(&self, sql: &'static str) {
        self.database.run(sql).await;
    }
}

async fn taken_over() -> (Town, Stopped) {
    let (town, stopped) = (Town::new().await, Stopped::new().await);
    stopped.moves_to(&town, Rehearsal::No).await;
    (town, stopped)
}

#[tokio::test]
async fn who_was_logged_in_is_logged_in() {
    let (town, _) = taken_over().await;

    for (token, device) in [(PHONE, json!("PHONE")), (LAPTOP, json!("LAPTOP"))] {
        let who = town.anonymous().with(token).whoami().await;
        assert_eq!(who.good().text("user_id"), "@carol:example.com");
        assert_eq!(who["device_id"], device);
    }
    let who = town.anonymous().with("syt_Y2Fyb2w_without_a_device").whoami().await;
    assert!(who.good()["device_id"].is_null(), "{who:?}");
}

#[tokio::test]
async fn tokens_that_were_dead_or_an_admins_in_disguise_stay_out() {
    let (town, _) = taken_over().await;

    for token in ["syt_Y2Fyb2w_expired_00000", "syt_Y2Fyb2w_as_dodo_00000", "syt_Y2Fyb2w_other"] {
        town.anonymous().with(token).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}

#[tokio::test]
async fn everything_is_counted() {
    let (town, stopped) = (Town::new().await, Stopped::new().await);

    let taken = stopped.moves_to(&town, Rehearsal::No).await;

    let totals = stopped.synapse.totals().await.unwrap();
    assert_eq!((totals.users, totals.devices), (7, 4));
    assert_eq!((totals.access_tokens, totals.refresh_tokens), (7, 4));
    let expected = TakenOver {
        users: 5,
        passwords: 3,
        deactivated: 1,
        devices: 4,
        access_tokens: 5,
        refresh_tokens: 2,
        left_out: 2,
    };
    assert_eq!(taken, expected);
}

#[tokio::test]
async fn a_rehearsal_counts_the_same_and_takes_nothing_over() {
    let (town, stopped) = (Town::new().await, Stopped::new().await);

    let rehearsed = stopped.moves_to(&town, Rehearsal::Yes).await;

    town.anonymous().with(PHONE).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    let users = town.store.users().await.unwrap();
    assert!(users.iter().all(|user| user.user_id != "@carol:example.com"), "{users:?}");
    assert_eq!(stopped.moves_to(&town, Rehearsal::No).await, rehearsed);
}

#[tokio::test]
async fn a_second_time_takes_over_what_is_new_and_nothing_else() {
    let (town, stopped) = taken_over().await;
    stopped
        .change(
            "INSERT INTO access_tokens (id, user_id, device_id, token) \
             VALUES (9, '@carol:example.com', 'PHONE', 'syt_Y2Fyb2w_phone_new_00')",
        )
        .await;

    let taken = stopped.moves_to(&town, Rehearsal::No).await;

    let new = TakenOver { access_tokens: 1, left_out: 2, ..TakenOver::default() };
    assert_eq!(taken, new);
    town.anonymous().with("syt_Y2Fyb2w_phone_new_00").whoami().await.good();
    town.anonymous().with(PHONE).whoami().await.good();
}

#[tokio::test]
async fn a_logout_ends_a_token_that_was_taken_over_for_ever() {
    let (town, stopped) = taken_over().await;
    let carol = town.anonymous().with(PHONE);
    carol.logout().await.good();

    carol.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    stopped.moves_to(&town, Rehearsal::No).await;
    carol.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    carol.at(&town.again().await).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    carol.with(LAPTOP).whoami().await.good();
}

#[tokio::test]
async fn a_device_that_logged_in_here_is_given_no_old_token() {
    let (town, stopped) = taken_over().await;
    let more = json!({ "device_id": "PHONE" });
    let login = town.anonymous().password("carol", "fisch", &more).await;
    let here = town.anonymous().of(&login);
    stopped
        .change(
            "INSERT INTO access_tokens (id, user_id, device_id, token) \
             VALUES (9, '@carol:example.com', 'PHONE', 'syt_Y2Fyb2w_phone_late_0')",
        )
        .await;

    stopped.moves_to(&town, Rehearsal::No).await;

    here.whoami().await.good();
    here.with(PHONE).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    here.with("syt_Y2Fyb2w_phone_late_0").whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_refresh_token_that_was_taken_over_gives_a_pair_of_ours() {
    let (town, _) = taken_over().await;
    let dodo = town.anonymous().with(SHORT_LIVED);

    let answer = dodo.refresh(RENEWING).await;

    let access = answer.good().text("access_token");
    assert!(access.starts_with("mma_") && answer.text("refresh_token").starts_with("mmr_"));
    let who = dodo.with(access).whoami().await;
    assert_eq!(who.good().text("device_id"), "RENEWING");
    town.wait(MINUTE);
    dodo.refresh(answer.text("refresh_token")).await.good();
    dodo.refresh(RENEWING).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn an_exchange_whose_answer_was_lost_before_the_switch_is_made_up_for() {
    let (town, _) = taken_over().await;

    town.anonymous().refresh("syr_ZG9kbw_unanswered_000").await.good();

    for dead in ["syr_ZG9kbw_spent_00000000", "syr_ZG9kbw_expired_000000"] {
        town.anonymous().refresh(dead).await.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_taken_over_makes_no_request() {
    let (town, _) = taken_over().await;

    town.anonymous().with(RENEWING).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    let body = json!({ "refresh_token": SHORT_LIVED });
    town.anonymous().post(REFRESH, &body).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_token_with_an_end_ends() {
    let (town, _) = taken_over().await;
    let dodo = town.anonymous().with(SHORT_LIVED);
    town.wait(5 * MINUTE - 1);
    dodo.whoami().await.good();
    town.wait(1);

    dodo.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn accounts_stand_as_they_stood() {
    let (town, _) = taken_over().await;

    let hare = town.anonymous().with("syt_aGFyZQ_watch_00000000");
    hare.whoami().await.is(401, "M_USER_LOCKED").soft();
    town.anonymous().password("hare", "hare", &json!({})).await.is(401, "M_USER_LOCKED");
    town.anonymous().password("gone", "", &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn an_old_password_fits_and_is_hashed_anew() {
    let (town, _) = taken_over().await;
    town.anonymous().password("carol", "fish", &json!({})).await.is(403, "M_FORBIDDEN");
    // In another of Unicode's forms.
    town.anonymous().password("carol", "\u{fb01}sch", &json!({})).await.good();

    let hash = town.store.password_hash("@carol:example.com").await.unwrap().unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    town.anonymous().password("carol", "fisch", &json!({})).await.good();
    let hash = town.store.password_hash("@dodo:example.com").await.unwrap().unwrap();
    assert!(hash.starts_with("$2b$"), "{hash}");
}

#[tokio::test]
async fn another_node_hears_of_what_was_taken_over_and_a_restart_forgets_nothing() {
    let town = Town::new().await;
    let other = town.again().await;
    let _running = other.follow();
    Stopped::new().await.moves_to(&town, Rehearsal::No).await;

    let carol = town.anonymous().with(PHONE).at(&other);
    until("the other node knows the token", async || carol.whoami().await.status == 200).await;
    carol.at(&town.again().await).whoami().await.good();
}
