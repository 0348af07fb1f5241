//! What Synapse's own configuration says, as far as it matters to who takes over its accounts.
//!
//! Whatever else stands in `homeserver.yaml` is passed over. This file refuses to know what is done
//! with it.

use std::io;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Yaml};
use zeroize::Zeroizing;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// What is wrong with a `homeserver.yaml`.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It is not YAML.
    #[error("{path} is not YAML: {source}")]
    Form {
        /// Which.
        path: PathBuf,
        /// Where and why not.
        source: saphyr::ScanError,
    },
    /// Something is missing or of another sort.
    #[error("{path} does not say {what}")]
    Silent {
        /// Which.
        path: PathBuf,
        /// What is looked for.
        what: &'static str,
    },
}

/// Where Synapse keeps its rows.
#[derive(Clone)]
pub enum Engine {
    /// In a file.
    Sqlite(PathBuf),
    /// On a server; parameters as libpq names them.
    Postgres(Vec<(String, String)>),
}

/// The parts of a `homeserver.yaml` that matter here.
pub struct HomeserverYaml {
    /// The name behind every user id.
    pub server_name: String,
    /// Where the rows are.
    pub database: Engine,
    /// What was put behind every password before it was hashed.
    pub pepper: Zeroizing<String>,
    /// Where Synapse asks about tokens, once it does.
    pub issuer: Option<String>,
    /// How it proves itself there.
    pub proof: Proof,
    /// Whether the experiment that came before (`experimental_features.msc3861`) is still there.
    pub experiment: bool,
    /// Settings that Synapse does not start with once others check its tokens.
    pub conflicts: Vec<&'static str>,
    /// Its listeners that serve clients.
    pub listeners: Vec<Listening>,
}

/// How Synapse proves itself to whoever checks its tokens.
pub enum Proof {
    /// It has nothing to do so by.
    None,
    /// By a secret in the file itself.
    Written(Zeroizing<String>),
    /// By a secret in a file of its own.
    File(PathBuf),
}

/// A listener of Synapse that serves clients.
pub struct Listening {
    /// Its port; 0 for a socket in the file system.
    pub port: u16,
    /// Whether it believes what a proxy says of where a request comes from.
    pub x_forwarded: bool,
}

/// What Synapse refuses beside `matrix_authentication_service`: it is on, or there at all.
const CONFLICTS: [(&[&str], &str); 12] = [
    (&["password_config", "enabled"], "password_config.enabled"),
    (&["enable_registration"], "enable_registration"),
    (&["enable_registration_captcha"], "enable_registration_captcha"),
    (&["enable_3pid_changes"], "enable_3pid_changes"),
    (&["login_via_existing_session", "enabled"], "login_via_existing_session.enabled"),
    (&["user_consent"], "user_consent"),
    (&["oidc_providers"], "oidc_providers"),
    (&["jwt_config", "enabled"], "jwt_config.enabled"),
    (&["cas_config", "enabled"], "cas_config.enabled"),
    (&["session_lifetime"], "session_lifetime"),
    (&["refresh_token_lifetime"], "refresh_token_lifetime"),
    (&["nonrefreshable_access_token_lifetime"], "nonrefreshable_access_token_lifetime"),
];

impl HomeserverYaml {
    /// Reads a `homeserver.yaml`.
    ///
    /// # Errors
    /// [`YamlError`], which names the file.
    pub fn read(path: &Path) -> Result<Self, YamlError> {
        let blame = |source| YamlError::File { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(blame)?.len() > LARGEST {
            return Err(blame(io::Error::other("it is larger than 4 MiB")));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(blame)?);
        let documents = Yaml::load_from_str(&text);
        let documents =
            documents.map_err(|source| YamlError::Form { path: path.to_owned(), source })?;
        let silent = |what| YamlError::Silent { path: path.to_owned(), what };
        let document = documents.first().ok_or_else(|| silent("anything"))?;
        let get = |keys: &[&str]| within(document, keys);
        let text = |keys: &[&str]| get(keys).and_then(scalar);
        let server_name = text(&["server_name"]).ok_or_else(|| silent("server_name"))?;
        let database = match text(&["database", "name"]).as_deref() {
            Some("sqlite3") => {
                let file = text(&["database", "args", "database"]);
                let file = file.ok_or_else(|| silent("database.args.database"))?;
                Engine::Sqlite(beside(path, &file))
            }
            Some("psycopg2") => Engine::Postgres(parameters(get(&["database", "args"]))),
            _ => return Err(silent("database.name: sqlite3 or psycopg2")),
        };
        let pepper = Zeroizing::new(text(&["password_config", "pepper"]).unwrap_or_default());
        let issuer = get(&["matrix_authentication_service"])
            .filter(|mas| within(mas, &["enabled"]).and_then(Yaml::as_bool) == Some(true))
            .map(|mas| within(mas, &["endpoint"]).and_then(scalar).unwrap_or_default());
        let set = |keys: &[&str]| get(keys).is_some_and(is_set);
        let conflicts = CONFLICTS.iter().filter(|(keys, _)| set(keys)).map(|(_, name)| *name);
        Ok(Self {
            server_name,
            database,
            pepper,
            issuer,
            proof: proof(path, &text),
            experiment: set(&["experimental_features", "msc3861"]),
            conflicts: conflicts.collect(),
            listeners: listeners(get(&["listeners"])),
        })
    }
}

fn within<'y, 'd>(node: &'y Yaml<'d>, keys: &[&str]) -> Option<&'y Yaml<'d>> {
    keys.iter().try_fold(node, |node, key| node.as_mapping_get(key))
}

/// Whether something is there and neither off nor empty.
fn is_set(node: &Yaml<'_>) -> bool {
    let empty = node.as_mapping().is_some_and(|map| map.is_empty())
        || node.as_sequence().is_some_and(|list| list.is_empty());
    !empty && !node.is_null() && node.as_bool() != Some(false)
}

fn proof(yaml: &Path, text: &impl Fn(&[&str]) -> Option<String>) -> Proof {
    if let Some(secret) = text(&["matrix_authentication_service", "secret"]) {
        return Proof::Written(Zeroizing::new(secret));
    }
    let file = text(&["matrix_authentication_service", "secret_path"]);
    file.map_or(Proof::None, |file| Proof::File(beside(yaml, &file)))
}

fn listeners(node: Option<&Yaml<'_>>) -> Vec<Listening> {
    let all = node.and_then(Yaml::as_sequence).into_iter().flatten();
    let listening = |listener: &Yaml<'_>| {
        let names = within(listener, &["resources"]).and_then(Yaml::as_sequence)?.iter();
        let names = names.filter_map(|r| within(r, &["names"]).and_then(Yaml::as_sequence));
        names.flatten().find(|name| name.as_str() == Some("client"))?;
        let port = within(listener, &["port"]).and_then(Yaml::as_integer);
        let x_forwarded = within(listener, &["x_forwarded"]).and_then(Yaml::as_bool);
        Some(Listening {
            port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
            x_forwarded: x_forwarded == Some(true),
        })
    };
    all.filter_map(listening).collect()
}

/// A text, or a number as it is written.
fn scalar(node: &Yaml<'_>) -> Option<String> {
    node.as_str().map(str::to_owned).or_else(|| node.as_integer().map(|n| n.to_string()))
}

/// Everything under `args` but what is for Synapse's own pool.
fn parameters(args: Option<&Yaml<'_>>) -> Vec<(String, String)> {
    let pairs = args.and_then(Yaml::as_mapping).into_iter().flatten();
    let pairs = pairs.filter_map(|(key, value)| Some((scalar(key)?, scalar(value)?)));
    pairs.filter(|(key, _)| !key.starts_with("cp_")).collect()
}

/// A path as Synapse has it: relative to the folder it was started in, which is usually this one's.
fn beside(yaml: &Path, file: &str) -> PathBuf {
    let file = Path::new(file);
    if file.is_absolute() || file.exists() {
        return file.to_owned();
    }
    yaml.parent().map_or_else(|| file.to_owned(), |folder| folder.join(file))
}
