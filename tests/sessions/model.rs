//! The world that the rule is held to: a store, three nodes with clocks of their own, and the truth
//! about every session.
//!
//! The truth is kept session by session, without ticks: which fact of the feed ended it, if one
//! did. Tokens and the nodes' facts are the crate's own.

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyring::Keyring;
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::Timestamp;
use amaretti::token::{
    Grant, Key, Kind, Occasion, Presented, Purpose, Refusal, Scratch, SessionId,
};

pub(crate) const USERS: [&str; 2] = ["@alice:hs", "@bob:hs"];
pub(crate) const NODES: usize = 3;

const START: u64 = 1_790_000_000_000;

/// On what a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// On none.
    None,
    /// On a new one, named by the server.
    Generated,
    /// On one of a few, named by the client.
    Chosen(u8),
}

/// One login, and what became of it.
pub(crate) struct Session {
    pub(crate) user: usize,
    device: Option<String>,
    id: SessionId,
    generation: u32,
    /// Every token ever minted for it.
    pub(crate) tokens: Vec<(Kind, String)>,
    /// The place in the feed of the fact that ended it.
    pub(crate) ended: Option<usize>,
}

/// One process, with its own clock and its own idea of what has happened.
pub(crate) struct Node {
    /// Milliseconds that its clock is off at the start.
    offset: i64,
    /// Hundredths of a millisecond that its clock goes in one.
    rate: u64,
    /// Which facts of the feed it has heard, in whatever order.
    heard: Vec<bool>,
    /// How far it has followed the feed in order.
    position: usize,
    facts: Revocations,
}

/// Everything.
pub(crate) struct World {
    ring: Keyring,
    elapsed: u64,
    pub(crate) nodes: [Node; NODES],
    ticks: [u64; USERS.len()],
    server_from: u64,
    pub(crate) feed: Vec<Fact>,
    pub(crate) sessions: Vec<Session>,
    /// How often a lagging node minted from a session that had ended.
    pub(crate) laundered: usize,
    /// What a transaction judges by: every fact.
    facts: Revocations,
}

impl World {
    pub(crate) fn new(clocks: [(i64, u64); NODES]) -> Self {
        let key = Key::from_bytes(&core::array::from_fn(|i| 0xa7 ^ i as u8)).unwrap();
        let mut ring = Keyring::default();
        ring.hold(&key).unwrap();
        ring.mint_with(key.id()).unwrap();
        let nodes = clocks.map(|(offset, rate)| {
            let (heard, facts) = (Vec::new(), Revocations::default());
            Node { offset, rate, heard, position: 0, facts }
        });
        Self {
            ring,
            elapsed: 0,
            nodes,
            ticks: [0; USERS.len()],
            server_from: 0,
            feed: Vec::new(),
            sessions: Vec::new(),
            laundered: 0,
            facts: Revocations::default(),
        }
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.elapsed += ms;
    }

    /// What the clock of a node says.
    fn now(&self, node: usize) -> u64 {
        let node = &self.nodes[node];
        (START + self.elapsed * node.rate / 100).saturating_add_signed(node.offset)
    }

    /// The number of a transaction that starts or ends a session, run by a node.
    fn tick(&mut self, user: usize, node: usize) -> Timestamp {
        let now = self.now(node).max(self.server_from);
        self.ticks[user] = now.max(self.ticks[user] + 1);
        Timestamp::from_millis(self.ticks[user])
    }

    /// Commits a fact and notes which living sessions it ends.
    fn commit(&mut self, fact: Fact, hits: impl Fn(usize, &Session) -> bool) {
        let at = self.feed.len();
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if session.ended.is_none() && hits(index, session) {
                session.ended = Some(at);
            }
        }
        self.facts.append(&fact);
        self.feed.push(fact);
        self.nodes.iter_mut().for_each(|node| node.heard.push(false));
    }

    pub(crate) fn login(&mut self, node: usize, user: usize, device: &Device) -> usize {
        let began = self.tick(user, node);
        let device = match device {
            Device::None => None,
            Device::Generated => Some(format!("G{}", self.sessions.len())),
            Device::Chosen(n) => Some(format!("C{n}")),
        };
        if let Some(device) = device.as_deref().filter(|name| name.starts_with('C')) {
            self.end_device(user, device, began);
        }
        let index = self.sessions.len();
        let id = SessionId::new(began, [index as u8; 10]);
        let (tokens, ended) = (Vec::new(), None);
        self.sessions.push(Session { user, device, id, generation: 0, tokens, ended });
        self.mint(index, Kind::Access, 0);
        self.mint(index, Kind::Refresh, 0);
        index
    }

    fn end_device(&mut self, user: usize, device: &str, from: Timestamp) {
        let fact = Fact::Device { user: USERS[user].into(), device: device.into(), from };
        self.commit(fact, |_, s| s.user == user && s.device.as_deref() == Some(device));
    }

    fn mint(&mut self, session: usize, kind: Kind, generation: u32) {
        let known = &mut self.sessions[session];
        let grant = Grant {
            kind,
            user: UserId::parse(USERS[known.user]).unwrap(),
            device: known.device.as_deref().map(|id| DeviceId::parse(id).unwrap()),
            guest: false,
            session: known.id,
            generation,
            issued_at: Timestamp::from_millis(START + self.elapsed),
            expires_at: None,
            carried: &[],
        };
        let token = grant.mint(self.ring.minting(kind).unwrap()).unwrap();
        known.tokens.push((kind, token.reveal().to_owned()));
    }

    /// A node mints from what a session has, by no more than it has heard: the store is away.
    pub(crate) fn mint_aside(&mut self, node: usize, session: usize, kind: Kind) {
        if self.judge(&self.nodes[node].facts, &self.sessions[session].tokens[0]).is_ok() {
            self.laundered += usize::from(self.sessions[session].ended.is_some());
            self.mint(session, kind, self.sessions[session].generation);
        }
    }

    /// Whether a write may happen: the node judges its bearer, then the transaction does, by every
    /// fact there is.
    fn writes(&self, node: usize, session: usize) -> bool {
        let newest = self.sessions[session].tokens.last().unwrap();
        self.judge(&self.nodes[node].facts, newest).is_ok()
            && self.judge(&self.facts, newest).is_ok()
    }

    pub(crate) fn refresh(&mut self, node: usize, session: usize) {
        if self.writes(node, session) {
            self.sessions[session].generation += 1;
            let generation = self.sessions[session].generation;
            self.mint(session, Kind::Access, generation);
            self.mint(session, Kind::Refresh, generation);
        }
    }

    /// A second session by way of a login token of the first.
    pub(crate) fn login_by_token(&mut self, node: usize, session: usize) {
        if self.writes(node, session) {
            self.mint(session, Kind::Login, 0);
            self.login(node, self.sessions[session].user, &Device::Generated);
        }
    }

    pub(crate) fn logout(&mut self, node: usize, session: usize) {
        if self.writes(node, session) {
            let from = self.tick(self.sessions[session].user, node);
            match (self.sessions[session].user, self.sessions[session].device.clone()) {
                (user, Some(device)) => self.end_device(user, &device, from),
                (_, None) => self.end_session(session),
            }
        }
    }

    /// An operator revokes one session; it may have ended before.
    pub(crate) fn end_session(&mut self, session: usize) {
        let Session { user, id, .. } = self.sessions[session];
        let fact = Fact::Session { user: USERS[user].into(), session: id };
        self.commit(fact, |index, _| index == session);
    }

    /// `logout/all`, or a password change that spares the caller.
    pub(crate) fn end_all(&mut self, node: usize, session: usize, spare: bool) {
        if self.writes(node, session) {
            let Session { user, id, .. } = self.sessions[session];
            let exempt = spare.then_some(id);
            let from = self.tick(user, node);
            let fact = Fact::User { user: USERS[user].into(), from, exempt };
            self.commit(fact, |index, s| s.user == user && !(spare && index == session));
        }
    }

    /// Every session ends: its instant lies above every tick, and no later tick below it.
    pub(crate) fn end_server(&mut self, node: usize) {
        let above = self.ticks.iter().max().map_or(0, |tick| tick + 1);
        self.server_from = above.max(self.now(node)).max(self.server_from);
        let from = Timestamp::from_millis(self.server_from);
        self.commit(Fact::Server { from }, |_, _| true);
    }

    /// A node follows the feed by so many facts.
    pub(crate) fn catch_up(&mut self, node: usize, count: usize) {
        let end = self.feed.len().min(self.nodes[node].position + count);
        for at in self.nodes[node].position..end {
            self.deliver(node, at);
        }
        self.nodes[node].position = end;
    }

    /// A node hears one fact, in its turn or not, for the first time or again.
    pub(crate) fn deliver(&mut self, node: usize, at: usize) {
        let node = &mut self.nodes[node];
        node.facts.append(&self.feed[at]);
        node.heard[at] = true;
    }

    /// Which sorts of fact have ended a session.
    pub(crate) fn endings(&self) -> impl Iterator<Item = &'static str> {
        let facts = self.sessions.iter().filter_map(|session| self.feed.get(session.ended?));
        facts.map(|fact| match fact {
            Fact::User { exempt: None, .. } => "all of a user",
            Fact::User { exempt: Some(_), .. } => "all of a user but one",
            Fact::Device { .. } => "all of a device",
            Fact::Session { .. } => "one",
            Fact::Server { .. } => "all of the server",
            _ => "something else",
        })
    }

    fn judge(&self, facts: &Revocations, token: &(Kind, String)) -> Result<(), Refusal> {
        let purpose = match token.0 {
            Kind::Access => Purpose::Request,
            Kind::Refresh => Purpose::Refresh,
            Kind::Login => Purpose::Login,
            Kind::Inner => Purpose::Introspection,
        };
        let occasion = Occasion::new(purpose, Timestamp::from_millis(START));
        let mut scratch = Scratch::new();
        let presented = Presented::read(&token.1, &mut scratch)?;
        presented.authenticate(&self.ring)?.clear(facts, &occasion).map(|_| ())
    }

    /// What a node says to one token of a session, and what is wrong with that.
    pub(crate) fn fault(&self, node: usize, session: usize, token: usize) -> Option<String> {
        let (at, known) = (&self.nodes[node], &self.sessions[session]);
        let verdict = self.judge(&at.facts, &known.tokens[token]);
        let heard = known.ended.map(|fact| at.heard[fact]);
        let wrong = match (heard, &verdict) {
            (None, Err(why)) => format!("refuses a living session: {why}"),
            (Some(true), Ok(())) => "admits a session though it has heard of its end".into(),
            (Some(true), Err(Refusal::Ended(_))) | (None, Ok(())) | (Some(false), _) => {
                return None;
            }
            (Some(true), Err(why)) => format!("refuses an ended session as {why}"),
        };
        let (user, device) = (USERS[known.user], known.device.as_deref().unwrap_or("no device"));
        let (kind, ended) = (known.tokens[token].0, known.ended.map(|fact| &self.feed[fact]));
        let heard = at.heard.iter().filter(|heard| **heard).count();
        Some(format!(
            "node {node}, with {heard} of {} facts, {wrong}\nsession {session} ({}) of {user} on \
             {device}, {kind} token {token}; ended by {ended:?}\nfeed: {:#?}",
            self.feed.len(),
            known.id,
            self.feed,
        ))
    }
}
