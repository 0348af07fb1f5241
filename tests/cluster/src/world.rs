//! Everything one run consists of.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use crate::dice::Dice;
use crate::excuses::{Excuses, Harm, Place};
use crate::front::Front;
use crate::http::{Ask, Lines, Outcome};
use crate::latency::Latencies;
use crate::mint::Mint;
use crate::model::{Model, User};
use crate::node::Node;
use crate::options::Options;
use crate::postgres::Postgres;
use crate::tally::Tally;

/// How many nodes hold whole keys.
pub(crate) const FULL: usize = 3;

/// The cluster, the model, the counts.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) nodes: Vec<Node>,
    pub(crate) front: Front,
    /// The database that is in use.
    pub(crate) postgres: RefCell<Rc<Postgres>>,
    /// Where every wire leads.
    pub(crate) target: Rc<Cell<u16>>,
    pub(crate) mint: RefCell<Mint>,
    pub(crate) lines: Lines,
    pub(crate) model: Model,
    pub(crate) excuses: Excuses,
    pub(crate) tally: Tally,
    pub(crate) dice: Dice,
    pub(crate) latencies: Latencies,
    /// Acts a second.
    pub(crate) pace: Cell<f64>,
    /// A key that some node does not hold yet: nobody may mint with it.
    pub(crate) too_new: RefCell<Option<String>>,
    /// Whether the load is to end.
    pub(crate) enough: Cell<bool>,
    /// Whether the way of each logout to every node is measured.
    pub(crate) measures: Cell<bool>,
}

impl World {
    /// The port of a place.
    pub(crate) fn port(&self, place: Place) -> u16 {
        match place {
            Place::Node(node) => self.nodes[node].public,
            Place::Front => self.front.port,
        }
    }

    /// Puts a request to somebody. What is nobody's fault but ours (5xx, no answer) is a violation
    /// unless a fault explains it; it comes back as `None`.
    pub(crate) async fn ask(&self, place: Place, harm: Harm, ask: Ask<'_>) -> Asked {
        let sent = Instant::now();
        let outcome = self.lines.ask(self.port(place), ask).await;
        let answered = Instant::now();
        let answer = self.of_ours(place, harm, (sent, answered), ask, outcome).ok();
        Asked { sent, answered, answer }
    }

    fn of_ours(
        &self,
        place: Place,
        harm: Harm,
        (sent, answered): (Instant, Instant),
        ask: Ask<'_>,
        outcome: Outcome,
    ) -> Result<crate::http::Answer, ()> {
        let (name, shown) = match outcome {
            Ok(answer) if answer.status < 500 => {
                self.tally.count(&format!("answered: {harm:?} {}", answer.status));
                return Ok(answer);
            }
            Ok(answer) => {
                let from_node = answer.status == 503 && answer.text.contains("errcode");
                if from_node {
                    let says = "a node that cannot decide says when to try again";
                    self.tally.holds(says, answer.retry_after, || answer.shown());
                }
                (format!("{}", answer.status), answer.shown())
            }
            Err(why) => ("nothing".to_owned(), why),
        };
        self.tally.count(&format!("answered: {harm:?} {name}"));
        let explained = self.excuses.explain(place, harm, sent, answered);
        let sentence = "5xx or no answer only while a fault explains it";
        self.tally.holds(sentence, explained, || {
            let at = place_name(self, place);
            format!("{at}: {} {} -> {shown}", ask.method, ask.path)
        });
        Err(())
    }

    /// Starts the database again after it was stopped.
    pub(crate) async fn restart_database(&self) -> Result<(), String> {
        let mut postgres = Postgres::clone(&self.postgres.borrow());
        postgres.start().await?;
        self.target.set(postgres.port);
        *self.postgres.borrow_mut() = Rc::new(postgres);
        Ok(())
    }

    /// A user whom nobody acts for, by chance.
    pub(crate) fn somebody(&self) -> Option<(usize, Rc<User>)> {
        let users = self.model.users.borrow();
        let index = self.dice.below(users.len());
        users.get(index).map(|user| (index, user.clone()))
    }
}

/// What came of a request.
pub(crate) struct Asked {
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    /// The answer, unless it was a fault of ours.
    pub(crate) answer: Option<crate::http::Answer>,
}

/// What a place is called.
pub(crate) fn place_name(world: &World, place: Place) -> String {
    match place {
        Place::Node(node) => world.nodes[node].name.clone(),
        Place::Front => "HAProxy".to_owned(),
    }
}
