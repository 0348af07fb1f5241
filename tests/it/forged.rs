//! Texts that are not tokens of ours, or no longer, or not for this: the exact answer to each.

use amaretti::keyring::Keyring;
use amaretti::token::{Key, Kind};

use crate::support::{Town, WHOAMI, Wanted};

#[tokio::test]
async fn a_token_with_one_character_changed_is_forged_and_the_client_keeps_its_keys() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let other = |at: usize| {
        let mut text = alice.token.clone().into_bytes();
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(text).unwrap()
    };

    // Behind the prefix: route, key id, session, user and tag.
    for at in (8..alice.token.len()).step_by(3) {
        let answer = alice.with(&other(at)).whoami().await;
        answer.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}

#[tokio::test]
async fn a_token_cut_off_anywhere_says_that_its_end_is_missing() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for length in 4..alice.token.len() {
        let cut = alice.token.get(..length).unwrap();
        let answer = alice.with(cut).whoami().await;
        answer.is(401, "M_UNKNOWN_TOKEN").soft().says("its end is missing");
    }
}

#[tokio::test]
async fn a_text_that_was_never_a_token_is_unknown_for_good() {
    let town = Town::new().await;

    let long = "x".repeat(5000);

    for text in ["hello", "mma", "MMA_AgIt", "mmx_AgIt", "eyJhbGciOiJub25lIn0.e30.", &long] {
        let answer = town.anonymous().with(text).whoami().await;
        answer.is(401, "M_UNKNOWN_TOKEN").hard();
    }
}

#[tokio::test]
async fn a_token_of_a_predecessor_lets_the_client_keep_its_keys() {
    let town = Town::new().await;

    for text in ["syt_YWxpY2U_abc_123", "mct_abc", "mat_abc_1", "MDAxMWxvY2F0aW9uIGhzMQo"] {
        let answer = town.anonymous().with(text).whoami().await;
        answer.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}

#[tokio::test]
async fn what_is_spelled_like_a_token_and_is_none_lets_the_client_keep_its_keys() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let token = &alice.token;
    let long = format!("mma_{}", "A".repeat(3000));

    for text in [
        "mma_",
        "mma_!!!!",
        "mma_AAAA",
        &long,
        &format!("{token}A"),
        &format!("{token}AAAA"),
        &format!("{token}="),
        &token.replacen("mma_", "mmr_", 1),
        &format!("mma_{token}"),
    ] {
        let answer = alice.with(text).whoami().await;
        answer.is(401, "M_UNKNOWN_TOKEN").soft();
    }
}

#[tokio::test]
async fn a_token_of_another_kind_is_told_so() {
    let town = Town::new().await;

    for kind in [Kind::Refresh, Kind::Login, Kind::Inner] {
        let answer = town.bearing(Wanted { kind, ..Wanted::access() }).whoami().await;
        answer.is(401, "M_UNKNOWN_TOKEN").soft().says("not an access token");
    }
}

#[tokio::test]
async fn a_token_of_another_kind_logs_nobody_out() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;

    let login = Wanted { device: Some("PHONE"), ..Wanted::default() };
    town.bearing(login).logout_all().await.is(401, "M_UNKNOWN_TOKEN").soft();

    alice.whoami().await.good();
}

/// A ring that mints with a key that nobody here has.
fn strangers_ring() -> Keyring {
    let key = Key::from_bytes(&core::array::from_fn(|i| i as u8 | 0x80)).unwrap();
    let mut ring = Keyring::default();
    ring.hold(&key).unwrap();
    ring.mint_with(key.id()).unwrap();
    ring
}

#[tokio::test]
async fn a_token_signed_with_a_strangers_key_lets_the_client_keep_its_keys() {
    let town = Town::new().await;
    let token = Wanted::access().mint_with(&strangers_ring(), town.now());

    town.anonymous().with(&token).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn one_town_does_not_believe_another() {
    let (here, there) = (Town::new().await, Town::new().await);
    let alice = here.alice().await;

    alice.at(&there).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    there
        .anonymous()
        .spend(&here.login_token(), &serde_json::json!({}))
        .await
        .is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn no_text_in_a_header_is_anybody() {
    let town = Town::new().await;

    for text in ["undefined", "null", "[object Object]", "Bearer", "%s", "mma_AgIt AgIt", "ü"] {
        let answer = town.anonymous().with(text).get(WHOAMI).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}
