//! SCST of this machine, of a copied tree, or of a recorded state.
use esos_cli::{Exit, Failure, Global, OrExit};
use esos_hostfs::{Clock, Deadline, HostClock};
use esos_scst::{Journal, Live, ObserveError, Write, observe};
use esos_scst_sim::{Environment, Sim};
use esos_sysfs::{AttrTree, HostTree};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Where SCST's tree is below a root.
pub(crate) fn tree(global: &Global) -> HostTree {
    HostTree::new(global.root.join("sys/kernel/scst_tgt"))
}

/// A recorded state on the simulator. Backing files that the state names are taken as there.
pub(crate) fn simulator(path: &Path, wanted: &esos_scst::Config) -> Result<Sim, Failure> {
    let text = std::fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
    let mut env = Environment::default();
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

/// The state of a tree; exit code 7 where SCST is not loaded.
pub(crate) fn live(tree: &dyn AttrTree) -> Result<Live, Failure> {
    observe(tree).map_err(|e| match e {
        ObserveError::NotLoaded => Failure::new(Exit::Unavailable, "SCST is not loaded")
            .help("load it with `service scst start`, or give --root or --state"),
        other => Failure::from(other),
    })
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

/// Waits for queued commands with a deadline for each.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    deadline: Option<Deadline>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, deadline: None }
    }
}

impl Journal for Patience {
    fn before(&mut self, _step: usize, _write: &Write) -> Result<(), String> {
        self.deadline = None;
        Ok(())
    }

    fn wait(&mut self) -> bool {
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::after(&HostClock, self.limit));
        HostClock.sleep(Duration::from_millis(20));
        !deadline.passed(&HostClock)
    }
}
