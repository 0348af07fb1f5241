//! The whole command line, as transcripts: what is typed, what is answered on which stream, and how
//! it ends. Each is a file in `tests/cli`; adding a case is adding lines there.
#![cfg(test)]
#![cfg(feature = "server")]

#[path = "cli/given.rs"]
mod given;
#[path = "cli/pattern.rs"]
mod pattern;
#[path = "cli/shell.rs"]
mod shell;
#[path = "cli/transcript.rs"]
mod transcript;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use transcript::{Step, steps};

#[test]
fn every_transcript_comes_out_as_it_is_written() {
    let transcripts = transcripts();
    assert!(!transcripts.is_empty(), "no transcript found");

    let found = thread::scope(|scope| {
        let each = transcripts.iter().map(|path| scope.spawn(|| differences(path)));
        let each: Vec<_> = each.collect();
        each.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });

    assert!(found.is_empty(), "{} steps come out otherwise:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_help_of_every_subcommand_is_in_a_transcript() {
    let typed: Vec<_> = transcripts().iter().flat_map(|path| commands(path)).collect();
    for command in every_command() {
        let help = format!("{command} --help");
        assert!(typed.contains(&help), "no transcript has `$ {help}`");
    }
}

#[test]
fn every_subcommand_fails_at_least_once_in_a_transcript() {
    let files = transcripts();
    let text = files.iter().map(|path| fs::read_to_string(path).unwrap());
    let steps: Vec<_> = text.flat_map(|text| steps(&text)).collect();
    for command in leaves() {
        let fails = |step: &Step| step.code != 0 && step.command.contains(&command);
        assert!(steps.iter().any(fails), "`{command}` never fails in a transcript");
    }
}

/// The steps of a transcript that came out otherwise.
fn differences(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut variables = given::given(folder.path());
    // Listened on by somebody else as long as this transcript runs.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    variables.push(("TAKEN".to_owned(), taken.local_addr().unwrap().to_string()));
    let steps = steps(&text);
    let typed: Vec<_> = steps.iter().map(|step| step.command.clone()).collect();
    let ran = shell::run(&typed, folder.path(), &variables);
    let name = path.file_name().unwrap().to_string_lossy();
    let each = steps.iter().zip(&ran).filter_map(|(step, ran)| {
        let now = step.difference(ran)?;
        Some(format!("tests/cli/{name}, line {}: now\n{now}", step.line))
    });
    each.collect()
}

fn transcripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    files.sort();
    files
}

fn commands(path: &Path) -> Vec<String> {
    steps(&fs::read_to_string(path).unwrap()).into_iter().map(|step| step.command).collect()
}

/// The commands that have no subcommands.
fn leaves() -> Vec<String> {
    every_command().into_iter().filter(|command| subcommands(command).is_empty()).collect()
}

/// `amaretti`, `amaretti keys`, `amaretti keys new` and so on, as the program itself lists them.
fn every_command() -> Vec<String> {
    let mut all = vec!["amaretti".to_owned()];
    let mut next = 0;
    while let Some(command) = all.get(next).cloned() {
        all.extend(subcommands(&command).into_iter().map(|name| format!("{command} {name}")));
        next += 1;
    }
    all
}

/// The names that the help of a command lists under "Commands:".
fn subcommands(command: &str) -> Vec<String> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_amaretti"));
    let output = program.args(command.split(' ').skip(1)).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(String::from).collect()
}
