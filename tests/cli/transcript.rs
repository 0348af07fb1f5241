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
//! ```
//!
//! It refuses to know how commands are run: that is `shell.rs`.

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

/// Every step of a transcript. Lines before the first command are a comment.
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

/// Whether a text is what the lines say, blank lines at the end aside.
pub(crate) fn fits(lines: &[String], text: &str) -> bool {
    let blank = |line: &&String| line.trim().is_empty();
    let end = lines.len() - lines.iter().rev().take_while(blank).count();
    let text: Vec<_> = text.trim_end().lines().collect();
    all_fit(&lines[..end], &text)
}

fn all_fit(lines: &[String], text: &[&str]) -> bool {
    match (lines, text) {
        ([], rest) => rest.is_empty(),
        ([dots, lines @ ..], _) if dots == "..." => {
            (0..=text.len()).any(|skipped| all_fit(lines, &text[skipped..]))
        }
        ([line, lines @ ..], [first, rest @ ..]) => line_fits(line, first) && all_fit(lines, rest),
        ([_, ..], []) => false,
    }
}

fn line_fits(line: &str, text: &str) -> bool {
    match line.split_once("[..]") {
        None => line.trim_end() == text.trim_end(),
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut tails = rest.char_indices().map(|(at, _)| &rest[at..]);
            tails.any(|tail| line_fits(after, tail)) || line_fits(after, "")
        }),
    }
}

#[test]
fn a_line_with_a_gap_fits_whatever_stands_there_and_nothing_else() {
    assert!(line_fits("made key [..] in keys/[..].key", "made key 0a in keys/0a.key"));
    assert!(line_fits("[..]", ""));
    assert!(!line_fits("made key [..] in keys", "made key 0a in keys/0a.key"));
    assert!(!line_fits("mma_[..]", "mmr_AgIt"));
}

#[test]
fn three_dots_fit_any_number_of_lines() {
    let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    assert!(fits(&lines("a\n...\nd\n"), "a\nb\nc\nd\n"));
    assert!(fits(&lines("a\n...\nd\n\n"), "a\nd"));
    assert!(!fits(&lines("a\n...\nd\n"), "a\nd\ne"));
    assert!(!fits(&lines("a\n"), "a\nb"));
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
