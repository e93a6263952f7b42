//! SCST's tree to facts, and steps to writes.
use crate::decide::Step;
use crate::facts::{Device, Facts, Group, PortGroup, Target};
use crate::params::Params;
use esos_sysfs::{AttrError, AttrTree, Kind};

/// The errno of Linux.
const EBUSY: i32 = 16;

/// Why a step was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// SCST refused, or the attribute is not there.
    #[error(transparent)]
    Attr(#[from] AttrError),
    /// SCST did it in the background, and it failed there.
    #[error("{what} failed with {result}")]
    Later {
        /// What was written.
        what: String,
        /// SCST's result, an errno.
        result: String,
    },
}

impl StepError {
    /// Whether something else holds what is to be changed (`EBUSY`), which may pass by itself.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Attr(e) => e.is_busy(),
            Self::Later { result, .. } => result.parse() == Ok(-EBUSY),
        }
    }
}

/// The first line of an attribute: the second may be SCST's `[key]`.
fn first(tree: &dyn AttrTree, path: &str) -> Option<String> {
    tree.read(path).ok().map(|t| t.lines().next().unwrap_or("").trim().to_owned())
}

/// What SCST has of the device group (`tree` is `/sys/kernel/scst_tgt`). DRBD, other nodes and locks are the
/// caller's to add.
#[must_use]
pub fn observe(tree: &dyn AttrTree, params: &Params) -> Facts {
    let scst = tree.read("version").is_ok();
    let mut facts = Facts { scst, ..Facts::default() };
    let dir = format!("device_groups/{}", params.device_group);
    let Ok(devices) = tree.list(&format!("{dir}/devices")) else { return facts };
    let mut g = Group::default();
    for e in devices.iter().filter(|e| e.kind != Kind::Attr) {
        let path = format!("devices/{}", e.name);
        let block = first(tree, &format!("{path}/block")).unwrap_or_default();
        let mut numbers = block.split_ascii_whitespace().map(|n| n.parse::<u32>().unwrap_or(0));
        g.devices.push(Device {
            name: e.name.clone(),
            // A device without the attribute is always open.
            active: first(tree, &format!("{path}/active")).is_none_or(|v| v != "0"),
            blocks: numbers.next().unwrap_or(0),
            draining: numbers.next().unwrap_or(0) > 0,
            size: size(tree, &path),
            file: blockio(tree, &path).then(|| first(tree, &format!("{path}/filename"))).flatten(),
            backing: None,
        });
    }
    let groups = tree.list(&format!("{dir}/target_groups")).unwrap_or_default();
    for e in groups.iter().filter(|e| e.kind == Kind::Dir) {
        let path = format!("{dir}/target_groups/{}", e.name);
        let Some(state) = first(tree, &format!("{path}/state")) else { continue };
        let group = PortGroup { name: e.name.clone(), state };
        if e.name == params.local {
            g.local = Some(group);
            g.targets = targets(tree, &path);
        } else if params.remotes.is_empty() || params.remotes.contains(&e.name) {
            g.remotes.push(group);
        }
    }
    facts.group = Some(g);
    facts
}

fn blockio(tree: &dyn AttrTree, device: &str) -> bool {
    tree.read_link(&format!("{device}/handler")).is_ok_and(|to| to.ends_with("/vdisk_blockio"))
}

/// Bytes. Without the attribute the size is not to be judged.
fn size(tree: &dyn AttrTree, path: &str) -> u64 {
    for (name, unit) in [("size", 1u64), ("size_mb", 1 << 20)] {
        if let Some(n) = first(tree, &format!("{path}/{name}")).and_then(|v| v.parse::<u64>().ok()) {
            return n.saturating_mul(unit);
        }
    }
    1
}

/// Targets of this box are links in the group; those of other boxes are directories.
fn targets(tree: &dyn AttrTree, group: &str) -> Vec<Target> {
    let mut out = Vec::new();
    for e in tree.list(group).unwrap_or_default().iter().filter(|e| e.kind == Kind::Link) {
        for driver in tree.list("targets").unwrap_or_default() {
            let path = format!("targets/{}/{}", driver.name, e.name);
            if let Some(enabled) = first(tree, &format!("{path}/enabled")) {
                out.push(Target { path, enabled: enabled == "1" });
            }
        }
    }
    out
}

/// Does one step. `EAGAIN` means that SCST goes on in the background: its result is read until it is there
/// (`pause` waits a moment, and says whether there is still time).
///
/// # Errors
/// [`StepError`].
pub fn perform(
    tree: &dyn AttrTree,
    params: &Params,
    step: &Step,
    pause: &mut dyn FnMut() -> bool,
) -> Result<(), StepError> {
    let (path, value) = match step {
        // `11`: do not wait in the write; a device whose commands never end would hold the agent for ever.
        Step::Block(d) => (format!("devices/{d}/block"), "11".to_owned()),
        Step::Unblock(d) => (format!("devices/{d}/block"), "0".to_owned()),
        Step::Activate(d) => (format!("devices/{d}/active"), "1".to_owned()),
        Step::Deactivate(d) => (format!("devices/{d}/active"), "0".to_owned()),
        Step::SetSize { device, size } => (format!("devices/{device}/size"), size.to_string()),
        Step::SetState { group, state } => {
            (format!("device_groups/{}/target_groups/{group}/state", params.device_group), state.clone())
        }
        Step::Enable(path) => (format!("{path}/enabled"), "1".to_owned()),
        Step::TouchPeer(_) => return Ok(()),
    };
    match tree.write(&path, &value) {
        Err(e) if e.errno_name() == "EAGAIN" => loop {
            match first(tree, "last_sysfs_mgmt_res") {
                Some(result) if result == "0" => return Ok(()),
                Some(result) if !result.is_empty() && result.parse::<i32>().is_ok() => {
                    return Err(StepError::Later { what: format!("writing `{value}` to {path}"), result });
                }
                _ if !pause() => return Err(StepError::Attr(e)),
                _ => {}
            }
        },
        other => Ok(other?),
    }
}
