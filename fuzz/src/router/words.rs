//! What somebody knows who asks a node: a name, a password, and whatever the answers gave away.

use amaretti::token::attenuate;
use serde_json::Value;

use super::Answer;

/// A registration token that is good for ever.
pub(super) const REGISTRATION_TOKEN: &str = "summer-school";
pub(super) const PASSWORD: &str = "wonderland";

/// What a request may be filled in with, by name. Empty is what is not known yet.
#[derive(Default)]
pub(super) struct Words {
    user: String,
    /// A name that nobody has.
    fresh: String,
    access: String,
    /// The access token before that one.
    earlier: String,
    refresh: String,
    login: String,
    guest: String,
    device: String,
    /// An interactive session.
    session: String,
    tokens: Vec<String>,
}

impl Words {
    pub(super) fn new(fresh: String) -> Self {
        Self { fresh, ..Self::default() }
    }

    /// The word of a name.
    pub(super) fn of(&self, name: &str) -> Option<&str> {
        Some(match name {
            "user" => &self.user,
            "fresh" => &self.fresh,
            "access" => &self.access,
            "earlier" => &self.earlier,
            "refresh" => &self.refresh,
            "login" => &self.login,
            "guest" => &self.guest,
            "device" => &self.device,
            "session" => &self.session,
            "password" => PASSWORD,
            "registration" => REGISTRATION_TOKEN,
            _ => return None,
        })
    }

    /// Keeps what an answer gives away.
    pub(super) fn learn(&mut self, answer: &Value) {
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        let guest = text("user_id").is_some_and(|user| user.starts_with("@guest-"));
        if let Some(token) = text("access_token") {
            self.tokens.push(token.clone());
            if guest {
                self.guest = token;
                return;
            }
            self.earlier = core::mem::replace(&mut self.access, token);
        }
        let kept = [
            ("refresh_token", &mut self.refresh),
            ("login_token", &mut self.login),
            ("session", &mut self.session),
            ("device_id", &mut self.device),
            ("user_id", &mut self.user),
        ];
        for (key, place) in kept {
            if let Some(text) = text(key) {
                if key.ends_with("_token") {
                    self.tokens.push(text.clone());
                }
                *place = text;
            }
        }
    }

    /// A token, narrowed by its holder where that can be done.
    pub(super) fn narrowed(&self, name: &str, caveat: &str) -> String {
        let token = self.of(name).unwrap_or_default();
        attenuate(token, &[caveat]).map_or(token.to_owned(), |token| token.reveal().to_owned())
    }

    /// Whether one of the tokens stands in an answer.
    pub(super) fn gives_away(&self, answer: &Answer) -> bool {
        let mut headers = answer.headers.values().filter_map(|value| value.to_str().ok());
        let stands = |text: &str| self.tokens.iter().any(|token| text.contains(&**token));
        stands(&answer.body) || headers.any(stands)
    }
}
