//! Which fault explains what, where and when.
//!
//! Only an open excuse makes a 503, a lost answer or a late fact anything but a violation; a 401 of
//! somebody who lives has no excuse at all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Whom a request was put to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// This node.
    Node(usize),
    /// The balancer, which asks any of them.
    Front,
}

/// What a fault may cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Harm {
    /// A verification has no verdict: 503, or no answer.
    Reads,
    /// A login, refresh or logout is not done: 503, or no answer.
    Writes,
    /// Facts are not heard of.
    Lag,
}

/// One fault, as long as it explains something.
pub(crate) struct Excuse {
    kind: &'static str,
    /// The nodes; everybody when empty.
    nodes: Vec<usize>,
    harms: Vec<Harm>,
    from: Instant,
    to: Cell<Option<Instant>>,
}

impl Excuse {
    /// The fault is mended; what it has caused is over after so long.
    pub(crate) fn over_in(&self, grace: Duration) {
        self.to.set(Some(Instant::now() + grace));
    }

    fn explains(&self, place: Place, harm: Harm, from: Instant, to: Instant) -> bool {
        let there = match place {
            Place::Front => true,
            Place::Node(node) => self.nodes.is_empty() || self.nodes.contains(&node),
        };
        there
            && self.harms.contains(&harm)
            && self.from <= to
            && self.to.get().is_none_or(|end| end >= from)
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Excuses {
    all: RefCell<Vec<Rc<Excuse>>>,
    unexcused: RefCell<Vec<String>>,
}

impl Excuses {
    /// Faults of this kind excuse nothing.
    pub(crate) fn never(&self, kinds: &[String]) {
        self.unexcused.borrow_mut().extend_from_slice(kinds);
    }

    /// From now on a fault explains these harms at these nodes, everywhere if none is named.
    pub(crate) fn open(&self, kind: &'static str, nodes: &[usize], harms: &[Harm]) -> Rc<Excuse> {
        self.open_in(Duration::ZERO, kind, nodes, harms)
    }

    /// The same, from so long after now.
    pub(crate) fn open_in(
        &self,
        wait: Duration,
        kind: &'static str,
        nodes: &[usize],
        harms: &[Harm],
    ) -> Rc<Excuse> {
        let (nodes, harms, to) = (nodes.to_vec(), harms.to_vec(), Cell::new(None));
        let excuse = Rc::new(Excuse { kind, nodes, harms, from: Instant::now() + wait, to });
        self.all.borrow_mut().push(excuse.clone());
        excuse
    }

    /// Whether some fault explains this harm to a request between two instants.
    pub(crate) fn explain(&self, place: Place, harm: Harm, from: Instant, to: Instant) -> bool {
        let unexcused = self.unexcused.borrow();
        let honoured = |excuse: &Rc<Excuse>| !unexcused.iter().any(|kind| kind == excuse.kind);
        let all = self.all.borrow();
        all.iter().filter(|e| honoured(e)).any(|excuse| excuse.explains(place, harm, from, to))
    }
}
