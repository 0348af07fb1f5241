//! Puts the cluster together: database, keys, nodes, balancer, accounts.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::dice::Dice;
use crate::front::Front;
use crate::http::Lines;
use crate::mint::Mint;
use crate::model::User;
use crate::node::{Node, OWNER, VERIFIER, hand_over};
use crate::options::Options;
use crate::postgres::Postgres;
use crate::process::free_port;
use crate::wire::Wire;
use crate::world::{FULL, World};

/// How many nodes there are.
const NODES: usize = 6;
/// How many accounts.
const USERS: usize = 120;
/// The rights of a node that only verifies.
const VERIFY_ONLY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verify-only.sql");

/// A cluster that serves.
pub(crate) async fn set_up(options: Options, folder: PathBuf) -> Result<Rc<World>, String> {
    let binary = PathBuf::from(std::env::var("BINARY").map_err(|_| "BINARY is not set")?);
    let mut postgres = Postgres::new(folder.join("postgres"));
    postgres.start().await?;
    postgres.sql("postgres", "create role amaretti login").await?;
    for name in ["amaretti", "stranger"] {
        postgres.sql("postgres", &format!("create database {name} owner amaretti")).await?;
    }
    let target = Rc::new(Cell::new(postgres.port));
    let lines = Lines::default();
    let mut nodes = Vec::new();
    for index in 0..NODES {
        nodes.push(node(index, &folder, &binary, &target).await?);
    }
    nodes[0].run(&["keys", "new"]).await?;
    if verifier() == VERIFIER {
        postgres.file("amaretti", Path::new(VERIFY_ONLY)).await?;
    }
    hand_keys(&nodes).await?;
    for node in &nodes {
        node.start(&lines).await?;
    }
    let front = Front::start(&folder, &nodes).await?;
    let mint = RefCell::new(Mint::newest(&nodes[0].keys())?);
    let world = World {
        dice: Dice::new(options.seed),
        options,
        folder,
        nodes,
        front,
        postgres: RefCell::new(Rc::new(postgres)),
        target,
        mint,
        lines,
        model: Default::default(),
        excuses: Default::default(),
        tally: Default::default(),
        latencies: Default::default(),
        pace: Cell::new(20.0),
        too_new: RefCell::new(None),
        enough: Cell::new(false),
        measures: Cell::new(false),
    };
    world.excuses.never(&world.options.unexcused);
    add_users(&world).await?;
    Ok(Rc::new(world))
}

/// The role of the nodes that only verify: one with few rights, once there is one.
fn verifier() -> &'static str {
    if Path::new(VERIFY_ONLY).exists() { VERIFIER } else { OWNER }
}

async fn node(
    index: usize,
    folder: &Path,
    binary: &Path,
    target: &Rc<Cell<u16>>,
) -> Result<Node, String> {
    let (name, role) = match index {
        0..FULL => (format!("full{index}"), OWNER),
        _ => (format!("verify{}", index - FULL), verifier()),
    };
    let folder = folder.join(&name);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(Node {
        name,
        role,
        folder,
        public: free_port()?,
        internal: free_port()?,
        wire: Wire::to(target.clone()).await?,
        clock: RefCell::new(None),
        starts: Cell::new(0),
        child: RefCell::new(None),
        binary: binary.to_owned(),
    })
}

/// Hands the keys of the first node to all others: whole ones, or the subkeys of access tokens.
async fn hand_keys(nodes: &[Node]) -> Result<(), String> {
    for node in &nodes[1..FULL] {
        hand_over(&nodes[0].keys(), &node.keys())?;
    }
    let subkeys = export(&nodes[0]).await?;
    for node in &nodes[FULL..] {
        hand_over(&subkeys, &node.keys())?;
    }
    Ok(())
}

/// The subkeys of access tokens of every key of a node, in a folder.
pub(crate) async fn export(node: &Node) -> Result<PathBuf, String> {
    let folder = node.folder.join("exported");
    let _ = fs::remove_dir_all(&folder);
    node.run(&["keys", "export", "--kind", "access", "--to", "exported"]).await?;
    Ok(folder)
}

async fn add_users(world: &World) -> Result<(), String> {
    for number in 0..USERS {
        add_user(world, &format!("user{number}")).await?;
    }
    Ok(())
}

/// Adds an account; gives its index.
pub(crate) async fn add_user(world: &World, name: &str) -> Result<usize, String> {
    let password = world.folder.join("password");
    fs::write(&password, "wonderland\n").map_err(|error| error.to_string())?;
    world.nodes[0].run_with(&["user", "add", name, "--password-stdin"], &password).await?;
    let id = format!("@{name}:localhost");
    let mut users = world.model.users.borrow_mut();
    users.push(Rc::new(User { id, busy: Cell::new(false), rests: Cell::new(None) }));
    Ok(users.len() - 1)
}
