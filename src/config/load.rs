//! Puts values of all origins together and resolves them.
//!
//! Every value that was written is checked, also one that another comes before.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use confique::{Config as _, Layer as _};
use serde::Deserialize;

use super::address::Address;
use super::source::{Written, file as file_values, variables};
use super::{Config, ConfigError, DEFAULT_FILE, HomeserverKind, Origin, Overrides};

type Layer = <Config as confique::Config>::Layer;

impl Config {
    /// The settings from the command line, from environment variables (`std::env::vars_os()`),
    /// from `file`, and from the defaults, in this order. Without a `file`, the one named by
    /// [`super::FILE_VARIABLE`] is read, or [`DEFAULT_FILE`] in the current folder if it exists.
    ///
    /// # Errors
    /// [`ConfigError`] for the first name or value that is wrong, wherever it stands.
    pub fn load<N: Into<OsString>, V: Into<OsString>>(
        overrides: Overrides,
        environment: impl IntoIterator<Item = (N, V)>,
        file: Option<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let mut written = overrides.written()?;
        let (variables, named) = variables(environment)?;
        written.extend(variables);
        if let Some((path, text)) = read(file.or(named))? {
            written.extend(file_values(&path, &text)?);
        }
        resolve(&written)
    }

    /// The settings that the text of a file makes, over the defaults. It touches nothing outside.
    ///
    /// # Errors
    /// As [`Self::load`]; the text is called [`DEFAULT_FILE`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        resolve(&file_values(Path::new(DEFAULT_FILE), text)?)
    }

    /// What is wrong between settings that are each right.
    fn conflict(&self) -> Option<(&'static str, String, String)> {
        let public = self.listen;
        if let Address::Tcp(internal) = self.internal {
            let open = public.ip().is_unspecified() || internal.ip().is_unspecified();
            let overlap = open || public.ip() == internal.ip();
            if overlap && public.port() == internal.port() && public.port() != 0 {
                let why = format!("clients must not reach it, and `listen` is {public}");
                return Some(("internal", internal.to_string(), why));
            }
        }
        if let (Some(proxy), None) = (self.forward_auth.proxy, &self.forward_auth.secret_file) {
            let why = "a proxy that asks sends a secret: name its file in `secret_file`";
            return Some(("forward_auth.proxy", proxy.name().to_owned(), why.to_owned()));
        }
        if self.homeserver.kind == HomeserverKind::Synapse {
            if self.guests {
                let why = "Synapse knows no guests when others check its tokens";
                return Some(("guests", "true".to_owned(), why.to_owned()));
            }
            if self.homeserver.secret_file.is_none() {
                let why = "homeserver.secret_file has to name the file of the secret they share";
                return Some(("homeserver.kind", "synapse".to_owned(), why.to_owned()));
            }
        }
        let hashing = &self.password_hashing;
        let least = hashing.parallelism.saturating_mul(8);
        if hashing.memory_kib < least {
            let why = format!("with this parallelism it has to be {least} or more");
            return Some(("password_hashing.memory_kib", hashing.memory_kib.to_string(), why));
        }
        None
    }
}

/// The file that is to be read and its text.
fn read(named: Option<PathBuf>) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let may_miss = named.is_none();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(cause) if may_miss && cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ConfigError::Unreadable { path, cause }),
    }
}

/// What comes first wins.
fn resolve(written: &[Written]) -> Result<Config, ConfigError> {
    let mut layers = Layer::empty();
    for one in written {
        layers = layers.with_fallback(layer(one)?);
    }
    let config = Config::from_layer(layers.with_fallback(Layer::default_values()))?;
    let Some((key, value, why)) = config.conflict() else { return Ok(config) };
    let origin = written.iter().find(|one| one.key == key).map(|one| one.origin.clone());
    let origin = origin.unwrap_or(Origin::Default);
    Err(Written { key: key.to_owned(), value, origin }.refused(why))
}

/// The layer in which this value alone is set.
fn layer(one: &Written) -> Result<Layer, ConfigError> {
    let value = toml::Value::String(one.value.clone());
    let table = one.key.rsplit('.').fold(value, |inner, name| {
        toml::Value::Table([(name.to_owned(), inner)].into_iter().collect())
    });
    Layer::deserialize(table).map_err(|error| one.refused(error.message()))
}
