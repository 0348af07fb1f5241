//! Asks over HTTP/1.1 and keeps connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(12);
/// A connection that has rested longer is not used again: its end may be gone.
const REST: Duration = Duration::from_millis(1500);

/// What came back.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Whether it says when to try again.
    pub(crate) retry_after: bool,
    /// The body.
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// A member of the body that is a text.
    pub(crate) fn member(&self, name: &str) -> Option<String> {
        Some(self.json().get(name)?.as_str()?.to_owned())
    }

    /// A 401 by which a client throws its keys away: a fact has ended the session.
    pub(crate) fn is_hard(&self) -> bool {
        self.status == 401 && self.json().get("soft_logout") == Some(&Value::Bool(false))
    }

    /// A 401 after which a client renews or logs in again.
    pub(crate) fn is_soft(&self) -> bool {
        self.status == 401 && self.json().get("soft_logout") == Some(&Value::Bool(true))
    }

    /// Status and body without anything secret.
    pub(crate) fn shown(&self) -> String {
        let mut body = self.json();
        if let Some(members) = body.as_object_mut() {
            members.retain(|name, _| !name.ends_with("_token") && name != "session");
            return format!("{} {body}", self.status);
        }
        format!("{} {}", self.status, self.text.chars().take(80).collect::<String>())
    }
}

/// An answer, or why there is none.
pub(crate) type Outcome = Result<Answer, String>;

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Its method.
    pub(crate) method: &'a str,
    /// Its path, whole.
    pub(crate) path: &'a str,
    /// The bearer's token.
    pub(crate) token: Option<&'a str>,
    /// The body, JSON.
    pub(crate) body: Option<&'a str>,
}

/// `GET` of a path, with a token or without.
pub(crate) fn get<'a>(path: &'a str, token: Option<&'a str>) -> Ask<'a> {
    Ask { method: "GET", path, token, body: None }
}

/// `POST` to a path.
pub(crate) fn post<'a>(path: &'a str, token: Option<&'a str>, body: &'a str) -> Ask<'a> {
    Ask { method: "POST", path, token, body: Some(body) }
}

/// Connections that rest, by port of 127.0.0.1.
#[derive(Default)]
pub(crate) struct Lines {
    resting: RefCell<HashMap<u16, Vec<(TcpStream, Instant)>>>,
}

impl Lines {
    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// Why there is no answer; nobody knows then whether what was asked is done.
    pub(crate) async fn ask(&self, port: u16, ask: Ask<'_>) -> Outcome {
        let asked = async {
            let (mut stream, fresh) = self.line(port).await?;
            match exchange(&mut stream, ask).await {
                Err(_) if !fresh && ask.method == "GET" => {
                    stream = connect(port).await?;
                    let (answer, keep) = exchange(&mut stream, ask).await?;
                    self.rest(port, stream, keep);
                    Ok(answer)
                }
                outcome => {
                    let (answer, keep) = outcome?;
                    self.rest(port, stream, keep);
                    Ok(answer)
                }
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// Forgets every connection to a port, because who listened there is gone.
    pub(crate) fn hang_up(&self, port: u16) {
        self.resting.borrow_mut().remove(&port);
    }

    async fn line(&self, port: u16) -> Result<(TcpStream, bool), String> {
        let resting = self.resting.borrow_mut().get_mut(&port).and_then(Vec::pop);
        match resting {
            Some((stream, since)) if since.elapsed() < REST => Ok((stream, false)),
            _ => Ok((connect(port).await?, true)),
        }
    }

    fn rest(&self, port: u16, stream: TcpStream, keep: bool) {
        if keep {
            let mut resting = self.resting.borrow_mut();
            resting.entry(port).or_default().push((stream, Instant::now()));
        }
    }
}

async fn connect(port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await;
    let stream = stream.map_err(|error| format!("connect: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

async fn exchange(stream: &mut TcpStream, ask: Ask<'_>) -> Result<(Answer, bool), String> {
    let mut text = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", ask.method, ask.path);
    if let Some(token) = ask.token {
        text += &format!("Authorization: Bearer {token}\r\n");
    }
    let body = ask.body.unwrap_or_default();
    if ask.body.is_some() {
        text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body;
    stream.write_all(text.as_bytes()).await.map_err(|error| format!("write: {error}"))?;
    read(stream).await
}

/// Reads an answer; tells too whether the connection may be used again.
async fn read(stream: &mut TcpStream) -> Result<(Answer, bool), String> {
    let mut bytes = Vec::with_capacity(1024);
    let head = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, &mut bytes).await?;
    };
    let lines = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let status = lines.get(9..12).and_then(|status| status.parse().ok()).ok_or("no status")?;
    let header = |name: &str| {
        let line = lines.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start_matches(':').trim())
    };
    let retry_after = header("retry-after").is_some();
    let mut keep = header("connection") != Some("close");
    match header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => {
            while bytes.len() < head + length {
                more(stream, &mut bytes).await?;
            }
        }
        None => {
            keep = false;
            while more(stream, &mut bytes).await.is_ok() {}
        }
    }
    let text = String::from_utf8_lossy(&bytes[head..]).into_owned();
    Ok((Answer { status, retry_after, text }, keep))
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), String> {
    match stream.read_buf(bytes).await {
        Ok(0) => Err("hung up".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("read: {error}")),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
