//! `amaretti keys`: signing keys on disk.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::outcome::{instant, note, table};
use super::{Done, Place, Trouble, audit, block_on, existing_store, open_store, say};
use crate::keyfile::{self, Held, KeyFile};
use crate::revocations::{Fact, KeyState};
use crate::service::{Event, make_key};
use crate::store::{Node, Signed, Store};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::token::{Key, KeyId, Kind};

#[derive(Subcommand)]
pub(super) enum Keys {
    /// Make the first key of a database
    New(New),
    /// List the keys in the folder and which nodes hold them
    List(Place),
    /// Add a key: it verifies at once and mints once every live node holds it
    Rotate(Rotate),
    /// Give up a key for ever: every token it signed is dead
    Retire(Retire),
    /// Write subkeys, for nodes that only verify
    Export(Export),
}

#[derive(Args)]
pub(super) struct New {
    /// Make a key although this database has had one that is lost: every token there is dies
    #[arg(long)]
    replace_lost: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct Rotate {
    /// Do not wait for this node: it is dead or stolen. May be given more than once
    #[arg(long, value_name = "NODE")]
    without: Vec<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct Retire {
    /// Id of the key
    #[arg(value_name = "KEY")]
    key: String,
    /// Retire it although somebody would have to log in again
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct Export {
    /// Folder to write to; made with mode 0700
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Kind of token that the holder may verify, and could forge
    #[arg(long, value_name = "KIND", default_value = "access", value_parser = kind)]
    kind: Kind,
    #[command(flatten)]
    place: Place,
}

impl Keys {
    pub(super) fn run(self) -> Done {
        match self {
            Self::New(new) => block_on(new.run()),
            Self::List(place) => block_on(list(place)),
            Self::Rotate(rotate) => block_on(rotate.run()),
            Self::Retire(retire) => block_on(retire.run()),
            Self::Export(export) => export.run(),
        }
    }
}

impl New {
    async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let audit = audit(&config)?;
        let store = open_store(&config).await?;
        let files = keyfile::read_folder(&config.keys)?;
        keyfile::check_store(&files, store.id())?;
        if let Some(file) = files.first() {
            let what = format!(
                "{} is the key of this database: `amaretti keys rotate` adds another",
                file.path.display()
            );
            return Err(Trouble::new(what));
        }
        if store.read().await?.has_had_key().await? && !self.replace_lost {
            let what = format!(
                "this database has had a key, and {} holds none: put the file back. Only if it is \
                 lost for good, give --replace-lost: every token there is dies then",
                config.keys.display()
            );
            return Err(Trouble::new(what));
        }
        let now = SystemClock::default().now();
        let (id, path) = make_key(&store, &config.keys, now).await?;
        audit.tell(now, &Event::KeyMade { key: id });
        say(&format!("made key {id} in {}", path.display()))
    }
}

impl Rotate {
    async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let audit = audit(&config)?;
        let store = existing_store(&config).await?;
        let files = keyfile::read_folder(&config.keys)?;
        keyfile::check_store(&files, store.id())?;
        if !files.iter().any(|file| matches!(file.held, Held::Key(_))) {
            let what = format!("there is no key in {} to rotate from", config.keys.display());
            return Err(Trouble::new(what));
        }
        let nodes = store.nodes().await?;
        if let Some(unknown) = self.without.iter().find(|name| named(&nodes, name).is_none()) {
            let what = format!("there is no node {unknown}: `amaretti keys list` shows them");
            return Err(Trouble::new(what));
        }
        let now = SystemClock::default().now();
        let (id, path) = make_key(&store, &config.keys, now).await?;
        for node in &self.without {
            store.excuse(node, id).await?;
            note(&format!("It does not wait for {node}, which will answer 503 for its tokens."));
        }
        audit.tell(now, &Event::KeyMade { key: id });
        note("It verifies as soon as a node has read it, and mints once every live node has.");
        note("Copy the file to every other node now; the old keys stay good.");
        say(&format!("made key {id} in {}", path.display()))
    }
}

fn named<'n>(nodes: &'n [Node], name: &str) -> Option<&'n Node> {
    nodes.iter().find(|node| node.name == name)
}

impl Retire {
    async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let id = KeyId::parse(&self.key).ok_or_else(|| {
            Trouble::new("a key id has 8 digits: `amaretti keys list` shows them")
        })?;
        let audit = audit(&config)?;
        let store = existing_store(&config).await?;
        let files = keyfile::read_folder(&config.keys)?;
        keyfile::check_store(&files, store.id())?;
        let others = files.iter().filter(|file| file.id != id);
        let successor = others.filter(|file| matches!(file.held, Held::Key(_)));
        let successor = successor.map(|file| file.created).max().ok_or_else(|| {
            Trouble::new("there would be no key left to mint with: `amaretti keys rotate` first")
        })?;
        let hit = hit(&store, id, successor).await?;
        let bare = bare(&store, id).await?;
        let nobody = hit.is_empty() && bare.is_empty();
        if !self.force && !nobody {
            return Err(refused(&hit, &bare));
        }
        let mut tx = store.begin().await?;
        tx.append(&Fact::Key { id, state: KeyState::Retired }, None, &[id])?;
        tx.commit().await?;
        let now = SystemClock::default().now();
        audit.tell(now, &Event::KeyRetired { key: id, devices: hit.len() as u64 });
        note("No node uses it again: take its file away everywhere.");
        note("Not counted: tokens minted offline, login tokens under way, guests.");
        say(&format!("retired key {id}; sessions that have to log in again: {}", hit.len()))
    }
}

/// How long after a key was made the one before may still have minted, in milliseconds.
const SPREAD: u64 = 60_000;

/// The sessions that would have to log in again. Of one whose keys were not written down, because it
/// is as old as that, the date decides.
async fn hit(store: &Store, id: KeyId, successor: Timestamp) -> Result<Vec<Signed>, Trouble> {
    let mut hit = store.signed_with(id).await?;
    let old = |beginning: Timestamp| beginning < successor.plus(SPREAD);
    hit.retain(|signed| !signed.keys.is_empty() || old(signed.session.beginning()));
    Ok(hit)
}

/// The live nodes that hold no other key.
async fn bare(store: &Store, id: KeyId) -> Result<Vec<String>, Trouble> {
    let now = SystemClock::default().now();
    let nodes = store.nodes().await?.into_iter().filter(|node| node.is_live(now));
    let bare = nodes.filter(|node| !node.keys.iter().any(|key| *key != id));
    Ok(bare.map(|node| node.name).collect())
}

/// How many of those who would be hit are named.
const NAMED: usize = 20;

fn refused(hit: &[Signed], bare: &[String]) -> Trouble {
    let mut what = String::new();
    if !hit.is_empty() {
        what = format!("{} sessions live by this key and would have to log in again:", hit.len());
        for Signed { user_id, device_id, session, keys } in hit.iter().take(NAMED) {
            let maybe = if keys.is_empty() { " (perhaps: it is as old as that)" } else { "" };
            what.push_str(&format!("\n  {user_id} on {device_id}, session {session}{maybe}"));
        }
        if hit.len() > NAMED {
            what.push_str(&format!("\n  and {} more", hit.len() - NAMED));
        }
        what.push('\n');
    }
    if !bare.is_empty() {
        what.push_str(&format!("these nodes hold no other key: {}\n", bare.join(", ")));
    }
    what.push_str("--force retires it all the same");
    Trouble::new(what)
}

async fn list(place: Place) -> Done {
    let config = place.resolve(None, None)?;
    let mut files = keyfile::read_folder(&config.keys)?;
    files.sort_by_key(|file| (file.created, file.id));
    let now = SystemClock::default().now();
    let nodes = match existing_store(&config).await {
        Ok(store) => store.nodes().await?,
        Err(_) => Vec::new(),
    };
    let live: Vec<_> = nodes.iter().filter(|node| node.is_live(now)).collect();
    let row = |file: &KeyFile| {
        let what = match &file.held {
            Held::Key(_) => "whole key".to_owned(),
            Held::Subkey(subkey) => format!("subkey, {}", subkey.kind()),
        };
        let holders = live.iter().filter(|node| node.keys.contains(&file.id)).count();
        vec![
            file.id.to_string(),
            what,
            instant(file.created),
            format!("{holders} of {}", live.len()),
            file.path.display().to_string(),
        ]
    };
    let rows: Vec<_> = files.iter().map(row).collect();
    let mut page = table(&["KEY", "HELD", "MADE", "LIVE NODES", "FILE"], &rows);
    if !nodes.is_empty() {
        page.push_str("\n\n");
        page.push_str(&holders(&nodes, now));
    }
    say(&page)
}

/// Which node holds which keys, and which a new key waits for.
fn holders(nodes: &[Node], now: Timestamp) -> String {
    let keys = |keys: &[KeyId]| keys.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ");
    let row = |node: &Node| {
        let state = match (node.is_live(now), node.answers_until < now) {
            (true, _) => "live".to_owned(),
            (false, true) => "gone".to_owned(),
            (false, false) => format!("silent, waited for until {}", instant(node.answers_until)),
        };
        vec![node.name.clone(), state, instant(node.seen_at), keys(&node.keys), keys(&node.excused)]
    };
    let rows: Vec<_> = nodes.iter().map(row).collect();
    table(&["NODE", "STATE", "LAST HEARD", "HOLDS", "NOT WAITED FOR BY"], &rows)
}

impl Export {
    fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let audit = audit(&config)?;
        let files = keyfile::read_folder(&config.keys)?;
        let there = keyfile::read_folder(&self.to)?;
        let (mut written, mut keys) = (Vec::new(), Vec::new());
        for file in &files {
            let Held::Key(key) = &file.held else { continue };
            let subkey = key.subkey(self.kind);
            let same = |known: &&KeyFile| match &known.held {
                Held::Subkey(held) => known.id == file.id && held.kind() == self.kind,
                Held::Key(_) => false,
            };
            if let Some(known) = there.iter().find(same) {
                written.push(format!("kept {}", known.path.display()));
                continue;
            }
            // The age of the key, not of its export, decides which key is the newest.
            let path = keyfile::write_subkey(&self.to, &subkey, file.store, file.created)?;
            written.push(format!("wrote {}", path.display()));
            keys.push(file.id);
        }
        if !keys.is_empty() {
            let now = SystemClock::default().now();
            audit.tell(now, &Event::KeysExported { kind: self.kind, keys });
        }
        if written.is_empty() {
            let what = format!("there is no whole key in {} to export from", config.keys.display());
            return Err(Trouble::new(what));
        }
        let kind = self.kind;
        note(&format!(
            "Whoever holds these files can verify {kind} tokens, and can forge {kind} tokens for \
             every user. No token of another kind comes of them."
        ));
        say(&written.join("\n"))
    }
}

pub(super) fn kind(name: &str) -> Result<Kind, String> {
    let names = || Kind::ALL.map(Kind::name).join(", ");
    Kind::from_name(name).ok_or_else(|| format!("there are: {}", names()))
}

/// The newest whole key of a folder: what a command mints with that has no node to ask.
pub(super) fn newest(files: &[KeyFile]) -> Option<&Key> {
    let whole = files.iter().filter_map(|file| match &file.held {
        Held::Key(key) => Some((file.created, file.id, key)),
        Held::Subkey(_) => None,
    });
    whole.max_by_key(|(created, id, _)| (*created, *id)).map(|(_, _, key)| key)
}
