//! What was gathered.
use crate::{Lun, Session};

/// Something that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// It is this.
    Known(T),
    /// There is no such thing on this box, as it should be.
    Unused,
    /// It could not be had, and why: the tool is missing, it failed, it said nothing.
    Unknown(String),
}

/// Room on a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Where it is mounted.
    pub mount: String,
    /// Bytes of it.
    pub total: u64,
    /// Bytes that are used.
    pub used: u64,
    /// How many files it can hold; 0 where it has no such limit.
    pub inodes: u64,
    /// How many it holds.
    pub used_inodes: u64,
    /// Whether it can only be read though it was mounted for writing.
    pub read_only: bool,
    /// How many errors ext4 has met in it since it was checked last. Linux 6.12 stops writing after one without calling
    /// the file system read-only anywhere.
    pub errors: u64,
}

/// A sensor of hwmon, in thousandths of a degree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensor {
    /// The chip and the sensor: `coretemp/Core 0`.
    pub name: String,
    /// Now.
    pub now: i64,
    /// The maker's limit of what is fine.
    pub max: Option<i64>,
    /// The maker's limit of what it stands.
    pub crit: Option<i64>,
}

/// All that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// `/proc/meminfo`.
    pub meminfo: Fact<String>,
    /// Mounted file systems.
    pub file_systems: Fact<Vec<FileSystem>>,
    /// `/proc/mdstat`.
    pub mdstat: Fact<String>,
    /// Findings of RAID controllers: tool, object, whether critical, message. Unknown where one has no tool.
    pub raid: Fact<Vec<(String, String, bool, String)>>,
    /// `smartctl --json -H -A` of each drive.
    pub smart: Fact<Vec<(String, Fact<String>)>>,
    /// `/run/esos/stick.json`.
    pub stick: Fact<String>,
    /// `/run/esos/boot.json`.
    pub boot: Fact<String>,
    /// `esos-image slots --json`.
    pub slots: Fact<String>,
    /// `/run/esos/conf.json`: what the watcher of the configuration came to.
    pub conf: Fact<String>,
    /// Seconds since the box started: `/proc/uptime`.
    pub uptime: Fact<u64>,
    /// `/var/lib/esos/conf/restored.json`.
    pub restored: Fact<String>,
    /// `/sys/kernel/kexec_crash_loaded`.
    pub crash_loaded: Fact<String>,
    /// `/run/esos/dumps.json`: what lies on the stick of earlier crashes.
    pub dumps: Fact<String>,
    /// Whether SCST should run, and what it has: see [`crate::Facts::scst_wanted`].
    pub scst_running: Fact<bool>,
    /// Devices and targets of `/etc/scst.conf`: `dev/vol01`, `tgt/iscsi/iqn…`.
    pub scst_wanted: Fact<Vec<String>>,
    /// Devices and targets that SCST has, targets with whether they are enabled.
    pub scst_has: Fact<Vec<(String, bool)>>,
    /// LUNs of `/etc/scst.conf`, and where they lead.
    pub scst_luns: Fact<Vec<Lun>>,
    /// Who has a session now.
    pub sessions: Fact<Vec<Session>>,
    /// Who had one: see [`crate::remembered`].
    pub sessions_before: Fact<Vec<Session>>,
    /// `drbdsetup status --json`.
    pub drbd: Fact<String>,
    /// `crm_mon -1`.
    pub cluster: Fact<String>,
    /// `multipath -ll`.
    pub multipath: Fact<String>,
    /// `chronyc -c tracking`.
    pub time: Fact<String>,
    /// Sensors of temperature.
    pub sensors: Fact<Vec<Sensor>>,
    /// Certificates: the file, and the seconds until it ends (negative: since it ended), or why that cannot be told.
    pub certificates: Fact<Vec<(String, Fact<i64>)>>,
}

impl Facts {
    /// A box that has nothing.
    #[must_use]
    pub fn unused() -> Self {
        Self {
            meminfo: Fact::Unused,
            file_systems: Fact::Unused,
            mdstat: Fact::Unused,
            raid: Fact::Unused,
            smart: Fact::Unused,
            stick: Fact::Unused,
            boot: Fact::Unused,
            slots: Fact::Unused,
            conf: Fact::Unused,
            uptime: Fact::Unused,
            restored: Fact::Unused,
            crash_loaded: Fact::Unused,
            dumps: Fact::Unused,
            scst_running: Fact::Unused,
            scst_wanted: Fact::Unused,
            scst_has: Fact::Unused,
            scst_luns: Fact::Unused,
            sessions: Fact::Unused,
            sessions_before: Fact::Unused,
            drbd: Fact::Unused,
            cluster: Fact::Unused,
            multipath: Fact::Unused,
            time: Fact::Unused,
            sensors: Fact::Unused,
            certificates: Fact::Unused,
        }
    }
}
