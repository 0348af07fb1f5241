//! The parts of the bench over HTTP that have to be fast: `noop`, `load` and `tokens`.
//!
//! What is measured, in which order, and how it is told, `scripts/http-bench` knows and this does not.

#![forbid(unsafe_code)]

mod load;
mod noop;
mod tokens;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

const USAGE: &str = "These are the parts of scripts/http-bench:
  noop ADDRESS PATH=FILE...          answers each path as the file says
  load ADDRESS FILE COUNT CLIENTS    sends the requests in a file, in turn
  tokens KEYS access|login COUNT SERVER USER...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done: Result<(), Box<dyn Error>> = match &words[..] {
        ["noop", address, answers @ ..] => noop::serve(address, answers),
        ["load", address, file, count, clients] => load::run(address, file, count, clients),
        ["tokens", keys, kind, count, server, users @ ..] => {
            tokens::print(keys, kind, count, server, users)
        }
        // All benches are being run, and this one is run by the script alone.
        ["--bench"] => writeln!(io::stdout(), "{USAGE}").map_err(Into::into),
        _ => Err(USAGE.into()),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    let _told = writeln!(io::stderr(), "{error}");
    ExitCode::FAILURE
}
