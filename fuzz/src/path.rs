//! What holds for every request line: a room or an action that is found there is found in every
//! other reading of the same path, or that reading leads nowhere.

use amaretti::occasion::{PathScratch, Request, request};

/// Takes the bytes for a method and a path, with a space between.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (method, path) = text.split_once(' ').unwrap_or(("GET", &text));
    let path = path.split('?').next().unwrap_or_default();
    let mut scratch = PathScratch::new();
    let found = request(method, path, &mut scratch);
    match &found {
        Ok(found) => judge(method, path, found),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let mut scratch = PathScratch::new();
    let asked = format!("{path}?a=/../!b:hs&%zz");
    assert_eq!(request(method, &asked, &mut scratch), found, "a query makes a difference");
    if method == "GET" {
        assert_eq!(request("HEAD", path, &mut scratch), found, "HEAD is not GET");
    }
}

fn judge(method: &str, path: &str, found: &Request<'_>) {
    if method == "OPTIONS" {
        assert_eq!((found.action, found.room_id), (None, None), "a preflight does something");
        return;
    }
    assert!(path.starts_with('/'));
    assert!(found.known || found.action.is_none() && found.room_id.is_none());
    if let Some(room) = found.room_id {
        assert!(room.starts_with('!') && !room.contains('/'), "no room: {room:?}");
        assert!(!room.contains(char::is_control), "no room: {room:?}");
        let named = path.split('/').any(|segment| decode(segment) == room.as_bytes());
        assert!(named, "a room that the path does not name: {room:?}");
    }
    // A program that decodes first and splits then must not be led to another action or room.
    let mut scratch = PathScratch::new();
    if let Ok(path) = String::from_utf8(decode(path))
        && let Ok(other) = request(method, &encode(&path), &mut scratch)
        && other.known
        && found.known
    {
        assert_eq!(
            (other.action, other.room_id),
            (found.action, found.room_id),
            "decoded as a whole it is another request: {path:?}"
        );
    }
}

/// Decodes what is encoded; a `%` that encodes nothing stays.
fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let byte = match rest {
            [b'%', high, low, ..] => digit(high).zip(digit(low)).map(|(h, l)| (h << 4 | l) as u8),
            _ => None,
        };
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { rest.get(3..).unwrap_or_default() } else { tail };
    }
    bytes
}

/// Encodes whatever a path may not hold as it is, and no slash.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        if byte == b'/' || byte.is_ascii_alphanumeric() || b"-._~!$@:".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
        path
    })
}
