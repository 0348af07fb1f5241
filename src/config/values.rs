//! Parsers of single values. Each says in its error what may be written.
//!
//! A value arrives as text from a flag or a variable and as text, number or switch from a file; all
//! are brought to text first, so that a value means the same wherever it was written.

use core::fmt::Display;
use core::net::SocketAddr;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, Error};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::address::Address;
use super::units::{Bytes, DAY, Life, Millis, Networks, SECOND, parse_duration, parse_size};
use super::{AuditTo, DatabaseUrl, Foreign, HomeserverKind, LogFormat, Proxy, Registration};
use crate::ident::ServerName;

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i64),
    Switch(bool),
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match Scalar::deserialize(from)? {
        Scalar::Text(text) => text,
        Scalar::Number(number) => number.to_string(),
        Scalar::Switch(switch) => switch.to_string(),
    })
}

fn within<T: PartialOrd + Display, E: Error>(value: T, min: T, max: T) -> Result<T, E> {
    let fits = min <= value && value <= max;
    if fits { Ok(value) } else { Err(E::custom(format!("it may be from {min} to {max}"))) }
}

pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let why = "an IP address and a port are wanted, such as 127.0.0.1:8009 or [::1]:8009";
    text(from)?.parse().map_err(|_| Error::custom(why))
}

pub(super) fn socket<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
    text(from)?.parse().map_err(Error::custom)
}

pub(super) fn proxy<'de, D: Deserializer<'de>>(from: D) -> Result<Proxy, D::Error> {
    match text(from)?.as_str() {
        "nginx" => Ok(Proxy::Nginx),
        "haproxy" => Ok(Proxy::Haproxy),
        "caddy" => Ok(Proxy::Caddy),
        "traefik" => Ok(Proxy::Traefik),
        "envoy" => Ok(Proxy::Envoy),
        _ => Err(Error::custom("nginx, haproxy, caddy, traefik or envoy is wanted")),
    }
}

pub(super) fn foreign<'de, D: Deserializer<'de>>(from: D) -> Result<Foreign, D::Error> {
    match text(from)?.as_str() {
        "pass" => Ok(Foreign::Pass),
        "refuse" => Ok(Foreign::Refuse),
        _ => Err(Error::custom("pass or refuse is wanted")),
    }
}

pub(super) fn folder<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    let text = text(from)?;
    let is_path = !text.is_empty() && !text.contains('\0');
    if is_path { Ok(PathBuf::from(text)) } else { Err(Error::custom("a folder's path is wanted")) }
}

pub(super) fn database<'de, D: Deserializer<'de>>(from: D) -> Result<DatabaseUrl, D::Error> {
    DatabaseUrl::parse(&text(from)?).map_err(Error::custom)
}

pub(super) fn audit<'de, D: Deserializer<'de>>(from: D) -> Result<AuditTo, D::Error> {
    let text = text(from)?;
    match text.as_str() {
        "stdout" => Ok(AuditTo::Stdout),
        "stderr" => Ok(AuditTo::Stderr),
        path if path.is_empty() || path.contains('\0') || path.ends_with('/') => {
            Err(Error::custom("a file's path, stdout or stderr is wanted"))
        }
        path => Ok(AuditTo::File(path.into())),
    }
}

pub(super) fn node_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = text(from)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text);
    }
    Err(Error::custom("1 to 64 characters of A-Z a-z 0-9 . _ : - are wanted"))
}

pub(super) fn server_name<'de, D: Deserializer<'de>>(from: D) -> Result<ServerName, D::Error> {
    ServerName::parse(&text(from)?).map_err(Error::custom)
}

pub(super) fn duration<'de, D, const MIN: u64, const MAX: u64>(from: D) -> Result<Millis, D::Error>
where
    D: Deserializer<'de>,
{
    let ms = parse_duration(&text(from)?).map_err(Error::custom)?;
    within(Millis::new(ms), Millis::new(MIN), Millis::new(MAX))
}

pub(super) fn life<'de, D: Deserializer<'de>>(from: D) -> Result<Life, D::Error> {
    let text = text(from)?;
    if text == "any" {
        return Ok(Life::Any);
    }
    let ms = parse_duration(&text).map_err(|error| Error::custom(format!("{error}, or any")))?;
    within(Millis::new(ms), Millis::new(SECOND), Millis::new(365 * DAY)).map(Life::AtMost)
}

pub(super) fn size<'de, D, const MIN: u64, const MAX: u64>(from: D) -> Result<Bytes, D::Error>
where
    D: Deserializer<'de>,
{
    let bytes = parse_size(&text(from)?).map_err(Error::custom)?;
    within(Bytes::new(bytes), Bytes::new(MIN), Bytes::new(MAX))
}

pub(super) fn number<'de, D, const MIN: u32, const MAX: u32>(from: D) -> Result<u32, D::Error>
where
    D: Deserializer<'de>,
{
    let why = || format!("a whole number from {MIN} to {MAX} is wanted");
    within(text(from)?.parse().map_err(|_| Error::custom(why()))?, MIN, MAX)
}

pub(super) fn switch<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    text(from)?.parse().map_err(|_| Error::custom("true or false is wanted"))
}

/// Takes what `tracing` takes, and refuses its trap: a single word that is no level (`inof`) would
/// name a target and silence everything else.
pub(super) fn log_filter<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    // Trimmed here, since the parser of filters trips over space before a word; and without regular
    // expressions for field values, which can take it longer than anybody waits.
    let text = text(from)?.split(',').map(str::trim).collect::<Vec<_>>().join(",");
    let is_bare = |part: &&str| !part.contains(['=', '[', ']', '{', '}', '"']);
    let mut bare = text.split(',').filter(is_bare);
    let levels = bare.all(|word| word.parse::<LevelFilter>().is_ok());
    match EnvFilter::builder().with_regex(false).parse(&text) {
        Ok(_) if levels && !text.is_empty() => Ok(text),
        Ok(_) | Err(_) => Err(Error::custom(
            "off, error, warn, info, debug or trace is wanted, and for single parts of the program \
             target=level after commas: info,sqlx=warn",
        )),
    }
}

pub(super) fn registration<'de, D: Deserializer<'de>>(from: D) -> Result<Registration, D::Error> {
    match text(from)?.as_str() {
        "closed" => Ok(Registration::Closed),
        "token" => Ok(Registration::Token),
        "open" => Ok(Registration::Open),
        _ => Err(Error::custom("closed, token or open is wanted")),
    }
}

pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Networks, D::Error> {
    let why = "networks are wanted with commas between, such as 127.0.0.0/8,::1/128";
    Networks::parse(&text(from)?).ok_or_else(|| Error::custom(why))
}

/// A URL to which paths are appended.
pub(super) fn url<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = text(from)?;
    let host = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or_default();
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\<>?#@".contains(&b));
    if host.is_empty() || host.starts_with('/') || !plain {
        let why = "a URL is wanted, such as https://matrix.example.com or http://127.0.0.1:8008";
        return Err(Error::custom(why));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

pub(super) fn file<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    let text = text(from)?;
    let is_path = !text.is_empty() && !text.contains('\0');
    if is_path { Ok(PathBuf::from(text)) } else { Err(Error::custom("a file's path is wanted")) }
}

pub(super) fn homeserver<'de, D: Deserializer<'de>>(from: D) -> Result<HomeserverKind, D::Error> {
    match text(from)?.as_str() {
        "none" => Ok(HomeserverKind::None),
        "synapse" => Ok(HomeserverKind::Synapse),
        _ => Err(Error::custom("none or synapse is wanted")),
    }
}

pub(super) fn log_format<'de, D: Deserializer<'de>>(from: D) -> Result<LogFormat, D::Error> {
    match text(from)?.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Error::custom("text or json is wanted")),
    }
}
