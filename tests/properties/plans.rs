//! Arbitrary grants, caveats and occasions, and what comes of a token on an occasion.

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyring::Keyring;
use amaretti::time::Timestamp;
use amaretti::token::{
    Account, Action, Grant, Identifier, Key, Keys, Kind, NoFacts, Occasion, Presented, Purpose,
    Refusal, Scratch, SessionId,
};
use core::net::IpAddr;
use proptest::prelude::*;

/// Every purpose there is.
pub(crate) const PURPOSES: [Purpose; 4] =
    [Purpose::Request, Purpose::Refresh, Purpose::Login, Purpose::Introspection];

/// The purpose that tokens of a kind are made for.
pub(crate) fn purpose_of(kind: Kind) -> Purpose {
    match kind {
        Kind::Access => Purpose::Request,
        Kind::Refresh => Purpose::Refresh,
        Kind::Login => Purpose::Login,
        Kind::Inner => Purpose::Introspection,
    }
}

/// The key all tokens here are minted with.
pub(crate) fn key() -> Key {
    Key::from_bytes(&core::array::from_fn(|i| 0xc3 ^ i as u8)).unwrap()
}

/// A ring that holds that key and another.
pub(crate) fn ring() -> Keyring {
    let mut ring = Keyring::default();
    ring.hold(&key()).unwrap();
    ring.hold(&Key::from_bytes(&core::array::from_fn(|i| 0x99 ^ i as u8)).unwrap()).unwrap();
    ring
}

/// A grant with everything it borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) user: String,
    pub(crate) device: Option<String>,
    pub(crate) guest: bool,
    pub(crate) session: [u8; 16],
    pub(crate) generation: u32,
    pub(crate) issued_at: u64,
    pub(crate) expires_at: Option<u64>,
    pub(crate) carried: Vec<String>,
}

impl Plan {
    /// The plainest token of a kind, on a device, expiring at `u32::MAX`.
    pub(crate) fn plain(kind: Kind) -> Self {
        Self {
            kind,
            user: "@alice:example.com".into(),
            device: Some("ABCDEFGHIJ".into()),
            guest: false,
            session: [7; 16],
            generation: 0,
            issued_at: 1000,
            expires_at: Some(u32::MAX.into()),
            carried: Vec::new(),
        }
    }

    pub(crate) fn carrying(self, carried: &[&str]) -> Self {
        Self { carried: carried.iter().map(|text| (*text).to_owned()).collect(), ..self }
    }

    /// The text of the token.
    pub(crate) fn mint(&self) -> String {
        let carried: Vec<_> = self.carried.iter().map(String::as_str).collect();
        let grant = Grant {
            kind: self.kind,
            user: UserId::parse(&self.user).unwrap(),
            device: self.device.as_deref().map(|id| DeviceId::parse(id).unwrap()),
            guest: self.guest,
            session: SessionId::from_bytes(self.session),
            generation: self.generation,
            issued_at: Timestamp::from_millis(self.issued_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            carried: &carried,
        };
        grant.mint(&key().subkey(self.kind)).unwrap().reveal().to_owned()
    }
}

prop_compose! {
    /// Any grant that fits; what it carries clears on [`open`] occasions.
    pub(crate) fn plans()(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        user in r"@[!-9;-~ä-öЖ日]{1,30}:[a-z0-9.]{1,20}(:8448)?",
        device in prop::option::of(r"[ -~ä-öЖ日]{1,40}"),
        guest: bool,
        session: [u8; 16],
        generation: u32,
        issued_at in 0..1_u64 << 48,
        expires_at in prop::option::of(prop_oneof![Just(0), 1..5000_u64, 0..1_u64 << 48]),
        carried in prop::collection::vec(clearing(), 0..4),
    ) -> Plan {
        let carried = carried.into_iter().filter(|text| kind != Kind::Refresh || !text.contains('='));
        let carried = carried.collect();
        Plan { kind, user, device, guest, session, generation, issued_at, expires_at, carried }
    }
}

/// Caveats that clear on [`open`] occasions; those with `=` may not stand on refresh tokens.
fn clearing() -> impl Strategy<Value = String> {
    prop_oneof![
        (2..1_u64 << 48).prop_map(|end| format!("time < {end}")),
        Just("ip in 192.0.2.0/24".to_owned()),
        r"label = [!-~äЖ]{1,100}",
        Just("audience = media".to_owned()),
    ]
}

/// Any text of the vocabulary, about users, devices, rooms and instants that occur here.
pub(crate) fn terms() -> impl Strategy<Value = String> {
    let rooms = prop::sample::subsequence(vec!["!a:hs", "!b:hs", "!c"], 1..=3);
    let actions = prop::sample::subsequence(vec!["read", "send", "account", "keys"], 1..=4);
    let nets = prop::sample::subsequence(vec!["192.0.2.0/24", "::/0", "10.0.0.1"], 1..=3);
    let users = prop::sample::select(vec!["@alice:example.com", "@bob:example.com", "@root:hs"]);
    let devices = prop::sample::select(vec!["ABCDEFGHIJ", "OTHER"]);
    prop_oneof![
        (0..5000_u64).prop_map(|end| format!("time < {end}")),
        rooms.prop_map(|list| format!("room_id in {}", list.join(","))),
        actions.prop_map(|list| format!("action in {}", list.join(","))),
        nets.prop_map(|list| format!("ip in {}", list.join(","))),
        prop::sample::select(vec!["audience = media", "audience = x"]).prop_map(String::from),
        users.prop_map(|id| format!("user_id = {id}")),
        devices.prop_map(|id| format!("device_id = {id}")),
        Just("label = note".to_owned()),
    ]
}

/// Any bytes a holder may append: of the vocabulary, nearly so, text, noise.
pub(crate) fn appendable() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => terms().prop_map(String::into_bytes),
        1 => (terms(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes.splice(at..=at, [byte]);
            bytes
        }),
        1 => ".{0,80}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

/// An occasion with everything it borrows.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    purpose: Purpose,
    now: u64,
    action: Option<Action>,
    room_id: Option<&'static str>,
    address: Option<IpAddr>,
    audience: Option<&'static str>,
}

impl Circumstances {
    pub(crate) fn occasion(&self) -> Occasion<'_> {
        Occasion {
            action: self.action,
            room_id: self.room_id,
            address: self.address,
            audience: self.audience,
            ..Occasion::new(self.purpose, Timestamp::from_millis(self.now))
        }
    }
}

prop_compose! {
    /// Any occasion, at an instant below 5000.
    pub(crate) fn circumstances()(
        purpose in prop::sample::select(PURPOSES.to_vec()),
        now in 0..5000_u64,
        action in prop::option::of(prop::sample::select(Action::ALL.to_vec())),
        room_id in prop::sample::select(vec![None, Some("!a:hs"), Some("!b:hs"), Some("!c")]),
        address in prop::option::of(prop::sample::select(
            ["192.0.2.7", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1"]
                .map(|text| text.parse::<IpAddr>().unwrap())
                .to_vec(),
        )),
        audience in prop::sample::select(vec![None, Some("media"), Some("x")]),
    ) -> Circumstances {
        Circumstances { purpose, now, action, room_id, address, audience }
    }
}

/// The second millisecond of 1970, at a place where [`clearing`] caveats clear.
pub(crate) fn open(purpose: Purpose) -> Occasion<'static> {
    Occasion {
        address: Some([192, 0, 2, 7].into()),
        audience: Some("media"),
        ..Occasion::new(purpose, Timestamp::from_millis(1))
    }
}

/// What an admitted bearer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) identifier: Identifier,
    pub(crate) user: String,
    pub(crate) device: Option<String>,
    pub(crate) account: Account,
    pub(crate) appended: Vec<String>,
}

/// Judges a text from the beginning.
pub(crate) fn judge(text: &str, keys: &impl Keys, on: &Occasion<'_>) -> Result<Seen, Refusal> {
    let mut scratch = Scratch::new();
    let bearer = Presented::read(text, &mut scratch)?.authenticate(keys)?.clear(&NoFacts, on)?;
    Ok(Seen {
        identifier: *bearer.identifier(),
        user: bearer.user_id().as_str().to_owned(),
        device: bearer.device_id().map(|id| id.as_str().to_owned()),
        account: bearer.account(),
        appended: bearer.appended().map(String::from).collect(),
    })
}
