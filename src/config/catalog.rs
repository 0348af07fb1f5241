//! Every setting by name, and what is written from the names: the example and the reference.
//!
//! All of it comes from the one definition; nothing is said twice here.

use confique::meta::{Field, FieldKind, LeafKind};

use super::Config;

const EXAMPLE: &str = "\
# The settings of amaretti. Each line that is commented out shows a default; a file that changes
# nothing is empty. Flags of the command line come first, then environment variables, then this
# file, which is looked for in the current folder as amaretti.toml or where --config says.
#
# A duration is a whole number with a unit: 250ms, 30s, 15m, 1h, 7d. A size is a whole number of
# bytes, or one with a unit: 64KiB, 1MiB. Folders are relative to the current folder.
";

const REFERENCE: &str = "\
# Configuration

This page is made by `amaretti config reference`, from the definition that the program itself reads.

Every setting has a default or may be left out, so a node starts without any configuration. A value
is taken from the first of these places that has it:

1. a flag of the command line;
2. an environment variable (one that is empty counts as absent);
3. a TOML file: the one named by `--config`, else by `AMARETTI_CONFIG`, else `amaretti.toml` in the
   current folder if it exists. `amaretti config example` prints one to begin with;
4. the default.

Whatever is wrong is an error at start that says which value it is, where it was written and what
may stand there. That goes for names too: a name in the file or an `AMARETTI_` variable that no
setting bears is refused. (The variables that Kubernetes makes for a service named `amaretti`, such
as `AMARETTI_SERVICE_HOST`, are passed over.)

A **duration** is a whole number with a unit: `250ms`, `30s`, `15m`, `1h`, `7d`. A **size** is a
whole number of bytes, or one with a unit: `64KiB`, `1MiB`. Folders are relative to the current
folder of the process.

`database` is a secret when its URL holds a password: the file with it is for nobody else to read, and
no error or log repeats it. Keys lie in files of their own, in the folder `keys`.
";

/// One setting.
pub(super) struct Leaf {
    /// Its name in the file: `listen`, or `section.name`.
    pub(super) key: String,
    /// Its environment variable.
    pub(super) variable: &'static str,
    section: Option<&'static Field>,
    name: &'static str,
    doc: String,
    /// As it would stand in the file.
    default: Option<String>,
}

impl Leaf {
    fn new(section: Option<&'static Field>, field: &'static Field) -> Option<Self> {
        let FieldKind::Leaf { env, kind } = field.kind else { return None };
        let key = match section {
            Some(section) => format!("{}.{}", section.name, field.name),
            None => field.name.to_owned(),
        };
        let default = match kind {
            LeafKind::Required { default } => default,
            LeafKind::Optional => None,
        };
        // What JSON writes for a text, a number or a switch is TOML too.
        let default = default.and_then(|default| serde_json::to_string(&default).ok());
        let variable = env.unwrap_or_default();
        Some(Self { key, variable, section, name: field.name, doc: prose(field), default })
    }

    /// The table of the file this stands in.
    pub(super) fn section(&self) -> Option<&'static str> {
        self.section.map(|section| section.name)
    }
}

/// Every setting, in the order of the definition: first those of no section.
pub(super) fn leaves() -> Vec<Leaf> {
    let fields = <Config as confique::Config>::META.fields;
    let plain = fields.iter().filter_map(|field| Leaf::new(None, field));
    let nested = fields.iter().flat_map(|section| match section.kind {
        FieldKind::Leaf { .. } => Vec::new(),
        FieldKind::Nested { meta } => {
            meta.fields.iter().filter_map(|field| Leaf::new(Some(section), field)).collect()
        }
    });
    plain.chain(nested).collect()
}

/// A sentence as a comment of lines that fit a page.
fn comment(sentence: &str) -> String {
    let mut comment = String::from("#");
    let mut width = 1;
    for word in sentence.split(' ') {
        if width + 1 + word.len() > 100 {
            comment.push_str("\n#");
            width = 1;
        }
        comment.push(' ');
        comment.push_str(word);
        width += 1 + word.len();
    }
    comment
}

/// The one of some names that takes the fewest changes of a letter to become `name`.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    // Past the longest name, more letters make no difference to which is nearest.
    let name: String = name.chars().take(64).collect();
    names.min_by_key(|other| distance(&name, other)).unwrap_or_default().to_owned()
}

/// The number of letters to put in, take out or exchange (Levenshtein's distance).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (b, above) in to.chars().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(a != b)).min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

impl Config {
    /// A file with every setting, commented out, with its default and its meaning.
    #[must_use]
    pub fn example() -> String {
        let mut text = EXAMPLE.to_owned();
        let mut section = None;
        for leaf in leaves() {
            if let Some(begun) = leaf.section.filter(|_| leaf.section() != section) {
                section = Some(begun.name);
                text.push_str(&format!("\n{}\n[{}]\n", comment(&prose(begun)), begun.name));
            }
            let value = leaf.default.unwrap_or_else(|| " # not set".to_owned());
            let Leaf { doc, variable, name, .. } = leaf;
            let doc = comment(&doc);
            text.push_str(&format!("\n{doc}\n# Environment: {variable}\n#{name} = {value}\n"));
        }
        text
    }

    /// A page of documentation, in Markdown, with every setting in a table.
    #[must_use]
    pub fn reference() -> String {
        let mut text = REFERENCE.to_owned();
        let head = "\n| setting | environment | default | meaning |\n| --- | --- | --- | --- |\n";
        text.push_str(head);
        let mut section = None;
        for leaf in leaves() {
            if let Some(begun) = leaf.section.filter(|_| leaf.section() != section) {
                section = Some(begun.name);
                text.push_str(&format!("\n## `[{}]`\n\n{}\n{head}", begun.name, prose(begun)));
            }
            let default = leaf.default.map_or_else(|| "not set".to_owned(), |d| format!("`{d}`"));
            let Leaf { doc, variable, name, .. } = leaf;
            text.push_str(&format!("| `{name}` | `{variable}` | {default} | {doc} |\n"));
        }
        text
    }
}

/// The comment of a field in one line.
fn prose(field: &Field) -> String {
    let lines: Vec<_> = field.doc.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}
