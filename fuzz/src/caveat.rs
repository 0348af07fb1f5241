//! What holds for every caveat on every occasion: it is of the vocabulary or refused, and knowing
//! less, or being later, never clears more.

use amaretti::ident::{DeviceId, UserId};
use amaretti::time::Timestamp;
use amaretti::token::{Action, Caveat, Occasion, Purpose, VOCABULARY};

const PURPOSES: [Purpose; 4] =
    [Purpose::Request, Purpose::Refresh, Purpose::Login, Purpose::Introspection];

/// Takes the lines for a caveat, an action, a room, an address, an audience and an instant.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _read_whole = read(&text);
    let mut lines = text.split('\n');
    let line = lines.next().unwrap_or_default();
    let Some(caveat) = read(line) else { return };
    let mut given = || lines.next().filter(|line| !line.is_empty());
    let (action, room_id) = (given().and_then(Action::from_name), given());
    let (address, audience) = (given().and_then(|line| line.parse().ok()), given());
    let now = given().and_then(|line| line.parse().ok()).map(Timestamp::from_millis);
    for purpose in PURPOSES {
        let bare = Occasion::new(purpose, now.unwrap_or_default());
        let occasion = Occasion { action, room_id, address, audience, ..bare };
        for device in [None, DeviceId::parse("ABCDEFGHIJ").ok()] {
            judge(&caveat, &occasion, device);
            let alone = |one: &String| read(one).is_some_and(|c| clears(&c, &occasion, device));
            let any = members(line).iter().any(alone);
            assert_eq!(clears(&caveat, &occasion, device), any, "a list is not its members");
        }
    }
}

/// Reads a caveat; whatever is read stands in the vocabulary, spelled as it is there.
fn read(text: &str) -> Option<Caveat<'_>> {
    match Caveat::read(text) {
        Ok(caveat) => {
            let term = VOCABULARY.iter().find(|term| term.key == caveat.key());
            let begins = term.map(|term| format!("{} {} ", term.key, term.operator));
            assert!(begins.is_some_and(|begins| text.starts_with(&begins)), "read without a term");
            Some(caveat)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn judge(caveat: &Caveat<'_>, occasion: &Occasion<'_>, device: Option<DeviceId<'_>>) {
    let cleared = clears(caveat, occasion, device);
    let lesser = [
        Occasion { action: None, ..*occasion },
        Occasion { room_id: None, ..*occasion },
        Occasion { address: None, ..*occasion },
        Occasion { audience: None, ..*occasion },
        Occasion { now: occasion.now.plus(1), ..*occasion },
        Occasion { now: Timestamp::MAX, ..*occasion },
    ];
    for less in lesser {
        assert!(cleared || !clears(caveat, &less, device), "knowing less clears more");
    }
    assert!(cleared || !clears(caveat, occasion, None), "having no device clears more");
    match caveat {
        Caveat::Label(_) => assert!(cleared, "a label narrows"),
        Caveat::Time(end) => assert_eq!(cleared, occasion.now < *end),
        Caveat::Ip(_) => assert!(!cleared || occasion.address.is_some()),
        _ => {}
    }
}

fn clears(caveat: &Caveat<'_>, occasion: &Occasion<'_>, device: Option<DeviceId<'_>>) -> bool {
    let user = UserId::parse("@alice:example.com");
    user.is_ok_and(|user| occasion.clears(caveat, user, device))
}

/// A caveat for each member of a list, or the caveat itself.
fn members(text: &str) -> Vec<String> {
    let lists = ["action in ", "room_id in ", "ip in "].into_iter();
    match lists.filter_map(|begins| Some((begins, text.strip_prefix(begins)?))).next() {
        Some((begins, list)) => list.split(',').map(|one| format!("{begins}{one}")).collect(),
        None => vec![text.to_owned()],
    }
}
