//! Rotation over more than one node: who is waited for, and that nobody is logged out by it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use amaretti::service::make_key;
use amaretti::token::KeyId;

use crate::support::{ALICE, ALICES_PASSWORD, MINUTE, Town, logged, until};

fn mints(town: &Town) -> Option<KeyId> {
    town.service.ring().minting_id()
}

async fn new_key(town: &Town) -> KeyId {
    let now = town.now().plus(1);
    let (id, _) = make_key(&town.store, &town.keys_folder(), now).await.unwrap();
    town.care.look();
    until("the new key verifies", async || town.service.ring().holds_whole(id)).await;
    id
}

/// Has a node look at its keys, and waits until it has told the store of them.
async fn looked(town: &Town, key: KeyId) {
    town.care.look();
    let told = async || {
        let nodes = town.store.nodes().await.unwrap();
        nodes.iter().any(|node| node.name == town.name && node.keys.contains(&key))
    };
    until("the node has told of its keys", told).await;
}

#[tokio::test]
async fn a_new_key_mints_once_every_node_holds_it() {
    let one = Town::new().await;
    let two = one.beside().await;
    let _tending = [one.tend_keys(), two.tend_keys()];
    let old = mints(&one);

    let new = new_key(&one).await;
    looked(&one, new).await;
    assert_eq!(mints(&one), old, "the other node has not got it yet");
    one.hand_keys_to(&two);
    looked(&two, new).await;

    one.care.look();
    until("both mint with it", async || [mints(&one), mints(&two)] == [Some(new); 2]).await;
}

#[tokio::test]
async fn under_load_over_two_nodes_a_rotation_turns_nobody_away() {
    let one = Arc::new(Town::new().await);
    let two = Arc::new(one.beside().await);
    let _tending = [one.tend_keys(), two.tend_keys()];
    let _following = [one.follow(), two.follow()];
    let (enough, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = tokio::task::JoinSet::new();
    for (mine, other) in [(&one, &two), (&two, &one)] {
        let (mine, other) = (mine.clone(), other.clone());
        let (enough, asked) = (enough.clone(), asked.clone());
        load.spawn(async move {
            while !enough.load(Relaxed) {
                // A busy database is answered 503, and that turns nobody away for good.
                let login = mine.anonymous();
                let more = serde_json::json!({ "refresh_token": true });
                let login = login.password(ALICE, ALICES_PASSWORD, &more).await;
                if login.status == 503 {
                    continue;
                }
                let alice = mine.anonymous().of(&login);
                alice.at(&other).whoami().await.good();
                let next = alice.at(&other).refresh(login.text("refresh_token")).await;
                if next.status == 503 {
                    continue;
                }
                alice.with(next.good().text("access_token")).whoami().await.good();
                asked.fetch_add(1, Relaxed);
            }
        });
    }

    let new = new_key(&one).await;
    until("there is load before", async || asked.load(Relaxed) > 5).await;
    one.hand_keys_to(&two);
    looked(&two, new).await;
    one.care.look();
    until("both mint with it", async || [mints(&one), mints(&two)] == [Some(new); 2]).await;
    let before = asked.load(Relaxed);
    until("there is load after", async || asked.load(Relaxed) > before + 5).await;
    enough.store(true, Relaxed);

    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_is_silent_is_waited_for_as_long_as_it_may_answer() {
    let one = Town::new().await;
    let lost = one.beside().await;
    let _tending = one.tend_keys();
    let old = mints(&one);

    one.wait(MINUTE);
    let new = new_key(&one).await;
    looked(&one, new).await;
    assert_eq!(mints(&one), old, "{} may still answer for four minutes", lost.name);
    one.wait(4 * MINUTE + 1);
    one.care.look();

    until("the new key mints", async || mints(&one) == Some(new)).await;
}

#[tokio::test]
async fn an_operator_may_say_that_a_node_is_not_waited_for() {
    let one = Town::new().await;
    let stolen = one.beside().await;
    let _tending = [one.tend_keys(), stolen.tend_keys()];
    let old = mints(&one);
    let new = new_key(&one).await;
    looked(&one, new).await;
    assert_eq!(mints(&one), old);

    assert!(one.store.excuse(&stolen.name, new).await.unwrap());
    one.care.look();

    until("the new key mints", async || mints(&one) == Some(new)).await;
    let alice = one.alice().await;
    let _following = stolen.follow();
    until("the node without the key has heard of it", async || {
        alice.at(&stolen).whoami().await.status == 503
    })
    .await;
    assert!(!one.store.excuse("nobody", new).await.unwrap());
}

#[tokio::test]
async fn a_node_that_said_goodbye_is_not_waited_for() {
    let one = Town::new().await;
    let other = one.beside().await;
    let _tending = one.tend_keys();
    drop(other.tend_keys());
    let gone = async || one.store.nodes().await.unwrap().len() == 1;
    until("it has taken itself off the list", gone).await;

    let new = new_key(&one).await;

    until("the new key mints", async || mints(&one) == Some(new)).await;
}

#[tokio::test]
async fn a_half_written_file_changes_nothing_until_it_is_whole() {
    let town = Town::new().await;
    let _tending = town.tend_keys();
    let (old, alice) = (mints(&town), town.alice().await);
    let aside = tempfile::tempdir().unwrap();
    let (new, path) = make_key(&town.store, aside.path(), town.now().plus(1)).await.unwrap();
    let whole = std::fs::read(&path).unwrap();
    let there = town.keys_folder().join(path.file_name().unwrap());
    let mut file =
        std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(there).unwrap();

    file.write_all(&whole[..whole.len() / 2]).unwrap();
    town.care.look();
    let told = async || town.service.metrics().keys().trouble.is_some();
    until("that is told", told).await;
    assert_eq!(mints(&town), old);
    alice.whoami().await.good();
    file.write_all(&whole[whole.len() / 2..]).unwrap();
    town.care.look();

    until("the new key mints", async || mints(&town) == Some(new)).await;
    assert_eq!(town.service.metrics().keys().trouble, None);
}

#[tokio::test]
async fn two_nodes_of_one_name_say_so_and_change_no_key() {
    let one = Town::new().await;
    let twin = one.namesake().await;
    let _tending = [one.tend_keys(), twin.tend_keys()];

    let told = async || {
        one.care.look();
        twin.care.look();
        one.service.metrics().keys().twin
    };
    until("the first has noticed", told).await;

    let line = format!("node=\"{}\"", one.name);
    assert!(!logged(&line).is_empty());
}
