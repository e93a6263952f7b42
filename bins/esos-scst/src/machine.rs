//! SCST of this machine, of a copied tree, or of a recorded state.
use esos_cli::{Exit, Failure, Global, OrExit, Ui};
use esos_hostfs::{Clock, Deadline, HostClock};
use esos_scst::{Journal, Live, ObserveError, Write, observe, observe_configuration};
use esos_scst_sim::{Environment, Sim};
use esos_sysfs::{AttrTree, HostTree};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where SCST's tree is below a root.
pub(crate) fn tree(global: &Global) -> HostTree {
    HostTree::new(global.root.join("sys/kernel/scst_tgt"))
}

/// A recorded state on the simulator. Backing files that the state names are taken as there.
pub(crate) fn simulator(path: &Path, wanted: &esos_scst::Config) -> Result<Sim, Failure> {
    let text = std::fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
    let mut env = backing(&text, Environment::default());
    for (handler, devices) in &wanted.handlers {
        for device in devices.devices.values() {
            let Some(file) = device.attributes.get("filename") else { continue };
            let size = 1 << 30;
            env = if handler.as_str() == "vdisk_blockio" {
                env.block(file.expose(), size)
            } else {
                env.file(file.expose(), size)
            };
        }
    }
    Sim::load(&text, env).or_exit(Exit::Invalid).context(format!("{} is no recorded state", path.display()))
}

/// The backing stores of a recorded state's own devices: they were there, so the way back finds them.
fn backing(state: &str, mut env: Environment) -> Environment {
    let Ok(state) = serde_json::from_str::<serde_json::Value>(state) else { return env };
    let text = |path: String| state["tree"].get(path).and_then(|node| node[2].as_str()).unwrap_or("");
    let link = |path: String| state["tree"].get(path).and_then(|node| node[1].as_str()).unwrap_or("");
    let first = |text: &'_ str| text.lines().next().unwrap_or("").to_owned();
    for path in state["tree"].as_object().into_iter().flatten().map(|(path, _)| path) {
        let Some(device) = path.strip_suffix("/filename").filter(|d| d.starts_with("devices/")) else {
            continue;
        };
        let file = first(text(path.clone()));
        let size = first(text(format!("{device}/size"))).parse().unwrap_or(0);
        if file.starts_with('/') {
            let block = link(format!("{device}/handler")).ends_with("/vdisk_blockio");
            env = if block { env.block(&file, size) } else { env.file(&file, size) };
        }
    }
    env
}

/// The state of a tree, as far as it can be configured; exit code 7 where SCST is not loaded.
pub(crate) fn live(tree: &dyn AttrTree) -> Result<Live, Failure> {
    observe_configuration(tree).map_err(failure)
}

/// The same with counters, connections and commands in flight.
pub(crate) fn everything(tree: &dyn AttrTree) -> Result<Live, Failure> {
    observe(tree).map_err(failure)
}

fn failure(error: ObserveError) -> Failure {
    match error {
        ObserveError::NotLoaded => Failure::new(Exit::Unavailable, "SCST is not loaded")
            .help("load it with `service scst start`, or give --root or --state"),
        other => Failure::from(other),
    }
}

/// NUMA nodes that are online, `0-1,3`; node 0 where the kernel has none.
pub(crate) fn numa_nodes(global: &Global) -> BTreeSet<i64> {
    let text = HostTree::new(global.root.join("sys/devices/system/node")).read("online").unwrap_or_default();
    let mut nodes = BTreeSet::new();
    for part in text.trim().split(',').filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
            nodes.extend(first..=last.min(first.saturating_add(1023)));
        }
    }
    if nodes.is_empty() { BTreeSet::from([0]) } else { nodes }
}

/// Backing files of a configuration that are not there.
pub(crate) fn missing(global: &Global, wanted: &esos_scst::Config) -> BTreeSet<String> {
    let devices = wanted.handlers.values().flat_map(|h| h.devices.values());
    let files = devices.filter_map(|d| d.attributes.get("filename")).map(|v| v.expose().to_owned());
    files.filter(|f| !global.root.join(f.trim_start_matches('/')).exists()).collect()
}

/// What a configuration depends on of the machine below a root. A copied tree has no interfaces, so
/// portals are not looked at there.
pub(crate) fn facts(
    global: &Global,
    config: &esos_scst::Config,
) -> Result<esos_scst::lint::Machine, Failure> {
    let mut addresses = BTreeSet::new();
    if global.is_live() {
        for interface in nix::ifaddrs::getifaddrs().context("cannot list the addresses of this machine")? {
            let Some(address) = interface.address else { continue };
            let four = address.as_sockaddr_in().map(|a| a.ip().to_string());
            addresses.extend(four.or_else(|| address.as_sockaddr_in6().map(|a| a.ip().to_string())));
        }
    } else {
        addresses.insert(String::new());
    }
    let missing = missing(global, config);
    Ok(esos_scst::lint::Machine { addresses, missing, numa_nodes: numa_nodes(global) })
}

/// Whether somebody has asked this process to end.
pub(crate) fn interrupted() -> bool {
    STOP.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// From now on SIGINT and SIGTERM are answered between two writes: what was done is rolled back.
fn mind_signals() -> Arc<AtomicBool> {
    let flag = STOP.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // Where a signal cannot be caught it ends the process, and the journal says where it was.
            let _caught = signal_hook::flag::register(signal, Arc::clone(&flag));
        }
        flag
    });
    Arc::clone(flag)
}

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Waits for queued commands with a deadline for each, shows how far it is, and minds signals.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    deadline: Option<Deadline>,
    /// How many writes there are, and when it was said how far it is.
    writes: Option<(usize, Deadline)>,
    stop: Arc<AtomicBool>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, deadline: None, writes: None, stop: mind_signals() }
    }

    /// Says every ten seconds how many of so many writes are done.
    pub(crate) fn with_progress(mut self, ui: &Ui, writes: usize) -> Self {
        if !ui.global().quiet {
            self.writes = Some((writes, Deadline::after(&HostClock, PROGRESS)));
        }
        self
    }
}

const PROGRESS: Duration = Duration::from_secs(10);

impl Journal for Patience {
    fn before(&mut self, step: usize, _write: &Write) -> Result<(), String> {
        self.deadline = None;
        if let Some((writes, next)) = &mut self.writes
            && next.passed(&HostClock)
        {
            *next = Deadline::after(&HostClock, PROGRESS);
            // Where standard error is closed nobody wants to know.
            let _told = writeln!(std::io::stderr(), "write {step} of {writes}");
        }
        if self.stop.load(Ordering::Relaxed) { Err("interrupted".to_owned()) } else { Ok(()) }
    }

    fn wait(&mut self) -> bool {
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::after(&HostClock, self.limit));
        HostClock.sleep(Duration::from_millis(20));
        !deadline.passed(&HostClock)
    }
}
