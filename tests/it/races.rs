//! Two nodes on one database, asked at once: what may happen once happens once, and both agree on
//! what lives, whichever engine keeps it.

use std::collections::HashSet;
use std::time::Duration;

use amaretti::revocations::Fact;
use amaretti::token::SessionId;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    ALICE, ALICES_PASSWORD, Answer, BEGINNING, BOB, BOBS_PASSWORD, Client, DELETE_DEVICES,
    GET_TOKEN, REGISTER, Town, session_of, until,
};

/// What everybody answers when each asks in turn at one node or the other, all at once.
async fn all_at_once<F>(work: impl IntoIterator<Item = F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for one in work {
        asked.spawn(one);
    }
    asked.join_all().await
}

fn good(answers: &[Answer]) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status.is_success()).collect()
}

/// A node and another one beside it.
async fn two() -> (Town, Town) {
    let town = Town::new().await;
    let beside = town.again().await;
    (town, beside)
}

async fn register(nobody: Client, username: String, session: String) -> Answer {
    let auth = json!({
        "type": "m.login.registration_token", "token": "friends", "session": session,
    });
    nobody.post(REGISTER, &json!({ "username": username, "auth": auth })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_who_register_one_name_at_two_nodes_one_is_let_in() {
    let (town, beside) = two().await;
    town.add_registration_token("friends", None, None).await;
    let (here, there) = (town.anonymous(), beside.anonymous());
    let mut racers = Vec::new();
    for racer in 0..16 {
        let nobody = if racer % 2 == 0 { &here } else { &there };
        let wanted = json!({ "username": "carol" });
        let session = nobody.challenged("POST", REGISTER, &wanted).await;
        racers.push(register(nobody.clone(), "carol".to_owned(), session));
    }

    let answers = all_at_once(racers).await;

    assert_eq!(good(&answers).len(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        answer.is(400, "M_USER_IN_USE");
    }
    let used = town.store.registration_tokens().await.unwrap()[0].used;
    assert_eq!(used, 1, "whoever is turned away has used nothing up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_with_one_use_of_a_registration_token_at_two_nodes_one_is_let_in() {
    let (town, beside) = two().await;
    town.add_registration_token("friends", Some(1), None).await;
    let (here, there) = (town.anonymous(), beside.anonymous());
    let mut racers = Vec::new();
    for racer in 0..16 {
        let nobody = if racer % 2 == 0 { &here } else { &there };
        let username = format!("racer-{racer}");
        let wanted = json!({ "username": username });
        let session = nobody.challenged("POST", REGISTER, &wanted).await;
        racers.push(register(nobody.clone(), username, session));
    }

    let answers = all_at_once(racers).await;

    assert_eq!(good(&answers).len(), 1, "{answers:?}");
    assert_eq!(town.store.registration_tokens().await.unwrap()[0].uses_left, Some(0));
    assert_eq!(town.store.users().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_who_finish_one_registration_at_two_nodes_all_are_told_of_one_account() {
    let (town, beside) = two().await;
    town.add_registration_token("friends", Some(1), None).await;
    let (here, there) = (town.anonymous(), beside.anonymous());
    let session = here.challenged("POST", REGISTER, &json!({ "username": "carol" })).await;

    let racers = (0..16).map(|racer| {
        let nobody = if racer % 2 == 0 { &here } else { &there };
        register(nobody.clone(), "carol".to_owned(), session.clone())
    });
    let answers = all_at_once(racers).await;

    for answer in &answers {
        assert_eq!(answer.good().text("user_id"), "@carol:example.com");
    }
    assert_eq!(town.store.devices(Some("@carol:example.com")).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_begun_at_two_nodes_at_once_begin_at_different_ticks() {
    let (town, beside) = two().await;

    let logins = (0..24).map(|turn| {
        let nobody = if turn % 2 == 0 { town.anonymous() } else { beside.anonymous() };
        async move { nobody.password(ALICE, ALICES_PASSWORD, &json!({})).await }
    });
    let answers = all_at_once(logins).await;

    let began: HashSet<_> = answers
        .iter()
        .map(|answer| session_of(answer.good().text("access_token")).beginning())
        .collect();
    assert_eq!(began.len(), 24);
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 24);
}

/// How many of these live at a node.
async fn living(town: &Town, tokens: &[String]) -> Vec<String> {
    let mut living = Vec::new();
    for token in tokens {
        if town.anonymous().with(token).whoami().await.status.is_success() {
            living.push(token.clone());
        }
    }
    living
}

/// Waits until both nodes have heard of everything, as a third does at its start.
async fn settled(town: &Town, beside: &Town, tokens: &[String]) -> Vec<String> {
    let known = living(&town.again().await, tokens).await;
    for node in [town, beside] {
        until("a node has heard of everything", async || living(node, tokens).await == known).await;
    }
    known
}

fn tokens_of(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(|answer| answer.good().text("access_token").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_logins_on_one_device_at_two_nodes_the_one_on_the_list_lives() {
    let (town, beside) = two().await;
    let _following = (town.follow(), beside.follow());

    let logins = (0..16).map(|turn| {
        let nobody = if turn % 2 == 0 { town.anonymous() } else { beside.anonymous() };
        let device = json!({ "device_id": "PHONE" });
        async move { nobody.password(ALICE, ALICES_PASSWORD, &device).await }
    });
    let tokens = tokens_of(&all_at_once(logins).await);

    let living = settled(&town, &beside, &tokens).await;
    let devices = town.store.devices(Some(ALICE)).await.unwrap();
    assert_eq!(
        living.iter().map(|token| session_of(token)).collect::<Vec<_>>(),
        [devices[0].session]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_everywhere_among_logins_at_two_nodes_spares_those_on_the_list_alone() {
    let (town, beside) = two().await;
    let _following = (town.follow(), beside.follow());
    let alice = town.alice().await;

    let logins = (0..16).map(|turn| {
        let (nobody, alice) = match turn % 2 {
            0 => (town.anonymous(), alice.clone()),
            _ => (beside.anonymous(), alice.at(&beside)),
        };
        async move {
            match turn {
                7 => alice.logout_all().await,
                _ => nobody.password(ALICE, ALICES_PASSWORD, &json!({})).await,
            }
        }
    });
    let answers = all_at_once(logins).await;

    let tokens = answers.iter().filter_map(|a| a.good().json["access_token"].as_str());
    let tokens: Vec<_> = tokens.map(str::to_owned).collect();
    let living: HashSet<_> =
        settled(&town, &beside, &tokens).await.iter().map(|token| session_of(token)).collect();
    let listed = town.store.devices(Some(ALICE)).await.unwrap();
    assert_eq!(living, listed.iter().map(|device| device.session).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_8_login_tokens_asked_for_at_two_nodes_at_once_one_is_given() {
    let (town, beside) = two().await;
    let alice = town.alice().await;
    let mut asked = Vec::new();
    for turn in 0..8 {
        let client = if turn % 2 == 0 { alice.clone() } else { alice.at(&beside) };
        let session = client.challenged("POST", GET_TOKEN, &json!({})).await;
        let proof = client.password_proof(&session);
        asked.push(async move { client.with_auth("POST", GET_TOKEN, &json!({}), &proof).await });
    }

    let answers = all_at_once(asked).await;

    assert_eq!(good(&answers).len(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        answer.is(429, "M_LIMIT_EXCEEDED");
    }
}

/// What somebody does of all that takes locks.
async fn something(client: Client, turn: usize) -> Answer {
    let device = json!({ "device_id": format!("D{}", turn % 3) });
    let password = if client.user_id == ALICE { ALICES_PASSWORD } else { BOBS_PASSWORD };
    match turn % 5 {
        0 => client.with("").password(&client.user_id, password, &device).await,
        1 => client.prove("POST", DELETE_DEVICES, &json!({ "devices": ["D0", "D1"] })).await,
        2 => client.get_token().await,
        3 => {
            let body = json!({ "display_name": "renamed" });
            let path = format!("/_matrix/client/v3/devices/{}", client.device_id);
            client.send("PUT", &path, &body).await
        }
        _ => {
            let more = json!({});
            let aside = client.with("").password(&client.user_id, password, &more).await;
            client.of(&aside).logout().await
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_two_users_do_at_once_at_two_nodes_nobody_waits_for_ever() {
    let (town, beside) = two().await;
    let (alice, bob) = (town.alice().await, town.bob().await);

    let deeds = (0..40).map(|turn| {
        let client = if turn % 4 < 2 { &alice } else { &bob };
        let client = if turn % 2 == 0 { client.clone() } else { client.at(&beside) };
        something(client, turn)
    });
    let answers = all_at_once(deeds).await;

    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 200 | 429), "{answer:?}");
    }
    for user in [ALICE, BOB] {
        assert!(town.store.devices(Some(user)).await.unwrap().len() > 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_reads_the_feed_while_two_nodes_append_to_it_misses_nothing() {
    let (town, beside) = two().await;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let store = if writer % 2 == 0 { town.store.clone() } else { beside.store.clone() };
        writers.spawn(async move {
            for turn in 0..12 {
                let user = format!("@w{writer}-{turn}:example.com");
                let mut tx = store.begin_for(&user).await.unwrap();
                let session = SessionId::new(BEGINNING, [0; 10]);
                tx.append(&Fact::Session { user: user.into(), session }, None, &[]).unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    let mut heard = HashSet::new();
    let everything = async {
        let mut cursor = None;
        while heard.len() < 96 {
            let entries = town.store.look("", cursor.as_ref()).await.unwrap().entries;
            for entry in entries.expect("the same feed") {
                if let Fact::Session { user, .. } = &entry.fact {
                    assert!(heard.insert(user.clone()), "{user} was heard twice");
                }
                cursor = Some(entry.cursor);
            }
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(30), everything).await;

    writers.join_all().await;
    assert!(read.is_ok(), "of 96 facts {} were heard", heard.len());
}
