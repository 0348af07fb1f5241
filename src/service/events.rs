//! What the audit stream tells: every event, its fields, and how it is written as one line.
//!
//! One table makes the events and the page that describes them. A token is in no event; a text
//! that somebody chose is written in ASCII, so that no line can be broken or dressed up. This file
//! refuses to know where lines go.

use serde_json::Value;

use super::Reason;
use crate::token::{KeyId, Kind, SessionId};

/// An event as the documentation shows it.
pub struct EventSort {
    /// Its name.
    pub name: &'static str,
    /// The fields it may have beside those that every line has.
    pub fields: &'static [&'static str],
    /// What has happened.
    pub meaning: &'static str,
}

macro_rules! events {
    ($($variant:ident $name:literal $meaning:literal { $($field:ident: $type:ty),* $(,)? })+) => {
        /// Something that an operator may want to look up later.
        pub enum Event<'a> {
            $(#[doc = $meaning]
            $variant {
                $(#[doc = concat!("`", stringify!($field), "` of the line.")] $field: $type),*
            },)+
        }

        /// Every event.
        pub const EVENTS: &[EventSort] = &[
            $(EventSort { name: $name, fields: &[$(stringify!($field)),*], meaning: $meaning },)+
        ];

        impl Event<'_> {
            /// Its name.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)+ }
            }

            /// Its fields as members of a JSON object, with a comma before each.
            pub(super) fn members(&self) -> String {
                let mut members = String::new();
                match self {
                    $(Self::$variant { $($field),* } => {
                        $(member(&mut members, stringify!($field), $field.told());)*
                    })+
                }
                members
            }
        }
    };
}

events! {
    Login "login" "a session began; `repeated` when an answer that was lost was given again" {
        user_id: &'a str, device_id: &'a str, session: SessionId, by: &'a str, repeated: bool,
        labels: Vec<&'a str>,
    }
    LoginFailed "login_failed" "nobody was let in" {
        user_id: Option<&'a str>, by: &'a str, reason: Reason, words: &'a str,
    }
    Guest "guest" "a guest was let in" {
        user_id: &'a str, device_id: &'a str, session: SessionId,
    }
    Refresh "refresh" "a refresh token was exchanged" {
        user_id: &'a str, device_id: Option<&'a str>, session: SessionId, generation: u32,
        labels: Vec<&'a str>,
    }
    RefreshRefused "refresh_refused" "a refresh token that holds was not exchanged: it was \
        retired (a copy may be in other hands), exchanged too often, or its session is over" {
        user_id: &'a str, device_id: Option<&'a str>, session: SessionId, generation: u32,
        reason: Reason, words: &'a str,
    }
    LoginToken "login_token" "a session was given a login token for another device" {
        user_id: &'a str, session: SessionId, minted: SessionId, labels: Vec<&'a str>,
    }
    Minted "minted" "a token was minted offline, by the command line" {
        user_id: &'a str, device_id: Option<&'a str>, session: SessionId, kind: Kind, key: KeyId,
        labels: Vec<&'a str>,
    }
    Logout "logout" "a session was ended by its bearer" {
        user_id: &'a str, device_id: Option<&'a str>, session: SessionId,
    }
    LogoutAll "logout_all" "every session of a user was ended by one of them" {
        user_id: &'a str, session: SessionId,
    }
    DevicesDeleted "devices_deleted" "devices were deleted by their user" {
        user_id: &'a str, session: SessionId, device_ids: Vec<&'a str>,
    }
    SessionEnded "session_ended" "one session was ended by an operator" {
        user_id: &'a str, ended: SessionId,
    }
    SessionsEnded "sessions_ended" "every session of a user was ended by an operator" {
        user_id: &'a str, devices: u64,
    }
    EverySessionEnded "every_session_ended" "every session of everybody was ended by an operator" {
        devices: u64,
    }
    Registered "registered" "an account was made by whoever registered" {
        user_id: &'a str, by: &'a str,
    }
    UserAdded "user_added" "an account was made by an operator" {
        user_id: &'a str,
    }
    PasswordChanged "password_changed" "a user chose another password; `others` says what became \
        of the other sessions" {
        user_id: &'a str, session: SessionId, others: &'a str,
    }
    PasswordReplaced "password_replaced" "an operator set another password and ended every session" {
        user_id: &'a str, devices: u64,
    }
    ProofFailed "proof_failed" "a session asked for something and could not prove who it is" {
        user_id: Option<&'a str>, session: Option<SessionId>, operation: &'a str, words: &'a str,
    }
    Account "account" "an account stands otherwise: by its user with `session`, else by an operator" {
        user_id: &'a str, state: &'a str, session: Option<SessionId>,
    }
    RegistrationTokenMade "registration_token_made" "an operator made a registration token" {
        uses: Option<u64>,
    }
    RegistrationTokenRevoked "registration_token_revoked" "an operator took a registration token \
        away" {}
    KeyMade "key_made" "a key was made" { key: KeyId }
    KeyMints "key_mints" "from now on this node mints with this key" { key: KeyId }
    KeyVanished "key_vanished" "the file of a key that is in use is gone; it stays in use" {
        key: KeyId,
    }
    KeyRetired "key_retired" "an operator gave up a key for ever" { key: KeyId, devices: u64 }
    KeysExported "keys_exported" "an operator wrote subkeys to files" {
        kind: Kind, keys: Vec<KeyId>,
    }
}

fn member(members: &mut String, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        members.push_str(&format!(",\"{name}\":{}", ascii(&value)));
    }
}

/// A JSON value in ASCII: what stands outside of it is escaped, so that nothing turns the
/// direction of a line or looks like something else.
pub(super) fn ascii(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            units.for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
    }
    text
}

/// A value as an event tells it; `None` leaves the field out.
trait Told {
    fn told(&self) -> Option<Value>;
}

impl Told for &str {
    fn told(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl Told for bool {
    fn told(&self) -> Option<Value> {
        self.then_some(true.into())
    }
}

impl Told for u32 {
    fn told(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl Told for u64 {
    fn told(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl Told for SessionId {
    fn told(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

impl Told for KeyId {
    fn told(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

impl Told for Kind {
    fn told(&self) -> Option<Value> {
        Some(self.name().into())
    }
}

impl Told for Reason {
    fn told(&self) -> Option<Value> {
        Some(self.name().into())
    }
}

impl<T: Told> Told for Option<T> {
    fn told(&self) -> Option<Value> {
        self.as_ref().and_then(Told::told)
    }
}

impl<T: Told> Told for Vec<T> {
    fn told(&self) -> Option<Value> {
        let told: Vec<_> = self.iter().filter_map(Told::told).collect();
        (!told.is_empty()).then_some(told.into())
    }
}

/// What the `label` caveats among these say.
#[must_use]
pub fn labels<'c>(caveats: impl IntoIterator<Item = &'c str>) -> Vec<&'c str> {
    caveats.into_iter().filter_map(|text| text.strip_prefix("label = ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_chose_cannot_break_a_line_or_turn_it_round() {
        let nasty = "a\"b\\c\nd\u{202e}e\u{7f}f\u{1f600}";
        let event = Event::UserAdded { user_id: nasty };

        let members = event.members();

        let expected = r#","user_id":"a\"b\\c\nd\u202ee\u007ff\ud83d\ude00""#;
        assert_eq!(members, expected);
        let read: Value = serde_json::from_str(&format!("{{{}}}", &members[1..])).unwrap();
        assert_eq!(read["user_id"], nasty);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let event = Event::LoginFailed {
            user_id: None,
            by: "password",
            reason: Reason::WrongPassword,
            words: "no",
        };

        let expected = r#","by":"password","reason":"wrong_password","words":"no""#;
        assert_eq!(event.members(), expected);
    }
}
