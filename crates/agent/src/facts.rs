//! What was observed: all that a decision may rest on.

/// The state of everything that an action looks at, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Whether SCST is loaded.
    pub scst: bool,
    /// The device group; `None` where SCST has none of that name.
    pub group: Option<Group>,
    /// DRBD resources that must be promoted first; empty where none is to be looked at.
    pub drbd: Vec<Drbd>,
    /// Nodes that were lost and are not known to be off, or whose fencing is pending.
    pub unclean: Vec<String>,
    /// Whether this partition may act; `None` where nobody could be asked.
    pub quorum: Option<bool>,
    /// Whether another action of this resource still runs here.
    pub locked: bool,
}

/// A device group of SCST, as this box sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Its devices.
    pub devices: Vec<Device>,
    /// The target group of this box; `None` where it is not there.
    pub local: Option<PortGroup>,
    /// All other target groups.
    pub remotes: Vec<PortGroup>,
    /// Targets of this box in its target group.
    pub targets: Vec<Target>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Whether its backing device is open (`active`).
    pub active: bool,
    /// How often it is blocked (the first number of `block`).
    pub blocks: u32,
    /// Whether commands still run that were there before it was blocked (the second number).
    pub draining: bool,
    /// Its size in bytes; 0 where the backing device was never open here.
    pub size: u64,
    /// The backing device, where SCST takes a size for it that is told while it is closed (`vdisk_blockio`).
    pub file: Option<String>,
    /// The size in bytes of what lies below, where DRBD tells it.
    pub backing: Option<u64>,
}

/// One target group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortGroup {
    /// Its name.
    pub name: String,
    /// `active`, `nonoptimized`, `standby`, `unavailable`, `offline`, `transitioning`.
    pub state: String,
}

impl PortGroup {
    /// Whether initiators may send reads and writes there.
    #[must_use]
    pub fn serves(&self) -> bool {
        matches!(self.state.as_str(), "active" | "nonoptimized")
    }
}

/// One target of this box.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Its path below SCST's tree: `targets/iscsi/iqn…`.
    pub path: String,
    /// Whether it takes sessions.
    pub enabled: bool,
}

/// One DRBD resource on this box.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drbd {
    /// Its name.
    pub name: String,
    /// Whether this box is Primary.
    pub primary: bool,
    /// Whether every volume here is UpToDate.
    pub up_to_date: bool,
    /// Whether a peer is Primary too, or was found to have changes of its own (StandAlone).
    pub diverged: bool,
}

/// How things stand on this box, told from SCST alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// SCST or the group is not there.
    Absent,
    /// Nothing is open and the ports are out of service.
    Stopped,
    /// Nothing is open and the ports wait.
    Unpromoted,
    /// Everything is open, the ports serve, nothing is blocked.
    Promoted,
    /// Between two of them: an action was cut off, or something else had its hand in it.
    Mixed {
        /// What does not fit.
        why: String,
        /// Whether anything is open or served.
        serving: bool,
    },
}
