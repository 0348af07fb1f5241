//! Holds the pages to the program: what they show is run, what they name is there, and what is
//! counted in them is counted again.
#![cfg(test)]

#[path = "prose/claims.rs"]
mod claims;
#[cfg(feature = "server")]
#[path = "prose/console.rs"]
mod console;
#[cfg(feature = "server")]
#[path = "cli/pattern.rs"]
mod pattern;
#[cfg(feature = "server")]
#[path = "cli/shell.rs"]
mod shell;

#[cfg(feature = "server")]
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use amaretti::ident::{DeviceId, UserId};
use amaretti::time::Timestamp;
use amaretti::token::{Action, Grant, Key, Kind, SessionId, VOCABULARY};

/// Pages that name files of this project.
const PAGES: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/caveats.md",
    "docs/audit.md",
    "docs/doctor.md",
    "docs/library.md",
    "docs/narrowing.md",
    "docs/operations.md",
    "docs/proxies.md",
    "docs/provisioning.md",
    "docs/synapse.md",
    "docs/systemd.md",
    "docs/watching.md",
    "keys/README.md",
    "tests/vectors/README.md",
];

/// Commands that are spoken of already and are still to come.
#[cfg(feature = "server")]
const NOT_YET: &[&str] = &[];

#[cfg(feature = "server")]
#[test]
fn the_commands_of_the_readme_do_what_it_shows() {
    let page = page("README.md");
    assert!(console::typed(&page).len() > 5, "the README shows hardly anything");
    let found = console::differences(&page);
    assert!(found.is_empty(), "README.md shows otherwise:\n{}", found.join("\n"));
}

#[cfg(feature = "server")]
#[test]
fn no_page_and_no_message_names_a_command_that_the_program_does_not_have() {
    let pages = PAGES.iter().map(|name| ((*name).into(), page(name)));
    let named = pages.chain(rust_files("src")).flat_map(|(path, text): (PathBuf, String)| {
        let commands = claims::commands(&text).into_iter();
        commands.map(move |command| (command, path.display().to_string()))
    });
    let named: BTreeMap<_, _> = named.collect();
    let knows = |command: &str| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_amaretti"));
        program.args(command.split(' ')).arg("--help").output().unwrap().status.success()
    };
    let unknown = named.iter().filter(|(command, _)| !knows(command));
    let unknown = unknown.filter(|(command, _)| !NOT_YET.contains(&command.as_str()));
    assert!(named.len() > 10, "hardly any command was found: {named:#?}");
    assert_eq!(unknown.collect::<Vec<_>>(), [], "amaretti has no such commands");
    for command in NOT_YET {
        assert!(!knows(command), "`amaretti {command}` is there: take it off NOT_YET");
    }
}

#[test]
fn no_page_names_a_file_that_is_not_there() {
    let missing = PAGES.iter().flat_map(|name| {
        let named = claims::paths(&page(name)).into_iter().map(|path| root().join(path));
        let folder = root().join(name).parent().unwrap().to_owned();
        let linked = claims::links(&page(name)).into_iter().map(move |link| folder.join(link));
        let missing = named.chain(linked).filter(|path| !path.exists());
        missing.map(move |path| format!("{name}: {}", path.display()))
    });
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "not there: {missing:#?}");
}

#[cfg(feature = "server")]
#[test]
fn the_configurations_of_proxies_are_those_that_the_command_prints() {
    let folder = tempfile::tempdir().unwrap();
    for (file, arguments) in [
        ("nginx.conf", "nginx --homeserver synapse --forward-auth"),
        ("haproxy.cfg", "haproxy --homeserver synapse --forward-auth"),
        ("haproxy.lua", "haproxy --lua"),
        ("Caddyfile", "caddy --homeserver synapse --forward-auth"),
    ] {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_amaretti"));
        let program = program.args(["config"]).args(arguments.split(' '));
        let printed = program.current_dir(folder.path()).env_clear().output().unwrap().stdout;
        let name = format!("docs/proxies/{file}");
        let same = page(&name).as_bytes() == printed;
        assert!(same, "{name} is out of date; write it with: amaretti config {arguments} > {name}");
    }
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let sources: Vec<_> = ["tests", "src"].iter().flat_map(|name| rust_files(name)).collect();
    let missing: Vec<_> = claims::tests(&page("ARCHITECTURE.md"))
        .into_iter()
        .filter(|name| !claims::is_defined(name, &sources))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn the_table_of_caveats_is_that_of_the_vocabulary() {
    let (page, table) = (page("docs/caveats.md"), claims::table(VOCABULARY));
    assert!(page.contains(&table), "docs/caveats.md should have this table:\n\n{table}");
    let actions = Action::ALL.map(|action| format!("`{}`", action.name())).join(", ");
    let line = page.split("\n\n").find(|paragraph| paragraph.contains("`identify`"));
    let line = line.unwrap_or_default().replace('\n', " ");
    assert!(line.contains(&actions), "docs/caveats.md should list the actions:\n\n{actions}");
}

#[cfg(feature = "server")]
#[test]
fn the_table_of_metrics_is_that_of_the_program() {
    let table = claims::metrics(amaretti::http::METRICS);
    let page = page("docs/watching.md");
    assert!(page.contains(&table), "docs/watching.md should have this table:\n\n{table}");
}

#[cfg(feature = "server")]
#[test]
fn the_table_of_audit_events_is_that_of_the_program() {
    let table = claims::events(amaretti::service::EVENTS);
    let page = page("docs/audit.md");
    assert!(page.contains(&table), "docs/audit.md should have this table:\n\n{table}");
}

#[cfg(feature = "server")]
#[test]
fn every_command_that_a_page_shows_has_the_flags_it_is_shown_with() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for name in PAGES {
        for line in claims::shown(&page(name)) {
            let words: Vec<_> = line.split_whitespace().collect();
            let is_name = |word: &&&str| {
                word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                    && !word.starts_with('-')
            };
            let command: Vec<_> = words.iter().take_while(is_name).take(2).collect();
            let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_amaretti"));
            let help = program.args(&command).arg("--help").output().unwrap();
            let text = String::from_utf8_lossy(&help.stdout).into_owned();
            let flags = words.iter().filter(|word| word.starts_with("--"));
            let flags = flags.map(|flag| flag.split('=').next().unwrap_or_default());
            let unknown = flags.filter(|flag| {
                !text.contains(&format!("{flag} ")) && !text.contains(&format!("{flag}\n"))
            });
            wrong.extend(unknown.map(|flag| format!("{name}: amaretti {line}: no {flag}")));
            if !help.status.success() {
                wrong.push(format!("{name}: amaretti {line}: no such command"));
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "hardly any command was found: {seen}");
    assert!(wrong.is_empty(), "these do not run:\n{}", wrong.join("\n"));
}

#[cfg(feature = "server")]
#[test]
fn the_table_of_checks_is_that_of_the_doctor() {
    let table = claims::checks(amaretti::doctor::Check::ALL);
    let page = page("docs/doctor.md");
    assert!(page.contains(&table), "docs/doctor.md should have this table:\n\n{table}");
}

#[test]
fn the_readme_knows_how_long_the_reference_token_is() {
    let (now, key) = (Timestamp::from_millis(1_790_000_000_000), [0x5e; 31]);
    let grant = Grant {
        kind: Kind::Access,
        user: UserId::parse("@alice:example.com").unwrap(),
        device: Some(DeviceId::parse("ABCDEFGHIJ").unwrap()),
        guest: false,
        session: SessionId::new(now, *b"ten random"),
        generation: 0,
        issued_at: now,
        expires_at: Some(now.plus(900_000)),
        carried: &[],
    };
    let key = Key::from_bytes(&core::array::from_fn(|i| if i == 0 { 0xf1 } else { key[i - 1] }));
    let token = grant.mint(&key.unwrap().subkey(Kind::Access)).unwrap();
    let length = token.reveal().len();
    println!("the reference token has {length} characters");

    let said = claims::lengths(&page("README.md"));
    assert!(said.iter().all(|said| *said == length), "it has {length}, not {said:?} characters");
}

#[test]
fn the_page_for_programs_lists_every_package_that_comes_along() {
    let page = page("docs/library.md");
    let listed: Vec<_> =
        page.split("\n\n").filter(|text| text.starts_with("`arc-swap`, ")).collect();
    let [core] = listed[..] else { panic!("docs/library.md lists no packages") };
    let (core, tower) = (claims::quoted(core), tree(&["--features", "tower"]));
    assert_eq!(core, tree(&[]));
    let besides = page.split("besides:\n\n").nth(1).and_then(|text| text.split("\n\n").next());
    let besides = claims::quoted(besides.unwrap_or_default());
    let expected: Vec<_> = tower.into_iter().filter(|name| !core.contains(name)).collect();
    assert_eq!(besides, expected);
}

/// The packages that the crate needs without its default features.
fn tree(features: &[&str]) -> Vec<String> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--offline", "--locked", "--no-default-features"]);
    cargo.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]).args(features);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let names = lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned);
    let mut names: Vec<_> = names.filter(|name| !name.is_empty() && name != "amaretti").collect();
    names.sort();
    names.dedup();
    names
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Path below the root and text of every Rust file in a folder.
fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut open = vec![PathBuf::from(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if let Ok(entries) = fs::read_dir(root().join(&path)) {
            let names = entries.map(|entry| entry.unwrap().file_name());
            open.extend(names.filter(|name| name != "target").map(|name| path.join(name)));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            found.push((path, text));
        }
    }
    found
}
