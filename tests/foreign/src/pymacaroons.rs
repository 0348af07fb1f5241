//! The Python library pymacaroons, asked line by line; `pymacaroons_peer.py` has the questions.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::peer::{Library, Met, Reading};
use crate::tally::{Trouble, said};

/// A Python process that answers.
pub(crate) struct Pymacaroons {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Pymacaroons {
    /// Starts an interpreter that has the library.
    pub(crate) fn start(python: &Path) -> Result<Self, Trouble> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pymacaroons_peer.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|e| format!("{}: {e}", python.display()))?;
        let questions = process.stdin.take();
        let answers = process.stdout.take().map(BufReader::new).ok_or("no answers to read")?;
        Ok(Self { process, questions, answers })
    }

    fn ask(&mut self, words: &[&str]) -> Result<Vec<String>, Trouble> {
        let word = |word: &&str| if word.is_empty() { "-".to_owned() } else { (*word).to_owned() };
        let line = words.iter().map(word).collect::<Vec<_>>().join(" ") + "\n";
        let questions = self.questions.as_mut().ok_or("nobody to ask")?;
        questions.write_all(line.as_bytes()).map_err(said)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(said)?;
        match answer.trim_end().split_once(' ').unwrap_or((answer.trim_end(), "")) {
            ("yes", told) => Ok(told.split_whitespace().map(String::from).collect()),
            ("no", why) => Err(why.to_owned()),
            _ => Err(format!("the Python process has ended at {line}")),
        }
    }

    fn ask_for_text(&mut self, words: &[&str]) -> Result<String, Trouble> {
        self.ask(words)?.pop().ok_or_else(|| "an answer without a text".to_owned())
    }
}

impl Drop for Pymacaroons {
    fn drop(&mut self) {
        self.questions = None;
        let _ended = self.process.wait();
    }
}

impl Library for Pymacaroons {
    fn name(&self) -> &'static str {
        "pymacaroons"
    }

    fn read(&mut self, text: &str) -> Result<Reading, Trouble> {
        let told = self.ask(&["read", text])?;
        let mut parts = told.iter().map(|word| unhex(word));
        let identifier = parts.next().ok_or("no identifier")??;
        let caveat = |bytes: Result<Vec<u8>, Trouble>| String::from_utf8(bytes?).map_err(said);
        Ok(Reading { identifier, caveats: parts.map(caveat).collect::<Result<_, _>>()? })
    }

    fn verify(&mut self, text: &str, secret: &[u8], met: Met<'_>) -> Result<(), Trouble> {
        let secret = hex(secret);
        let (which, caveats) = match met {
            Met::Any => ("any", Vec::new()),
            Met::These(caveats) => ("these", hexed(caveats)),
        };
        self.ask(&[&["verify", text, &secret, which], &*borrowed(&caveats)].concat()).map(drop)
    }

    fn narrow(&mut self, text: &str, caveats: &[&str]) -> Result<String, Trouble> {
        let caveats = hexed(caveats);
        self.ask_for_text(&[&["narrow", text], &*borrowed(&caveats)].concat())
    }

    fn involve(&mut self, text: &str) -> Result<String, Trouble> {
        self.ask_for_text(&["involve", text])
    }

    fn mint(&mut self, secret: &[u8], new: &Reading) -> Result<String, Trouble> {
        let (secret, identifier, caveats) =
            (hex(secret), hex(&new.identifier), hexed(&new.caveats));
        self.ask_for_text(&[&["mint", &secret, &identifier], &*borrowed(&caveats)].concat())
    }
}

fn hexed<T: AsRef<str>>(texts: &[T]) -> Vec<String> {
    texts.iter().map(|text| hex(text.as_ref().as_bytes())).collect()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text in hexadecimal.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, Trouble> {
    let pair = |at| text.get(at..at + 2).ok_or("an odd number of digits".to_owned());
    let byte = |at| u8::from_str_radix(pair(at)?, 16).map_err(said);
    (0..text.len()).step_by(2).map(byte).collect()
}
