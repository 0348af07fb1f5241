//! Registering before a homeserver: an account at both or at none.

use amaretti::config::Registration;
use amaretti::service::Policy;
use serde_json::{Value, json};

use crate::linked::{marks, open_town};
use crate::support::{Answer, Client, REGISTER, Setting, Synapse, Town, until};

async fn register(nobody: &Client, body: &Value) -> Answer {
    let session = nobody.challenged("POST", REGISTER, body).await;
    let proof = json!({ "type": "m.login.dummy", "session": session });
    nobody.with_auth("POST", REGISTER, body, &proof).await
}

#[tokio::test]
async fn registering_makes_the_account_at_both() {
    let synapse = Synapse::start().await;
    let town = open_town(&synapse).await;
    let wanted = json!({ "username": "carol", "password": "long-enough", "device_id": "PHONE" });

    let carol = town.anonymous().of(&register(&town.anonymous(), &wanted).await);

    carol.whoami().await.good();
    assert_eq!(synapse.devices("carol"), ["PHONE"]);
    assert_eq!(marks(&town).await, 0);
    town.anonymous().password("carol", "long-enough", &json!({})).await.good();
}

#[tokio::test]
async fn registering_never_takes_over_an_account_that_the_homeserver_has() {
    let synapse = Synapse::start().await;
    let town = open_town(&synapse).await;
    synapse.has("admin");
    synapse.deactivate("gone");
    for username in ["admin", "gone", "bridge-ghost"] {
        let body = json!({ "username": username, "password": "long-enough" });
        town.anonymous().post(REGISTER, &body).await.is(400, "M_USER_IN_USE");
        let path = format!("{REGISTER}/available?username={username}");
        town.anonymous().get(&path).await.is(400, "M_USER_IN_USE");
    }
    town.anonymous()
        .post(REGISTER, &json!({ "username": "_x" }))
        .await
        .is(400, "M_INVALID_USERNAME");
    assert!(synapse.devices("admin").is_empty());
}

#[tokio::test]
async fn an_account_made_by_somebody_else_meanwhile_is_not_taken_over() {
    let synapse = Synapse::start().await;
    let policy = Policy { registration: Registration::Token, ..Policy::default() };
    let town = Town::with(Setting { policy, ..synapse.setting() }).await;
    town.add_registration_token("friends", Some(1), None).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol", "password": "long-enough" });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;
    let auth =
        json!({ "type": "m.login.registration_token", "token": "friends", "session": session });
    // The name is free when it is asked for and taken a moment later.
    synapse.hangs_at(&["provision_user"]);
    let registering = tokio::spawn({
        let (nobody, wanted, auth) = (nobody.clone(), wanted.clone(), auth.clone());
        async move { nobody.with_auth("POST", REGISTER, &wanted, &auth).await }
    });
    until("it is being made", async || synapse.calls().contains(&"provision_user".into())).await;
    synapse.has("carol");
    synapse.goes_on();

    registering.await.unwrap().is(400, "M_USER_IN_USE");

    assert!(town.store.password_hash("@carol:example.com").await.unwrap().is_none());
    let token = &town.store.registration_tokens().await.unwrap()[0];
    assert_eq!((token.uses_left, token.used), (Some(1), 0), "nothing was used up");
}

#[tokio::test]
async fn a_registration_while_the_homeserver_is_away_can_be_repeated() {
    let synapse = Synapse::start().await;
    let town = open_town(&synapse).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol", "password": "long-enough" });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;
    let auth = json!({ "type": "m.login.dummy", "session": session });
    synapse.fails_at(&["provision_user"]);
    nobody.with_auth("POST", REGISTER, &wanted, &auth).await.unavailable();
    synapse.fails_at(&[]);

    let carol = nobody.of(&nobody.with_auth("POST", REGISTER, &wanted, &auth).await);

    carol.whoami().await.good();
    let again = nobody.with_auth("POST", REGISTER, &wanted, &auth).await;
    assert_eq!(again.good().text("user_id"), carol.user_id);
}
