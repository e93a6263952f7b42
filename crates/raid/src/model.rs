//! What all tools tell, in one shape. Field names are those of the facts document.
use crate::{ArrayState, Details, DriveState, Level, Problem, Size, Spare, TaskKind};
use foldhash::fast::RandomState;
use serde::Serialize;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// Everything that the captures of one case tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// How many controllers there are, where the tool prints it.
    pub controller_count: Option<u64>,
    /// Controllers, in printed order.
    pub controllers: Vec<Controller>,
    /// HP arrays and Areca raid sets.
    pub groups: Vec<Group>,
    /// Arrays (logical drives, units, md devices), in printed order.
    pub arrays: Vec<Array>,
    /// Physical drives, in printed order.
    pub drives: Vec<Drive>,
    /// Batteries and capacitors.
    pub bbu: Vec<Battery>,
    /// Tasks that the tool lists apart from the arrays.
    pub ops: Vec<Task>,
    /// Enclosures.
    pub enclosures: Vec<Enclosure>,
    /// What commands said about themselves.
    pub results: Vec<Completed>,
    /// Slots and ports without a drive.
    pub empty_slots: Vec<String>,
    /// Rows of tables that could not be read, as printed.
    pub malformed_rows: Vec<String>,
    /// Foreign configurations, as printed.
    pub foreign: Vec<Details>,
    /// Number of foreign configurations by controller.
    pub foreign_configs: BTreeMap<String, u64>,
    /// How many drives carry a foreign configuration, where the tool counts them.
    pub foreign_pds: Option<u64>,
    /// By capture: whether the tool's closing line was seen; absent for tools without one.
    pub complete: BTreeMap<String, bool>,
    /// By capture: the exit code that MegaCli printed, which is no process status.
    #[serde(skip)]
    pub printed_exit_codes: BTreeMap<String, u64>,
    /// Numbers that the tool prints of its lists.
    #[serde(skip)]
    pub(crate) counts: Counts,
    /// Where drives are in their list, as far as it was looked at.
    #[serde(skip)]
    pub(crate) index: DriveIndex,
    /// What went wrong first.
    pub error: Option<Problem>,
    /// What went wrong after that.
    pub more_errors: Vec<Problem>,
    /// What was read but cannot be wholly right: counts, sums or lists of members say otherwise.
    pub doubts: Vec<Problem>,
}

/// A RAID controller.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Controller {
    /// Its id in the tool's words.
    pub id: String,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// State as printed.
    pub state_raw: Option<String>,
    /// State.
    pub state: Option<ArrayState>,
    /// Mode as printed.
    pub mode: Option<String>,
    /// Cache.
    pub cache: Details,
    /// What only this tool prints.
    #[serde(flatten)]
    pub details: Details,
}

/// A set of drives from which arrays are cut.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Group {
    /// Its controller.
    pub controller: Option<String>,
    /// Its number.
    pub id: Option<String>,
    /// Its letter (HP).
    pub array: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// State as printed.
    pub state_raw: Option<String>,
    /// State.
    pub state: Option<ArrayState>,
    /// How many drives.
    pub member_count: Option<u64>,
    /// Size.
    pub size: Option<Size>,
    /// Size not yet used.
    pub free: Option<Size>,
    /// Size of the smallest member.
    pub min_disk: Option<Size>,
    /// Channels of its drives, in the set's order.
    pub channels: Option<Vec<String>>,
}

/// An array that the host sees as one disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Array {
    /// Its controller.
    pub controller: Option<String>,
    /// Its id in the tool's words.
    pub id: String,
    /// Its name; empty where the tool prints an empty one.
    pub name: Option<String>,
    /// The group it is cut from.
    pub group: Option<String>,
    /// Level as printed.
    pub level_raw: Option<String>,
    /// Level.
    pub level: Option<Level>,
    /// State as printed.
    pub state_raw: Option<String>,
    /// State; the state word alone decides, progress is in `op`.
    pub state: Option<ArrayState>,
    /// Size.
    pub size: Option<Size>,
    /// How many drives.
    pub member_count: Option<u64>,
    /// How many spans.
    pub span_depth: Option<u64>,
    /// Strip size as printed.
    pub stripe: Option<String>,
    /// Drive group.
    pub disk_group: Option<String>,
    /// Cache policies.
    pub cache: Details,
    /// Members, where the captures show them.
    pub members: Option<Vec<Member>>,
    /// What it is doing. Most do nothing, and a task is large.
    pub op: Option<Box<Task>>,
    /// Its block device.
    pub os_device: Option<String>,
    /// What only this tool prints.
    #[serde(flatten)]
    pub details: Details,
}

/// A drive's part in an array.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Member {
    /// The drive's key.
    pub key: Option<String>,
    /// State as printed.
    pub state_raw: Option<String>,
    /// Where it is, if the tool prints no key.
    pub location: Option<String>,
    /// The drive's serial number.
    pub serial: Option<String>,
    /// What only this tool prints.
    #[serde(flatten)]
    pub details: Details,
}

/// A physical drive.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Drive {
    /// Its controller.
    pub controller: Option<String>,
    /// Its address in the tool's words: `252:4`, `0,1`, `1I:1:4`, `p8`.
    pub key: String,
    /// Enclosure.
    pub enclosure: Option<String>,
    /// Slot.
    pub slot: Option<String>,
    /// The controller's number for it.
    pub device_id: Option<String>,
    /// Vendor.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Interface as printed.
    pub interface: Option<String>,
    /// Size.
    pub size: Option<Size>,
    /// State as printed.
    pub state_raw: Option<String>,
    /// State.
    pub state: Option<DriveState>,
    /// Which arrays it is a spare for.
    pub spare: Option<Spare>,
    /// Whether it carries another controller's configuration.
    pub foreign: Option<bool>,
    /// Errors of the medium so far.
    pub media_errors: Option<u64>,
    /// Predictive failures so far.
    pub predictive_failures: Option<u64>,
    /// Whether the drive raised a SMART alert.
    pub smart_alert: Option<bool>,
    /// Group.
    pub group: Option<String>,
    /// Drive group.
    pub disk_group: Option<String>,
    /// Location as printed.
    pub location: Option<String>,
    /// What only this tool prints.
    #[serde(flatten)]
    pub details: Details,
}

/// A battery or capacitor.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Battery {
    /// Its controller.
    pub controller: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// State as printed; may be empty.
    pub state_raw: Option<String>,
    /// Whether the tool asks to replace it.
    pub replace_required: Option<bool>,
    /// What only this tool prints.
    #[serde(flatten)]
    pub details: Details,
}

/// Something that takes its time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Task {
    /// Its controller.
    pub controller: Option<String>,
    /// The array it works on.
    pub array: Option<String>,
    /// The drive it works on.
    pub target: Option<String>,
    /// What it does.
    pub kind: Option<TaskKind>,
    /// What it does, as printed.
    pub kind_raw: Option<String>,
    /// How far it is, in percent, as precise as printed.
    pub percent: Option<Number>,
    /// State as printed.
    pub status_raw: Option<String>,
    /// What only this tool prints.
    #[serde(flatten)]
    pub details: Details,
}

/// An enclosure.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Enclosure {
    /// Its controller.
    pub controller: Option<String>,
    /// State as printed.
    pub status_raw: Option<String>,
    /// What only this tool prints.
    #[serde(flatten)]
    pub details: Details,
}

/// What a command said about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Completed {
    /// The controller, where one is named.
    pub controller: Option<String>,
    /// `Success` or `Failure`.
    pub status: String,
    /// The tool's words.
    pub description: Option<String>,
    /// Rows of the detailed status.
    pub detailed: Option<Vec<Details>>,
}

/// Numbers that a tool prints of its lists, by controller.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counts {
    /// How many arrays.
    pub(crate) arrays: Vec<(Option<String>, Option<u64>)>,
    /// How many drives.
    pub(crate) drives: Vec<(Option<String>, Option<u64>)>,
    /// Numbers of rows or records in the order in which they were printed, by list.
    pub(crate) rows: BTreeMap<String, Vec<u64>>,
}

/// Finds drives by controller and key without going through the list each time: by the hash of both,
/// which the drive that is found then confirms.
#[derive(Debug, Clone, Default)]
pub(crate) struct DriveIndex {
    places: HashMap<u64, usize, RandomState>,
    done: usize,
}

/// It holds nothing that the list does not hold.
impl PartialEq for DriveIndex {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Facts {
    /// Where a drive is in the list.
    pub(crate) fn drive_at(&mut self, controller: Option<&str>, key: &str) -> Option<usize> {
        if self.index.done > self.drives.len() {
            self.index = DriveIndex::default();
        }
        let seed = self.index.places.hasher().clone();
        for (at, drive) in self.drives.iter().enumerate().skip(self.index.done) {
            let hash = seed.hash_one((drive.controller.as_deref(), drive.key.as_str()));
            self.index.places.entry(hash).or_insert(at);
        }
        self.index.done = self.drives.len();
        let is = |d: &Drive| d.key == key && d.controller.as_deref() == controller;
        let at = self.index.places.get(&seed.hash_one((controller, key))).copied()?;
        match self.drives.get(at) {
            Some(drive) if is(drive) => Some(at),
            // Two of one hash.
            _ => self.drives.iter().position(is),
        }
    }

    /// Keeps what contradicts the rest. Each is told once.
    pub(crate) fn doubt(&mut self, line: Option<usize>, message: String) {
        if self.doubts.iter().any(|d| d.message.as_deref() == Some(message.as_str())) {
            return;
        }
        let mut problem = Problem::said(crate::ProblemKind::Contradiction, &message);
        problem.line = line;
        self.doubts.push(problem);
    }

    /// Keeps what went wrong; the first one is `error`.
    pub(crate) fn fail(&mut self, problem: Problem) {
        if self.error.is_none() {
            self.error = Some(problem);
        } else {
            self.more_errors.push(problem);
        }
    }
}

/// Sets a detail.
pub(crate) fn put(details: &mut Details, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
    details.insert(name, value.into());
}
