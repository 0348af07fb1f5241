//! The whole command line, as transcripts: what is typed, what is answered on which stream, and how
//! it ends. Each is a file in `tests/cli`; adding a case is adding lines there.
#![cfg(test)]
#![cfg(feature = "server")]

#[path = "cli/given.rs"]
mod given;
#[path = "cli/shell.rs"]
mod shell;
#[path = "cli/transcript.rs"]
mod transcript;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use transcript::steps;

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
    let mut open = vec!["amaretti".to_owned()];
    while let Some(command) = open.pop() {
        let help = format!("{command} --help");
        assert!(typed.contains(&help), "no transcript has `$ {help}`");
        open.extend(subcommands(&command).map(|name| format!("{command} {name}")));
    }
}

#[test]
fn every_subcommand_is_refused_at_least_once_in_a_transcript() {
    let files = transcripts();
    let text: Vec<_> = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let steps: Vec<_> = text.iter().flat_map(|text| steps(text)).collect();
    for command in ["serve", "keys new", "keys list", "keys rotate", "keys export", "token mint"] {
        let refused = |step: &transcript::Step| {
            step.code != 0 && step.command.contains(&format!("amaretti {command}"))
        };
        assert!(steps.iter().any(refused), "`amaretti {command}` never fails in a transcript");
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

/// The names that the help of a command lists under "Commands:".
fn subcommands(command: &str) -> impl Iterator<Item = String> {
    let words = command.split(' ').skip(1);
    let output = Command::new(env!("CARGO_BIN_EXE_amaretti")).args(words).arg("--help").output();
    let help = String::from_utf8(output.unwrap().stdout).unwrap();
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed =
        lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    listed.filter(|name| *name != "help").map(String::from).collect::<Vec<_>>().into_iter()
}
