//! `POST /login` with a password.

use amaretti::revocations::Standing;
use amaretti::service::Policy;
use serde_json::{Value, json};

use crate::support::{
    ALICE, ALICES_PASSWORD, Answer, BOB, BOBS_PASSWORD, HOUR, LOCKED, LOGIN, Setting, Town,
};

fn nothing() -> Value {
    json!({})
}

#[tokio::test]
async fn the_right_password_begins_a_session() {
    let town = Town::new().await;

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &nothing()).await;

    assert_eq!(answer.good()["user_id"], ALICE);
    assert_eq!(answer["home_server"], "example.com");
    assert!(answer.text("access_token").starts_with("mma_"));
    let who = town.anonymous().of(&answer).whoami().await;
    assert_eq!(who.good()["user_id"], ALICE);
    assert_eq!(who["device_id"], answer["device_id"]);
}

#[tokio::test]
async fn a_session_without_an_end_says_nothing_of_one() {
    let town = Town::new().await;

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &nothing()).await;

    assert_eq!(answer.good().json.get("expires_in_ms"), None);
    assert_eq!(answer.json.get("refresh_token"), None);
}

#[tokio::test]
async fn both_versions_of_the_path_log_in() {
    let town = Town::new().await;
    let body = json!({ "type": "m.login.password", "user": "alice", "password": ALICES_PASSWORD });

    for path in [LOGIN, "/_matrix/client/r0/login"] {
        town.anonymous().post(path, &body).await.good();
    }
}

#[tokio::test]
async fn a_user_may_be_named_in_every_way_that_clients_do() {
    let town = Town::new().await;
    let names = [
        json!({ "identifier": { "type": "m.id.user", "user": "alice" } }),
        json!({ "identifier": { "type": "m.id.user", "user": ALICE } }),
        json!({ "identifier": { "type": "m.id.user", "user": "Alice" } }),
        json!({ "identifier": { "user": "alice" } }),
        json!({ "identifier": null, "user": "alice" }),
        json!({ "user": "alice" }),
        json!({ "user": ALICE }),
    ];

    for name in names {
        let mut body = json!({ "type": "m.login.password", "password": ALICES_PASSWORD });
        body.as_object_mut().unwrap().extend(name.as_object().unwrap().clone());
        let answer = town.anonymous().post(LOGIN, &body).await;
        assert_eq!(answer.good()["user_id"], ALICE, "{name}");
    }
}

#[tokio::test]
async fn what_a_server_may_ignore_is_ignored() {
    let town = Town::new().await;
    let more = json!({ "refresh_token": null, "org.example.flag": [1, 2], "device_id": null });

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &more).await;

    assert_eq!(answer.good().json.get("refresh_token"), None);
}

#[tokio::test]
async fn a_wrong_password_is_told_in_the_words_for_an_unknown_user() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    let wrong = nobody.password("alice", "Wonderland", &nothing()).await;
    let unknown = nobody.password("carol", "Wonderland", &nothing()).await;
    let elsewhere = nobody.password("@alice:example.org", ALICES_PASSWORD, &nothing()).await;
    let empty = nobody.password("", ALICES_PASSWORD, &nothing()).await;

    wrong.is(403, "M_FORBIDDEN");
    let same = |other: &Answer| (other.status, &other.body) == (wrong.status, &wrong.body);
    assert!(
        same(&unknown) && same(&elsewhere) && same(&empty),
        "{unknown:?}{elsewhere:?}{empty:?}"
    );
}

#[tokio::test]
async fn an_account_of_another_server_opens_nothing_even_if_it_is_in_the_database() {
    let town = Town::new().await;
    let hash = town.store.password_hash(ALICE).await.unwrap().unwrap();
    let mut tx = town.store.begin().await.unwrap();
    assert!(tx.add_user("@alice:example.org", &hash, town.now()).await.unwrap());
    tx.commit().await.unwrap();

    let answer = town.anonymous().password("@alice:example.org", ALICES_PASSWORD, &nothing()).await;

    answer.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn somebody_elses_password_opens_nothing() {
    let town = Town::new().await;

    let answer = town.anonymous().password(BOB, ALICES_PASSWORD, &nothing()).await;

    answer.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn addresses_and_phone_numbers_name_nobody() {
    let town = Town::new().await;
    let names = [
        json!({ "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": "a@b.c" } }),
        json!({ "identifier": { "type": "m.id.phone", "country": "DE", "phone": "0123" } }),
        json!({ "identifier": { "medium": "email", "address": "a@b.c" } }),
        json!({ "medium": "email", "address": "a@b.c" }),
    ];

    for name in names {
        let mut body = json!({ "type": "m.login.password", "password": ALICES_PASSWORD });
        body.as_object_mut().unwrap().extend(name.as_object().unwrap().clone());
        town.anonymous().post(LOGIN, &body).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn a_replaced_password_opens_nothing_and_the_new_one_does() {
    let town = Town::new().await;
    let before = town.alice().await;
    let hash = town.store.password_hash(BOB).await.unwrap().unwrap();

    town.service.replace_password(ALICE, &hash).await.unwrap().unwrap();

    let nobody = town.anonymous();
    nobody.password(ALICE, ALICES_PASSWORD, &nothing()).await.is(403, "M_FORBIDDEN");
    nobody.of(&nobody.password(ALICE, BOBS_PASSWORD, &nothing()).await).whoami().await.good();
    before.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_cap_on_access_tokens_is_told_and_kept() {
    let town = Town::with(Setting {
        policy: Policy { access_cap: Some(HOUR), ..Policy::default() },
        ..Setting::default()
    })
    .await;

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &nothing()).await;

    assert_eq!(answer.good()["expires_in_ms"], HOUR);
    let alice = town.anonymous().of(&answer);
    town.wait(HOUR - 1);
    alice.whoami().await.good();
    town.wait(1);
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_locked_account_is_told_so_and_begins_no_session() {
    let town = Town::new().await.after(ALICE, LOCKED).await;

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &nothing()).await;

    answer.is(401, "M_USER_LOCKED").soft();
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn the_lock_of_an_account_counts_before_this_node_has_heard_of_it() {
    let town = Town::new().await;
    let _heard_only_there = town.after(ALICE, LOCKED).await;

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &nothing()).await;

    answer.is(401, "M_USER_LOCKED").soft();
}

#[tokio::test]
async fn a_deactivated_account_looks_like_none() {
    let town = Town::new().await.after(ALICE, Standing::Deactivated).await;

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &nothing()).await;

    answer.is(403, "M_FORBIDDEN").says("Invalid username or password");
}

#[tokio::test]
async fn too_many_logins_at_once_are_our_fault() {
    let town = Town::new().await;
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..120 {
        let nobody = town.anonymous();
        logins.spawn(async move { nobody.password("alice", ALICES_PASSWORD, &json!({})).await });
    }

    let answers = logins.join_all().await;

    let (good, turned_away): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status.is_success());
    assert!(!good.is_empty() && !turned_away.is_empty(), "{} of 120 were let in", good.len());
    for answer in turned_away {
        answer.unavailable();
    }
}
