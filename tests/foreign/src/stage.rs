//! Who takes part in the checks: our issuer, a stranger's, the libraries of others, and the tokens.

use amaretti::token::{Anatomy, Kind, Part, Subkey};

use crate::ours::{self, Issuer, Request};
use crate::peer::{Library, Met, Reading};
use crate::tally::{Tally, Trouble};

/// The libraries of others.
pub(crate) type Libraries = Vec<Box<dyn Library>>;

/// What every check works with.
pub(crate) struct Stage {
    /// Whose tokens these are.
    pub(crate) issuer: Issuer,
    /// Somebody with another key.
    pub(crate) stranger: Issuer,
    /// The libraries of others.
    pub(crate) libraries: Libraries,
    /// What has passed.
    pub(crate) tally: Tally,
}

/// A token of one kind that the binary minted, its subkey, and how it may be narrowed.
pub(crate) struct Subject {
    /// Its kind.
    pub(crate) kind: Kind,
    /// What it is signed with.
    pub(crate) subkey: Subkey,
    /// Its text.
    pub(crate) token: String,
    /// The token, narrowed by us with [`Self::caveats`].
    pub(crate) narrowed: String,
    /// Two caveats that clear on [`Request::Allowed`]; the second does not on the other request.
    pub(crate) caveats: [&'static str; 2],
}

impl Subject {
    /// Mints a token and exports its subkey.
    pub(crate) fn new(issuer: &Issuer, kind: Kind) -> Result<Self, Trouble> {
        let caveats = match kind {
            Kind::Refresh | Kind::Login => ["time < 32503680000000", "ip in 192.0.2.0/24"],
            Kind::Access | Kind::Inner => ["time < 32503680000000", "action in read"],
        };
        let (subkey, token) = (issuer.subkey(kind)?, issuer.mint(kind)?);
        let narrowed = issuer.attenuate(&token, &caveats)?;
        Ok(Self { kind, subkey, token, narrowed, caveats })
    }

    /// The token without its prefix.
    pub(crate) fn body(&self) -> &str {
        body(&self.token)
    }

    /// The token as a library narrows it, with our prefix put back.
    pub(crate) fn narrowed_by(&self, library: &mut dyn Library) -> Result<String, Trouble> {
        Ok(self.prefixed(&library.narrow(self.body(), &self.caveats)?))
    }

    /// A foreign text with our prefix put back.
    pub(crate) fn prefixed(&self, text: &str) -> String {
        format!("{}{text}", self.kind.prefix())
    }

    /// The secret that any macaroon library verifies the token with.
    pub(crate) fn secret(&self) -> &[u8] {
        self.subkey.expose()
    }

    /// What every library should read in the token.
    pub(crate) fn reading(&self) -> Reading {
        let identifier = Anatomy::of(&self.token).first(Part::Identifier).map(<[u8]>::to_vec);
        Reading { identifier: identifier.unwrap_or_default(), caveats: lines(&[]) }
    }
}

/// A token without its prefix.
pub(crate) fn body(token: &str) -> &str {
    token.get(4..).unwrap_or_default()
}

/// The caveats of a token that has these appended.
pub(crate) fn lines(appended: &[&str]) -> Vec<String> {
    let issuers = ["user_id = @alice:example.com", "device_id = ABCDEFGHIJ"];
    issuers.iter().chain(appended).map(ToString::to_string).collect()
}

/// How many judges there are when all are asked.
pub(crate) const JUDGES: usize = 4;

/// Those who admit a token, by name: the libraries and the crate with a subkey, and the command
/// line with the keys of `issuer` if it is to be asked.
pub(crate) fn admitting(
    token: &str,
    subkey: &Subkey,
    issuer: Option<&Issuer>,
    libraries: &mut Libraries,
) -> Vec<&'static str> {
    let mut admit = Vec::new();
    if issuer.is_some_and(|issuer| issuer.verify(token, Request::Allowed).is_ok()) {
        admit.push("amaretti token verify");
    }
    if ours::judge(token, subkey, Request::Allowed).is_ok() {
        admit.push("crate amaretti");
    }
    for library in libraries {
        if library.verify(body(token), subkey.expose(), Met::Any).is_ok() {
            admit.push(library.name());
        }
    }
    admit
}
