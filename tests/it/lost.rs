//! A database that has lost what it had acknowledged: a replica without the last commits was
//! promoted, or a backup restored. What the nodes still know comes back into it.

use amaretti::revocations::{Fact, KeyState};
use amaretti::token::KeyId;

use crate::support::{ALICE, HOUR, LOCKED, SYNC, Town, session_of, until};

/// What happens to a database that is put back to an earlier state.
async fn lose(town: &Town, rows: &'static str) {
    let raw = town.raw_database().await;
    raw.run(rows).await;
    raw.run("UPDATE feed SET random = 'other'").await;
}

/// How many rows the feed has of a kind.
async fn rows(town: &Town, kind: &str) -> i64 {
    let sql = match kind {
        "device" => "SELECT COUNT(*) FROM feed WHERE kind = 'device'",
        "user" => "SELECT COUNT(*) FROM feed WHERE kind = 'user'",
        "account" => "SELECT COUNT(*) FROM feed WHERE kind = 'account'",
        "key announced" => "SELECT COUNT(*) FROM feed WHERE kind = 'key announced'",
        "key retired" => "SELECT COUNT(*) FROM feed WHERE kind = 'key retired'",
        _ => panic!("no test looks for {kind}"),
    };
    town.raw_database().await.number(sql).await
}

/// Until the feed has a row of a kind again.
async fn back(town: &Town, kind: &str) {
    until(kind, async || rows(town, kind).await > 0).await;
}

#[tokio::test]
async fn logouts_that_the_store_has_lost_are_written_back() {
    let town = Town::new().await;
    let (phone, desk, bob) = (town.alice().await, town.alice().await, town.bob().await);
    phone.logout().await.good();
    bob.logout_all().await.good();
    let _following = town.follow();
    desk.whoami().await.good();

    lose(&town, "DELETE FROM feed WHERE kind IN ('device', 'user')").await;
    back(&town, "device").await;
    back(&town, "user").await;

    let beside = town.again().await;
    for out in [phone, bob] {
        out.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
        out.at(&beside).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    }
    desk.at(&beside).whoami().await.good();
}

#[tokio::test]
async fn of_several_nodes_that_know_one_writes_it_back() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.logout().await.good();
    let nodes = [town.again().await, town.again().await, town.again().await];
    let _following = nodes.each_ref().map(Town::follow);

    lose(&town, "DELETE FROM feed WHERE kind = 'device'").await;
    back(&town, "device").await;

    // Whatever the others were about to write, they have looked at the feed since.
    let last = town.bob().await;
    last.logout().await.good();
    for node in &nodes {
        let last = last.at(node);
        until("the last logout is heard", async || last.whoami().await.status == 401).await;
    }
    assert_eq!(rows(&town, "device").await, 2);
}

#[tokio::test]
async fn states_of_accounts_and_keys_are_written_back() {
    let town = Town::new().await;
    let (alice, retired) = (town.alice().await, KeyId::from_bytes([1, 2, 3, 4]));
    let at = town.now().plus(5);
    town.write_unheard(&Fact::Account { user: ALICE.into(), at, standing: LOCKED }).await;
    town.write_unheard(&Fact::Key { id: retired, state: KeyState::Retired }).await;
    let beside = town.again().await;
    let _following = beside.follow();

    lose(&town, "DELETE FROM feed").await;
    back(&town, "account").await;
    back(&town, "key retired").await;
    back(&town, "key announced").await;

    let later = town.again().await;
    alice.at(&later).get(SYNC).await.is(401, "M_USER_LOCKED");
}

#[tokio::test]
async fn an_ending_that_is_written_back_spares_whom_it_spared() {
    let town = Town::new().await;
    let (spared, other) = (town.alice().await, town.alice().await);
    let (session, from) = (session_of(&spared.token), town.now().plus(9));
    let all_but_one = Fact::User { user: ALICE.into(), from, exempt: Some(session) };
    town.write_unheard(&all_but_one).await;
    let beside = town.again().await;
    let _following = beside.follow();

    lose(&town, "DELETE FROM feed WHERE kind = 'user'").await;
    back(&town, "user").await;

    let later = town.again().await;
    spared.at(&later).whoami().await.good();
    other.at(&later).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_session_that_begins_after_the_loss_lives() {
    let town = Town::new().await;
    let fast = town.again_at(town.now().plus(HOUR)).await;
    let alice = fast.alice().await;
    alice.logout_all().await.good();
    let _following = fast.follow();

    town.raw_database().await.run("UPDATE users SET tick = 1").await;
    lose(&town, "DELETE FROM feed WHERE kind = 'user'").await;
    back(&town, "user").await;

    let again = town.alice().await;
    again.whoami().await.good();
    again.at(&fast).whoami().await.good();
    alice.at(&town.again().await).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_refresh_that_the_store_has_lost_logs_nobody_out() {
    let town = Town::new().await;
    let (alice, first) = town.renewing_alice().await;
    let raw = town.raw_database().await;
    raw.run("CREATE TABLE kept AS SELECT * FROM refreshes").await;
    let second = alice.refresh(&first).await;
    let third = alice.refresh(second.good().text("refresh_token")).await;
    for sql in ["DELETE FROM refreshes", "INSERT INTO refreshes SELECT * FROM kept"] {
        raw.run(sql).await;
    }

    let fourth = alice.refresh(third.good().text("refresh_token")).await;

    alice.with(fourth.good().text("access_token")).whoami().await.good();
    alice.refresh(&first).await.is(401, "M_UNKNOWN_TOKEN").soft();
}
