//! A node of another database, which refuses our keys at its start; and a node whose log cannot be
//! written, which answers all the same.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::excuses::{Harm, Place};
use crate::node::START;
use crate::process::run;
use crate::reads::verify;
use crate::world::World;

/// A node is started whose log goes to a disk that is full.
pub(crate) async fn without_a_log(world: &Rc<World>) -> Result<(), String> {
    world.tally.count("fault: disk of the log full");
    let index = 1;
    let node = &world.nodes[index];
    let excuse = world.excuses.open("restart", &[index], &[Harm::Reads, Harm::Writes, Harm::Lag]);
    node.stop().await;
    world.lines.hang_up(node.public);
    node.spawn_saying(Path::new("/dev/full"))?;
    node.ready(&world.lines, START).await?;
    let session = world.dice.pick(&world.model.open.borrow()).cloned().ok_or("no session")?;
    for _ in 0..20 {
        let token = session.token();
        let status = verify(world, Place::Node(index), &session, &token).await;
        let sentence = "a node whose log cannot be written answers all the same";
        world.tally.holds(sentence, status != 0, || "no answer".to_owned());
    }
    node.stop().await;
    world.lines.hang_up(node.public);
    node.start(&world.lines).await?;
    excuse.over_in(Duration::from_secs(3));
    Ok(())
}

/// A node of another database is started with our keys.
pub(crate) async fn run_one(world: &Rc<World>) -> Result<(), String> {
    let node = &world.nodes[0];
    let folder = world.folder.join("stranger");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let port = world.postgres.borrow().port;
    let command = |words: &[&str], keys: &Path| {
        let mut command = Command::new(&node.binary);
        command.args(words).current_dir(&folder).env_clear().env("AMARETTI_KEYS", keys);
        let url = format!("postgres://amaretti@127.0.0.1:{port}/stranger");
        command.env("AMARETTI_DATABASE", url).env("PATH", std::env::var_os("PATH").unwrap());
        command.env("AMARETTI_LISTEN", "127.0.0.1:0").env("AMARETTI_INTERNAL", "127.0.0.1:0");
        command
    };
    run(&mut command(&["keys", "new"], &folder.join("own"))).await?;
    let serve = &mut command(&["serve"], &node.keys());
    let tried = timeout(Duration::from_secs(10), run(serve)).await;
    let said = match tried {
        Ok(Err(said)) => said,
        Ok(Ok(said)) => format!("ended well: {said}"),
        Err(_) => "it serves".to_owned(),
    };
    let sentence = "a node refuses at its start the keys of a node that does not share its store";
    let right = said.contains("store") || said.contains("database");
    world.tally.holds(sentence, right && said.contains("exit"), || said.clone());
    Ok(())
}
