//! The folder of key files: what is written is read back, and whatever is wrong is said in words
//! that tell what to do and give no secret away.
#![cfg(test)]
#![cfg(feature = "server")]

#[path = "keyfile/content.rs"]
mod content;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use amaretti::keyfile::{
    self, Fault, Held, KeyFile, KeyFileError, Snapshot, StoreId, check_store, read_folder,
};
use amaretti::time::Timestamp;
use amaretti::token::{Key, KeyId, Kind, WeakKey};
use base64::engine::{Engine, general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const STORE: StoreId = StoreId::from_bytes([0xa5; 16]);
const MADE: Timestamp = Timestamp::from_millis(1_790_000_000_123);
/// 32 bytes of no pattern, and how a key file writes them.
const BYTES: [u8; 32] = *b"\xf1\x07\x9aamaretti: a key for tests\x00\x80\xff\x0d";
const SECRET: &str = "8QeaYW1hcmV0dGk6IGEga2V5IGZvciB0ZXN0cwCA_w0";

fn key() -> Key {
    Key::from_bytes(&BYTES).unwrap()
}

/// A folder with the test key in it, and the key's path.
fn folder_with_key() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = keyfile::write(folder.path(), &key(), STORE, MADE).unwrap();
    (folder, path)
}

/// A folder with an exported subkey in it, and the export's path.
fn folder_with_subkey() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let subkey = key().subkey(Kind::Access);
    let path = keyfile::write_subkey(folder.path(), &subkey, STORE, MADE).unwrap();
    (folder, path)
}

fn put(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// The text of a key file in which one line has another value.
fn with(path: &Path, name: &str, value: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some((found, _)) if found == name => format!("{name} = {value}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn error(folder: &Path) -> KeyFileError {
    let error = read_folder(folder).err().expect("this should have been refused");
    assert!(!error.to_string().contains(SECRET), "{error}");
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    error
}

/// What is wrong with the key file once one of its lines has another value.
fn fault_with(name: &str, value: &str) -> Fault {
    let (folder, path) = folder_with_key();
    put(&path, with(&path, name, value));
    fault(folder.path())
}

fn fault(folder: &Path) -> Fault {
    match error(folder) {
        KeyFileError::Content { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

fn only(files: Vec<KeyFile>) -> KeyFile {
    let [file] = <[KeyFile; 1]>::try_from(files).ok().expect("one file");
    file
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
#[test]
fn a_key_is_read_back_as_it_was_written() {
    let (folder, path) = folder_with_key();
    let file = only(read_folder(folder.path()).unwrap());

    assert_eq!((file.id, file.store, file.created), (key().id(), STORE, MADE));
    assert_eq!(file.path, path);
    assert!(path.ends_with(format!("{}.key", key().id())));
    assert!(matches!(file.held, Held::Key(key) if key.expose() == &BYTES));
}

#[test]
fn a_subkey_of_every_kind_is_read_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        keyfile::write_subkey(folder.path(), &key().subkey(kind), STORE, MADE).unwrap();
    }

    let mut seen = BTreeSet::new();
    for file in read_folder(folder.path()).unwrap() {
        let Held::Subkey(subkey) = file.held else { panic!("a subkey was written") };
        assert_eq!((file.id, file.store, file.created), (key().id(), STORE, MADE));
        assert_eq!(subkey.expose(), key().subkey(subkey.kind()).expose());
        seen.insert(subkey.kind());
    }
    assert_eq!(seen.len(), Kind::ALL.len());
}

#[test]
fn the_text_says_what_it_is_and_stays_as_it_is() {
    let (_folder, path) = folder_with_key();
    let text = fs::read_to_string(path).unwrap();

    let (comment, lines) = text.split_once("\n\n").unwrap();
    for word in ["signing key", "2026-09-21T14:13:20.123Z", "SECRET", "amaretti keys rotate"] {
        assert!(comment.contains(word), "no {word:?} in:\n{comment}");
    }
    assert!(comment.lines().all(|line| line.starts_with('#')), "{comment}");
    let expected = format!(
        "format = 1\nid = {}\nstore = {STORE}\ncreated = 1790000000123\nsecret = {SECRET}\n",
        key().id()
    );
    assert_eq!(lines, expected);
}

#[test]
fn files_are_for_their_owner_alone_and_so_is_a_folder_that_had_to_be_made() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("a/b");
    let path = keyfile::write(&folder, &key(), STORE, MADE).unwrap();

    assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
}

#[test]
fn a_key_file_is_never_written_over_and_no_draft_stays_behind() {
    let (folder, path) = folder_with_key();
    put(&path, "something else");
    let again = keyfile::write(folder.path(), &key(), STORE, MADE);

    assert!(matches!(again, Err(KeyFileError::Exists { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "something else");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn whoever_reads_while_another_writes_sees_a_whole_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<_> = (0..32).map(|_| keyfile::new_key(&[]).unwrap()).collect();

    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            keys.iter().for_each(|key| {
                keyfile::write(folder.path(), key, STORE, MADE).unwrap();
            });
        });
        while !writer.is_finished() {
            assert!(read_folder(folder.path()).is_ok());
        }
    });
    assert_eq!(read_folder(folder.path()).unwrap().len(), keys.len());
}

#[test]
fn one_of_many_who_write_the_same_key_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let write = || keyfile::write(folder.path(), &key(), STORE, MADE).is_ok();
    let written = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(write)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|ok| *ok).count()
    });

    assert_eq!(written, 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_folder_holds_no_keys() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("keys");

    assert!(read_folder(&folder).unwrap().is_empty());
    assert_eq!(Snapshot::take(&folder).unwrap(), Snapshot::default());
}

#[test]
fn what_is_no_folder_cannot_be_listed() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("keys");
    put(&folder, "");

    assert!(matches!(error(&folder), KeyFileError::Io { act: "list the folder", .. }));
    assert!(Snapshot::take(&folder).is_err());
    let written = keyfile::write(&folder, &key(), STORE, MADE);
    assert!(matches!(written, Err(KeyFileError::Io { act: "make the folder", .. })));
}

#[test]
fn other_files_are_passed_over() {
    let (folder, path) = folder_with_key();
    for name in ["README.md", ".gitignore", ".old.key", "x.key~", "x.key.bak", "#x.key#", "notes"] {
        fs::write(folder.path().join(name), "not a key").unwrap();
    }

    assert_eq!(only(read_folder(folder.path()).unwrap()).path, path);
}

#[test]
fn files_come_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..9 {
        let key = keyfile::new_key(&[]).unwrap();
        keyfile::write(folder.path(), &key, STORE, MADE).unwrap();
    }
    let ids: Vec<KeyId> = read_folder(folder.path()).unwrap().iter().map(|file| file.id).collect();

    assert_eq!(ids.len(), 9);
    assert!(ids.is_sorted());
}

#[test]
fn a_file_that_others_may_use_is_refused_with_the_command_that_mends_it() {
    for open in [0o640, 0o604, 0o620, 0o601, 0o777] {
        let (folder, path) = folder_with_key();
        fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
        let error = error(folder.path());

        assert!(matches!(error, KeyFileError::Open { mode, .. } if mode == open));
        let command = format!("chmod 600 {}", path.display());
        assert!(error.to_string().contains(&command), "{error}");
    }
}

#[test]
fn a_new_key_is_random_and_has_an_id_of_its_own() {
    let first = keyfile::new_key(&[]).unwrap();
    let second = keyfile::new_key(&[first.id()]).unwrap();

    assert!(first.expose() != second.expose());
    assert!(first.id() != second.id());
}

#[test]
fn a_snapshot_changes_when_a_key_file_does() {
    let (folder, path) = folder_with_key();
    let take = || Snapshot::take(folder.path()).unwrap();
    let mut before = take();
    assert_eq!(before, take());

    fs::write(folder.path().join("README.md"), "not a key").unwrap();
    assert_eq!(before, take());

    let text = fs::read_to_string(&path).unwrap();
    let added = folder.path().join("00000000.key");
    let changes: [&dyn Fn(); 5] = [
        &|| fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap(),
        &|| put(&path, format!("{text}# longer\n")),
        &|| put(&added, "more"),
        &|| fs::rename(&added, folder.path().join("11111111.key")).unwrap(),
        &|| fs::remove_file(&path).unwrap(),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        change();
        let after = take();
        assert!(before != after, "change {i}");
        before = after;
    }
}

#[test]
fn store_ids_are_read_as_they_are_written() {
    let id = StoreId::from_bytes(core::array::from_fn(|i| i as u8));

    assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
    assert_eq!(StoreId::parse(&id.to_string()), Some(id));
    assert_eq!(StoreId::from_bytes(id.to_bytes()), id);
    for bad in ["", "0", "+00102030405060708090a0b0c0d0e0f", "000102030405060708090A0B0C0D0E0F"] {
        assert_eq!(StoreId::parse(bad), None, "{bad}");
    }
}
