//! How much of the machine is idle, and which machine it is.

/// Ticks of all cores since the machine was started.
#[derive(Clone, Copy)]
pub(crate) struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    pub(crate) fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
        // idle, and waiting for a disk
        let idle = ticks.iter().skip(3).take(2).sum();
        Self { idle, all: ticks.iter().take(8).sum() }
    }

    /// The idle share of the machine since then, in percent.
    pub(crate) fn idle_since(self) -> f64 {
        let now = Self::now();
        100.0 * (now.idle - self.idle) as f64 / (now.all - self.all).max(1) as f64
    }
}

/// The processor, and how many cores of it there are.
pub(crate) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or("", |name| name.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} x {name}")
}
