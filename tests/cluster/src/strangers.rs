//! Two nodes that do not share a store refuse each other's keys at their start.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::process::run;
use crate::world::World;

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
