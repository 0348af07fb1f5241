//! A proxy in front of a node: it asks whether a request may pass.

use amaretti::config::{Foreign, Proxy};
use amaretti::http::ForwardAuth;
use amaretti::keyfile::{self, Held};
use amaretti::secret::Secret;
use amaretti::token::Kind;

use super::{Answer, Client, Setting, Town, Verifier};

/// What every proxy here sends to be known by.
pub(crate) const SECRET: &str = "7c9f1e0b52a84d36a1c0e4f9b8d72635";

/// A proxy that may ask.
#[derive(Clone, Copy)]
pub(crate) struct Asking {
    pub(crate) proxy: Proxy,
    pub(crate) foreign: Foreign,
    pub(crate) linked: bool,
}

impl Asking {
    /// A proxy in front of an upstream that judges nothing itself.
    pub(crate) fn by(proxy: Proxy) -> Self {
        Self { proxy, foreign: Foreign::Refuse, linked: false }
    }

    pub(crate) fn settings(self) -> ForwardAuth {
        let Self { proxy, foreign, linked } = self;
        ForwardAuth { proxy, secret: Secret::parse(SECRET).unwrap(), foreign, linked }
    }
}

impl Town {
    /// A town that HAProxy asks, which is told everything in one answer.
    pub(crate) async fn asked() -> Self {
        Self::asked_by(Asking::by(Proxy::Haproxy)).await
    }

    /// The same after a restart.
    pub(crate) async fn asked_again(&self) -> Self {
        let asking = Some(Asking::by(Proxy::Haproxy));
        self.again_with(Setting { asking, ..Setting::default() }).await
    }

    /// A node beside this one, without store and feed, that holds subkeys of some kinds alone.
    pub(crate) async fn verifier_of(&self, kinds: &[Kind], asking: Asking) -> Verifier {
        let exported = self.keys_folder().with_file_name(format!("exported-{}", kinds.len()));
        for file in keyfile::read_folder(&self.keys_folder()).unwrap() {
            let Held::Key(key) = &file.held else { panic!("a whole key") };
            for kind in kinds {
                let subkey = key.subkey(*kind);
                keyfile::write_subkey(&exported, &subkey, file.store, file.created).unwrap();
            }
        }
        let setting = Setting { asking: Some(asking), ..Setting::default() };
        self.verifier_holding(exported, None, setting).await
    }

    pub(crate) async fn asked_by(asking: Asking) -> Self {
        Self::with(Setting { asking: Some(asking), ..Setting::default() }).await
    }
}

impl Client {
    /// HAProxy asks whether this client's request may pass. The client is that of the internal
    /// face, with the token of whoever sends the request.
    pub(crate) async fn may(&self, method: &str, target: &str) -> Answer {
        self.may_from("192.0.2.7", method, target).await
    }

    pub(crate) async fn may_from(&self, address: &str, method: &str, target: &str) -> Answer {
        let asking = self.sending("x-amaretti-secret", SECRET);
        let asking = asking.sending("x-amaretti-method", method);
        let asking = asking.sending("x-amaretti-uri", target);
        asking.sending("x-amaretti-address", address).get("/_amaretti/forward-auth").await
    }
}

impl Answer {
    /// What goes upstream in the `Authorization` header.
    pub(crate) fn upstream(&self) -> &str {
        self.header("authorization").unwrap_or_default()
    }

    /// It passes, and nothing is said of anybody.
    #[track_caller]
    pub(crate) fn names_nobody(&self) -> &Self {
        self.good();
        let told = |name: &&str| self.header(name).is_some();
        let names = ["user-id", "device-id", "session-id", "guest", "label"];
        let names = names.map(|name| format!("x-amaretti-{name}"));
        let found: Vec<_> = names.iter().map(String::as_str).filter(told).collect();
        assert!(found.is_empty(), "{found:?}: {self:?}");
        self
    }
}
