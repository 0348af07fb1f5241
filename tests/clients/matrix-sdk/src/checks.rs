//! Checks that print one line each, and what an error of matrix-sdk says.

use std::cell::Cell;
use std::env;
use std::fmt::Debug;
use std::time::Duration;

use matrix_sdk::config::RequestConfig;
use matrix_sdk::ruma::api::error::ErrorKind;
use matrix_sdk::{Client, ClientBuildError, ClientBuilder, Error, HttpError, RefreshTokenError};

pub(crate) const SOFT: &str = "401 M_UNKNOWN_TOKEN, soft logout";
pub(crate) const HARD: &str = "401 M_UNKNOWN_TOKEN, hard logout";
pub(crate) const FORBIDDEN: &str = "403 M_FORBIDDEN";

/// Where the server is, and who may log in there.
pub(crate) struct Given {
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) password: String,
    pub(crate) login_token: String,
}

impl Given {
    pub(crate) fn from_environment() -> Result<Self, env::VarError> {
        Ok(Self {
            url: env::var("CLIENT_URL")?,
            user: env::var("CLIENT_USER")?,
            user_id: env::var("CLIENT_USER_ID")?,
            password: env::var("CLIENT_PASSWORD")?,
            login_token: env::var("CLIENT_LOGIN_TOKEN")?,
        })
    }

    /// A client that has not logged in, and gives up on a server that is away.
    pub(crate) fn client(&self) -> ClientBuilder {
        let few = RequestConfig::short_retry();
        Client::builder().homeserver_url(&self.url).request_config(few)
    }
}

/// Why a scenario went no further.
pub(crate) enum Stop {
    /// A check did not hold; its line is printed already.
    Failed,
    /// Something else went wrong.
    Error(String),
}

impl From<HttpError> for Stop {
    fn from(error: HttpError) -> Self {
        Self::Error(verdict(&error))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(error) => (*error).into(),
            other => Self::Error(other.to_string()),
        }
    }
}

impl From<RefreshTokenError> for Stop {
    fn from(error: RefreshTokenError) -> Self {
        HttpError::RefreshToken(error).into()
    }
}

impl From<ClientBuildError> for Stop {
    fn from(error: ClientBuildError) -> Self {
        Self::Error(error.to_string())
    }
}

/// Counts what did not hold.
#[derive(Default)]
pub(crate) struct Checks {
    failed: Cell<u32>,
}

impl Checks {
    /// Prints whether `sentence` is true; what is compared must not be a token.
    pub(crate) fn equal<F, E>(&self, sentence: &str, found: F, expected: E) -> Result<(), Stop>
    where
        F: PartialEq<E> + Debug,
        E: Debug,
    {
        if found == expected {
            println!("ok    matrix-sdk: {sentence}");
            return Ok(());
        }
        self.fail(sentence, &format!("expected {expected:?}, found {found:?}"));
        Err(Stop::Failed)
    }

    /// Runs one scenario; what goes wrong in it does not keep the next from running.
    pub(crate) async fn run(&self, name: &str, scenario: impl Future<Output = Result<(), Stop>>) {
        match tokio::time::timeout(Duration::from_secs(60), scenario).await {
            Ok(Ok(()) | Err(Stop::Failed)) => {}
            Ok(Err(Stop::Error(why))) => self.fail(name, &why),
            Err(_) => self.fail(name, "no end within a minute"),
        }
    }

    pub(crate) fn all_held(&self) -> bool {
        self.failed.get() == 0
    }

    fn fail(&self, sentence: &str, why: &str) {
        self.failed.set(self.failed.get() + 1);
        println!("FAIL  matrix-sdk: {sentence}: {why}");
    }
}

/// What came of a call that should have been refused.
pub(crate) fn refused<T, E: Into<Stop>>(answer: Result<T, E>) -> String {
    match answer.map_err(Into::into) {
        Err(Stop::Error(why)) => why,
        Ok(_) | Err(Stop::Failed) => "no refusal".to_owned(),
    }
}

/// Status, errcode and kind of logout; of a refresh that failed, those of the refresh.
fn verdict(error: &HttpError) -> String {
    if let HttpError::RefreshToken(RefreshTokenError::MatrixAuth(inner)) = error {
        return verdict(inner);
    }
    let Some(answer) = error.as_client_api_error() else { return error.to_string() };
    let status = answer.status_code.as_u16();
    match answer.error_kind() {
        Some(ErrorKind::UnknownToken(data)) => {
            let logout = if data.soft_logout { "soft" } else { "hard" };
            format!("{status} M_UNKNOWN_TOKEN, {logout} logout")
        }
        Some(kind) => format!("{status} {}", kind.errcode()),
        None => status.to_string(),
    }
}
