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
}

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
        Ok(Self { server_name, database, pepper, issuer })
    }
}

fn within<'y, 'd>(node: &'y Yaml<'d>, keys: &[&str]) -> Option<&'y Yaml<'d>> {
    keys.iter().try_fold(node, |node, key| node.as_mapping_get(key))
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
