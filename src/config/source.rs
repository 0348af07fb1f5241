//! Where values are written: flags, environment variables, a file. Each gives texts with origins.
//!
//! It refuses names that no setting bears, and refuses to know what a value means.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::catalog::{Leaf, leaves, nearest};
use super::{ConfigError, FILE_VARIABLE, Origin, PREFIX};

/// Most characters of a value that an error repeats.
const SHOWN: usize = 80;

/// Settings whose value no error repeats.
const SECRET: [&str; 1] = ["database"];

/// A value as it was written.
pub(super) struct Written {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

impl Written {
    /// The error for this value.
    pub(super) fn refused(&self, why: impl Into<String>) -> ConfigError {
        ConfigError::Invalid {
            origin: self.origin.clone(),
            key: self.key.clone(),
            value: if SECRET.contains(&self.key.as_str()) {
                "(not shown)".to_owned()
            } else {
                self.value.chars().take(SHOWN).collect()
            },
            why: why.into(),
        }
    }
}

/// Values from the command line; they come before all others.
#[derive(Default)]
pub struct Overrides(Vec<Written>);

impl Overrides {
    /// Adds the value of a setting if the command line has one. The flag is taken to be named as
    /// the setting is, `--max-staleness` for `max_staleness`.
    #[must_use]
    pub fn with(mut self, key: &str, value: Option<String>) -> Self {
        let origin = Origin::Flag(format!("--{}", key.replace(['_', '.'], "-")));
        self.0.extend(value.map(|value| Written { key: key.to_owned(), value, origin }));
        self
    }

    pub(super) fn written(self) -> Result<Vec<Written>, ConfigError> {
        let leaves = leaves();
        match self.0.iter().find(|w| leaves.iter().all(|leaf| leaf.key != w.key)) {
            Some(Written { key, origin, .. }) => Err(unknown(key, origin.clone(), &leaves)),
            None => Ok(self.0),
        }
    }
}

/// The values in our environment variables, and the file that one of them names.
pub(super) fn variables<N: Into<OsString>, V: Into<OsString>>(
    environment: impl IntoIterator<Item = (N, V)>,
) -> Result<(Vec<Written>, Option<PathBuf>), ConfigError> {
    let leaves = leaves();
    let mut written = Vec::new();
    let mut file = None;
    for (name, value) in environment {
        let (name, value) = (name.into(), value.into());
        let name = name.to_string_lossy().escape_debug().to_string();
        let text = value.to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) || text.is_empty() {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        match leaves.iter().find(|leaf| leaf.variable == name) {
            Some(leaf) => {
                let one = Written { key: leaf.key.clone(), value: text, origin };
                if value.to_str().is_none() {
                    return Err(one.refused("this is not UTF-8"));
                }
                written.push(one);
            }
            None if name == FILE_VARIABLE => file = Some(PathBuf::from(value)),
            None if is_of_kubernetes(&name, &text) => {}
            None => {
                let nearest = nearest(&name, leaves.iter().map(|leaf| leaf.variable));
                return Err(ConfigError::Unknown { origin, name, nearest });
            }
        }
    }
    Ok((written, file))
}

/// Whether a variable is one that Kubernetes makes, unasked, for a service named `amaretti` or
/// `amaretti-...`: `X_SERVICE_HOST`, `X_SERVICE_PORT...`, `X_PORT` with an address,
/// `X_PORT_8009_TCP...`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let numbered = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT") && value.contains("://")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| numbered(rest))
}

/// The values in the text of a file.
pub(super) fn file(path: &Path, text: &str) -> Result<Vec<Written>, ConfigError> {
    let origin = |at: usize| {
        let before = text.bytes().take(at);
        Origin::File(path.to_owned(), before.filter(|b| *b == b'\n').count() + 1)
    };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        origin: origin(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let leaves = leaves();
    let mut written = Vec::new();
    for (name, value) in table.get_ref() {
        let section = leaves.iter().any(|leaf| leaf.section() == Some(name.get_ref()));
        match value.get_ref() {
            DeValue::Table(inner) if section => {
                for (inner, value) in inner {
                    let key = format!("{}.{}", name.get_ref(), inner.get_ref());
                    let origin = origin(inner.span().start);
                    written.push(entry(key, value.get_ref(), origin, &leaves)?);
                }
            }
            value => {
                let key = name.get_ref().clone().into_owned();
                written.push(entry(key, value, origin(name.span().start), &leaves)?);
            }
        }
    }
    Ok(written)
}

fn entry(
    key: String,
    value: &DeValue<'_>,
    origin: Origin,
    leaves: &[Leaf],
) -> Result<Written, ConfigError> {
    if leaves.iter().all(|leaf| leaf.key != key && leaf.section() != Some(&key)) {
        return Err(unknown(&key, origin, leaves));
    }
    let plain = match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(
            i128::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.to_string(), |number| number.to_string()),
        ),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Datetime(instant) => Some(instant.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    };
    let is_value = plain.is_some();
    let value = plain.unwrap_or_else(|| value.type_str().to_owned());
    let written = Written { key, value, origin };
    if leaves.iter().any(|leaf| leaf.section() == Some(&written.key)) {
        return Err(written.refused("this is the name of a section, not of a setting"));
    }
    if is_value { Ok(written) } else { Err(written.refused("a single value is wanted")) }
}

fn unknown(name: &str, origin: Origin, leaves: &[Leaf]) -> ConfigError {
    let nearest = nearest(name, leaves.iter().map(|leaf| leaf.key.as_str()));
    let name = name.chars().take(SHOWN).collect::<String>().escape_debug().to_string();
    ConfigError::Unknown { origin, name, nearest }
}
