//! A client that costs little: many connections in turn, each with one request under way, written
//! again as soon as it was answered. Every answer has to be a 200.

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

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
        connection.stream.write_all(request)?;
    }
    let mut answered = 0;
    while answered < count && !connections.is_empty() {
        for connection in connections.iter_mut().take(count - answered) {
            connection.answer()?;
            answered += 1;
            if let Some(request) = unsent.next() {
                connection.stream.write_all(request)?;
            }
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
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, buffer: vec![0; 4 << 20] })
    }

    /// Reads one answer to its end.
    fn answer(&mut self) -> Result<(), Box<dyn Error>> {
        let mut filled = 0;
        let mut whole = None;
        loop {
            let free = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(free)?;
            if read == 0 {
                return Err("the server hung up, or its answer is too long".into());
            }
            filled += read;
            let so_far = self.buffer.get(..filled).unwrap_or_default();
            if whole.is_none() {
                whole = head(so_far)?;
            }
            match whole {
                Some(whole) if filled == whole => return Ok(()),
                Some(whole) if filled > whole => return Err("an answer is too long".into()),
                _ => {}
            }
        }
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
