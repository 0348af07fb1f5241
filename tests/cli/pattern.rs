//! Expected text with gaps: `[..]` stands for any text, `...` for any number of lines.

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
