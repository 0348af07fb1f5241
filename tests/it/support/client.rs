//! Somebody who asks a node: anonymous, or with a token.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    ALICE, ALICES_PASSWORD, Answer, BOB, BOBS_PASSWORD, LOGIN, LOGOUT, LOGOUT_ALL, SYNC, Town,
    Verifier, WHOAMI, log,
};

/// Somebody who asks one face of a node.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    /// The access token, or nothing for nobody.
    pub(crate) token: String,
    pub(crate) user_id: String,
    pub(crate) device_id: String,
    headers: Vec<(String, String)>,
    address: Option<IpAddr>,
}

impl Client {
    fn new(router: &Router) -> Self {
        Self {
            router: router.clone(),
            token: String::new(),
            user_id: String::new(),
            device_id: String::new(),
            headers: Vec::new(),
            address: None,
        }
    }

    /// Whoever was given this answer by a login.
    #[track_caller]
    pub(crate) fn of(&self, login: &Answer) -> Self {
        login.good();
        let text = |key| login.text(key).to_owned();
        let (user_id, device_id) = (text("user_id"), text("device_id"));
        Self { token: text("access_token"), user_id, device_id, ..self.clone() }
    }

    /// The same client with another token.
    pub(crate) fn with(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same client at a node that was started anew, or at another one.
    pub(crate) fn at(&self, town: &Town) -> Self {
        Self { router: town.routers.public.clone(), ..self.clone() }
    }

    /// The same client at a node without a feed.
    pub(crate) fn at_verifier(&self, verifier: &Verifier) -> Self {
        Self { router: verifier.routers.public.clone(), ..self.clone() }
    }

    /// The same client, sending one more header.
    pub(crate) fn sending(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same client, calling from this address.
    pub(crate) fn from(&self, address: &str) -> Self {
        Self { address: Some(address.parse().unwrap()), ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, body.to_string()).await
    }

    /// Any method, any body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        self.ask(request.body(body.into()).unwrap()).await
    }

    /// Asks exactly this, without a token of the client's own.
    pub(crate) async fn ask(&self, mut request: Request<Body>) -> Answer {
        if let Some(address) = self.address {
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 50_000)));
        }
        let asked = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await;
        let answer = match response {
            Ok(response) => Answer::read(asked, response).await,
            Err(never) => match never {},
        };
        log::assert_nothing_leaked();
        answer
    }

    pub(crate) async fn whoami(&self) -> Answer {
        self.get(WHOAMI).await
    }

    pub(crate) async fn sync(&self) -> Answer {
        self.get(SYNC).await
    }

    pub(crate) async fn logout(&self) -> Answer {
        self.call("POST", LOGOUT, "").await
    }

    pub(crate) async fn logout_all(&self) -> Answer {
        self.call("POST", LOGOUT_ALL, "").await
    }

    /// Logs in with a password; `more` is added to the body.
    pub(crate) async fn password(&self, user: &str, password: &str, more: &Value) -> Answer {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user },
            "password": password,
        });
        self.post(LOGIN, &both(body, more)).await
    }

    /// Logs in with a login token; `more` is added to the body.
    pub(crate) async fn spend(&self, token: &str, more: &Value) -> Answer {
        let body = json!({ "type": "m.login.token", "token": token });
        self.post(LOGIN, &both(body, more)).await
    }
}

fn both(mut body: Value, more: &Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body
}

impl Town {
    /// Nobody yet.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&self.routers.public)
    }

    /// Whoever asks the internal face.
    pub(crate) fn operator(&self) -> Client {
        Client::new(&self.routers.internal)
    }

    /// Alice on a device that is new to her, logged in with her password.
    pub(crate) async fn alice(&self) -> Client {
        self.alice_with(&json!({})).await
    }

    /// Alice, logged in with this in the body, too.
    pub(crate) async fn alice_with(&self, more: &Value) -> Client {
        let nobody = self.anonymous();
        nobody.of(&nobody.password(ALICE, ALICES_PASSWORD, more).await)
    }

    /// Alice on the device of this id.
    pub(crate) async fn alice_on(&self, device_id: &str) -> Client {
        self.alice_with(&json!({ "device_id": device_id })).await
    }

    /// Bob on a device that is new to him.
    pub(crate) async fn bob(&self) -> Client {
        self.bob_with(&json!({})).await
    }

    /// Bob, logged in with this in the body, too.
    pub(crate) async fn bob_with(&self, more: &Value) -> Client {
        let nobody = self.anonymous();
        nobody.of(&nobody.password(BOB, BOBS_PASSWORD, more).await)
    }
}

impl Verifier {
    /// Nobody yet.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&self.routers.public)
    }

    /// Whoever asks the internal face.
    pub(crate) fn operator(&self) -> Client {
        Client::new(&self.routers.internal)
    }
}
