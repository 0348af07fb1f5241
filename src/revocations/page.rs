//! What is known of some users as one block of bytes, and what it says of a session.
//!
//! This file knows how records are written; it refuses to know how facts merge and on which page a
//! user stands. A page is never changed: who learns something writes another one.
//!
//! ```text
//! page    entry*
//! entry   length u32, mark 3, length of the user id 1, user id, record
//! record  what there is 1, [from 6], [exempt 16, unspared from 6], [standing 1, at 6],
//!         count u32, (from 6, end of the name u32)*, names, (session 16)*
//! ```
//!
//! Devices are sorted by name and sessions by id, so that either is found by halving. Bytes come
//! from [`Record::write`] alone; should they be short all the same, what lacks counts as nothing.

use super::fact::{Fact, Standing};
use super::horizon::Mark;
use super::record::Record;
use crate::time::Timestamp;
use crate::token::{Account, AccountState, EndedBy, SessionId};

const HAS_FROM: u8 = 1;
const HAS_EXEMPT: u8 = 2;
const HAS_STANDING: u8 = 4;

/// The entries of a page, in no order.
pub(super) struct Entries<'p>(pub(super) &'p [u8]);

/// One user's entry.
#[derive(Clone, Copy)]
pub(super) struct Entry<'p> {
    /// The whole of it, its length included.
    pub(super) bytes: &'p [u8],
    pub(super) mark: Mark,
    pub(super) user: &'p [u8],
    record: &'p [u8],
}

impl<'p> Entry<'p> {
    #[inline]
    pub(super) fn view(&self) -> View<'p> {
        View::of(self.record)
    }
}

impl<'p> Entries<'p> {
    /// The entry of a user, whose mark hardly anybody shares.
    #[inline]
    pub(super) fn of(mut self, mark: Mark, user: &str) -> Option<Entry<'p>> {
        self.find(|entry| entry.mark == mark && entry.user == user.as_bytes())
    }
}

impl<'p> Iterator for Entries<'p> {
    type Item = Entry<'p>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'p>> {
        let bytes = self.0;
        let length = 4 + u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        let (bytes, rest) = bytes.split_at_checked(length)?;
        let [_, _, _, _, a, b, c, length, tail @ ..] = bytes else { return None };
        let mark = Mark::from_bytes([*a, *b, *c]);
        let (user, record) = tail.split_at_checked(usize::from(*length))?;
        self.0 = rest;
        Some(Entry { bytes, mark, user, record })
    }
}

/// Writes the entry of a user.
pub(super) fn write(page: &mut Vec<u8>, mark: Mark, user: &str, record: &Record) {
    let start = page.len();
    // User ids are at most 255 bytes long.
    page.extend([0; 4]);
    page.extend(mark.to_bytes());
    page.push(user.len() as u8);
    page.extend(user.as_bytes());
    record.write(page);
    let length = (page.len() - start - 4) as u32;
    if let Some(place) = page.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *place = length.to_le_bytes();
    }
}

impl Record {
    fn write(&self, page: &mut Vec<u8>) {
        let flag = |there, flag| if there { flag } else { 0 };
        let has_from = self.from > Timestamp::ZERO;
        let has_standing = (self.standing, self.standing_at) != Default::default();
        page.push(
            flag(has_from, HAS_FROM)
                | flag(self.exempt.is_some(), HAS_EXEMPT)
                | flag(has_standing, HAS_STANDING),
        );
        if has_from {
            page.extend(self.from.to_bytes());
        }
        if let Some(exempt) = self.exempt {
            page.extend(exempt.to_bytes());
            page.extend(self.unspared_from.to_bytes());
        }
        if has_standing {
            page.push(standing_byte(self.standing));
            page.extend(self.standing_at.to_bytes());
        }
        page.extend((self.devices.len() as u32).to_le_bytes());
        let mut end = 0;
        for (device, from) in &self.devices {
            end += device.len() as u32;
            page.extend(from.to_bytes());
            page.extend(end.to_le_bytes());
        }
        self.devices.iter().for_each(|(device, _)| page.extend(device.as_bytes()));
        self.sessions.iter().for_each(|session| page.extend(session.to_bytes()));
    }
}

/// A record, read where it stands.
pub(super) struct View<'p> {
    pub(super) from: Timestamp,
    exempt: Option<SessionId>,
    unspared_from: Timestamp,
    pub(super) standing: Standing,
    standing_at: Timestamp,
    devices: &'p [[u8; 10]],
    names: &'p [u8],
    sessions: &'p [[u8; 16]],
}

impl<'p> View<'p> {
    #[inline]
    fn of(record: &'p [u8]) -> Self {
        let rest = &mut { record };
        let [flags] = take(rest);
        let has = |flag| flags & flag != 0;
        let from = if has(HAS_FROM) { instant(rest) } else { Timestamp::ZERO };
        let exempt = has(HAS_EXEMPT).then(|| SessionId::from_bytes(take(rest)));
        let unspared_from = if exempt.is_some() { instant(rest) } else { from };
        let (standing, standing_at) = if has(HAS_STANDING) {
            let [standing] = take(rest);
            (read_standing(standing), instant(rest))
        } else {
            Default::default()
        };
        let count = u32::from_le_bytes(take(rest)) as usize;
        let (devices, tail) = rest.split_at_checked(count * 10).unwrap_or_default();
        let devices = devices.as_chunks().0;
        let (names, sessions) = tail.split_at_checked(end(devices.last())).unwrap_or_default();
        let sessions = sessions.as_chunks().0;
        Self { from, exempt, unspared_from, standing, standing_at, devices, names, sessions }
    }

    #[inline]
    pub(super) fn standing(
        &self,
        device: Option<&str>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        let Standing::Open(account) = self.standing else { return Err(EndedBy::Deactivated) };
        let beginning = session.beginning();
        let spared = self.exempt == Some(session);
        if beginning < if spared { self.unspared_from } else { self.from } {
            return Err(EndedBy::User);
        }
        if device.is_some_and(|device| beginning < self.device_from(device)) {
            return Err(EndedBy::Device);
        }
        match self.sessions.binary_search(&session.to_bytes()) {
            Ok(_) => Err(EndedBy::Session),
            Err(_) => Ok(account),
        }
    }

    #[inline]
    fn device_from(&self, device: &str) -> Timestamp {
        let (mut low, mut high) = (0, self.devices.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let (name, from) = self.device(middle);
            match name.cmp(device.as_bytes()) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => return from,
            }
        }
        Timestamp::ZERO
    }

    #[inline]
    fn device(&self, at: usize) -> (&'p [u8], Timestamp) {
        let start = end(at.checked_sub(1).and_then(|before| self.devices.get(before)));
        let device = self.devices.get(at);
        let name = self.names.get(start..end(device)).unwrap_or_default();
        let from = device.and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
        (name, Timestamp::from_bytes(from))
    }

    /// Name and horizon of every device that something is known of.
    pub(super) fn devices(&self) -> impl Iterator<Item = (&'p [u8], Timestamp)> {
        (0..self.devices.len()).map(|at| self.device(at))
    }

    fn named_devices(&self) -> impl Iterator<Item = (Box<str>, Timestamp)> {
        self.devices().map(|(name, from)| (String::from_utf8_lossy(name).into(), from))
    }

    /// No session that began at or after this is hit for its user's sake or for its own.
    pub(super) fn user_horizon(&self) -> Timestamp {
        let behind = |session: SessionId| session.beginning().plus(1);
        self.sessions().last().map_or(self.from, |last| behind(last).max(self.from))
    }

    fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.iter().copied().map(SessionId::from_bytes)
    }

    /// The record, to be written to.
    pub(super) fn record(&self) -> Record {
        Record {
            from: self.from,
            exempt: self.exempt,
            unspared_from: self.unspared_from,
            devices: self.named_devices().collect(),
            sessions: self.sessions().collect(),
            standing: self.standing,
            standing_at: self.standing_at,
        }
    }

    /// Calls `act` with facts that make such a record.
    pub(super) fn each(&self, user: &str, act: &mut impl FnMut(Fact)) {
        let user = || Box::from(user);
        if self.unspared_from > Timestamp::ZERO && self.exempt.is_some() {
            act(Fact::User { user: user(), from: self.unspared_from, exempt: None });
        }
        if self.from > Timestamp::ZERO {
            act(Fact::User { user: user(), from: self.from, exempt: self.exempt });
        }
        for (device, from) in self.named_devices() {
            act(Fact::Device { user: user(), device, from });
        }
        self.sessions().for_each(|session| act(Fact::Session { user: user(), session }));
        if (self.standing, self.standing_at) != Default::default() {
            act(Fact::Account { user: user(), at: self.standing_at, standing: self.standing });
        }
    }
}

/// Where the name of a device ends.
#[inline]
fn end(device: Option<&[u8; 10]>) -> usize {
    let end = device.and_then(|bytes| bytes.last_chunk()).copied().unwrap_or_default();
    u32::from_le_bytes(end) as usize
}

#[inline]
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let Some((taken, rest)) = bytes.split_first_chunk() else { return [0; N] };
    *bytes = rest;
    *taken
}

#[inline]
fn instant(bytes: &mut &[u8]) -> Timestamp {
    Timestamp::from_bytes(take(bytes))
}

const STATES: [AccountState; 3] =
    [AccountState::Active, AccountState::Suspended, AccountState::Locked];
const DEACTIVATED: u8 = 0xff;
const ADMIN: u8 = 0x80;

fn standing_byte(standing: Standing) -> u8 {
    let Standing::Open(account) = standing else { return DEACTIVATED };
    let state = STATES.iter().position(|state| *state == account.state).unwrap_or_default() as u8;
    if account.admin { state | ADMIN } else { state }
}

#[inline]
fn read_standing(byte: u8) -> Standing {
    if byte == DEACTIVATED {
        return Standing::Deactivated;
    }
    let state = STATES.get(usize::from(byte & !ADMIN)).copied().unwrap_or_default();
    Standing::Open(Account { state, admin: byte & ADMIN != 0 })
}
