//! The list of devices that are wanted: read whole and checked whole before anything is done.
//!
//! Whatever is wrong is told with its line. This file refuses to know how a device is made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::cli::Trouble;
use crate::config::Config;
use crate::ident::DeviceId;
use crate::service::device_of_label;
use crate::store::Store;
use crate::token::Caveat;

/// One line of the list.
pub(super) struct Wish {
    /// Counted from 1.
    pub(super) line: u64,
    pub(super) user_id: String,
    pub(super) device_id: String,
    pub(super) display_name: Option<String>,
    pub(super) label: Option<String>,
    pub(super) caveats: Vec<String>,
}

/// The list.
pub(super) struct Wishes {
    path: PathBuf,
    wishes: Vec<Wish>,
}

impl Wishes {
    /// Reads the list.
    ///
    /// # Errors
    /// Everything that is wrong with it, line by line.
    pub(super) fn read(path: &Path, config: &Config) -> Result<Self, Trouble> {
        let reader = ReaderBuilder::new().trim(Trim::All).comment(Some(b'#')).from_path(path);
        let blame =
            |error: csv::Error| Trouble::new(format!("{}: {}", path.display(), said(&error)));
        let mut reader = reader.map_err(blame)?;
        let columns = Columns::of(reader.headers().map_err(blame)?)
            .map_err(|why| Trouble::new(format!("{}, line 1: {why}", path.display())))?;
        let (mut wishes, mut faults) = (Vec::new(), BTreeMap::new());
        let mut lines = BTreeMap::new();
        for record in reader.records() {
            let line = match &record {
                Ok(record) => record.position().map_or(0, csv::Position::line),
                Err(error) => error.position().map_or(0, csv::Position::line),
            };
            let wish = record.map_err(|e| said(&e)).and_then(|r| columns.wish(&r, line, config));
            let wish = wish.and_then(|wish| {
                let key = (wish.user_id.clone(), wish.device_id.clone());
                match lines.insert(key, line) {
                    Some(other) => Err(format!("the same device as in line {other}")),
                    None => Ok(wish),
                }
            });
            match wish {
                Ok(wish) => wishes.push(wish),
                Err(why) => _ = faults.insert(line, why),
            }
        }
        let read = Self { path: path.to_owned(), wishes };
        read.without(&faults)?;
        if read.wishes.is_empty() {
            return Err(Trouble::new(format!("{}: no device is listed", path.display())));
        }
        Ok(read)
    }

    /// Looks whether every user of the list has an account.
    ///
    /// # Errors
    /// The lines of those who have none.
    pub(super) async fn check_users(&self, store: &Store) -> Result<(), Trouble> {
        let (mut known, mut faults) = (BTreeSet::new(), BTreeMap::new());
        for Wish { line, user_id, .. } in &self.wishes {
            if known.contains(user_id) {
                continue;
            }
            if store.password_hash(user_id).await?.is_some() {
                known.insert(user_id);
            } else {
                faults.insert(
                    *line,
                    format!("there is no user {user_id}: `amaretti user add` makes one"),
                );
            }
        }
        self.without(&faults)
    }

    fn without(&self, faults: &BTreeMap<u64, String>) -> Result<(), Trouble> {
        if faults.is_empty() {
            return Ok(());
        }
        let lines = faults.iter().map(|(line, why)| format!("\n  line {line}: {why}"));
        let lines: String = lines.collect();
        Err(Trouble::new(format!("{}: nothing was done:{lines}", self.path.display())))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Wish> {
        self.wishes.iter()
    }

    pub(super) fn len(&self) -> u64 {
        self.wishes.len() as u64
    }
}

/// Where each column stands.
#[derive(Default)]
struct Columns {
    user: Option<usize>,
    device_id: Option<usize>,
    display_name: Option<usize>,
    label: Option<usize>,
    caveats: Vec<usize>,
}

impl Columns {
    fn of(headings: &StringRecord) -> Result<Self, String> {
        let mut columns = Self::default();
        for (at, heading) in headings.iter().enumerate() {
            let place = match heading {
                "user" => &mut columns.user,
                "device_id" => &mut columns.device_id,
                "display_name" => &mut columns.display_name,
                "label" => &mut columns.label,
                "caveat" => {
                    columns.caveats.push(at);
                    continue;
                }
                other => {
                    let known = "user, device_id, display_name, label, caveat";
                    return Err(format!("no column is named {other:?}; there are: {known}"));
                }
            };
            if place.replace(at).is_some() {
                return Err(format!("two columns are named {heading:?}"));
            }
        }
        match columns.user {
            Some(_) => Ok(columns),
            None => Err("the first line has to name the columns, `user` among them".to_owned()),
        }
    }

    fn wish(&self, record: &StringRecord, line: u64, config: &Config) -> Result<Wish, String> {
        let text = |at: Option<usize>| {
            at.and_then(|at| record.get(at)).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let user = text(self.user).ok_or("no user is named")?;
        let user_id = crate::cli::user::user_id(config, &user).map_err(|trouble| trouble.0)?;
        let label = text(self.label);
        let device_id = match (text(self.device_id), &label) {
            (Some(id), _) => {
                DeviceId::parse(&id).map(|_| id.clone()).map_err(|e| format!("{id}: {e}"))?
            }
            (None, Some(label)) => device_of_label(&user_id, label),
            (None, None) => return Err("there has to be a device_id or a label".to_owned()),
        };
        let mut caveats = Vec::new();
        if let Some(label) = &label {
            caveats.push(self::label(label)?);
        }
        for written in self.caveats.iter().filter_map(|at| text(Some(*at))) {
            caveats.push(caveat(&written)?);
        }
        let display_name = text(self.display_name);
        Ok(Wish { line, user_id, device_id, display_name, label, caveats })
    }
}

/// The caveat that bears a label.
pub(super) fn label(label: &str) -> Result<String, String> {
    caveat(&format!("label = {label}"))
}

/// A caveat that a holder could append.
pub(super) fn caveat(text: &str) -> Result<String, String> {
    if text.contains(char::is_control) {
        return Err("a caveat has no control characters".to_owned());
    }
    match Caveat::read(text) {
        Ok(Caveat::UserId(_) | Caveat::DeviceId(_)) => Err(format!(
            "{text:?}: user_id and device_id are not appended, they are said by the columns"
        )),
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{text:?}: {error}")),
    }
}

fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the first line names {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "this is not UTF-8".to_owned(),
        csv::ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}
