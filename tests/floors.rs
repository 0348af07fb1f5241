//! Holds the source tree to its own rules: floors, headers, length, names.
//!
//! It reads the files as text and refuses to know what they do, so it runs without any feature.

use std::fs;
use std::path::Path;

/// Floor of every path under `src/`; the first entry that fits counts, so the most particular
/// comes first. A name that ends in `/` stands for a folder.
#[rustfmt::skip] // one line a floor
const FLOORS: &[(&str, u8)] = &[
    ("ident.rs", 0), ("time.rs", 0),
    ("token/", 1),
    ("answer.rs", 2), ("imports.rs", 2), ("keyring.rs", 2), ("occasion.rs", 2),
    ("revocations/", 2), ("verifier.rs", 2),
    ("config.rs", 3), ("keyfile.rs", 3), ("random.rs", 3), ("reach.rs", 3), ("secret.rs", 3), ("store/", 3), ("tower.rs", 3),
    ("homeserver/", 4), ("service/", 4),
    ("doctor/", 5), ("http/", 5),
    ("cli/", 6), ("lib.rs", 6), ("main.rs", 6),
];

/// Files that may reach less high than their own floor: these must build without the server.
const REACHES: &[(&str, u8)] = &[("tower.rs", 2)];

/// Words that say nothing about a thing; no file, module, function or type is named with them.
const EMPTY_WORDS: &[&str] = &["Helper", "Helpers", "Manager", "Managers", "Misc", "Util", "Utils"];

#[test]
fn every_source_file_has_a_floor() {
    let sources = sources();
    assert!(!sources.is_empty(), "no source file found");

    let homeless = sources.iter().map(|(file, _)| file);
    let homeless: Vec<_> = homeless.filter(|f| lookup(FLOORS, &module(f)).is_none()).collect();
    assert!(homeless.is_empty(), "give these a floor in FLOORS: {homeless:#?}");
}

#[test]
fn no_file_imports_from_a_floor_above() {
    let found: Vec<_> = sources().iter().flat_map(|(f, text)| upward_imports(f, text)).collect();
    assert!(found.is_empty(), "imports may only point down: {found:#?}");
}

#[test]
fn every_source_file_opens_by_saying_what_it_is_for() {
    let mute = sources().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    let mute: Vec<_> = mute.map(|(file, _)| file).collect();
    assert!(mute.is_empty(), "the first line should be a `//!` header: {mute:#?}");
}

#[test]
fn no_source_file_is_longer_than_400_lines() {
    let lengths = sources().into_iter().map(|(file, text)| (text.lines().count(), file));
    let long: Vec<_> = lengths.filter(|(lines, _)| *lines > 400).collect();
    assert!(long.is_empty(), "these want a wall: {long:#?}");
}

#[test]
fn nothing_is_named_with_an_empty_word() {
    let files = files(&["src", "tests", "benches", "fuzz", "docs", "scripts", "migrations"]);
    let found: Vec<_> = files.iter().flat_map(|(file, text)| empty_names(file, text)).collect();
    assert!(found.is_empty(), "say what it does instead: {found:#?}");
}

#[test]
fn an_upward_import_is_caught() {
    let found = upward_imports("token/wire.rs", "//! x\n\nuse crate::store::Store;\n");
    assert_eq!(found, ["token/wire.rs:3: floor 1 imports store::Store of floor 3"]);
}

#[test]
fn an_upward_import_inside_a_group_is_caught() {
    let text = "use crate::{time::{self, Timestamp}, ident::*, http::{answer as a, bearer}};";
    let found = upward_imports("service/login.rs", text);
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn an_upward_path_in_the_middle_of_code_is_caught() {
    assert_eq!(upward_imports("time.rs", "fn f() { crate::keyring::Keyring::new(); }").len(), 1);
}

#[test]
fn an_upward_import_through_super_is_caught() {
    assert_eq!(upward_imports("store/users.rs", "use super::super::service::Service;").len(), 1);
}

#[test]
fn what_only_the_crate_root_exports_counts_as_the_top_floor() {
    assert_eq!(upward_imports("http/mod.rs", "use crate::Verifier;").len(), 1);
}

#[test]
fn the_tower_layer_may_not_use_its_own_floor() {
    assert!(upward_imports("tower.rs", "use crate::{keyring::Keyring, tower::Layer};").is_empty());
    assert_eq!(upward_imports("tower.rs", "use crate::config::Config;").len(), 1);
}

#[test]
fn imports_from_the_same_floor_or_below_pass() {
    let text = "use super::mint;\nuse crate::token::{key::Key, chain};\nuse crate::time::Clock;\n";
    assert_eq!(upward_imports("token/verify.rs", text), [""; 0]);
}

#[test]
fn comments_and_unit_tests_are_not_read() {
    let text = "//! See [`crate::http`].\n// crate::store\n\
                #[cfg(test)]\nmod tests {\n    use crate::service::Service;\n}\n";
    assert_eq!(upward_imports("ident.rs", text), [""; 0]);
}

#[test]
fn a_test_only_item_does_not_hide_what_follows_it() {
    let text = "#[cfg(test)]\nmod tests;\n\nuse crate::service::Service;\n";
    assert_eq!(upward_imports("ident.rs", text).len(), 1);
}

#[test]
fn an_empty_word_is_found_in_either_spelling_of_a_name() {
    let found = empty_names("x.rs", "struct KeyManager;\nfn read_utils() {}\nfn mutilate() {}\n");
    assert_eq!(found, ["x.rs: KeyManager", "x.rs: read_utils"]);
}

/// Lines that name a module on a floor `file` may not reach.
fn upward_imports(file: &str, text: &str) -> Vec<String> {
    let module = module(file);
    let Some(floor) = lookup(FLOORS, &module) else { return Vec::new() };
    let reach = lookup(REACHES, &module).unwrap_or(floor);
    let mut found = Vec::new();
    for (line, path) in paths(&code(text), &module) {
        let target = lookup(FLOORS, &path).unwrap_or(6);
        if target > reach && path.first() != module.first() {
            let path = path.join("::");
            found.push(format!("{file}:{line}: floor {floor} imports {path} of floor {target}"));
        }
    }
    found
}

/// The text without comments and without its module of unit tests.
fn code(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let end = lines.windows(2).position(|pair| match pair {
        ["#[cfg(test)]", item] => item.starts_with("mod ") && item.ends_with('{'),
        _ => false,
    });
    let kept = lines.iter().take(end.unwrap_or(lines.len()));
    kept.map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Every `crate::` and `super::` path in the code, from the crate's root, with its line.
fn paths(code: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let (before, mut rest) = code.split_at(at);
        if before.ends_with(|c| in_name(c) || c == ':') {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let mut base = module.to_vec();
        while let Some(next) = rest.strip_prefix("super::") {
            base.pop();
            rest = next;
        }
        let from_root = rest.strip_prefix("crate::");
        let mut here = Vec::new();
        let prefix = if from_root.is_some() { &[] } else { base.as_slice() };
        expand(from_root.unwrap_or(rest), prefix, &mut here);
        // From `super`, an unknown name may belong to a module written inside the same file.
        here.retain(|path| from_root.is_some() || lookup(FLOORS, path).is_some());
        found.extend(here.into_iter().map(|path| (line, path)));
    }
    found
}

/// Adds each path of a use tree to `found` and returns the text behind the tree.
fn expand<'t>(text: &'t str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'t str {
    if let Some(mut rest) = text.trim_start().strip_prefix('{') {
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = expand(rest, prefix, found).trim_start_matches(|c| c != ',' && c != '}');
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let text = text.trim_start();
    let end = text.find(|c| !in_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = [prefix, &[name.to_owned()]].concat();
    if let Some(rest) = rest.strip_prefix("::") {
        return expand(rest, &path, found);
    }
    found.push(path);
    rest
}

/// Parts of the file's path, and names declared in its code, that are built with an empty word.
fn empty_names(file: &str, text: &str) -> Vec<String> {
    let words: Vec<_> = text.split_whitespace().collect();
    let declared = words.windows(2).filter_map(|pair| match pair {
        ["fn" | "mod" | "struct" | "enum" | "trait" | "type", name] if file.ends_with(".rs") => {
            name.split(|c| !in_name(c)).next()
        }
        _ => None,
    });
    let empty = |w: &str| EMPTY_WORDS.iter().any(|e| w.ends_with(e) || w == e.to_lowercase());
    let names = file.split(['/', '.']).chain(declared);
    let found = names.filter(|name| name.split(['_', '-']).any(empty));
    found.map(|name| format!("{file}: {name}")).collect()
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn lookup(table: &[(&str, u8)], path: &[String]) -> Option<u8> {
    table.iter().find(|(entry, _)| path.starts_with(&module(entry))).map(|(_, floor)| *floor)
}

/// `token/wire.rs` is `token::wire`; `token/mod.rs` and `token/` are `token`.
fn module(file: &str) -> Vec<String> {
    let file = file.strip_suffix(".rs").unwrap_or(file);
    let file = file.strip_suffix("/mod").unwrap_or(file).trim_end_matches('/');
    file.split('/').map(String::from).collect()
}

/// Path below `src/` and text of every Rust file there.
fn sources() -> Vec<(String, String)> {
    let all = files(&["src"]).into_iter().filter(|(file, _)| file.ends_with(".rs"));
    all.map(|(file, text)| (file.trim_start_matches("src/").to_owned(), text)).collect()
}

/// Path and text of every file in those of the folders that exist, hidden files and what builds
/// leave behind excepted.
fn files(folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<_> = folders.iter().map(|&folder| folder.to_owned()).collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if let Ok(folder) = fs::read_dir(root.join(&path)) {
            let names = folder.flatten().map(|entry| entry.file_name());
            let names = names.filter(|name| name != "target" && name != "node_modules");
            let names = names.map(|name| name.to_string_lossy().into_owned());
            open.extend(names.filter(|n| !n.starts_with('.')).map(|n| format!("{path}/{n}")));
        } else if let Ok(bytes) = fs::read(root.join(&path)) {
            found.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found.sort();
    found
}
