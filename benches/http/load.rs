//! A client that costs little: many connections, each with one request under way, written again as
//! soon as it was answered. Every answer has to be a 200.
//!
//! It never waits on a socket: whoever answers somebody who waits pays for waking them, and a slow
//! server would pay more often than a fast one. When nothing is there it sleeps by the clock.

use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long it sleeps: far less than a server needs for one request of each connection.
const PAUSE: Duration = Duration::from_micros(20);

/// How long it waits for anything at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer, in bytes.
const LARGEST: usize = 1 << 20;

/// Sends `count` requests over `clients` connections and prints how many nanoseconds it took.
pub(super) fn run(
    address: &str,
    file: &str,
    count: &str,
    clients: &str,
) -> Result<(), Box<dyn Error>> {
    let (count, clients): (usize, usize) = (count.parse()?, clients.parse()?);
    let raw = fs::read(file)?;
    let requests = split(&raw)?;
    let mut connections = (0..clients.min(count))
        .map(|_| Connection::open(address))
        .collect::<Result<Vec<_>, _>>()?;
    let mut unsent = requests.iter().cycle().take(count);
    let began = Instant::now();
    for (connection, request) in connections.iter_mut().zip(&mut unsent) {
        connection.ask(request)?;
    }
    let (mut answered, mut heard) = (0, began);
    while answered < count && !connections.is_empty() {
        let before = answered;
        for connection in &mut connections {
            if connection.is_answered()? {
                answered += 1;
                if let Some(request) = unsent.next() {
                    connection.ask(request)?;
                }
            }
        }
        if answered > before {
            heard = Instant::now();
        } else if heard.elapsed() > PATIENCE {
            return Err("the server does not answer".into());
        } else {
            sleep(PAUSE);
        }
    }
    writeln!(io::stdout(), "{}", began.elapsed().as_nanos())?;
    Ok(())
}

/// Requests as they lie in a file: four bytes of length, little-endian, before each.
fn split(mut raw: &[u8]) -> Result<Vec<&[u8]>, Box<dyn Error>> {
    let mut requests = Vec::new();
    while let Some((length, rest)) = raw.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length))?;
        let (request, rest) = rest.split_at_checked(length).ok_or("a request is cut off")?;
        requests.push(request);
        raw = rest;
    }
    Ok(requests)
}

struct Connection {
    stream: TcpStream,
    /// What of an answer has come.
    buffer: Vec<u8>,
    filled: usize,
    /// How long the answer is in all, once its head is there.
    whole: Option<usize>,
    /// Whether a request is under way.
    asked: bool,
}

impl Connection {
    fn open(address: &str) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, buffer: vec![0; LARGEST], filled: 0, whole: None, asked: false })
    }

    fn ask(&mut self, mut request: &[u8]) -> Result<(), Box<dyn Error>> {
        (self.filled, self.whole, self.asked) = (0, None, true);
        while !request.is_empty() {
            match self.stream.write(request) {
                Ok(sent) => request = request.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(PAUSE),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there; whether the answer has come to its end by it.
    fn is_answered(&mut self) -> Result<bool, Box<dyn Error>> {
        while self.asked {
            match self.stream.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Ok(0) => return Err("the server hung up, or its answer is too long".into()),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            if self.whole.is_none() {
                self.whole = head(self.buffer.get(..self.filled).unwrap_or_default())?;
            }
            if self.whole.is_some_and(|whole| whole <= self.filled) {
                self.asked = false;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// How long an answer is in all, once its head is there.
fn head(so_far: &[u8]) -> Result<Option<usize>, Box<dyn Error>> {
    let Some(end) = so_far.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(so_far.get(..end).unwrap_or_default())?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("not a 200: {}", String::from_utf8_lossy(so_far)).into());
    }
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    Ok(Some(end + 4 + length.unwrap_or("0").parse::<usize>()?))
}
