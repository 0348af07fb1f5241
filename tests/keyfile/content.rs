//! What a key file has to be, inside and out: each thing that is wrong is found and named.

use super::*;

#[test]
fn a_link_is_followed_and_its_target_is_judged() {
    let (target, path) = folder_with_key();
    let folder = tempfile::tempdir().unwrap();
    symlink(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    assert_eq!(only(read_folder(folder.path()).unwrap()).id, key().id());

    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(error(folder.path()), KeyFileError::Open { .. }));

    drop(target);
    assert!(matches!(error(folder.path()), KeyFileError::Io { act: "read the file", .. }));
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("00000000.key");
    fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
    assert!(matches!(error(folder.path()), KeyFileError::NotAFile { .. }));

    fs::remove_dir(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    assert!(matches!(error(folder.path()), KeyFileError::NotAFile { .. }));
}

#[test]
fn a_pipe_is_refused_without_waiting_for_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("00000000.key");
    let made = std::process::Command::new("mkfifo").arg("-m600").arg(&path).status().unwrap();
    assert!(made.success());

    assert!(matches!(error(folder.path()), KeyFileError::NotAFile { .. }));
}

#[test]
fn four_kibibytes_are_read_and_no_more() {
    let (folder, path) = folder_with_key();
    let text = fs::read_to_string(&path).unwrap();
    let comment = |length: usize| format!("{text}{}", "#".repeat(length - text.len()));

    put(&path, comment(4096));
    assert!(read_folder(folder.path()).is_ok());
    put(&path, comment(4097));
    assert!(matches!(error(folder.path()), KeyFileError::TooLarge { .. }));
}

#[test]
fn a_file_is_named_for_what_it_holds() {
    for name in ["00000000.key", "copy.key", "66516c29.login.subkey"] {
        let (folder, path) = folder_with_key();
        fs::rename(&path, folder.path().join(name)).unwrap();
        let wanted = format!("{}.key", key().id());

        assert!(
            matches!(error(folder.path()), KeyFileError::Name { expected, .. } if expected == wanted)
        );
    }
}

#[test]
fn a_subkey_beside_its_whole_key_is_one_too_many() {
    let (folder, whole) = folder_with_key();
    let subkey = key().subkey(Kind::Access);
    let exported = keyfile::write_subkey(folder.path(), &subkey, STORE, MADE).unwrap();

    let KeyFileError::Twice { path, other } = error(folder.path()) else { panic!() };
    assert_eq!((path, other), (exported, whole));
}

#[test]
fn a_key_of_another_store_is_found() {
    let (folder, path) = folder_with_key();
    let files = read_folder(folder.path()).unwrap();
    assert!(check_store(&files, STORE).is_ok());

    let error = check_store(&files, StoreId::from_bytes([1; 16])).unwrap_err();
    let KeyFileError::OtherStore { written, wanted, .. } = &error else { panic!("{error}") };
    assert_eq!((*written, *wanted), (STORE, StoreId::from_bytes([1; 16])));
    for word in [path.to_str().unwrap(), "a5a5a5a5", "01010101", "amaretti keys new"] {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
}

#[test]
fn a_secret_is_thirty_two_bytes_in_strict_base64() {
    let long = format!("{SECRET}A");
    let padded = format!("{SECRET}=");
    let loose = SECRET.replace("_w0", "_w1");
    let standard = SECRET.replace('_', "/");
    let bad = ["", "AAAA", &SECRET[1..], &long, &padded, &loose, &standard, "not a secret at all"];
    for secret in bad {
        assert_eq!(fault_with("secret", secret), Fault::Secret, "{secret}");
    }
}

#[test]
fn a_secret_that_is_not_random_is_refused() {
    let zeros = "A".repeat(43);
    assert_eq!(fault_with("secret", &zeros), Fault::Weak(WeakKey::Repeated));
    // "changeme-changeme-changeme-chang"
    let text = "Y2hhbmdlbWUtY2hhbmdlbWUtY2hhbmdlbWUtY2hhbmc";
    assert_eq!(fault_with("secret", text), Fault::Weak(WeakKey::Text));
}

#[test]
fn a_secret_that_is_a_pattern_or_was_published_is_refused() {
    let patterns = [
        "mechangemechangemechangemechangemechangemec",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", // 0, 1, 2 and so on
        "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA", // and back
    ];
    let vectors = ["amaretti test vectors, key one", "amaretti test vectors, key two"];
    let published = vectors.map(|sentence| URL_SAFE_NO_PAD.encode(Sha256::digest(sentence)));
    for secret in patterns.into_iter().chain(published.iter().map(String::as_str)) {
        assert_eq!(fault_with("secret", secret), Fault::Placeholder, "{secret}");
    }
}

#[test]
fn a_secret_has_the_id_it_is_said_to_have() {
    let other = KeyId::parse("00000000").unwrap();
    let fault = fault_with("id", "00000000");

    assert_eq!(fault, Fault::Id { written: other, derived: key().id() });
}

#[test]
fn a_later_format_is_named_as_such_whatever_else_it_has() {
    let (folder, path) = folder_with_key();
    put(&path, with(&path, "format", "2") + "colour = red\n");

    assert_eq!(fault(folder.path()), Fault::Format);
}

#[test]
fn a_line_that_is_wrong_is_named_by_its_number() {
    let line = |text: &str| {
        let (folder, path) = folder_with_key();
        let whole = fs::read_to_string(&path).unwrap() + text;
        put(&path, &whole);
        let Fault::Line { line, .. } = fault(folder.path()) else { panic!("{text}") };
        (line, whole.lines().count())
    };
    for text in ["and so on\n", "colour = red\n", "id = 00000000\n", "= 1\n", "\u{feff}# x\n"] {
        let (line, last) = line(text);
        assert_eq!(line, last, "{text}");
    }
    let values = ["id = 1", "store = 1", "created = +1", "created = 281474976710656", "created = "];
    for text in values {
        let (name, value) = text.split_once(" = ").unwrap();
        assert!(matches!(fault_with(name, value), Fault::Line { .. }), "{text}");
    }
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let (folder, path) = folder_with_key();
    put(&path, [0xff, 0xfe]);
    assert!(matches!(fault(folder.path()), Fault::Line { line: 1, .. }));

    put(&path, "");
    assert_eq!(fault(folder.path()), Fault::Missing("format"));
}

#[test]
fn every_line_is_needed() {
    for (folder, path) in [folder_with_key(), folder_with_subkey()] {
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = whole.lines().filter(|line| line.contains(" = ")).collect();
        for line in lines {
            put(&path, whole.replace(&format!("{line}\n"), ""));
            let name = line.split(' ').next().unwrap();
            assert_eq!(
                fault(folder.path()).to_string().split('`').nth(1).unwrap(),
                format!("{name} = ...")
            );
        }
    }
}

#[test]
fn lines_may_come_in_any_order_and_with_any_line_ends() {
    let (folder, path) = folder_with_subkey();
    let whole = fs::read_to_string(&path).unwrap();
    let backwards: Vec<_> = whole.lines().rev().collect();
    put(&path, backwards.join("\r\n"));

    assert_eq!(only(read_folder(folder.path()).unwrap()).created, MADE);
}

/// Every character of an export is damaged in turn. What says anything of the secret, its key, its
/// kind or its store is found out; the date alone is beyond proof.
#[test]
fn damage_to_any_character_of_an_export_is_found() {
    let (folder, path) = folder_with_subkey();
    let whole = fs::read_to_string(&path).unwrap();
    let start = whole.find("format").unwrap();
    let created = whole.find("created").unwrap()..whole.find("kind").unwrap();
    for at in start..whole.len() - 1 {
        for new in b"01aA_!".iter().filter(|new| **new != whole.as_bytes()[at]) {
            let mut text = whole.clone().into_bytes();
            text[at] = *new;
            put(&path, &text);
            match read_folder(folder.path()) {
                Err(error) => assert!(!error.to_string().contains(SECRET), "{error}"),
                Ok(files) => {
                    assert!(check_store(&files, STORE).is_err() || created.contains(&at), "{at}")
                }
            }
        }
    }
}

#[test]
fn a_truncated_key_is_never_taken_for_a_whole_one() {
    for (folder, path) in [folder_with_key(), folder_with_subkey()] {
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() - 1 {
            put(&path, &whole[..length]);
            assert!(read_folder(folder.path()).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}
