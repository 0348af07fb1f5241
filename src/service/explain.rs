//! Why a token is good or not on this node, for the operator who asks.
//!
//! Judges as the hot path does and leaves no trace: it counts nothing and no token is used by it.
//! This file refuses to know how the question was written.

use super::{Denial, Reason, Service};
use crate::ident::UserId;
use crate::time::Timestamp;
use crate::token::{CaveatAt, EndedBy, Identifier, Occasion, Presented, Refusal, Scratch};

/// What an operator is told.
pub struct Explanation {
    /// What the token says of itself, if it can be read. Unless it is admitted, anybody may have
    /// written that.
    pub claimed: Option<Claimed>,
    /// The verdict by its name.
    pub reason: Reason,
    /// The verdict in words.
    pub words: String,
    /// The caveat that does not let it pass.
    pub caveat: Option<CaveatAt>,
    /// Sessions of this user that began before this are ended, if the verdict rests on that.
    pub ended_before: Option<Timestamp>,
    /// What an operator can do.
    pub advice: &'static str,
}

/// What a token says of itself.
pub struct Claimed {
    /// Whose it is.
    pub user_id: String,
    /// On which device.
    pub device_id: Option<String>,
    /// Its other parts.
    pub identifier: Identifier,
}

impl Service {
    /// Explains what this node makes of a token on an occasion.
    #[must_use]
    pub fn explain(&self, text: &str, occasion: &Occasion<'_>) -> Explanation {
        let claimed = Claimed::read(text);
        let mut scratch = Scratch::new();
        let verdict = self.verdict(text, &mut scratch, occasion);
        let denial = verdict.as_ref().err();
        let reason = denial.map_or(Reason::Admitted, Reason::from);
        let words = denial.map_or_else(|| "admitted".to_owned(), Denial::to_string);
        let refusal = match denial {
            Some(Denial::Refused(refusal)) => Some(*refusal),
            _ => None,
        };
        let caveat = match refusal {
            Some(Refusal::Unmet(at) | Refusal::UnknownCaveat(at) | Refusal::Sealed(at)) => Some(at),
            _ => None,
        };
        let ended = refusal == Some(Refusal::Ended(EndedBy::User));
        let user = claimed.as_ref().and_then(|claimed| UserId::parse(&claimed.user_id).ok());
        let ended_before = user.filter(|_| ended).map(|user| self.facts.user_from(user));
        Explanation { claimed, reason, words, caveat, ended_before, advice: advice(reason) }
    }
}

impl Claimed {
    /// Reads what a token says of itself; `None` when it is not written as a token is.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut scratch = Scratch::new();
        let presented = Presented::read(text, &mut scratch).ok()?;
        Some(Self {
            user_id: presented.user_id().as_str().to_owned(),
            device_id: presented.device_id().map(|device| device.as_str().to_owned()),
            identifier: *presented.claimed(),
        })
    }
}

/// What to do about a verdict; whatever is not here is no verdict on the token.
const ADVICE: &[(&[Reason], &str)] = &[
    (
        &[Reason::Admitted],
        "nothing is wrong here: if a client is turned away, look at the node and the path it asked, \
         and at the log line of its request",
    ),
    (
        &[Reason::Foreign, Reason::Predecessor],
        "it was made by another server: its client has to log in here",
    ),
    (
        &[Reason::TooLong, Reason::Truncated, Reason::Malformed, Reason::WrongPrefix],
        "it was damaged on its way: copy all of it; `amaretti token normalize` mends what another \
         library has written",
    ),
    (
        &[Reason::UnknownFormat, Reason::ReservedBits],
        "it was made by a newer version, or by nobody: look at the version of the node that minted it",
    ),
    (
        &[Reason::UnknownKey],
        "its key was retired, or belongs to another installation: `amaretti keys list` shows what \
         there is; its client logs in again and keeps its encryption keys",
    ),
    (
        &[Reason::KeyNotHeld],
        "another node has this key: copy its file into the folder of keys of this node",
    ),
    (
        &[Reason::Forged],
        "it was changed, or signed with another secret under this key's name: compare the key files \
         of your nodes",
    ),
    (&[Reason::WrongKind], "it is for something else: say for what with --purpose"),
    (
        &[
            Reason::EndedSession,
            Reason::EndedDevice,
            Reason::EndedUser,
            Reason::EndedServer,
            Reason::Deactivated,
        ],
        "its session was ended for good: the audit stream says by whom and when; its client has to \
         log in again",
    ),
    (&[Reason::Locked], "`amaretti user unlock` lets it in again"),
    (
        &[Reason::Expired],
        "its client should have renewed it: look whether its refreshes fail, and compare the clocks \
         of the nodes",
    ),
    (
        &[Reason::UnknownCaveat, Reason::Sealed, Reason::Unmet],
        "its holder narrowed it, and the caveat does not allow this: say with --method, --path and \
         --address what was asked",
    ),
    (
        &[Reason::Stale],
        "this node has not heard the feed for too long: look at the database and the way to it",
    ),
    (
        &[Reason::NoFeed],
        "a node without a feed answers for short-lived tokens alone: see `no_feed_lifetime`",
    ),
];

fn advice(reason: Reason) -> &'static str {
    let row = ADVICE.iter().find(|(reasons, _)| reasons.contains(&reason));
    row.map_or("this is no verdict on the token: look at the log of the node", |(_, words)| *words)
}
