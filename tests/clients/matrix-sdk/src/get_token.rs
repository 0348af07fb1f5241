//! A login token from get_token: the password again, one login on another device, and no second.

use matrix_sdk::ruma::api::client::session::get_login_token::v1::{Request, Response};
use matrix_sdk::ruma::api::client::session::get_login_types::v3::LoginType;
use matrix_sdk::ruma::api::client::uiaa::{
    AuthData, AuthType, MatrixUserIdentifier, Password, UiaaInfo, UserIdentifier,
};
use matrix_sdk::{Client, HttpError};

use super::checks::{Checks, FORBIDDEN, Given, Stop, refused};

/// Does nothing where get_token is not served.
pub(crate) async fn lend(checks: &Checks, given: &Given) -> Result<(), Stop> {
    let client = given.client().build().await?;
    let offered = client.matrix_auth().get_login_types().await?.flows;
    let served =
        |flow: &LoginType| matches!(flow, LoginType::Token(token) if token.get_login_token);
    if !offered.iter().any(served) {
        println!("get_token: not served yet");
        return Ok(());
    }
    let login = super::log_in(&client, given).await?;
    let asked = challenge(client.send(Request::new()).await)?;
    let first = asked.flows.first().map(|flow| flow.stages.as_slice());
    checks.equal(
        "get_token asks for the password first",
        first,
        Some([AuthType::Password].as_slice()),
    )?;
    let again = challenge(ask(&client, given, "not the password", &asked.session).await)?;
    let told_why = (again.auth_error.is_some(), again.session == asked.session);
    checks.equal("may try again", told_why, (true, true))?;
    let lent = ask(&client, given, &given.password, &asked.session).await?;
    let life = lent.expires_in.as_secs();
    checks.equal("is given a login token of two minutes", (1..=120).contains(&life), true)?;
    let (other, third) = (given.client().build().await?, given.client().build().await?);
    let second = other.matrix_auth().login_token(&lent.login_token).send().await?;
    let same = (second.user_id == login.user_id, second.device_id == login.device_id);
    checks.equal("which logs the same user in on another device", same, (true, false))?;
    let twice = third.matrix_auth().login_token(&lent.login_token).send().await;
    checks.equal("once", refused(twice), FORBIDDEN)?;
    let anew = challenge(client.send(Request::new()).await)?;
    checks.equal("is asked anew the next time", anew.session != asked.session, true)?;
    other.matrix_auth().logout().await?;
    client.matrix_auth().logout().await?;
    Ok(())
}

async fn ask(
    client: &Client,
    given: &Given,
    password: &str,
    session: &Option<String>,
) -> Result<Response, HttpError> {
    let user = UserIdentifier::Matrix(MatrixUserIdentifier::new(given.user.clone()));
    let mut auth = Password::new(user, password.to_owned());
    auth.session.clone_from(session);
    let mut request = Request::new();
    request.auth = Some(AuthData::Password(auth));
    client.send(request).await
}

/// What the server wants to know first.
fn challenge<T>(answer: Result<T, HttpError>) -> Result<UiaaInfo, Stop> {
    match answer {
        Ok(_) => Err(Stop::Error("get_token: nothing was asked".to_owned())),
        Err(error) => error.as_uiaa_response().cloned().ok_or_else(|| error.into()),
    }
}
