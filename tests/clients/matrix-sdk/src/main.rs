//! Drives an unmodified matrix-sdk against a running server.

mod checks;
mod get_token;

use std::process::ExitCode;
use std::time::Duration;

use checks::{Checks, FORBIDDEN, Given, HARD, SOFT, Stop, refused};
use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::ruma::api::client::session::{get_login_types::v3::LoginType, login, logout_all};
use matrix_sdk::ruma::api::client::uiaa::{MatrixUserIdentifier, UserIdentifier};
use matrix_sdk::store::RoomLoadSettings;
use matrix_sdk::{Client, SessionChange};

#[tokio::main]
async fn main() -> ExitCode {
    let given = match Given::from_environment() {
        Ok(given) => given,
        Err(error) => {
            eprintln!("scripts/suites/clients says where the server is: {error}");
            return ExitCode::FAILURE;
        }
    };
    let checks = Checks::default();
    checks.run("login by password", by_password(&checks, &given)).await;
    checks.run("login by token", by_token(&checks, &given)).await;
    checks.run("expiry", expiry(&checks, &given)).await;
    checks.run("refreshing", refreshing(&checks, &given)).await;
    checks.run("a wrong refresh token", wrong_refresh_token(&checks, &given)).await;
    checks.run("get_token", get_token::lend(&checks, &given)).await;
    if checks.all_held() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Logs in for tokens that do not expire.
async fn log_in(client: &Client, given: &Given) -> Result<login::v3::Response, Stop> {
    let login = client.matrix_auth().login_username(&given.user, &given.password);
    Ok(login.initial_device_display_name("matrix-sdk").send().await?)
}

/// Logs in for tokens that are refreshed.
async fn log_in_renewable(client: &Client, given: &Given) -> Result<login::v3::Response, Stop> {
    let login = client.matrix_auth().login_username(&given.user, &given.password);
    Ok(login.request_refresh_token().send().await?)
}

/// Waits until the access token of a login has expired.
async fn expired(login: &login::v3::Response) {
    let life = login.expires_in.unwrap_or_default();
    tokio::time::sleep(life + Duration::from_millis(300)).await;
}

async fn by_password(checks: &Checks, given: &Given) -> Result<(), Stop> {
    let client = given.client().build().await?;
    let offered = client.matrix_auth().get_login_types().await?.flows;
    let password = offered.iter().any(|flow| matches!(flow, LoginType::Password(_)));
    let token = offered.iter().any(|flow| matches!(flow, LoginType::Token(_)));
    checks.equal("password and login token are offered", [password, token], [true, true])?;
    let wrong = client.matrix_auth().login_username(&given.user, "not the password").send().await;
    checks.equal("a wrong password is forbidden", refused(wrong), FORBIDDEN)?;
    let login = log_in(&client, given).await?;
    checks.equal("logs in by password", login.user_id.as_str(), given.user_id.as_str())?;
    let two = (login.refresh_token.is_some(), login.expires_in);
    checks.equal("gets a refresh token only on demand", two, (false, None))?;
    let who = client.whoami().await?;
    checks.equal("is told its user", who.user_id.as_str(), given.user_id.as_str())?;
    checks.equal("and its device", who.device_id, Some(login.device_id))?;
    let mut changes = client.subscribe_to_session_changes();
    client.matrix_auth().logout().await?;
    checks.equal("its token is dead after logging out", refused(client.whoami().await), HARD)?;
    checks.equal("the client is told of a hard logout", ended(changes.try_recv().ok()), Some(false))
}

/// Whether the logout that a client tells of is a soft one.
fn ended(change: Option<SessionChange>) -> Option<bool> {
    match change {
        Some(SessionChange::UnknownToken(data)) => Some(data.soft_logout),
        _ => None,
    }
}

async fn by_token(checks: &Checks, given: &Given) -> Result<(), Stop> {
    let (client, other) = (given.client().build().await?, given.client().build().await?);
    let login = client.matrix_auth().login_token(&given.login_token).send().await?;
    checks.equal("logs in by login token", login.user_id.as_str(), given.user_id.as_str())?;
    checks.equal("asks who it is", client.whoami().await?.device_id, Some(login.device_id))?;
    let again = other.matrix_auth().login_token(&given.login_token).send().await;
    checks.equal("a login token is good once", refused(again), FORBIDDEN)?;
    log_in(&other, given).await?;
    other.whoami().await?;
    client.send(logout_all::v3::Request::new()).await?;
    let everywhere = "logging out everywhere ends the token of another device";
    checks.equal(everywhere, refused(other.whoami().await), HARD)
}

async fn expiry(checks: &Checks, given: &Given) -> Result<(), Stop> {
    let client = given.client().build().await?;
    let login = log_in_renewable(&client, given).await?;
    let life = login.expires_in.unwrap_or_default();
    let bounded = !life.is_zero() && life <= Duration::from_secs(2);
    checks.equal("a login that asks for it gets a token of 2 s", bounded, true)?;
    let mut changes = client.subscribe_to_session_changes();
    expired(&login).await;
    checks.equal("an expired token is refused", refused(client.whoami().await), SOFT)?;
    checks.equal(
        "the client is told of a soft logout",
        ended(changes.try_recv().ok()),
        Some(true),
    )?;
    let again = given.client().build().await?;
    let user = UserIdentifier::Matrix(MatrixUserIdentifier::new(given.user.clone()));
    let device = again.matrix_auth().login_identifier(user, &given.password);
    let device = device.device_id(login.device_id.as_str()).send().await?.device_id;
    checks.equal("logs in again on the same device", device, login.device_id)?;
    let old = refused(client.matrix_auth().refresh_access_token().await);
    checks.equal("which ends the device's session before", old, HARD)?;
    again.matrix_auth().logout().await?;
    Ok(())
}

async fn refreshing(checks: &Checks, given: &Given) -> Result<(), Stop> {
    let client = given.client().handle_refresh_tokens().build().await?;
    let login = log_in_renewable(&client, given).await?;
    let mut changes = client.subscribe_to_session_changes();
    let tokens =
        || client.session_tokens().map(|tokens| (tokens.access_token, tokens.refresh_token));
    for time in ["once", "twice"] {
        let before = tokens();
        expired(&login).await;
        let who = client.whoami().await?;
        let device = (who.device_id.as_ref(), tokens() != before);
        let sentence = format!("refreshes by itself, {time}");
        checks.equal(&sentence, device, (Some(&login.device_id), true))?;
        let refreshed = changes.try_recv().ok();
        let sentence = format!("tells that it did, {time}");
        checks.equal(&sentence, refreshed, Some(SessionChange::TokensRefreshed))?;
    }
    checks.equal("and nothing else", changes.try_recv().ok(), None)?;
    client.matrix_auth().logout().await?;
    while changes.try_recv().is_ok() {}
    let dead = refused(client.whoami().await);
    checks.equal("both its tokens are dead after logging out", dead, HARD)?;
    checks.equal("the client is told of a hard logout", ended(changes.try_recv().ok()), Some(false))
}

async fn wrong_refresh_token(checks: &Checks, given: &Given) -> Result<(), Stop> {
    let first = given.client().handle_refresh_tokens().build().await?;
    let login = log_in_renewable(&first, given).await?;
    let mut session = MatrixSession::from(&login);
    session.tokens.refresh_token = login.refresh_token.as_deref().map(forged);
    let client = given.client().handle_refresh_tokens().build().await?;
    client.matrix_auth().restore_session(session, RoomLoadSettings::default()).await?;
    let mut changes = client.subscribe_to_session_changes();
    expired(&login).await;
    let wrong = refused(client.whoami().await);
    checks.equal("a client with a wrong refresh token is not refreshed", wrong, SOFT)?;
    checks.equal("and is told of a soft logout", ended(changes.try_recv().ok()), Some(true))?;
    let device = first.whoami().await?.device_id;
    checks.equal("the right one still is good", device, Some(login.device_id))?;
    first.matrix_auth().logout().await?;
    Ok(())
}

/// The token with one character of its signature changed.
fn forged(token: &str) -> String {
    let (head, tail) = token.split_at(token.len().saturating_sub(10));
    let other = if tail.starts_with('A') { 'B' } else { 'A' };
    format!("{head}{other}{}", tail.get(1..).unwrap_or_default())
}
