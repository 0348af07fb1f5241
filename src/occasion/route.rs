//! One row of the table of requests: which paths it is about, and what it says of them.
//!
//! This file knows the form of a row; it refuses to know the rows, and how a path is read.

use crate::token::{Action, Gate};

/// Whether a request needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// It needs none, and one that is there anyway decides nothing.
    None,
    /// It may carry one, which is then judged: the specification leaves it open, or asks for none
    /// where homeservers commonly do.
    Optional,
    /// It needs one.
    Required,
}

/// The methods of the specification's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`, and `HEAD`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
}

impl Method {
    /// The method of this name, which is in upper case; `HEAD` counts as `GET`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "GET" | "HEAD" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }

    /// The name as it stands in a request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// What stands before the version in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `/_matrix/client`.
    Client,
    /// `/_matrix/media`.
    Media,
    /// Nothing: the pattern is the whole path.
    None,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The methods it is about.
    pub methods: &'static [Method],
    /// How its paths begin.
    pub prefix: Prefix,
    /// The versions it is served under; none when the prefix is [`Prefix::None`].
    pub versions: &'static [&'static str],
    /// What follows the version, placeholders spelled as in the specification.
    pub pattern: &'static str,
    /// Whether it needs a token.
    pub auth: Auth,
    /// What it does; where there is nothing, no `action` caveat clears.
    pub action: Option<Action>,
    /// Whether a locked account may pass.
    pub gate: Gate,
    /// Whether it reaches beyond the room that its path names, so that no `room_id` caveat clears.
    pub across_rooms: bool,
    pieces: [&'static str; MAX_DEPTH],
    depth: usize,
}

/// Segments of the longest pattern.
const MAX_DEPTH: usize = 6;

impl Route {
    /// The segments of the pattern: literals, and placeholders in braces.
    #[must_use]
    pub fn pieces(&self) -> &[&'static str] {
        self.pieces.get(..self.depth).unwrap_or_default()
    }

    /// What a request has in common with this row, if it falls under it: see [`shape`].
    pub(super) const fn shape(&self) -> u32 {
        let [first, ..] = self.pieces;
        shape(self.prefix, self.depth, first)
    }

    /// Every path of the row, from the root, with its placeholders.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        let root = match self.prefix {
            Prefix::Client => "/_matrix/client/",
            Prefix::Media => "/_matrix/media/",
            Prefix::None => "",
        };
        let versions = if self.versions.is_empty() { &[""] } else { self.versions };
        versions.iter().map(move |version| format!("{root}{version}{}", self.pattern))
    }

    pub(super) const fn optional(mut self) -> Self {
        self.auth = Auth::Optional;
        self
    }

    pub(super) const fn media(mut self) -> Self {
        self.prefix = Prefix::Media;
        self
    }

    pub(super) const fn even_locked(mut self) -> Self {
        self.gate = Gate::EvenLocked;
        self
    }

    pub(super) const fn across_rooms(mut self) -> Self {
        self.across_rooms = true;
        self
    }
}

/// Prefix, depth, and the length and first byte of the first piece, which is no placeholder in any
/// row: what tells most rows from one another without looking at them.
pub(super) const fn shape(prefix: Prefix, depth: usize, first: &str) -> u32 {
    let byte = match first.as_bytes() {
        [byte, ..] => *byte,
        [] => 0,
    };
    (byte as u32) << 24 | (first.len() as u32) << 8 | (depth as u32) << 2 | prefix as u32
}

/// A row that needs a token.
pub(super) const fn row(
    methods: &'static [Method],
    versions: &'static [&'static str],
    pattern: &'static str,
    action: Action,
) -> Route {
    Route { auth: Auth::Required, action: Some(action), ..open(methods, versions, pattern) }
}

/// A row that needs none.
pub(super) const fn open(
    methods: &'static [Method],
    versions: &'static [&'static str],
    pattern: &'static str,
) -> Route {
    let (pieces, depth) = cut(pattern);
    Route {
        methods,
        prefix: if versions.is_empty() { Prefix::None } else { Prefix::Client },
        versions,
        pattern,
        auth: Auth::None,
        action: None,
        gate: Gate::Unlocked,
        across_rooms: false,
        pieces,
        depth,
    }
}

/// Cuts a pattern at its slashes; says how many pieces that gave.
const fn cut(pattern: &'static str) -> ([&'static str; MAX_DEPTH], usize) {
    let mut pieces = [""; MAX_DEPTH];
    let mut slots = pieces.as_mut_slice();
    let (mut rest, mut depth) = (pattern, 0);
    while let Some((slot, others)) = slots.split_first_mut()
        && let [b'/', ..] = rest.as_bytes()
    {
        (*slot, rest) = rest.split_at(1).1.split_at(to_slash(rest.as_bytes()));
        slots = others;
        depth += 1;
    }
    (pieces, depth)
}

/// How many bytes stand between the first one and the next slash or the end.
const fn to_slash(bytes: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = bytes;
    while let [_, tail @ ..] = rest
        && !matches!(tail, [] | [b'/', ..])
    {
        count += 1;
        rest = tail;
    }
    count
}
