//! Asks a running node one thing on its internal listener.
//!
//! One request, one answer, bounded in time and size; TCP or a unix socket. This file refuses to
//! know what is asked.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Trouble;

/// How long a node may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that is read of an answer, in bytes.
const MOST: u64 = 65_536;

/// Posts JSON to a node at `http://HOST:PORT` or `unix:PATH`; gives the status and the body.
pub(super) fn post(node: &str, path: &str, body: &str) -> Result<(u16, String), Trouble> {
    let blame = |error| Trouble::new(format!("cannot ask the node at {node}: {error}"));
    let (answer, host) = match node.strip_prefix("unix:") {
        Some(socket) => {
            let stream = UnixStream::connect(socket).map_err(blame)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            (exchange(stream, "localhost", path, body), "localhost")
        }
        None => {
            let host = node.strip_prefix("http://").unwrap_or(node).trim_end_matches('/');
            let address = host.to_socket_addrs().map_err(blame)?.next();
            let address = address.ok_or_else(|| Trouble::new(format!("{host} is no address")))?;
            let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(blame)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            (exchange(stream, host, path, body), host)
        }
    };
    let answer = answer.map_err(blame)?;
    let strange = || Trouble::new(format!("{host} does not answer as a node does"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(strange)?, body.to_owned()))
}

fn exchange<S: Read + Write>(
    mut stream: S,
    host: &str,
    path: &str,
    body: &str,
) -> std::io::Result<String> {
    let length = body.len();
    // HTTP/1.0, so that the body comes in one piece and its end is the end of the connection.
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )?;
    stream.flush()?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer)?;
    Ok(answer)
}
