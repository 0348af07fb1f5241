//! Checks that pymacaroons, the crate `macaroon` and we mean the same by a token.
//!
//! Arguments: the binary, and a Python interpreter that has pymacaroons. It prints a line for each
//! check and ends with 1 if one failed.

mod apart;
mod forge;
mod kinds;
mod ours;
mod peer;
mod pymacaroons;
mod stage;
mod tally;

use std::path::Path;
use std::process::ExitCode;

use amaretti::token::Kind;

use ours::Issuer;
use peer::Crate;
use pymacaroons::Pymacaroons;
use stage::Stage;
use tally::{Tally, Trouble, said};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("amaretti-foreign: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Trouble> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [binary, python] = arguments.as_slice() else {
        return Err("wanted: the path of the binary and of a Python interpreter".to_owned());
    };
    let binary = Path::new(binary).canonicalize().map_err(said)?;
    macaroon::initialize().map_err(said)?;
    let mut stage = Stage {
        issuer: Issuer::new(&binary)?,
        stranger: Issuer::new(&binary)?,
        libraries: vec![Box::new(Pymacaroons::start(Path::new(python))?), Box::new(Crate)],
        tally: Tally::default(),
    };
    for kind in Kind::ALL {
        let outcome = kinds::check(kind, &mut stage);
        stage.tally.count(&format!("{kind}: every check was made"), outcome);
    }
    let outcome = apart::check(&mut stage);
    stage.tally.count("every check that is made once was made", outcome);
    Ok(stage.tally.close())
}
