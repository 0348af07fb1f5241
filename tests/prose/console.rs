//! Runs the console blocks of a page as a newcomer would: one after another, in one session of bash
//! in an empty folder, with this build in place of `cargo run` and free ports in place of the usual.
//!
//! A server is started in the background and given time to be there; its page shows any part of what
//! it says. A command of which nothing is shown has to succeed; any other is held to what is shown,
//! in which `[..]` stands for any text and a line of `...` for any lines.

use std::net::TcpListener;

use super::pattern::fits;
use super::shell;

/// The addresses that a page takes for granted.
const USUAL: [&str; 4] = ["127.0.0.1:8009", "127.0.0.1:8010", "127.0.0.1:8019", "127.0.0.1:8020"];

/// How the program is named on a page.
const PROGRAM: [&str; 3] = ["cargo run --release -- ", "cargo run -- ", "target/release/amaretti "];

/// What is not run: it would run these tests again, or wants a network.
const PASSED_OVER: [&str; 8] = [
    "cargo add",
    "cargo bench",
    "cargo build",
    "cargo install",
    "cargo test",
    "cd ",
    "git clone",
    "scripts/",
];

/// A command on a page, and what is shown of its answer.
pub(crate) struct Typed {
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// The commands in the console blocks of a page.
pub(crate) fn typed(page: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut inside = false;
    for (line, text) in (1..).zip(page.lines()) {
        if text.starts_with("```") {
            inside = text.trim_end() == "```console";
        } else if inside && let Some(command) = text.strip_prefix("$ ") {
            all.push(Typed { line, command: command.to_owned(), shown: Vec::new() });
        } else if inside && let Some(last) = all.last_mut() {
            if last.shown.is_empty() && last.command.ends_with('\\') {
                last.command += &format!("\n{}", text.strip_prefix("> ").unwrap_or(text));
            } else {
                last.shown.push(text.to_owned());
            }
        }
    }
    all.retain(|typed| !PASSED_OVER.iter().any(|start| typed.command.starts_with(start)));
    all
}

/// The commands of a page that do not do what is shown, and what they do.
pub(crate) fn differences(page: &str) -> Vec<String> {
    let ports = free_addresses();
    let moved = USUAL
        .iter()
        .zip(&ports)
        .fold(page.to_owned(), |page, (usual, free)| page.replace(usual, free));
    let typed = typed(&moved);
    let commands: Vec<_> = typed.iter().map(|typed| typed.script(&ports[0])).collect();
    let addresses = ["AMARETTI_LISTEN", "AMARETTI_INTERNAL"].map(String::from);
    let variables: Vec<_> = addresses.into_iter().zip(ports).collect();
    let folder = tempfile::tempdir().unwrap();
    let ran = shell::run(&commands, folder.path(), &variables);
    let each = typed.iter().zip(&ran).filter_map(|(typed, ran)| typed.difference(ran));
    each.collect()
}

/// Four addresses on which nobody listens.
fn free_addresses() -> Vec<String> {
    let listeners = USUAL.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
}

impl Typed {
    /// As bash is to run it, with one stream for both, as on a terminal.
    fn script(&self, usual: &str) -> String {
        let command = self.own_command();
        if !self.is_server() {
            return format!("exec 2>&1\n{command}");
        }
        let after = command.split_once("--listen ").and_then(|(_, rest)| rest.split(' ').next());
        let (host, port) = after.unwrap_or(usual).split_once(':').unwrap_or_default();
        let command = command.trim_end_matches(['&', ' ']);
        format!(
            "exec 2>&1\n{command} &\nuntil (exec 9<>/dev/tcp/{host}/{port}) 2>/dev/null; do\n\
             kill -0 $! || break; sleep 0.05\ndone\nkill -0 $!"
        )
    }

    /// The command with this build for the program.
    fn own_command(&self) -> String {
        PROGRAM.iter().fold(self.command.clone(), |text, name| text.replace(name, "amaretti "))
    }

    fn is_server(&self) -> bool {
        let command = self.own_command();
        let mut words = command.split_whitespace().skip_while(|word| word.contains('='));
        (words.next(), words.next()) == (Some("amaretti"), Some("serve"))
    }

    fn difference(&self, ran: &shell::Ran) -> Option<String> {
        let fine = if self.is_server() {
            let dots = || "...".to_owned();
            let part: Vec<_> =
                [dots()].into_iter().chain(self.shown.iter().cloned()).chain([dots()]).collect();
            fits(&part, &ran.out) && ran.code == Some(0)
        } else if self.shown.is_empty() {
            ran.code == Some(0)
        } else {
            fits(&self.shown, &ran.out) && ran.code.is_some()
        };
        let shell::Ran { out, err, code } = ran;
        let code = code.map_or("no exit code".to_owned(), |code| format!("exit code {code}"));
        (!fine).then(|| format!("line {}:\n$ {}\n{out}{err}({code})\n", self.line, self.command))
    }
}

const SAMPLE: &str = "
# Not a command

```console
$ git clone https://example.com/nowhere
$ cargo run --release -- serve
This is the first run. Keys and data were made:
...
$ cargo test
```

```text
$ false
```

```console
$ NAME=alice
$ echo wonderland | cargo run --release -- user add $NAME \\
>     --password-stdin
added @alice:localhost
$ curl -s http://127.0.0.1:8010/health/live
{\"status\":\"ok\",\"version\":\"[..]\"}
$ cargo run --release -- keys export --to exported 2> /dev/null
$ AMARETTI_NO_FEED_LIFETIME=any cargo run --release -- serve --no-feed --keys exported --listen 127.0.0.1:8019 --internal 127.0.0.1:8020
This node has no feed: [..]
$ curl -s http://127.0.0.1:8020/health/ready
{\"feed\":false,\"status\":\"ok\",[..]}
```
";

#[test]
fn a_sample_page_is_run_in_order_with_its_two_servers() {
    assert_eq!(typed(SAMPLE).len(), 7);
    assert_eq!(differences(SAMPLE), [""; 0]);
}

#[test]
fn what_a_page_does_not_show_as_it_is_comes_out() {
    let found = differences("```console\n$ echo a\nb\n$ false\n$ true\n$ echo c\n```\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("line 2:\n$ echo a\na\n"), "{found:#?}");
    let found = differences("```console\n$ cargo run --release -- serve --listen nowhere\n```\n");
    assert_eq!(found.len(), 1, "{found:#?}");
}
