//! What a page claims: files, links, tests, tables, lengths. It reads text and refuses to know
//! whether any of it is so.

use std::path::PathBuf;

use amaretti::token::Term;

/// Folders whose files pages name.
const FOLDERS: &[&str] =
    &["src/", "tests/", "docs/", "scripts/", "migrations/", "benches/", "fuzz/"];

/// The files and folders of this project that a page names; of one with a star, its folder.
pub(crate) fn paths(page: &str) -> Vec<String> {
    let in_path = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
    let words = page.split(|c| !in_path(c)).map(|word| word.trim_end_matches(['.', '-']));
    let named = words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let whole = named.map(|path| match path.split_once('*') {
        Some((before, _)) => before.rsplit_once('/').map_or("", |(folder, _)| folder),
        None => path,
    });
    whole.map(String::from).collect()
}

/// Where the links of a page lead that stay inside the project.
pub(crate) fn links(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|link| !link.contains("://") && !link.starts_with('#'));
    inside.map(|link| link.split('#').next().unwrap_or_default().to_owned()).collect()
}

/// The subcommands that follow the program's name between backticks: `keys new`, `serve`.
#[cfg(feature = "server")]
pub(crate) fn commands(page: &str) -> Vec<String> {
    // A text in a source file goes on behind a backslash at the end of its line.
    let page = page.replace("\\\n", "\n").split_whitespace().collect::<Vec<_>>().join(" ");
    let named = page.split("`amaretti ").skip(1).filter_map(|rest| rest.split('`').next());
    let is_name = |word: &&str| {
        let letters = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        letters && !word.starts_with('-')
    };
    let commands = named.map(|span| span.split(' ').take_while(is_name).take(2));
    commands.map(|words| words.collect::<Vec<_>>().join(" ")).collect()
}

/// The tests named in the tables of a page: `file::test_name` between backticks.
pub(crate) fn tests(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let spans = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
    let is_test = |span: &&str| {
        let name = span.rsplit_once("::").map_or("", |(_, name)| name);
        span.chars().all(in_name) && name.contains('_')
    };
    spans.filter(is_test).map(String::from).collect()
}

/// Whether one of the files has the function, and is the module that stands before its name.
pub(crate) fn is_defined(test: &str, files: &[(PathBuf, String)]) -> bool {
    let mut names = test.split("::").filter(|name| *name != "tests").collect::<Vec<_>>();
    let function = format!("fn {}(", names.pop().unwrap_or_default());
    let in_file = |path: &PathBuf| {
        let path = path.with_extension("");
        names.iter().all(|name| path.iter().any(|part| part == *name))
    };
    files.iter().any(|(path, text)| in_file(path) && text.contains(&function))
}

/// The vocabulary as a table of Markdown.
pub(crate) fn table(vocabulary: &[Term]) -> String {
    let row = |term: &Term| {
        let Term { key, operator, example, clears_when, appendable } = term;
        let who = if *appendable { "any holder" } else { "the issuer" };
        format!("| `{key}` | `{key} {operator} …` | `{example}` | {clears_when} | {who} |\n")
    };
    let head = "| key | form | example | clears when | who says it |\n";
    let rows: String = vocabulary.iter().map(row).collect();
    format!("{head}| --- | --- | --- | --- | --- |\n{rows}")
}

/// The metrics as a table of Markdown.
#[cfg(feature = "server")]
pub(crate) fn metrics(metrics: &[amaretti::http::Metric]) -> String {
    let row = |metric: &amaretti::http::Metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let sort = format!("{:?}", metric.sort).to_lowercase();
        let (name, meaning) = (metric.full_name(), metric.meaning);
        format!("| `{name}` | {sort} | {} | {meaning} |\n", labels.join(", "))
    };
    let head = "| metric | sort | labels | meaning |\n| --- | --- | --- | --- |\n";
    format!("{head}{}", metrics.iter().map(row).collect::<String>())
}

/// The events of the audit stream as a table of Markdown.
#[cfg(feature = "server")]
pub(crate) fn events(events: &[amaretti::service::EventSort]) -> String {
    let row = |event: &amaretti::service::EventSort| {
        let fields: Vec<_> = event.fields.iter().map(|field| format!("`{field}`")).collect();
        format!("| `{}` | {} | {} |\n", event.name, fields.join(", "), event.meaning)
    };
    let head = "| event | fields | what has happened |\n| --- | --- | --- |\n";
    format!("{head}{}", events.iter().map(row).collect::<String>())
}

/// The commands of the program in the blocks of a page, without its name: what stands behind
/// `amaretti ` up to a pipe, a redirection or the end of the line.
#[cfg(feature = "server")]
pub(crate) fn shown(page: &str) -> Vec<String> {
    let mut inside = false;
    let mut shown = Vec::new();
    for line in page.replace("\\\n", " ").lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = ["console", "sh"].contains(&language.trim());
        } else if inside {
            let line = line.replace("cargo run --release -- ", "amaretti ");
            let command = line.trim_start().trim_start_matches("$ ");
            let starts = command.starts_with("amaretti ") || command.contains(" amaretti ");
            if let Some((_, rest)) = command.split_once("amaretti ").filter(|_| starts) {
                let end = rest.find(['|', '<', '>', ';', '&', ')', '#']).unwrap_or(rest.len());
                shown.push(rest.get(..end).unwrap_or_default().trim().to_owned());
            }
        }
    }
    shown
}

/// The checks of the doctor as a table of Markdown.
#[cfg(feature = "server")]
pub(crate) fn checks(checks: &[amaretti::doctor::Check]) -> String {
    let row =
        |check: &amaretti::doctor::Check| format!("| {} | {} |\n", check.name(), check.about());
    let head = "| check | what has to be so |\n| --- | --- |\n";
    format!("{head}{}", checks.iter().map(row).collect::<String>())
}

/// Every number of three digits that is said to be one of characters.
pub(crate) fn lengths(page: &str) -> Vec<usize> {
    let words: Vec<_> = page.split_whitespace().collect();
    let said = words.windows(2).filter(|pair| pair[1].starts_with("characters"));
    said.filter(|pair| pair[0].len() == 3).filter_map(|pair| pair[0].parse().ok()).collect()
}

#[test]
fn a_page_that_names_files_is_read_with_its_stars_and_full_stops() {
    let page =
        "See `src/token/key.rs`, [a](docs/x.md) and 'src/store/**'. Not https://x.org/src/y.";
    assert_eq!(paths(page), ["src/token/key.rs", "docs/x.md", "src/store"]);
    assert_eq!(links("[a](b.md#c) [d](https://e) [f](#g)"), ["b.md"]);
}

#[test]
fn a_test_is_looked_for_in_the_file_that_stands_before_its_name() {
    let row = "| a thief | `Key::id`, `keys.rs` | `sessions::a_thief_is_out`, `x::y` |\n`a::b_c`";
    assert_eq!(tests(row), ["sessions::a_thief_is_out"]);
    let file = |path: &str| vec![(PathBuf::from(path), "fn a_thief_is_out() {}".to_owned())];
    assert!(is_defined("sessions::a_thief_is_out", &file("tests/sessions.rs")));
    assert!(is_defined("sessions::model::tests::a_thief_is_out", &file("src/sessions/model.rs")));
    assert!(!is_defined("sessions::a_thief_is_out", &file("tests/keys.rs")));
    assert!(!is_defined("sessions::a_thief_is", &file("tests/sessions.rs")));
}

#[cfg(feature = "server")]
#[test]
fn a_command_is_found_across_the_lines_of_a_text() {
    let page =
        "run `amaretti keys \\\n    new --replace-lost`, or `amaretti serve`; amaretti is it";
    assert_eq!(commands(page), ["keys new", "serve"]);
}

#[test]
fn lengths_are_found_in_prose_and_in_what_a_program_prints() {
    assert_eq!(
        lengths("a token, 191 characters, up to 2048 characters\n190\ncharacters"),
        [191, 190]
    );
}

/// What stands between backticks, in order.
pub(crate) fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
