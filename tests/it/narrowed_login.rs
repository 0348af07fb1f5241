//! Login tokens that their holders have narrowed: nothing is laundered at the exchange.

use amaretti::token::{Anatomy, Part};
use serde_json::{Value, json};

use crate::support::{ALICE, Client, HOUR, MINUTE, Town, Wanted, append, narrow};

fn nothing() -> Value {
    json!({})
}

fn on(device_id: &str) -> Value {
    json!({ "device_id": device_id })
}

/// Whoever has logged in with a login token narrowed by this caveat.
async fn logged_in(town: &Town, caveat: &str) -> Client {
    let token = narrow(&town.login_token(), caveat);
    let nobody = town.anonymous();
    nobody.of(&nobody.spend(&token, &nothing()).await)
}

fn caveats_of(token: &str) -> Vec<String> {
    let anatomy = Anatomy::of(token);
    let caveats = anatomy.pieces.iter().filter(|piece| piece.part == Part::Caveat);
    let text = |piece| String::from_utf8(anatomy.bytes_of(piece).to_vec()).unwrap();
    caveats.map(text).collect()
}

#[tokio::test]
async fn every_caveat_is_carried_into_the_access_token_in_order() {
    let town = Town::new().await;
    let caveats = ["label = kiosk", "action in sync", "room_id in !a:example.com", "audience = x"];
    let token = caveats.iter().fold(town.login_token(), |token, caveat| narrow(&token, caveat));

    let answer = town.anonymous().spend(&token, &nothing()).await;

    let carried = caveats_of(answer.good().text("access_token"));
    assert_eq!(carried.get(2..), Some(caveats.map(String::from).as_slice()));
}

#[tokio::test]
async fn what_the_login_token_could_not_do_the_access_token_cannot() {
    let town = Town::new().await;

    let kiosk = logged_in(&town, "action in sync").await;

    kiosk.sync().await.good();
    kiosk.whoami().await.names_caveat("action");
    kiosk.logout().await.names_caveat("action");
}

#[tokio::test]
async fn the_time_of_a_login_token_bounds_its_access_token_and_is_told() {
    let town = Town::new().await;
    let end = town.now().plus(MINUTE).millis();
    let token = narrow(&town.login_token(), &format!("time < {end}"));
    town.wait(1000);

    let answer = town.anonymous().spend(&token, &nothing()).await;

    assert_eq!(answer.good()["expires_in_ms"], MINUTE - 1000);
    let brief = town.anonymous().of(&answer);
    brief.whoami().await.good();
    town.wait(MINUTE);
    brief.whoami().await.names_caveat("time");
}

#[tokio::test]
async fn time_is_judged_at_the_exchange() {
    let town = Town::new().await;
    let token = narrow(&town.login_token(), &format!("time < {}", town.now().millis()));

    town.anonymous().spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn the_address_is_judged_at_the_exchange_and_ever_after() {
    let town = Town::new().await;
    let token = narrow(&town.login_token(), "ip in 192.0.2.0/24");
    let nobody = town.anonymous();

    nobody.spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
    nobody.from("198.51.100.1").spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
    let at_home = nobody.from("192.0.2.7").spend(&token, &nothing()).await;

    let at_home = nobody.of(&at_home);
    at_home.from("192.0.2.8").whoami().await.good();
    at_home.from("198.51.100.1").whoami().await.names_caveat("ip");
}

#[tokio::test]
async fn a_caveat_that_nobody_knows_begins_no_session() {
    let town = Town::new().await;
    let token = append(&town.login_token(), "planet = mars");

    town.anonymous().spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_narrowed_login_token_takes_over_no_device() {
    let town = Town::new().await;
    let phone = town.alice_on("PHONE").await;
    let token = narrow(&town.login_token(), "label = for the kiosk");

    let answer = town.anonymous().spend(&token, &on("PHONE")).await;

    answer.is(403, "M_FORBIDDEN");
    phone.whoami().await.good();
}

#[tokio::test]
async fn a_narrowed_login_token_ends_no_session_that_was_minted_aside() {
    let town = Town::new().await;
    let bot = town.bearing(Wanted { device: Some("BOT"), ..Wanted::access() });
    let token = narrow(&town.login_token(), "label = for the kiosk");

    town.anonymous().spend(&token, &on("BOT")).await;

    bot.whoami().await.good();
}

#[tokio::test]
async fn what_was_refused_a_device_is_not_spent() {
    let town = Town::new().await;
    let _phone = town.alice_on("PHONE").await;
    let token = narrow(&town.login_token(), "label = for the kiosk");
    town.anonymous().spend(&token, &on("PHONE")).await.is(403, "M_FORBIDDEN");

    town.anonymous().spend(&token, &on("KIOSK")).await.good();
}

#[tokio::test]
async fn a_narrowed_login_token_may_make_a_new_device() {
    let town = Town::new().await;
    let token = narrow(&town.login_token(), "label = for the kiosk");

    let answer = town.anonymous().spend(&token, &on("KIOSK")).await;

    assert_eq!(answer.good()["device_id"], "KIOSK");
    town.anonymous().of(&answer).whoami().await.good();
}

#[tokio::test]
async fn a_login_token_that_names_a_device_makes_that_one_alone() {
    let town = Town::new().await;
    let kiosk = || town.mint(Wanted { device: Some("KIOSK"), ..Wanted::default() });
    let nobody = town.anonymous();

    nobody.spend(&kiosk(), &on("PHONE")).await.is(403, "M_FORBIDDEN");
    let unasked = nobody.spend(&kiosk(), &nothing()).await;
    town.wait(MINUTE);
    let asked = nobody.spend(&kiosk(), &on("KIOSK")).await;

    assert_eq!(unasked.good()["device_id"], "KIOSK");
    assert_eq!(asked.good()["device_id"], "KIOSK");
}

#[tokio::test]
async fn a_device_that_a_holder_appended_is_not_the_issuers() {
    let town = Town::new().await;
    let _phone = town.alice_on("PHONE").await;
    let token = append(&town.login_token(), "device_id = PHONE");

    town.anonymous().spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn the_narrowed_spelling_of_a_spent_token_is_spent() {
    let town = Town::new().await;
    let token = town.login_token();
    town.anonymous().spend(&token, &nothing()).await.good();

    let narrowed = narrow(&token, "label = me, too");

    town.anonymous().spend(&narrowed, &nothing()).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_narrowed_spelling_spends_the_whole_token() {
    let town = Town::new().await;
    let token = town.login_token();
    let narrowed = narrow(&token, "action in read");
    town.anonymous().spend(&narrowed, &nothing()).await.good();

    town.anonymous().spend(&token, &nothing()).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn another_spelling_is_not_given_the_session_again() {
    let town = Town::new().await;
    let proofs = [json!({ "device_id": "KIOSK" }), json!({ "txn_id": "t1" })];

    for proof in proofs {
        let (whole, narrow) = (town.login_token(), |token: &str| narrow(token, "action in sync"));
        town.anonymous().spend(&whole, &proof).await.good();
        town.anonymous().spend(&narrow(&whole), &proof).await.is(403, "M_FORBIDDEN");

        town.alice_on("KIOSK").await.logout().await.good();
        let whole = town.login_token();
        town.anonymous().spend(&narrow(&whole), &proof).await.good();
        town.anonymous().spend(&whole, &proof).await.is(403, "M_FORBIDDEN");
        town.anonymous().spend(&narrow(&whole), &proof).await.good();
    }
}

#[tokio::test]
async fn shortening_a_token_does_not_shorten_the_memory_of_its_spending() {
    let town = Town::new().await;
    let token = town.mint(Wanted { life: Some(12 * HOUR), ..Wanted::default() });
    let end = town.now().plus(MINUTE).millis();
    let brief = narrow(&token, &format!("time < {end}"));
    town.anonymous().spend(&brief, &nothing()).await.good();
    town.wait(3 * HOUR);
    town.anonymous().spend(&town.login_token(), &nothing()).await.good();

    let again = town.anonymous().spend(&token, &nothing()).await;

    again.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_token_narrowed_beyond_what_fits_is_its_holders_fault_and_not_ours() {
    let town = Town::new().await;
    let full = (0..31).fold(town.login_token(), |token, _| narrow(&token, "label = x"));
    let long = (0..10).fold(town.login_token(), |token, _| {
        append(&token, &format!("label = {}", "x".repeat(110)))
    });
    let device = on(&"d".repeat(255));

    town.anonymous().spend(&full, &nothing()).await.is(403, "M_FORBIDDEN");
    town.anonymous().spend(&long, &device).await.is(403, "M_FORBIDDEN");
}
