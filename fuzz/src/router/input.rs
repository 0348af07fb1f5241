//! From bytes to requests.
//!
//! A choice is one byte: `a` is the first of a table, `A` the twenty-seventh, and blanks between
//! choices are skipped. Free text reaches to the end of its line. Where the bytes end, the rest of a
//! request is made of first choices. So a seed can be written by hand.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};

use super::tables::{
    BEARERS, BODIES, CAVEATS, HEADERS, KEYS, MEMBERS, METHODS, PATHS, PEERS, QUERIES, WAITS, WORDS,
};
use super::words::Words;

/// What happens next.
pub(super) enum Step {
    /// Time passes, in milliseconds.
    Wait(u64),
    Ask(Asked),
}

/// A request, before anybody knows whether it can be one.
pub(super) struct Asked {
    pub(super) method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    peer: Option<IpAddr>,
    body: Vec<u8>,
}

impl Asked {
    /// The request, unless HTTP has no way to say it.
    pub(super) fn request(&self) -> Option<Request<Body>> {
        let mut request = Request::builder().method(&*self.method).uri(&self.target);
        for (name, value) in &self.headers {
            request = request.header(name, value.as_slice());
        }
        if let Some(peer) = self.peer {
            request = request.extension(ConnectInfo(SocketAddr::new(peer, 50_000)));
        }
        request.body(self.body.clone().into()).ok()
    }

    /// What is sent, for failures.
    pub(super) fn told(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers: Vec<_> =
            self.headers.iter().map(|(k, v)| format!("{k}: {}", text(v))).collect();
        let Self { method, target, peer, .. } = self;
        format!("{method} {target} from {peer:?}\n{}\n\n{}", headers.join("\n"), text(&self.body))
    }

    /// Whether a person asks: for what is shown, not for what a client reads.
    pub(super) fn is_page(&self) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        path.starts_with("/_matrix/static/") || path.ends_with("/fallback/web")
    }
}

/// Bytes that are still to be read.
pub(super) struct Input<'d> {
    rest: &'d [u8],
    /// How many steps there may still be.
    steps: u8,
}

impl<'d> Input<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        Self { rest: data, steps: 12 }
    }

    /// The next step, unless the bytes are at their end.
    pub(super) fn step(&mut self, words: &Words) -> Option<Step> {
        self.skip_blanks();
        self.steps = self.steps.checked_sub(1)?;
        if self.rest.is_empty() {
            return None;
        }
        let method = match self.pick(METHODS) {
            "wait" => return Some(Step::Wait(self.pick(WAITS))),
            "" => String::from_utf8_lossy(self.line()).into_owned(),
            method => method.to_owned(),
        };
        let target = self.filled(PATHS, words, plain) + &self.filled(QUERIES, words, plain);
        let mut headers = Vec::new();
        if let Some(token) = self.bearer(words) {
            headers.push(("authorization".to_owned(), [b"Bearer ", &*token].concat()));
        }
        while self.goes_on(headers.len(), 3) {
            headers.push((self.pick(HEADERS).to_owned(), self.line().to_vec()));
        }
        let peer = self.pick(PEERS).parse().ok();
        let body = self.body(words);
        Some(Step::Ask(Asked { method, target, headers, peer, body }))
    }

    fn bearer(&mut self, words: &Words) -> Option<Vec<u8>> {
        let (name, how) = self.pick(BEARERS);
        let mut token = match how {
            "none" => return None,
            "free" => return Some(self.line().to_vec()),
            "narrowed" => words.narrowed(name, self.pick(CAVEATS)),
            "narrowed freely" => words.narrowed(name, &String::from_utf8_lossy(self.line())),
            _ => words.of(name).unwrap_or_default().to_owned(),
        }
        .into_bytes();
        if matches!(how, "cut" | "forged") {
            let at = usize::from(self.byte()) % token.len().max(1);
            let rest = token.split_off(at);
            let rest = rest.iter().filter(|_| how == "forged").enumerate();
            token.extend(rest.map(|(at, byte)| byte ^ u8::from(at == 0)));
        }
        Some(token)
    }

    fn body(&mut self, words: &Words) -> Vec<u8> {
        match self.pick(BODIES) {
            "object" => self.object(words).into_bytes(),
            "damaged" => {
                let mut text = self.object(words).into_bytes();
                let at = usize::from(self.byte()) % text.len();
                let with = self.byte();
                text.iter_mut().skip(at).take(1).for_each(|byte| *byte = with);
                text
            }
            "free" => self.line().to_vec(),
            "form" => {
                let form = String::from_utf8_lossy(self.line()).into_owned();
                self.fill(&form, words, plain).into_bytes()
            }
            "deep" => vec![b'['; usize::from(self.byte()) * 300],
            _ => Vec::new(),
        }
    }

    /// An object of members from the table.
    fn object(&mut self, words: &Words) -> String {
        let mut members = Vec::new();
        while self.goes_on(members.len(), 8) {
            members.push(self.filled(MEMBERS, words, quoted));
        }
        format!("{{{}}}", members.join(","))
    }

    fn filled(&mut self, table: &[&str], words: &Words, write: fn(&str) -> String) -> String {
        let text = self.pick(table);
        self.fill(text, words, write)
    }

    /// A text with its places filled: `$free` and `$value` from the bytes, `$key` from a table, those of
    /// a `$narrow` token with the token narrowed, all others with words.
    fn fill(&mut self, text: &str, words: &Words, write: fn(&str) -> String) -> String {
        let mut pieces = text.split('$');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let end = piece.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(piece.len());
            let (name, behind) = piece.split_at(end);
            filled += &match name {
                "free" => write(&String::from_utf8_lossy(self.line())),
                "value" => self.value(words, 0).to_string(),
                "key" => write(self.pick(KEYS)),
                "narrowlogin" => write(&words.narrowed("login", self.pick(CAVEATS))),
                "narrowrefresh" => write(&words.narrowed("refresh", self.pick(CAVEATS))),
                "narrowguest" => write(&words.narrowed("guest", self.pick(CAVEATS))),
                name => words.of(name).map_or_else(|| format!("${name}"), write),
            };
            filled += behind;
        }
        filled
    }

    /// Any JSON.
    fn value(&mut self, words: &Words, depth: u8) -> Value {
        let inner = |input: &mut Self| input.value(words, depth + 1);
        match self.byte() {
            b'b' => json!(true),
            b'c' => json!(self.byte()),
            b'd' => json!(-1.5e300),
            b'e' => json!("x".repeat(usize::from(self.byte()) * 9)),
            b'f' if depth < 3 => json!([inner(self), inner(self)]),
            b'g' if depth < 3 => {
                let pairs = [(); 2].map(|()| (self.pick(KEYS).to_owned(), inner(self)));
                Value::Object(pairs.into_iter().collect())
            }
            b'h' => json!(self.pick(KEYS)),
            b'i' => json!(words.of(self.pick(WORDS))),
            b'j' => json!(String::from_utf8_lossy(self.line())),
            _ => Value::Null,
        }
    }

    /// Whether there is another one of a list: a dot ends it.
    fn goes_on(&mut self, have: usize, most: usize) -> bool {
        self.skip_blanks();
        match self.rest.split_first() {
            Some((b'.', rest)) => {
                self.rest = rest;
                false
            }
            Some(_) => have < most,
            None => false,
        }
    }

    fn pick<T: Copy>(&mut self, table: &[T]) -> T {
        self.skip_blanks();
        let byte = self.byte();
        let at = match byte {
            b'a'..=b'z' => byte - b'a',
            b'A'..=b'Z' => byte - b'A' + 26,
            byte => byte,
        };
        table[usize::from(at) % table.len()]
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.rest.split_first().unwrap_or((&b'a', &[]));
        self.rest = rest;
        *byte
    }

    /// What is left of the line.
    fn line(&mut self) -> &'d [u8] {
        let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        line
    }
}

fn plain(text: &str) -> String {
    text.to_owned()
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}
