//! The program `amaretti`: parses its command line and does what it says.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    amaretti::cli::run()
}
