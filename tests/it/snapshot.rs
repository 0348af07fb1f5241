//! A node that starts while its store is away goes by the snapshot on its own disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{ALICE, BOB, Client, MINUTE, Setting, Town, Wanted, logged, until};

const DAY: u64 = 24 * 60 * MINUTE;

fn kept() -> Setting {
    Setting { snapshot: Some("kept"), ..Setting::default() }
}

/// A town with one session that lives and one that has ended, whose snapshot says so.
async fn town() -> (Town, Client, Client) {
    let town = Town::with(kept()).await;
    let (alice, bob) = (town.alice().await, town.bob().await);
    bob.logout().await.good();
    town.follow().end().await;
    (town, alice, bob)
}

/// The feed cannot be read from now on.
async fn lose_feed(town: &Town) {
    let raw = town.raw_database().await;
    raw.run("ALTER TABLE feed RENAME TO feed_away").await;
}

async fn find_feed(town: &Town) {
    let raw = town.raw_database().await;
    raw.run("ALTER TABLE feed_away RENAME TO feed").await;
}

#[tokio::test]
async fn a_node_that_starts_without_its_store_judges_by_its_snapshot() {
    let (town, alice, bob) = town().await;
    lose_feed(&town).await;

    let again = town.starts_at(town.now(), kept()).await.unwrap();

    alice.at(&again).whoami().await.good();
    bob.at(&again).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    again.operator().get("/health/ready").await.good();
    alice.at(&again).logout().await.unavailable();
}

#[tokio::test]
async fn a_snapshot_that_is_too_old_decides_nothing_until_the_store_is_heard() {
    let (town, alice, _) = town().await;
    lose_feed(&town).await;
    town.wait(5 * MINUTE + 1);

    let again = town.starts_at(town.now(), kept()).await.unwrap();
    let alice = alice.at(&again);
    alice.whoami().await.unavailable();
    assert_eq!(again.operator().get("/health/ready").await.status, 503);

    let _following = again.follow();
    find_feed(&town).await;
    until("the store is heard", async || alice.whoami().await.status == 200).await;
}

#[tokio::test]
async fn what_has_become_fresh_again_is_fresh_on_the_disk_too() {
    let (town, alice, _) = town().await;
    lose_feed(&town).await;
    town.wait(5 * MINUTE + 1);
    let again = town.starts_at(town.now(), kept()).await.unwrap();
    let _following = again.follow();
    find_feed(&town).await;
    until("the store is heard", async || alice.at(&again).whoami().await.status == 200).await;

    // The store is away once more: nothing that is heard later is marked.
    lose_feed(&town).await;
    until("the snapshot can be started from", async || {
        match again.starts_at(again.now(), kept()).await {
            Ok(third) => alice.at(&third).whoami().await.status == 200,
            Err(_) => false,
        }
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_snapshot_younger() {
    let (town, alice, _) = town().await;
    lose_feed(&town).await;
    let before = town.now().minus(MINUTE);

    // The clock that nobody sets says how old it is, as long as the machine runs.
    let again = town.starts_at(before, kept()).await.unwrap();
    alice.at(&again).whoami().await.good();
}

#[tokio::test]
async fn nothing_behind_a_damaged_line_is_believed() {
    let (town, alice, bob) = town().await;
    let path = town.snapshot("kept");
    let text = fs::read_to_string(&path).unwrap();
    let from = text.find(" device\t").unwrap() + 30;
    let mut bytes = text.into_bytes();
    bytes[from] ^= 1;
    fs::write(&path, bytes).unwrap();
    lose_feed(&town).await;

    // Without the mark behind it there is nothing that says how fresh the rest is.
    assert!(town.starts_at(town.now(), kept()).await.is_err());
    assert!(!logged("the snapshot is damaged").is_empty());

    find_feed(&town).await;
    let again = town.again_with(kept()).await;
    alice.at(&again).whoami().await.good();
    bob.at(&again).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn without_a_snapshot_a_node_does_not_start_without_its_store() {
    let (town, ..) = town().await;
    fs::remove_file(town.snapshot("kept")).unwrap();
    lose_feed(&town).await;

    assert!(town.starts_at(town.now(), kept()).await.is_err());
}

#[tokio::test]
async fn the_snapshot_of_another_store_is_not_used() {
    let (town, ..) = town().await;
    let (other, alice, _) = self::town().await;
    fs::copy(town.snapshot("kept"), other.snapshot("kept")).unwrap();
    lose_feed(&other).await;

    assert!(other.starts_at(other.now(), kept()).await.is_err());
    assert!(!logged("the snapshot is another store's").is_empty());

    find_feed(&other).await;
    alice.at(&other.again_with(kept()).await).whoami().await.good();
}

#[tokio::test]
async fn nobody_else_may_read_a_snapshot() {
    let (town, ..) = town().await;

    let mode = fs::metadata(town.snapshot("kept")).unwrap().permissions().mode();

    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_a_restored_database_has_forgotten_is_known_from_the_snapshot() {
    let (town, _, bob) = town().await;
    let raw = town.raw_database().await;
    for sql in ["DELETE FROM feed WHERE kind = 'device'", "UPDATE feed SET random = 'other'"] {
        raw.run(sql).await;
    }

    let again = town.again_with(kept()).await;
    let _following = again.follow();

    bob.at(&again).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    until("it is written back", async || {
        raw.number("SELECT COUNT(*) FROM feed WHERE kind = 'device'").await > 0
    })
    .await;
}

/// How many users something is known of.
async fn known_users(town: &Town) -> String {
    let metrics = town.operator().get("/metrics").await;
    let known = metrics.body.lines().find_map(|line| line.strip_prefix("amaretti_known_users "));
    known.unwrap().to_owned()
}

/// Drops the one entry that says nothing any more, once alice has logged out behind it.
async fn compact(town: &Town) {
    let compact = async |really| town.service.compact(really, &|_| {}).await.unwrap().droppable;
    town.alice().await.logout().await.good();
    until("every node has heard of it", async || compact(false).await == 1).await;
    assert_eq!(compact(true).await, 1);
}

/// A town whose bob has ended the session of a token that would be dead by now.
async fn town_of_the_past() -> Town {
    let town = Town::new().await;
    let wanted = Wanted { user: BOB, device: None, life: Some(MINUTE), ..Wanted::access() };
    let bob = town.anonymous().with(&town.mint(wanted));
    bob.logout().await.good();
    town.wait(4 * DAY);
    town
}

#[tokio::test]
async fn a_node_that_starts_after_a_compaction_has_forgotten_what_was_dropped() {
    let town = town_of_the_past().await;
    let before = town.again_with(kept()).await;
    assert_eq!(known_users(&before).await, "1", "bob");
    let following = (town.follow(), before.follow());
    compact(&town).await;
    assert_eq!(known_users(&before).await, "2", "alice too");
    following.1.end().await;
    let text = fs::read_to_string(town.snapshot("kept")).unwrap();
    assert!(text.contains(ALICE) && text.contains(BOB));

    let after = town.again_with(kept()).await;
    assert_eq!(known_users(&after).await, "1", "alice");

    // What it keeps now is of the time behind the compaction.
    lose_feed(&town).await;
    let third = town.starts_at(town.now(), kept()).await.unwrap();
    assert_eq!(known_users(&third).await, "1");
}

/// The last entry of the feed, bob's logout, is lost, and the feed was compacted.
async fn lose_and_compact(town: &Town) {
    let raw = town.raw_database().await;
    raw.run("DELETE FROM feed WHERE user_id LIKE '@bob:%'").await;
    raw.run("UPDATE store SET compactions = compactions + 1").await;
}

#[tokio::test]
async fn what_a_feed_has_lost_is_known_from_the_snapshot_though_it_was_compacted() {
    let (town, _, bob) = town().await;
    lose_and_compact(&town).await;

    let again = town.again_with(kept()).await;
    let _following = again.follow();

    bob.at(&again).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    let raw = town.raw_database().await;
    until("it is written back", async || {
        raw.number("SELECT COUNT(*) FROM feed WHERE kind = 'device'").await > 0
    })
    .await;
}

#[tokio::test]
async fn what_was_heard_behind_the_last_mark_is_known_though_the_feed_was_compacted() {
    let town = Town::new().await;
    let (alice, bob, path) = (town.alice().await, town.bob().await, town.snapshot("kept"));
    town.alice_on("PHONE").await.logout().await.good();
    let before = town.again_with(kept()).await;
    let following = before.follow();
    let has_mark = || fs::read_to_string(&path).is_ok_and(|text| text.contains(" mark\t"));
    until("it is begun", async || has_mark()).await;
    bob.logout().await.good();
    until("the logout is heard", async || bob.at(&before).whoami().await.status == 401).await;
    following.end().await;
    lose_and_compact(&town).await;
    let text = fs::read_to_string(&path).unwrap();
    let logout = text.find(BOB).unwrap();
    let end = logout + text[logout..].find('\n').unwrap() + 1;
    fs::write(&path, &text[..end]).unwrap();

    let again = town.again_with(kept()).await;

    bob.at(&again).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    alice.at(&again).whoami().await.good();
}
