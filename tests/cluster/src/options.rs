//! What the suite is told on its command line.

/// How long, how much, from which seed.
pub(crate) struct Options {
    /// What the random choices grow from.
    pub(crate) seed: u64,
    /// Logouts whose way to every node is measured.
    pub(crate) logouts: usize,
    /// Logouts a second while that is measured.
    pub(crate) rate: f64,
    /// For how long faults are injected, in seconds.
    pub(crate) seconds: u64,
    /// Longer outages.
    pub(crate) long: bool,
    /// Facts loaded at the end.
    pub(crate) facts: usize,
    /// Whether to measure what one database carries.
    pub(crate) capacity: bool,
    /// Whether to leave the drawing and the figures in the tree.
    pub(crate) keep: bool,
    /// Kinds of fault that excuse nothing, to see the suite fail.
    pub(crate) unexcused: Vec<String>,
    /// Scenes to play; all when empty.
    pub(crate) only: Vec<String>,
}

const USAGE: &str = "scripts/suites/cluster [--seed N] [--logouts N] [--rate PER_SECOND] \
    [--seconds N] [--long] [--facts N] [--capacity] [--keep] [--unexcused FAULT] [--only SCENE]";

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// How it should have been written.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            seed: u64::from(std::process::id()) << 20 ^ crate::mint::now_ms(),
            logouts: 2000,
            rate: 40.0,
            seconds: 0,
            long: false,
            facts: 0,
            capacity: false,
            keep: false,
            unexcused: Vec::new(),
            only: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(USAGE.to_owned());
            match word.as_str() {
                "--seed" => options.seed = number(&value()?)?,
                "--logouts" => options.logouts = number(&value()?)?,
                "--rate" => options.rate = number(&value()?)?,
                "--seconds" => options.seconds = number(&value()?)?,
                "--long" => options.long = true,
                "--facts" => options.facts = number(&value()?)?,
                "--capacity" => options.capacity = true,
                "--keep" => options.keep = true,
                "--unexcused" => options.unexcused.push(value()?),
                "--only" => options.only.push(value()?),
                _ => return Err(format!("{word} is not known\n{USAGE}")),
            }
        }
        if options.seconds == 0 {
            options.seconds = if options.long { 600 } else { 30 };
        }
        if options.facts == 0 {
            options.facts = if options.long { 2_000_000 } else { 100_000 };
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number\n{USAGE}"))
}
