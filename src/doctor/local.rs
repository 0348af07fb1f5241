//! What can be looked at without asking any process of ours: database, keys, the shared secret.
//!
//! This file refuses to know what runs.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::{Check, Finding, Installation};
use crate::keyfile::{self, Held, KeyFile};
use crate::secret::Secret;
use crate::store::{Place, Store, StoreError, Survey};
use crate::token::KeyId;

/// How long a database may take to be looked at.
const PATIENCE: Duration = Duration::from_secs(8);

/// A database that takes longer than this for one question makes every login wait.
const SLOW: Duration = Duration::from_millis(200);

impl Installation<'_> {
    pub(super) async fn store_and_keys(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Place::Folder(folder) = &self.place {
            found.extend(modes(folder));
        }
        let survey = timeout(PATIENCE, Store::survey(&self.place)).await;
        let survey = match survey.unwrap_or(Err(StoreError::Silent)) {
            Ok(survey) => survey,
            Err(error) => {
                found.push(no_database(&error, &self.place));
                found.push(self.keys(None).0);
                return found;
            }
        };
        found.push(self.database(&survey));
        if let Some(told) = survey.clock {
            let slack = u64::try_from(survey.took.as_millis()).unwrap_or(0);
            found.push(self.clocks(Check::DatabaseClock, told, slack));
        }
        let (keys, held) = self.keys(Some(&survey));
        found.push(keys);
        // Where keys cannot be read, what others hold says nothing.
        if survey.behind == 0 && !held.is_empty() {
            found.push(self.nodes(&survey, &held));
        }
        found
    }

    fn database(&self, survey: &Survey) -> Finding {
        let check = Check::Database;
        let asked = self.config.server_name.as_str();
        if survey.server != asked {
            return check.bad(
                format!("it is for the server {}, not {asked}", survey.server),
                format!("set server_name to {}, or name another database", survey.server),
            );
        }
        if survey.behind > 0 {
            return check.doubtful(
                "it is in the form of an earlier version of this program",
                "start the new version: `amaretti serve` brings it up to date",
            );
        }
        let took = survey.took.as_millis();
        if survey.took > SLOW {
            return check.doubtful(
                format!("one question to it takes {took} ms"),
                "have it nearer: logins and refreshes ask it several questions each",
            );
        }
        check.good(format!("it is for {asked} and answers"))
    }

    /// What is to be said of the keys, and which are held.
    fn keys(&self, survey: Option<&Survey>) -> (Finding, BTreeSet<KeyId>) {
        let (check, folder) = (Check::Keys, self.config.keys.display());
        let files = match keyfile::read_folder(&self.config.keys) {
            Ok(files) => files,
            Err(error) => return (check.bad(error.to_string(), MEND), BTreeSet::new()),
        };
        let held = files.iter().map(|file| file.id).collect();
        let finding = match survey {
            _ if files.is_empty() && survey.is_some_and(|survey| survey.has_had_key) => check.bad(
                format!("there is none in {folder}, and this database has had one"),
                "put the key file back, from a backup or another node",
            ),
            _ if files.is_empty() => check.bad(
                format!("there is none in {folder}"),
                "`amaretti keys new` makes the first one; another node's is copied here",
            ),
            Some(survey) => of_store(&files, survey),
            None => check.good(format!("{} in {folder}", count(&files))),
        };
        let finding = match open_folder(&self.config.keys) {
            Some(open) if finding.advice.is_none() => open,
            _ => finding,
        };
        (finding, held)
    }

    fn nodes(&self, survey: &Survey, held: &BTreeSet<KeyId>) -> Finding {
        let (check, now) = (Check::Nodes, self.clock.now());
        let silent = survey.nodes.iter().find(|n| !n.is_live(now) && n.answers_until >= now);
        if let Some(node) = silent {
            return check.doubtful(
                format!("{} was last heard of at {}", node.name, node.seen_at.to_utc()),
                "see to it; if it is gone, `amaretti keys rotate --without NODE` lets no new key \
                 wait for it",
            );
        }
        let live = || survey.nodes.iter().filter(|node| node.is_live(now));
        let lacks = |id: &&KeyId| !survey.retired.contains(id);
        for node in live() {
            if let Some(key) = held.iter().filter(lacks).find(|id| !node.keys.contains(id)) {
                return check.doubtful(
                    format!("{} does not hold the key {key} that is here", node.name),
                    "copy the key file there: until then the key mints nothing",
                );
            }
            if let Some(key) = node.keys.iter().find(|id| !held.contains(id)) {
                return check.doubtful(
                    format!("{} holds the key {key} that is not here", node.name),
                    "copy the key file here, or this node answers 503 for its tokens",
                );
            }
        }
        match live().count() {
            0 => check.doubtful("no node uses this database now", "`amaretti serve` starts one"),
            count => check.good(format!("live: {count}, with the keys that are here")),
        }
    }

    /// The secret shared with the homeserver.
    pub(super) fn shared_secret(&self) -> Option<Finding> {
        let check = Check::Secret;
        let file = self.config.homeserver.secret_file.as_deref().filter(|_| self.is_linked())?;
        Some(match Secret::read(file) {
            Ok(_) => check.good(format!("it is in {}", file.display())),
            Err(error) => check.bad(error.to_string(), SHARE),
        })
    }
}

const MEND: &str = "mend that file: no node starts with it";
const SHARE: &str = "both sides read the same file: `openssl rand -hex 32`, mode 0600 or 0640";

/// What the keys are to the store.
fn of_store(files: &[KeyFile], survey: &Survey) -> Finding {
    let check = Check::Keys;
    if let Err(error) = keyfile::check_store(files, survey.id) {
        return check.bad(error.to_string(), MEND);
    }
    let mints = |file: &&KeyFile| matches!(file.held, Held::Key(_));
    if !files.iter().filter(mints).any(|file| !survey.retired.contains(&file.id)) {
        return check.bad(
            "there are no whole keys but retired ones: nothing can be minted",
            "`amaretti keys rotate` adds one",
        );
    }
    match files.iter().find(|file| survey.retired.contains(&file.id)) {
        Some(file) => check.doubtful(
            format!("{} is retired and lies here still", file.path.display()),
            "take the file away: nobody uses it, and it should not be stolen",
        ),
        None => check.good(format!("{}, made for this database", count(files))),
    }
}

fn count(files: &[KeyFile]) -> String {
    let whole = files.iter().filter(|file| matches!(file.held, Held::Key(_))).count();
    format!("whole keys: {whole}, subkeys: {}", files.len() - whole)
}

fn no_database(error: &StoreError, place: &Place) -> Finding {
    let advice = match (error, place) {
        (StoreError::Missing(..), Place::Folder(_)) => {
            "`amaretti serve` makes it, or name its folder by --data"
        }
        (StoreError::Missing(..), Place::Server(_)) => "`amaretti keys new` sets it up",
        (StoreError::Newer, _) => "upgrade this program",
        (_, Place::Folder(_)) => "see that this user may read it, or restore it from a backup",
        (_, Place::Server(_)) => "see that the server runs and that `database` names it rightly",
    };
    Check::Database.bad(error.to_string(), advice)
}

/// Whether others may look into the folder of keys.
fn open_folder(folder: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(folder).ok()?.mode() & 0o777;
    let shown = folder.display();
    (mode & 0o022 != 0).then(|| {
        Check::Keys.bad(
            format!("others may put files into {shown} (mode {mode:04o})"),
            format!("`chmod 700 {shown}`"),
        )
    })
}

/// The modes of the data folder and of the files in it.
fn modes(folder: &Path) -> Option<Finding> {
    let (check, shown) = (Check::Data, folder.display());
    let looked = match std::fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        looked => looked.and_then(|seen| Ok((seen, std::fs::read_dir(folder)?))),
    };
    let (seen, entries) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            return Some(check.bad(
                format!("{shown} cannot be looked at: {error}"),
                "run this as the user who runs the node",
            ));
        }
    };
    let open = |seen: &std::fs::Metadata| seen.mode() & 0o077 != 0;
    let files = entries.filter_map(Result::ok);
    let files: Vec<_> = files.filter_map(|f| Some((f.path(), f.metadata().ok()?))).collect();
    let file = files.iter().find(|(_, seen)| seen.is_file() && open(seen));
    // What others may write to is theirs; what they may only read still holds password hashes.
    Some(match (open(&seen), file) {
        (true, Some((path, _))) => check.bad(
            format!("others may use {} in {shown}", path.display()),
            format!("`chmod 700 {shown}` and `chmod 600 {}`", path.display()),
        ),
        (true, None) => check.doubtful(
            format!("others may look into {shown} (mode {:04o})", seen.mode() & 0o777),
            format!("`chmod 700 {shown}`"),
        ),
        (false, _) => check.good(format!("{shown} is its owner's alone")),
    })
}
