//! Sessions and refresh tokens that are narrowed: no exchange makes them wider.

use serde_json::json;

use crate::support::{HOUR, MINUTE, Town, append, narrow};

#[tokio::test]
async fn the_time_of_a_narrowed_refresh_token_bounds_both_tokens_that_come_of_it() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    let end = town.now().plus(MINUTE).millis();

    let answer = alice.refresh(&narrow(&token, &format!("time < {end}"))).await;

    assert_eq!(answer.good()["expires_in_ms"], MINUTE);
    town.wait(MINUTE);
    alice.with(answer.text("access_token")).whoami().await.names_caveat("time");
    alice.refresh(answer.text("refresh_token")).await.names_caveat("time");
}

#[tokio::test]
async fn the_address_of_a_narrowed_refresh_token_is_asked_for_ever_after() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    let (home, away) = (alice.from("192.0.2.1"), alice.from("198.51.100.1"));
    let narrowed = narrow(&token, "ip in 192.0.2.0/24");

    away.refresh(&narrowed).await.names_caveat("ip");
    let answer = home.refresh(&narrowed).await;

    let (access, refresh) = (answer.good().text("access_token"), answer.text("refresh_token"));
    home.with(access).whoami().await.good();
    away.with(access).whoami().await.names_caveat("ip");
    away.refresh(refresh).await.names_caveat("ip");
    home.refresh(refresh).await.good();
}

#[tokio::test]
async fn nothing_else_may_be_appended_to_a_refresh_token() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;

    for caveat in ["action in read", "label = mine", "audience = media", "planet = mars"] {
        let answer = alice.refresh(&append(&token, caveat)).await;
        answer.is(403, "M_FORBIDDEN");
    }

    alice.refresh(&token).await.good();
}

#[tokio::test]
async fn a_session_that_began_narrow_stays_narrow() {
    let town = Town::new().await;
    let login = narrow(&town.login_token(), "action in sync");
    let answer = town.anonymous().spend(&login, &json!({ "refresh_token": true })).await;
    let mut kiosk = town.anonymous().of(&answer);
    let mut refresh = answer.text("refresh_token").to_owned();

    for _ in 0..3 {
        town.wait(HOUR);
        let answer = kiosk.refresh(&refresh).await;
        kiosk = kiosk.with(answer.good().text("access_token"));
        kiosk.sync().await.good();
        kiosk.whoami().await.names_caveat("action");
        answer.text("refresh_token").clone_into(&mut refresh);
    }
}

#[tokio::test]
async fn a_session_that_began_with_an_end_ends_there_however_often_it_is_refreshed() {
    let town = Town::new().await;
    let end = town.now().plus(HOUR).millis();
    let login = narrow(&town.login_token(), &format!("time < {end}"));
    let answer = town.anonymous().spend(&login, &json!({ "refresh_token": true })).await;
    let client = town.anonymous().of(&answer);
    town.wait(50 * MINUTE);

    let answer = client.refresh(answer.text("refresh_token")).await;

    assert_eq!(answer.good()["expires_in_ms"], 10 * MINUTE);
    town.wait(10 * MINUTE);
    client.with(answer.text("access_token")).whoami().await.names_caveat("time");
    client.refresh(answer.text("refresh_token")).await.names_caveat("time");
}
