//! `POST /login` with a login token: once, for whom it names, and never a 401.

use amaretti::revocations::Standing;
use amaretti::token::Kind;
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, LOCKED, LOGIN, MINUTE, Town, Wanted, append, session_of};

fn nothing() -> Value {
    json!({})
}

#[tokio::test]
async fn a_login_token_begins_a_session_of_whom_it_names() {
    let town = Town::new().await;
    let token = town.mint(Wanted { user: BOB, ..Wanted::default() });

    let answer = town.anonymous().spend(&token, &nothing()).await;

    assert_eq!(answer.good()["user_id"], BOB);
    let who = town.anonymous().of(&answer).whoami().await;
    assert_eq!(who.good()["device_id"], answer["device_id"]);
}

#[tokio::test]
async fn the_session_is_a_new_one() {
    let town = Town::new().await;
    let token = town.login_token();

    let answer = town.anonymous().spend(&token, &nothing()).await;

    assert_ne!(session_of(answer.good().text("access_token")), session_of(&token));
}

#[tokio::test]
async fn a_login_token_is_good_for_one_session() {
    let town = Town::new().await;
    let token = town.login_token();
    town.anonymous().spend(&token, &nothing()).await.good();

    let again = town.anonymous().spend(&token, &nothing()).await;

    again.is(403, "M_FORBIDDEN");
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_identifier_without_a_user_does_not_matter_to_a_login_token() {
    let town = Town::new().await;
    let more = json!({ "identifier": { "type": "m.id.user" } });

    town.anonymous().spend(&town.login_token(), &more).await.good();
}

#[tokio::test]
async fn a_login_token_ends_on_its_instant() {
    let town = Town::new().await;
    let (early, late) = (town.login_token(), town.login_token());

    town.wait(2 * MINUTE - 1);
    town.anonymous().spend(&early, &nothing()).await.good();
    town.wait(1);
    town.anonymous().spend(&late, &nothing()).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn every_login_token_that_will_not_do_is_told_in_the_same_words() {
    let town = Town::new().await;
    let good = town.login_token();
    let spent = town.login_token();
    town.anonymous().spend(&spent, &nothing()).await.good();
    let expired = town.mint(Wanted { life: Some(0), ..Wanted::default() });
    let access = town.mint(Wanted::access());
    let refresh = town.mint(Wanted { kind: Kind::Refresh, ..Wanted::default() });
    let nobodys = town.mint(Wanted { user: "@carol:example.com", ..Wanted::default() });
    let cut = good.get(..good.len() - 9).unwrap().to_owned();
    let unknown = append(&good, "planet = mars");
    let widened = append(&good, "user_id = @bob:example.com");
    let texts = [
        &spent, &expired, &access, &refresh, &nobodys, &cut, &unknown, &widened, "", "x", "syl_abc",
    ];

    for text in texts {
        let answer = town.anonymous().spend(text, &nothing()).await;
        answer.is(403, "M_FORBIDDEN");
        assert_eq!(answer.text("error"), "Invalid login token");
        assert_eq!(answer.json.get("soft_logout"), None);
    }
}

#[tokio::test]
async fn a_login_token_of_a_locked_account_begins_nothing() {
    let town = Town::new().await;
    let token = town.login_token();
    let _heard_only_there = town.after(ALICE, LOCKED).await;

    let answer = town.anonymous().spend(&token, &nothing()).await;

    assert!(answer.status.is_client_error(), "{answer:?}");
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_login_token_of_a_deactivated_account_begins_nothing() {
    let town = Town::new().await;
    let token = town.login_token();
    let _heard_only_there = town.after(ALICE, Standing::Deactivated).await;

    town.anonymous().spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_login_token_whose_session_others_have_ended_begins_nothing() {
    let town = Town::new().await;
    let token = town.login_token();
    let beside = town.again().await;
    beside.service.end_session(ALICE, session_of(&token)).await.unwrap();

    let answer = town.anonymous().spend(&token, &nothing()).await;

    answer.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn logging_out_everywhere_takes_unspent_login_tokens_along() {
    let town = Town::new().await;
    let token = town.login_token();
    town.alice().await.logout_all().await.good();

    town.anonymous().spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_guest_becomes_no_user_by_a_login_token() {
    let town = Town::new().await;
    let token = town.mint(Wanted { guest: true, ..Wanted::default() });

    let answer = town.anonymous().spend(&token, &nothing()).await;

    answer.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn what_fails_spends_nothing() {
    let town = Town::new().await;
    let token = town.login_token();
    let bad = json!({ "type": "m.login.token", "token": token, "device_id": 7 });
    town.anonymous().post(LOGIN, &bad).await.is(400, "M_BAD_JSON");
    let bad = json!({ "device_id": "" });
    town.anonymous().spend(&token, &bad).await.is(400, "M_BAD_JSON");

    town.anonymous().spend(&token, &nothing()).await.good();
}
