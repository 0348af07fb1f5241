//! Interactive auth as clients go through it: asked for a proof, they repeat the request with one.

use amaretti::store::RegistrationToken;
use amaretti::time::Timestamp;
use serde_json::{Value, json};

use super::{ALICE, ALICES_PASSWORD, Answer, BOBS_PASSWORD, Client, Town};

pub(crate) const REFRESH: &str = "/_matrix/client/v3/refresh";
pub(crate) const REGISTER: &str = "/_matrix/client/v3/register";
pub(crate) const DEVICES: &str = "/_matrix/client/v3/devices";
pub(crate) const DELETE_DEVICES: &str = "/_matrix/client/v3/delete_devices";
pub(crate) const PASSWORD: &str = "/_matrix/client/v3/account/password";
pub(crate) const DEACTIVATE: &str = "/_matrix/client/v3/account/deactivate";
pub(crate) const GET_TOKEN: &str = "/_matrix/client/v1/login/get_token";

impl Answer {
    /// A proof is asked for and none was tried; gives the text of the interactive session.
    #[track_caller]
    pub(crate) fn challenge(&self) -> String {
        assert_eq!(self.json.get("errcode"), None, "{self:?}");
        self.session()
    }

    /// A proof was tried and is not one; gives the text of the interactive session.
    #[track_caller]
    pub(crate) fn not_proved(&self) -> String {
        self.is(401, "M_FORBIDDEN");
        self.session()
    }

    #[track_caller]
    fn session(&self) -> String {
        assert_eq!(self.status.as_u16(), 401, "{self:?}");
        assert_eq!(self["completed"], json!([]), "{self:?}");
        assert_eq!(self["params"], json!({}), "{self:?}");
        assert!(self["flows"].as_array().is_some_and(|flows| !flows.is_empty()), "{self:?}");
        let session = self.text("session");
        assert!(!session.is_empty(), "{self:?}");
        session.to_owned()
    }
}

impl Client {
    /// Exchanges a refresh token, as somebody without an access token.
    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer {
        self.with("").post(REFRESH, &json!({ "refresh_token": refresh_token })).await
    }

    /// Any method with a JSON body.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call(method, path, body.to_string()).await
    }

    /// Asks for something and gives the interactive session that is opened for it.
    pub(crate) async fn challenged(&self, method: &str, path: &str, body: &Value) -> String {
        self.send(method, path, body).await.challenge()
    }

    /// Repeats a request with something under `auth`.
    pub(crate) async fn with_auth(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        auth: &Value,
    ) -> Answer {
        let mut body = body.clone();
        body["auth"] = auth.clone();
        self.send(method, path, &body).await
    }

    /// Asks for something and proves who it is by its password.
    pub(crate) async fn prove(&self, method: &str, path: &str, body: &Value) -> Answer {
        let session = self.challenged(method, path, body).await;
        self.with_auth(method, path, body, &self.password_proof(&session)).await
    }

    /// The right password of this client, for `auth`.
    pub(crate) fn password_proof(&self, session: &str) -> Value {
        let password = if self.user_id == ALICE { ALICES_PASSWORD } else { BOBS_PASSWORD };
        by_password(&self.user_id, password, session)
    }

    /// A login token for another device.
    pub(crate) async fn get_token(&self) -> Answer {
        self.prove("POST", GET_TOKEN, &json!({})).await
    }
}

/// A password, for `auth`.
pub(crate) fn by_password(user: &str, password: &str, session: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password,
        "session": session,
    })
}

impl Town {
    /// Alice in a session that renews its tokens, and its refresh token.
    pub(crate) async fn renewing_alice(&self) -> (Client, String) {
        self.renewing_alice_on(json!({})).await
    }

    /// The same with this in the body of the login, too.
    pub(crate) async fn renewing_alice_on(&self, mut more: Value) -> (Client, String) {
        more["refresh_token"] = true.into();
        let answer = self.anonymous().password(ALICE, ALICES_PASSWORD, &more).await;
        (self.anonymous().of(&answer), answer.good().text("refresh_token").to_owned())
    }

    /// Lets so many people register, until then.
    pub(crate) async fn add_registration_token(
        &self,
        token: &str,
        uses_left: Option<i64>,
        expires_at: Option<Timestamp>,
    ) {
        let token = RegistrationToken { token: token.to_owned(), uses_left, used: 0, expires_at };
        let mut tx = self.store.begin().await.unwrap();
        assert!(tx.add_registration_token(&token, self.now()).await.unwrap());
        tx.commit().await.unwrap();
    }
}
