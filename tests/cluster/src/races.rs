//! Many at once for one thing, over three nodes that write.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::excuses::{Harm, Place};
use crate::http::{Answer, get, post};
use crate::mint::key_and_session;
use crate::reads::{BOUND, WHOAMI};
use crate::world::{FULL, World};
use crate::writes::{self, LOGIN, REFRESH, login_at, turn_of_somebody};

/// How many race.
const RACERS: usize = 64;

/// Puts the same request to the nodes in turn, so many at once.
async fn race(
    world: &Rc<World>,
    path: &'static str,
    racers: usize,
    body: impl Fn(usize) -> Value,
) -> Vec<Answer> {
    let mut tasks = Vec::new();
    for racer in 0..racers {
        let (world, body) = (world.clone(), body(racer).to_string());
        tasks.push(spawn_local(async move {
            let place = Place::Node(racer % FULL);
            world.ask(place, Harm::Writes, post(path, None, &body)).await.answer
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.ok().flatten());
    }
    answers
}

fn of_status(answers: &[Answer], status: u16) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status == status).collect()
}

fn statuses(answers: &[Answer]) -> String {
    answers.iter().map(|answer| answer.status.to_string()).collect::<Vec<_>>().join(" ")
}

fn sessions(answers: &[&Answer]) -> BTreeSet<String> {
    let token = |answer: &&Answer| answer.member("access_token").unwrap_or_default();
    answers.iter().map(token).map(|token| key_and_session(&token).1).collect()
}

/// All of them, a few times each.
pub(crate) async fn run(world: &Rc<World>) -> Result<(), String> {
    for _ in 0..3 {
        logins(world).await;
        refreshes(world).await;
        interactive(world).await;
    }
    registrations(world).await?;
    first_uses(world).await;
    Ok(())
}

async fn logins(world: &Rc<World>) {
    let who = turn_of_somebody(world).await;
    let token = world.mint.borrow().login(&who.user.id, None, &world.dice);
    let answers =
        race(world, LOGIN, RACERS, |_| json!({"type": "m.login.token", "token": token})).await;
    let let_in = of_status(&answers, 200);
    let sentence = "of 64 logins with one login token on three nodes one is let in";
    let others = of_status(&answers, 403).len();
    let right = let_in.len() == 1 && others + 1 == answers.len();
    world.tally.holds(sentence, right, || statuses(&answers));
    for answer in let_in {
        world.model.begin(writes::session_of(who.index, answer));
    }
    // With a proof that they are the same client, all are given the one session.
    let token = world.mint.borrow().login(&who.user.id, None, &world.dice);
    let body = json!({"type": "m.login.token", "token": token, "txn_id": "the same"});
    let answers = race(world, LOGIN, RACERS, |_| body.clone()).await;
    let let_in = of_status(&answers, 200);
    let sentence = "of 64 repetitions of one login on three nodes all are given one session";
    let right = let_in.len() == answers.len() && sessions(&let_in).len() == 1;
    world.tally.holds(sentence, right, || statuses(&answers));
    if let Some(answer) = let_in.first() {
        world.model.begin(writes::session_of(who.index, answer));
    }
}

async fn refreshes(world: &Rc<World>) {
    let who = turn_of_somebody(world).await;
    let Some(session) = login_at(world, Place::Node(0), &who).await else { return };
    let token = session.refresh.borrow().clone().unwrap_or_default();
    let answers = race(world, REFRESH, RACERS, |_| json!({"refresh_token": token})).await;
    let pairs: BTreeSet<_> = answers
        .iter()
        .map(|answer| (answer.member("access_token"), answer.member("refresh_token")))
        .collect();
    let renewed = of_status(&answers, 200).len();
    let sentence = "of 64 refreshes of one token on three nodes all are given one pair";
    let right = renewed == answers.len() && pairs.len() == 1;
    world.tally.holds(sentence, right, || format!("{} pairs: {}", pairs.len(), statuses(&answers)));
    if let Some((Some(access), refresh)) = pairs.into_iter().next() {
        session.access.borrow_mut().push(Rc::from(access));
        *session.refresh.borrow_mut() = refresh;
    }
}

/// One registration token of one use, many accounts.
async fn registrations(world: &Rc<World>) -> Result<(), String> {
    const REGISTER: &str = "/_matrix/client/v3/register";
    let token = world.nodes[1].run(&["registration-token", "new", "--uses", "1"]).await?;
    let token = token.trim().to_owned();
    let name = |racer: usize| format!("racer{racer}x{:x}", world.options.seed & 0xffff);
    let mut opened = Vec::new();
    for racer in 0..24 {
        let body = json!({"username": name(racer), "password": "wonderland"}).to_string();
        let place = Place::Node(racer % FULL);
        let asked = world.ask(place, Harm::Writes, post(REGISTER, None, &body)).await;
        opened.push(asked.answer.and_then(|answer| answer.member("session")).unwrap_or_default());
    }
    let answers = race(world, REGISTER, opened.len(), |racer| {
        let auth = json!({"type": "m.login.registration_token", "token": token,
            "session": opened[racer]});
        json!({"username": name(racer), "password": "wonderland", "auth": auth})
    })
    .await;
    let sentence = "of 24 who race over three nodes for a token with one use one is let in";
    world.tally.holds(sentence, of_status(&answers, 200).len() == 1, || statuses(&answers));
    // One name, many at once: one account, and one session is opened for it.
    let token = world.nodes[2].run(&["registration-token", "new"]).await?.trim().to_owned();
    let body = json!({"username": name(99), "password": "wonderland"}).to_string();
    let asked = world.ask(Place::Node(0), Harm::Writes, post(REGISTER, None, &body)).await;
    let session = asked.answer.and_then(|answer| answer.member("session"));
    let auth = json!({"type": "m.login.registration_token", "token": token, "session": session});
    let body = json!({"username": name(99), "password": "wonderland", "auth": auth});
    let answers = race(world, REGISTER, 24, |_| body.clone()).await;
    let mut let_in = of_status(&answers, 200);
    let_in.retain(|answer| answer.member("access_token").is_some());
    let sentence = "of 24 repetitions of one registration on three nodes one account comes";
    let right = of_status(&answers, 200).len() == answers.len() && sessions(&let_in).len() == 1;
    world.tally.holds(sentence, right, || statuses(&answers));
    Ok(())
}

/// One interactive session proved, many devices deletions claimed with it.
async fn interactive(world: &Rc<World>) {
    const GET_TOKEN: &str = "/_matrix/client/v1/login/get_token";
    let who = turn_of_somebody(world).await;
    let Some(session) = login_at(world, Place::Node(1), &who).await else { return };
    let token = session.token();
    let asked = world.ask(Place::Node(0), Harm::Writes, post(GET_TOKEN, Some(&token), "{}"));
    let opened = asked.await.answer.and_then(|answer| answer.member("session"));
    let auth = json!({"type": "m.login.password", "password": "wonderland", "session": opened,
        "identifier": {"type": "m.id.user", "user": who.user.id}});
    let body = json!({"auth": auth}).to_string();
    let mut tasks = Vec::new();
    for racer in 0..24 {
        let (world, body, token) = (world.clone(), body.clone(), token.clone());
        tasks.push(spawn_local(async move {
            let place = Place::Node(racer % FULL);
            world.ask(place, Harm::Writes, post(GET_TOKEN, Some(&token), &body)).await.answer
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.ok().flatten());
    }
    let given = of_status(&answers, 200).len();
    let sentence = "of 24 who use one proof on three nodes at once one is done";
    world.tally.holds(sentence, given == 1, || statuses(&answers));
}

/// The first use of a generation on one node retires the one before on all within the bound.
async fn first_uses(world: &Rc<World>) {
    let mut took = Vec::new();
    for round in 0..12 {
        let who = turn_of_somebody(world).await;
        let Some(session) = login_at(world, Place::Node(round % FULL), &who).await else { return };
        let old = session.refresh.borrow().clone().unwrap_or_default();
        if !writes::refresh(world, &session).await {
            continue;
        }
        // It is used on any node, those that only verify among them.
        let place = Place::Node(round % world.nodes.len());
        let token = session.token();
        let used = world.ask(place, Harm::Reads, get(WHOAMI, Some(&token))).await;
        let at = used.answered;
        let body = json!({"refresh_token": old}).to_string();
        let retired = loop {
            let place = Place::Node((round + 1) % FULL);
            let asked = world.ask(place, Harm::Writes, post(REFRESH, None, &body)).await;
            match asked.answer {
                Some(answer) if answer.is_soft() => break Some(asked.answered - at),
                _ if at.elapsed() > BOUND => break None,
                _ => sleep(Duration::from_millis(3)).await,
            }
        };
        let sentence = "the first use of a generation on one node retires the one before on all";
        world.tally.holds(sentence, retired.is_some(), || format!("used on node {place:?}"));
        took.extend(retired.map(|took| took.as_secs_f64() * 1000.0));
        let retired_at = Instant::now();
        for node in 0..FULL {
            let asked =
                world.ask(Place::Node(node), Harm::Writes, post(REFRESH, None, &body)).await;
            let soft = asked.answer.is_some_and(|answer| answer.is_soft());
            let sentence = "a refresh token that is retired on one node is retired on all";
            world.tally.holds(sentence, soft, || format!("{:?} later", retired_at.elapsed()));
        }
    }
    took.sort_by(f64::total_cmp);
    let median = crate::latency::quantile(&took, 0.5);
    let most = took.last().copied().unwrap_or(f64::NAN);
    println!("  first use retires the generation before: p50 {median:.1} ms, max {most:.1} ms");
}
