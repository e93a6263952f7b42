//! What of the machine SCST looks at.
use std::collections::{BTreeMap, BTreeSet};

/// Files, block devices, CPUs and NUMA nodes of the simulated machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Number of CPUs, 1 to 64.
    pub cpus: u32,
    /// NUMA nodes that are online.
    pub numa_nodes: BTreeSet<i64>,
    /// Regular files by path, with their size in bytes.
    pub files: BTreeMap<String, u64>,
    /// Block devices by path, with their size in bytes.
    pub block_devices: BTreeMap<String, u64>,
}

impl Default for Environment {
    /// Two CPUs, one node, no files.
    fn default() -> Self {
        Self {
            cpus: 2,
            numa_nodes: BTreeSet::from([0]),
            files: BTreeMap::new(),
            block_devices: BTreeMap::new(),
        }
    }
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    File(u64),
    Block(u64),
    Dir,
    Other,
    Missing,
    TooLong,
}

impl Environment {
    /// Adds a regular file.
    #[must_use]
    pub fn file(mut self, path: &str, size: u64) -> Self {
        self.files.insert(path.to_owned(), size);
        self
    }

    /// Adds a block device.
    #[must_use]
    pub fn block(mut self, path: &str, size: u64) -> Self {
        self.block_devices.insert(path.to_owned(), size);
        self
    }

    /// The bitmap of all CPUs as `cpu_mask` prints it.
    pub(crate) fn all_cpus(&self) -> String {
        let mask = 1u128.checked_shl(self.cpus).map_or(u128::MAX, |m| m.saturating_sub(1));
        format!("{mask:x}")
    }

    pub(crate) fn find(&self, path: &str) -> Found {
        if path.split('/').any(|part| part.len() > 255) || path.len() > 4095 {
            return Found::TooLong;
        }
        if let Some(size) = self.files.get(path) {
            return Found::File(*size);
        }
        if let Some(size) = self.block_devices.get(path) {
            return Found::Block(*size);
        }
        let below = format!("{}/", path.trim_end_matches('/'));
        if self.files.keys().chain(self.block_devices.keys()).any(|p| p.starts_with(&below)) {
            return Found::Dir;
        }
        // Character devices that every machine has.
        if matches!(path, "/dev/null" | "/dev/zero" | "/dev/full" | "/dev/random" | "/dev/urandom") {
            return Found::Other;
        }
        Found::Missing
    }
}
