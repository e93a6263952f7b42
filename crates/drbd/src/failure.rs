//! Why a command of drbdadm or drbdsetup failed, and what to do.
use serde::Serialize;

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{what}")]
#[non_exhaustive]
pub struct ToolFailure {
    /// The exit code, where it is known.
    pub exit: Option<i32>,
    /// DRBD's own number: `-2`, `127`.
    pub code: Option<i32>,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What was said, in one line.
    pub what: String,
    /// Who holds the device open (DRBD 9 names them).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub openers: Vec<Opener>,
    /// What to do, one sentence.
    pub advice: String,
}

/// A process that holds a device open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opener {
    /// `drbd0`.
    pub device: String,
    /// The command.
    pub command: String,
    /// Its process id.
    pub pid: Option<u32>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// No UpToDate data can be reached.
    NeedsUpToDate,
    /// Another node is Primary.
    TwoPrimaries,
    /// The device is open.
    HeldOpen,
    /// The peer refused.
    PeerRefused,
    /// The peer must be fenced or outdated first.
    PeerNotOutdated,
    /// This node has no quorum.
    NoQuorum,
    /// A resync or verify is running.
    ResyncRunning,
    /// There is no disk.
    Diskless,
    /// The connection is not there, or not in the right state.
    NotConnected,
    /// Something else is just changing the state.
    Busy,
    /// The resource is not up in the kernel.
    NotUp,
    /// It is up already.
    AlreadyUp,
    /// The backing device has no meta data of DRBD.
    NoMetaData,
    /// The backing device cannot be used.
    BackingDevice,
    /// The configuration does not name it for this host.
    NotConfigured,
    /// The configuration file is wrong.
    Configuration,
    /// The option is not known: an older module or older utilities.
    Unsupported,
    /// The kernel module is not loaded.
    NoModule,
    /// Only root may.
    Permission,
    /// Anything else.
    Other,
}

use FailureKind as K;

/// Texts that DRBD and its utilities print, the kind, and the advice.
const TEXTS: &[(&str, FailureKind, &str)] = &[
    (
        "Need access to UpToDate data",
        K::NeedsUpToDate,
        "wait for the resync to end or connect to a peer that is UpToDate; only if this side's data is known to be the right one, force it with `drbdadm primary --force`, which gives up the other side's changes",
    ),
    (
        "Multiple primaries not allowed",
        K::TwoPrimaries,
        "make the other node Secondary first (`drbdadm secondary` there), then promote here",
    ),
    (
        "Device is held open",
        K::HeldOpen,
        "close what uses the device (SCST: `active` of the device to 0; mounts; LVM), then try again",
    ),
    (
        "while device is opened read-only",
        K::HeldOpen,
        "a process on the peer has the device open for reading: close it there, then try again",
    ),
    (
        "while peer is not outdated",
        K::PeerNotOutdated,
        "fence the peer or mark its data as old (`drbdadm outdate` there) before promoting here",
    ),
    ("refused by peer node", K::PeerRefused, "look at the peer's log: it has a reason of its own"),
    (
        "No quorum",
        K::NoQuorum,
        "bring back enough nodes for a majority; do not lower `quorum` while another node may be Primary",
    ),
    ("already active", K::ResyncRunning, "wait until the running resync or verify has ended"),
    ("Can not resync without", K::Diskless, "attach the disk first (`drbdadm attach`)"),
    ("Device is diskless", K::Diskless, "attach the disk first (`drbdadm attach`)"),
    (
        "Have no net/connection configuration",
        K::NotConnected,
        "connect the resource first (`drbdadm connect`)",
    ),
    ("Need a connection", K::NotConnected, "connect the resource first (`drbdadm connect`)"),
    ("Can not disconnect a StandAlone", K::NotConnected, "nothing is to be done: it is disconnected already"),
    (
        "unknown connection",
        K::NotConnected,
        "nothing is to be done where it was to be disconnected: the connection is gone already; else `drbdadm connect`",
    ),
    (
        "Need a verify algorithm",
        K::Configuration,
        "set `verify-alg` in the `net` section on both nodes, then `drbdadm adjust`",
    ),
    ("Refusing to be Outdated", K::PeerRefused, "disconnect first: a connected side cannot be outdated"),
    ("In transient state", K::Busy, "try again in a second: the state is just changing"),
    ("Concurrent state changes", K::Busy, "try again: another node changed the state at the same moment"),
    (
        "Timeout in operation",
        K::Busy,
        "the peer did not answer in time: look at the network between the nodes, then try again",
    ),
    ("Device minor not allocated", K::NotUp, "bring the resource up first (`drbdadm up`)"),
    ("Unknown resource", K::NotUp, "bring the resource up first (`drbdadm up`)"),
    ("unknown minor", K::NotUp, "bring the resource up first (`drbdadm up`)"),
    ("No such resource", K::NotUp, "bring the resource up first (`drbdadm up`)"),
    ("No currently configured DRBD found", K::NotUp, "bring a resource up first (`drbdadm up`)"),
    (
        "Device is attached to a disk",
        K::AlreadyUp,
        "nothing is to be done: it is up already; `drbdadm adjust` brings in changes of the configuration",
    ),
    (
        "already exists",
        K::AlreadyUp,
        "nothing is to be done: it is up already; `drbdadm adjust` brings in changes of the configuration",
    ),
    (
        "No valid meta data found",
        K::NoMetaData,
        "make the meta data once (`drbdadm create-md`), which erases the end of the backing device, then `drbdadm up`",
    ),
    ("Unclean meta-data found", K::NoMetaData, "apply the activity log first (`drbdadm apply-al`)"),
    (
        "Can not open backing device",
        K::BackingDevice,
        "look whether the backing device is there and its path in drbd.conf is right",
    ),
    (
        "Can not open meta device",
        K::BackingDevice,
        "look whether the meta data device is there and its path in drbd.conf is right",
    ),
    (
        "opened exclusively",
        K::BackingDevice,
        "something else uses the backing device (`esos blockdev`, mounts, LVM, md): release it first",
    ),
    (
        "Low.dev. smaller than requested",
        K::BackingDevice,
        "the backing device is too small: enlarge it, or lower `size`",
    ),
    ("too small", K::BackingDevice, "the backing device is too small: enlarge it, or lower `size`"),
    (
        "not defined in your config",
        K::NotConfigured,
        "look at the spelling, and whether an `on` section names this host",
    ),
    (
        "no resources defined",
        K::NotConfigured,
        "write a resource into /etc/drbd.d, or look whether /etc/drbd.conf includes it",
    ),
    ("Parse error", K::Configuration, "mend that line (`esos drbd check FILE` shows it), then try again"),
    (
        "conflicting use of",
        K::Configuration,
        "two resources use the same port, minor number or disk: give each its own",
    ),
    (
        "unrecognized option",
        K::Unsupported,
        "this module or these utilities do not know the option: DRBD 8.4 has no JSON, use `drbdsetup events2 --now`",
    ),
    (
        "unrecognised option",
        K::Unsupported,
        "this module or these utilities do not know the option: DRBD 8.4 has no JSON, use `drbdsetup events2 --now`",
    ),
    ("invalid option", K::Unsupported, "this module or these utilities do not know the option"),
    (
        "Could not connect to 'drbd' generic netlink family",
        K::NoModule,
        "load the module first (`modprobe drbd`)",
    ),
    ("Module drbd not found", K::NoModule, "the kernel has no module `drbd`: install it"),
    ("Missing privileges", K::Permission, "run it as root"),
    ("Operation not permitted", K::Permission, "run it as root"),
    ("Permission denied", K::Permission, "run it as root"),
];

/// Whether a text is what a failed command says.
pub(crate) fn is_failure(text: &str) -> bool {
    let said = ["State change failed:", "Failure: (", "terminated with exit code", "Parse error:"];
    if said.iter().any(|s| text.contains(s)) {
        return true;
    }
    let alone = [K::NoMetaData, K::NotConfigured, K::Unsupported, K::NoModule, K::NotUp];
    let short = text.lines().filter(|l| !l.trim().is_empty()).count() <= 3;
    short && TEXTS.iter().any(|(t, kind, _)| alone.contains(kind) && text.contains(t))
}

impl ToolFailure {
    /// Understands what a failed command said. The exit code is taken from the text where it is not given.
    #[must_use]
    pub fn of(exit: Option<i32>, stderr: &str) -> Self {
        let number = |after: &str| {
            let (_, rest) = stderr.split_once(after)?;
            rest.trim_start().split(|c: char| c != '-' && !c.is_ascii_digit()).next()?.parse::<i32>().ok()
        };
        let exit = exit.or_else(|| number("terminated with exit code"));
        let code = number("failed: (").or_else(|| number("Failure: ("));
        let found = TEXTS.iter().find(|(text, ..)| stderr.contains(text));
        let openers: Vec<Opener> = stderr.lines().filter_map(opener).collect();
        let kind = match (found, code, exit) {
            (Some((_, kind, _)), ..) => kind.clone(),
            (None, Some(code), _) => by_code(code),
            (None, None, Some(20)) => K::Unsupported,
            _ => K::Other,
        };
        let kind = if openers.is_empty() { kind } else { K::HeldOpen };
        let advice = match found {
            _ if !openers.is_empty() => {
                let who: Vec<String> = openers.iter().map(Opener::told).collect();
                format!("close the device first: {}", who.join(", "))
            }
            Some((.., advice)) => (*advice).to_owned(),
            None => TEXTS.iter().find(|(_, k, _)| *k == kind && kind != K::Other).map_or_else(
                || "look at the kernel's log (`dmesg`) on both nodes for the reason".to_owned(),
                |(.., advice)| (*advice).to_owned(),
            ),
        };
        let line = stderr.lines().map(str::trim).find(|l| !l.is_empty());
        let mut what = line.map_or_else(|| "the command said nothing".to_owned(), str::to_owned);
        if let Some(next) = stderr.lines().nth(1).filter(|_| what.ends_with(',')) {
            what.push(' ');
            what.push_str(next.trim());
        }
        Self { exit, code, kind, what, openers, advice }
    }
}

impl Opener {
    fn told(&self) -> String {
        match self.pid {
            Some(pid) => format!("{} is open in {} (process {pid})", self.device, self.command),
            None => format!("{} is open in {}", self.device, self.command),
        }
    }
}

/// `drbd0 opened by bash (pid 246) at 2026-11-22 …`.
fn opener(line: &str) -> Option<Opener> {
    let (device, rest) = line.split_once(" opened by ")?;
    let device = device.split_ascii_whitespace().last()?.to_owned();
    let (command, pid) = rest.split_once(" (pid ").map_or((rest, None), |(c, p)| (c, p.split(')').next()));
    Some(Opener { device, command: command.trim().to_owned(), pid: pid.and_then(|p| p.parse().ok()) })
}

/// DRBD's numbers (`enum drbd_state_rv`, `enum drbd_ret_code`), for texts in words that are not known.
fn by_code(code: i32) -> FailureKind {
    match code {
        -1 | -20 => K::TwoPrimaries,
        -2 => K::NeedsUpToDate,
        -4 | -5 | -11 | 138 => K::Diskless,
        -7 => K::PeerNotOutdated,
        -8 => K::ResyncRunning,
        -10 | -6 => K::PeerRefused,
        -12 | -21 => K::HeldOpen,
        -9 | -13 | -15 | 162 => K::NotConnected,
        -14 | 120 | 121 | 139 | 141 | 143 | 144 => K::Configuration,
        -18 | -19 | -22 | -23 => K::Busy,
        -25 => K::NoQuorum,
        127 | 158 => K::NotUp,
        124 | 125 | 160 | 161 => K::AlreadyUp,
        104 | 105 | 107 | 108 | 111 | 112 | 114 | 115 => K::BackingDevice,
        119 | 165 => K::NoMetaData,
        152 => K::Permission,
        _ => K::Other,
    }
}
