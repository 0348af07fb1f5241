//! Reads transcripts and holds what a command did against them.
//!
//! ```text
//! # What this transcript shows. It is one session of bash in an empty folder.
//!
//! $ amaretti token mint --kind login \
//! >     --user alice
//! mml_[..]                  standard output, line by line; [..] stands for any text,
//! ...                       and a line of three dots for any number of lines
//! ! session [..]            standard error
//! ? 1                       the exit code, if it is not 0
//!
//! # Any line that begins so is a comment.
//! ```
//!
//! It refuses to know how commands are run: that is `shell.rs`.

use super::pattern::fits;
use super::shell::Ran;

/// A command and what it is to answer.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// The line of the file on which it stands, counted from 1.
    pub(crate) line: usize,
    /// What is typed.
    pub(crate) command: String,
    /// Standard output.
    pub(crate) out: Vec<String>,
    /// Standard error.
    pub(crate) err: Vec<String>,
    /// The exit code.
    pub(crate) code: i32,
}

/// Every step of a transcript.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(command) = text.strip_prefix("$ ").filter(|_| !goes_on) {
            steps.push(Step { line, command: command.to_owned(), ..Step::default() });
        } else if let Some(step) = steps.last_mut() {
            match text.split_once(' ') {
                _ if goes_on => {
                    step.command += "\n";
                    step.command += text.strip_prefix("> ").unwrap_or(text);
                }
                Some(("#", _)) => {}
                Some(("!", said)) => step.err.push(said.to_owned()),
                None if text == "!" => step.err.push(String::new()),
                Some(("?", code)) => step.code = code.parse().expect("an exit code is a number"),
                _ => step.out.push(text.to_owned()),
            }
        }
        let typed = steps.last().map_or("", |step| step.command.as_str());
        goes_on = typed.ends_with('\\') && steps.last().is_some_and(|step| step.out.is_empty());
    }
    steps
}

impl Step {
    /// What came instead, as it would stand in a transcript; `None` if all is as expected.
    pub(crate) fn difference(&self, ran: &Ran) -> Option<String> {
        let code = ran.code.unwrap_or(-1);
        let same = fits(&self.out, &ran.out) && fits(&self.err, &ran.err) && code == self.code;
        let marked = ran.err.trim_end().lines().map(|line| format!("! {line}\n"));
        let code = if code == 0 { String::new() } else { format!("? {code}\n") };
        let (command, out) = (self.command.replace('\n', "\n> "), ran.out.trim_end());
        let out = if out.is_empty() { String::new() } else { format!("{out}\n") };
        let now = format!("$ {command}\n{out}{}{code}", marked.collect::<String>());
        (!same).then_some(now)
    }
}

#[test]
fn what_a_command_writes_where_and_how_it_ends_all_count() {
    let steps = steps("# A comment.\n\n$ a \\\n>  b\nanswer\n! note\n? 1\n\n$ c\n");
    let ran = |out: &str, err: &str, code| Ran { out: out.into(), err: err.into(), code };
    assert_eq!((steps.len(), steps[0].line, steps[1].line), (2, 3, 9));
    assert_eq!(steps[0].command, "a \\\n b");
    assert!(steps[0].difference(&ran("answer\n", "note\n", Some(1))).is_none());
    assert!(steps[0].difference(&ran("note\n", "answer\n", Some(1))).is_some());
    assert!(steps[0].difference(&ran("answer\n", "note\n", Some(0))).is_some());
    assert!(steps[1].difference(&ran("", "", Some(0))).is_none());
    assert!(steps[1].difference(&ran("", "", None)).is_some());
}
