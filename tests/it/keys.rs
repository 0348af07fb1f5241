//! Keys come and go while a node runs: nobody is logged out by it, and what is missing here is
//! our fault.

use amaretti::keyring::Keyring;
use amaretti::revocations::{Fact, KeyState};
use amaretti::service::make_key;
use amaretti::token::{Key, KeyId, Keys, Kind};

use crate::support::{Client, Town, Wanted, until};

/// A key that some other node has.
fn elsewhere(seed: u8) -> Key {
    Key::from_bytes(&core::array::from_fn(|i| seed ^ (i as u8).wrapping_mul(37))).unwrap()
}

/// Whoever bears a token signed with that key.
fn bearing(town: &Town, key: &Key) -> Client {
    let mut ring = Keyring::default();
    ring.hold(key).unwrap();
    ring.mint_with(key.id()).unwrap();
    town.anonymous().with(&Wanted::access().mint_with(&ring, town.now()))
}

async fn write(town: &Town, id: KeyId, state: KeyState) {
    town.write_unheard(&Fact::Key { id, state }).await;
}

/// Makes a second key in the folder and waits until it mints.
async fn rotate(town: &Town) -> KeyId {
    let now = town.now().plus(1);
    let (id, _) = make_key(&town.store, &town.keys_folder(), now).await.unwrap();
    town.care.look();
    until("the new key mints", async || town.service.ring().minting_id() == Some(id)).await;
    id
}

#[tokio::test]
async fn a_key_announced_before_the_start_and_missing_here_is_our_fault() {
    let town = Town::new().await;
    let key = elsewhere(1);
    write(&town, key.id(), KeyState::Announced).await;

    let town = town.again().await;

    bearing(&town, &key).whoami().await.unavailable();
}

#[tokio::test]
async fn a_key_announced_while_the_node_runs_and_missing_here_is_our_fault() {
    let town = Town::new().await;
    let (_following, _tending) = (town.follow(), town.tend_keys());

    for seed in 1..4 {
        let key = elsewhere(seed);
        let bearer = bearing(&town, &key);
        bearer.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
        write(&town, key.id(), KeyState::Announced).await;
        until("its tokens are our fault", async || bearer.whoami().await.status == 503).await;
        bearer.whoami().await.unavailable();
        bearer.logout().await.unavailable();
    }
}

#[tokio::test]
async fn a_rotation_logs_nobody_out() {
    let town = Town::new().await;
    let _tending = town.tend_keys();
    let (old, before) = (town.service.ring().minting_id(), town.alice().await);
    let login_token = town.login_token();

    let new = rotate(&town).await;

    assert_ne!(Some(new), old);
    before.whoami().await.good();
    town.alice().await.whoami().await.good();
    town.anonymous().spend(&login_token, &serde_json::json!({})).await.good();
}

#[tokio::test]
async fn a_key_whose_file_is_taken_away_stays_in_use() {
    let town = Town::new().await;
    let _tending = town.tend_keys();
    let alice = town.alice().await;
    std::fs::remove_dir_all(town.keys_folder()).unwrap();
    town.care.look();

    rotate(&town).await;

    alice.whoami().await.good();
}

#[tokio::test]
async fn a_key_retired_while_the_node_runs_is_used_no_more_though_its_file_is_there() {
    let town = Town::new().await;
    let (_following, _tending) = (town.follow(), town.tend_keys());
    let (old, before) = (town.service.ring().minting_id().unwrap(), town.alice().await);
    rotate(&town).await;
    let after = town.alice().await;

    write(&town, old, KeyState::Retired).await;

    let gone = async || town.service.ring().find(old, Kind::Access).is_err();
    until("the retired key is out of the ring", gone).await;
    before.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    after.whoami().await.good();
}

#[tokio::test]
async fn a_retired_key_is_not_loaded_again_though_its_file_is_there() {
    let town = Town::new().await;
    let tending = town.tend_keys();
    let (old, before) = (town.service.ring().minting_id().unwrap(), town.alice().await);
    rotate(&town).await;
    let after = town.alice().await;
    drop(tending);
    write(&town, old, KeyState::Retired).await;

    let town = town.again().await;

    before.at(&town).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    after.at(&town).whoami().await.good();
}

#[tokio::test]
async fn a_lost_key_is_not_made_anew() {
    let town = Town::new().await;
    std::fs::remove_dir_all(town.keys_folder()).unwrap();

    let error = town.starts().await.err().expect("this start should be refused");

    assert!(error.to_string().contains("put the key file back"), "{error}");
}
