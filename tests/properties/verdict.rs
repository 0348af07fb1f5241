//! What a verdict says besides yes and no: whose the token is, when it ends, and which of several
//! reasons counts.

use amaretti::ident::UserId;
use amaretti::revocations::{Fact, Revocations, Standing};
use amaretti::time::Timestamp;
use amaretti::token::{
    Account, AccountState, EndedBy, Gate, Key, KeyId, Kind, NoFacts, Occasion, Presented, Purpose,
    Refusal, Scratch, SessionId, Subkey,
};

use crate::plans::{Plan, purpose_of, ring};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// A node that knows how Alice's account stands.
fn knowing(standing: Standing) -> Revocations {
    let facts = Revocations::default();
    let user = Box::from("@alice:example.com");
    facts.append(&Fact::Account { user, at: at(1), standing });
    facts
}

fn account(state: AccountState) -> Account {
    Account { state, admin: true }
}

/// Judges the plan's token by these facts.
fn refusal(plan: &Plan, facts: &Revocations, on: &Occasion<'_>) -> Option<Refusal> {
    let mut scratch = Scratch::new();
    let text = plan.mint();
    let authentic = Presented::read(&text, &mut scratch).unwrap().authenticate(&ring()).unwrap();
    authentic.clear(facts, on).err()
}

#[test]
fn a_token_names_user_and_session_at_every_step() {
    let (plan, mut scratch) = (Plan::plain(Kind::Access), Scratch::new());
    let (user, session) = (UserId::parse(&plan.user).unwrap(), SessionId::from_bytes(plan.session));
    let text = plan.mint();

    let presented = Presented::read(&text, &mut scratch).unwrap();
    assert_eq!((presented.user_id(), presented.claimed().session), (user, session));
    let authentic = presented.authenticate(&ring()).unwrap();
    assert_eq!((authentic.user_id(), authentic.session()), (user, session));
    let bearer = authentic.clear(&NoFacts, &Occasion::new(Purpose::Request, at(1))).unwrap();
    assert_eq!((bearer.user_id(), bearer.session()), (user, session));
    assert!(!bearer.is_guest());
}

#[test]
fn names_of_keys_and_sessions_have_one_spelling() {
    let (key, session) = (KeyId::from_bytes([0, 1, 0xab, 0xff]), SessionId::from_bytes([0x5e; 16]));
    assert_eq!(
        (format!("{key} {key:?}"), KeyId::parse("0001abff")),
        ("0001abff 0001abff".into(), Some(key))
    );
    assert_eq!(format!("{session} {session:?}"), format!("{0} {0}", "5e".repeat(16)));
    assert_eq!(SessionId::parse(&"5e".repeat(16)), Some(session));

    for text in
        ["", "0001ab", "0001abf", "0001abff0", "0001abff00", "0001abfF", "0001abf ", "+001abff"]
    {
        assert_eq!(KeyId::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_key_shows_the_bytes_it_was_made_of_and_those_of_its_subkeys() {
    let bytes = core::array::from_fn(|i| 0xf1 ^ i as u8);
    let key = Key::from_bytes(&bytes).unwrap();
    let subkey = key.subkey(Kind::Login);
    let again = Subkey::from_bytes(Kind::Login, key.id(), subkey.expose());

    assert_eq!(key.expose(), &bytes);
    assert_eq!((again.kind(), again.key_id()), (Kind::Login, key.id()));
    assert_eq!((again.expose(), again.check_value()), (subkey.expose(), subkey.check_value()));
}

#[test]
fn a_guest_is_one() {
    let plan = Plan { guest: true, ..Plan::plain(Kind::Access) };
    let (text, mut scratch) = (plan.mint(), Scratch::new());
    let authentic = Presented::read(&text, &mut scratch).unwrap().authenticate(&ring()).unwrap();

    let bearer = authentic.clear(&NoFacts, &Occasion::new(Purpose::Request, at(1))).unwrap();
    assert!(bearer.is_guest());
}

#[test]
fn a_token_ends_with_its_expiry_or_its_earliest_time_caveat() {
    let ends_at = |expires_at: Option<u64>, carried: &[&str]| {
        let plan = Plan { expires_at, ..Plan::plain(Kind::Access) }.carrying(carried);
        let (text, mut scratch) = (plan.mint(), Scratch::new());
        let authentic =
            Presented::read(&text, &mut scratch).unwrap().authenticate(&ring()).unwrap();
        let bearer = authentic.clear(&NoFacts, &Occasion::new(Purpose::Request, at(1)));
        bearer.unwrap().ends_at().map(Timestamp::millis)
    };

    assert_eq!(ends_at(None, &["label = x"]), None);
    assert_eq!(ends_at(Some(50), &[]), Some(50));
    assert_eq!(ends_at(Some(50), &["time < 60", "time < 40", "time < 70"]), Some(40));
    assert_eq!(ends_at(None, &["time < 60"]), Some(60));
}

#[test]
fn each_kind_has_the_purpose_it_is_made_for() {
    for kind in Kind::ALL {
        assert_eq!(Purpose::of(kind), purpose_of(kind));
        assert!(Purpose::of(kind).admits(kind), "{kind}");
    }
}

#[test]
fn how_the_account_stands_reaches_the_bearer() {
    let (text, mut scratch) = (Plan::plain(Kind::Access).mint(), Scratch::new());
    let facts = knowing(Standing::Open(account(AccountState::Suspended)));
    let authentic = Presented::read(&text, &mut scratch).unwrap().authenticate(&ring()).unwrap();

    let bearer = authentic.clear(&facts, &Occasion::new(Purpose::Request, at(1))).unwrap();
    assert_eq!(bearer.account(), account(AccountState::Suspended));
}

#[test]
fn a_locked_account_passes_only_where_locked_ones_may() {
    let facts = knowing(Standing::Open(account(AccountState::Locked)));
    let occasion = Occasion::new(Purpose::Request, at(1));
    let lenient = Occasion { gate: Gate::EvenLocked, ..occasion };

    assert_eq!(refusal(&Plan::plain(Kind::Access), &facts, &occasion), Some(Refusal::Locked));
    assert_eq!(refusal(&Plan::plain(Kind::Access), &facts, &lenient), None);
}

#[test]
fn of_several_reasons_the_first_in_order_counts() {
    let plan = Plan { expires_at: Some(5), ..Plan::plain(Kind::Access) }.carrying(&["time < 5"]);
    let late = Occasion::new(Purpose::Request, at(9));
    let elsewhere = Occasion { purpose: Purpose::Login, ..late };
    let deactivated = knowing(Standing::Deactivated);
    let locked = knowing(Standing::Open(account(AccountState::Locked)));

    let ended = Some(Refusal::Ended(EndedBy::Deactivated));
    let wrong_kind = Some(Refusal::WrongKind(Kind::Access));
    assert_eq!(refusal(&plan, &deactivated, &elsewhere), wrong_kind);
    assert_eq!(refusal(&plan, &deactivated, &late), ended);
    assert_eq!(refusal(&plan, &locked, &late), Some(Refusal::Locked));
    assert_eq!(refusal(&plan, &Revocations::default(), &late), Some(Refusal::Expired));
}
