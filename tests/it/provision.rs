//! Devices that an operator makes for others.

use amaretti::revocations::Standing;
use amaretti::service::{Change, ProvisionError, Provisioned, Wanted as Wish, device_of_label};
use amaretti::token::{Account, AccountState};

use crate::support::{ALICE, BOB, Client, HOUR, MINUTE, Town};

const DOOR: Wish<'_> = Wish {
    user_id: ALICE,
    device_id: "DOOR",
    display_name: Some("Front door"),
    caveats: &[],
    life: None,
    replace: false,
};

async fn made(town: &Town, wish: &Wish<'_>) -> Provisioned {
    town.service.provision(wish).await.unwrap()
}

async fn refused(town: &Town, wish: &Wish<'_>) -> ProvisionError {
    town.service.provision(wish).await.err().unwrap()
}

fn bearer(town: &Town, provisioned: &Provisioned) -> Client {
    town.anonymous().with(provisioned.token.reveal())
}

#[tokio::test]
async fn a_provisioned_device_is_a_device_like_any_other() {
    let town = Town::new().await;

    let door = made(&town, &DOOR).await;

    assert!(door.new);
    let client = bearer(&town, &door);
    assert_eq!(client.whoami().await.good().text("device_id"), "DOOR");
    let devices = client.get("/_matrix/client/v3/devices").await;
    assert_eq!(devices["devices"][0]["display_name"], "Front door");
    client.logout().await.good();
    client.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn asked_for_again_it_is_the_same_session_and_nobody_is_logged_out() {
    let town = Town::new().await;
    let first = made(&town, &DOOR).await;

    town.wait(HOUR);
    let second = made(&town.again().await, &DOOR).await;

    assert!(!second.new);
    assert_eq!(second.session, first.session);
    bearer(&town, &first).whoami().await.good();
    bearer(&town, &second).whoami().await.good();
    assert_eq!(town.store.devices(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_16_who_ask_at_once_all_are_given_the_same_session() {
    let town = Town::new().await;
    let beside = town.again().await;
    let asking = (0..16).map(|n| {
        let service = if n % 2 == 0 { town.service.clone() } else { beside.service.clone() };
        tokio::spawn(async move { service.provision(&DOOR).await.unwrap() })
    });
    let asking: Vec<_> = asking.collect();

    let mut all = Vec::new();
    for one in asking {
        all.push(one.await.unwrap());
    }

    assert_eq!(all.iter().filter(|one| one.new).count(), 1);
    assert!(all.iter().all(|one| one.session == all[0].session));
}

#[tokio::test]
async fn a_device_that_was_logged_out_is_begun_anew_and_its_old_tokens_stay_dead() {
    let town = Town::new().await;
    let first = made(&town, &DOOR).await;
    bearer(&town, &first).logout().await.good();

    let second = made(&town, &DOOR).await;

    assert!(second.new);
    bearer(&town, &second).whoami().await.good();
    bearer(&town, &first).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn somebody_who_logged_in_by_other_means_is_left_alone_unless_asked() {
    let town = Town::new().await;
    let alice = town.alice_on("DOOR").await;

    let error = refused(&town, &DOOR).await;
    assert!(matches!(error, ProvisionError::InUse(_)), "{error}");
    alice.whoami().await.good();

    let door = made(&town, &Wish { replace: true, ..DOOR }).await;
    bearer(&town, &door).whoami().await.good();
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_token_carries_its_caveats_each_time() {
    let town = Town::new().await;
    let wish = Wish { caveats: &["label = door", "action in identify"], ..DOOR };

    for _ in 0..2 {
        let client = bearer(&town, &made(&town, &wish).await);
        client.whoami().await.good();
        client.sync().await.names_caveat("action");
        client.logout().await.names_caveat("action");
    }
}

#[tokio::test]
async fn a_token_with_a_life_ends_and_another_is_given_to_the_same_device() {
    let town = Town::new().await;
    let wish = Wish { life: Some(MINUTE), ..DOOR };
    let first = made(&town, &wish).await;

    town.wait(MINUTE);
    bearer(&town, &first).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    let second = made(&town, &wish).await;

    assert_eq!(second.session, first.session);
    bearer(&town, &second).whoami().await.good();
}

#[tokio::test]
async fn who_has_no_account_or_may_not_use_it_is_given_nothing() {
    let town = Town::new().await;

    let nobody = refused(&town, &Wish { user_id: "@carol:example.com", ..DOOR }).await;
    assert!(matches!(nobody, ProvisionError::NoUser(_)), "{nobody}");

    made(&town, &DOOR).await;
    let locked = Account { state: AccountState::Locked, ..Account::default() };
    let town = town.after(ALICE, Standing::Open(locked)).await;
    refused(&town, &DOOR).await;
    refused(&town, &Wish { device_id: "OTHER", ..DOOR }).await;

    town.service.set_standing(BOB, Change::Deactivate).await.unwrap();
    refused(&town, &Wish { user_id: BOB, ..DOOR }).await;
}

#[tokio::test]
async fn a_label_is_one_device_of_a_user() {
    let id = device_of_label(ALICE, "night job");

    assert_eq!(id, device_of_label(ALICE, "night job"));
    assert_ne!(id, device_of_label(ALICE, "night jobs"));
    assert_ne!(id, device_of_label(BOB, "night job"));
    assert_eq!(id.len(), 22);
}
