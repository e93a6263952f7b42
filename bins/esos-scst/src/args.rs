//! Arguments.
use clap::{Parser, Subcommand, ValueEnum};
use esos_cli::{Global, Late, Section, Tool, Ui};
use esos_scst::ObjectPath;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const ABOUT: &str = "\
SCST, the SCSI target of this box: scst.conf checked, planned, applied

/etc/scst.conf says which devices this box has (HANDLER, DEVICE) and who sees them by which number
(TARGET_DRIVER, TARGET, LUN; GROUP and INITIATOR where some see others). Nothing is changed before it
has been shown as a plan, each step with its class: safe, disruptive, destructive or blocked.

  esos scst check new.conf        all that is wrong with it; needs neither SCST nor root
  esos scst plan new.conf         what would be done, and to whom it would happen
  esos scst apply new.conf        do it; verified, taken back where a step fails, kept in the history
  esos scst rollback              back to what was in force before

What the file does not name is left alone, unless --prune is given. One object at a time, by its path:

  esos scst add dev/vdisk_blockio/vol1 filename=/dev/vg0/vol1
  esos scst add iscsi/iqn.2026-01.org.esos:a/lun/0 device=vol1
  esos scst set iscsi/iqn.2026-01.org.esos:a IncomingUser=\"joe secret-of-12\" enabled=1
  esos scst add iscsi/iqn.2026-01.org.esos:a/group/esx/ini/iqn.1998-01.com.vmware:*

  dev/HANDLER/DEVICE  DRIVER/TARGET  .../lun/N  .../group/G  .../group/G/ini/NAME
  dgrp/G  dgrp/G/dev/DEVICE  dgrp/G/tgrp/T  dgrp/G/tgrp/T/tgt/TARGET  scst (SCST itself)";

/// SCST, the SCSI target of this box: scst.conf checked, planned, applied
#[derive(Debug, Parser)]
#[command(name = "esos-scst", version, long_about = ABOUT)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say all that is wrong with a file (exit code 3 where something is); needs neither SCST nor root
    Check {
        /// The file
        file: PathBuf,
        /// A file that configures nothing is no error
        #[arg(long)]
        allow_empty: bool,
        /// Compare with this machine, too: portals without an address, backing files that are missing
        #[arg(long)]
        live: bool,
    },
    /// Print a file in the one layout: tabs, one entry a line; comments and order stay, passwords are in it
    Fmt {
        /// The file
        file: PathBuf,
        /// Print nothing; exit code 4 where the file would change
        #[arg(long, conflicts_with = "write")]
        check: bool,
        /// Replace the file
        #[arg(long)]
        write: bool,
    },
    /// Show what SCST has, or a generation
    Show {
        /// Only this object and what is below it, such as iscsi/iqn.2026-01.org.esos:a
        path: Option<String>,
        /// A recorded state instead of this machine
        #[arg(long, value_name = "STATE.json")]
        state: Option<PathBuf>,
        /// A file, or a generation (@42), instead of this machine; CHAP secrets as ***
        #[arg(long, value_name = "FILE|@ID", conflicts_with = "state")]
        from: Option<String>,
    },
    /// What differs between two of: live, saved, a file, a generation (@42); exit code 4 where something does
    Diff {
        /// The one
        #[arg(default_value = "live")]
        left: String,
        /// The other
        #[arg(default_value = "saved")]
        right: String,
        /// What `live` means instead of this machine
        #[arg(long, value_name = "STATE.json")]
        state: Option<PathBuf>,
    },
    /// Show what `apply` would do: additive, in order, each operation with its class and reason
    Plan(Late<PlanVerb>),
    /// Make SCST what the file says, verified, rolled back when a step fails
    Apply(Late<ApplyArgs>),
    /// Keep the change that waits for its confirmation
    Confirm {
        /// Seconds to wait for another manager that holds the lock
        #[arg(long, value_name = "SECS", default_value_t = 5)]
        wait: u64,
    },
    /// Go back to a generation, or take back the change that waits for its confirmation
    Rollback(Late<RollbackArgs>),
    /// List the generations that `apply` has kept, newest first
    History {
        /// Only the newest so many
        #[arg(short = 'n', value_name = "N")]
        number: Option<usize>,
    },
    /// Finish or take back what an interrupted apply left; every change does so first, too
    Recover {
        /// Seconds to wait for another manager that holds the lock
        #[arg(long, value_name = "SECS", default_value_t = 5)]
        wait: u64,
    },
    /// Write SCST's running configuration to a file; what the file names and is not there now stays in it
    Save {
        /// The file
        #[arg(default_value = "/etc/scst.conf")]
        file: PathBuf,
        /// Print it instead (passwords included)
        #[arg(long)]
        stdout: bool,
    },
    /// Add an object: add iscsi/iqn.2026-01.org.esos:a/group/esx/lun/0 device=vol1
    Add(Late<EditArgs>),
    /// Remove an object and what is below it
    Rm(Late<EditArgs>),
    /// Set attributes of an object: set iscsi/iqn.2026-01.org.esos:a comment="for esx"
    Set(Late<EditArgs>),
    /// Print attributes of an object
    Get {
        /// The object
        path: String,
        /// Only these
        attributes: Vec<String>,
        /// A recorded state instead of this machine
        #[arg(long, value_name = "STATE.json")]
        state: Option<PathBuf>,
    },
    /// Enable a target, or a target driver
    Enable(Late<SwitchArgs>),
    /// Disable a target, or a target driver; its sessions end
    Disable(Late<SwitchArgs>),
    /// Take over the new size of a device's backing store, or give a device without one a new size
    Resize(Late<ResizeArgs>),
    /// List sessions of initiators
    Sessions {
        /// A recorded state instead of this machine
        #[arg(long, value_name = "STATE.json", conflicts_with = "watch")]
        state: Option<PathBuf>,
        /// Again and again, with rates since the time before
        #[arg(long)]
        watch: bool,
        /// Seconds between two looks
        #[arg(long, value_name = "SECS", default_value_t = 2.0)]
        interval: f64,
        /// End after so many looks
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// Tell initiators of Fibre Channel targets to look again (LIP), of one target or of all
    Lip(Late<LipArgs>),
    /// ALUA: groups and states, the safe sequence for two boxes, and a check of two boxes
    Alua {
        #[command(subcommand)]
        verb: AluaVerb,
    },
    /// Turn another configuration into scst.conf on standard output; what could not be carried is listed
    Import {
        /// The file; none for `live`
        file: Option<PathBuf>,
        /// What it is
        #[arg(long, value_enum)]
        from: Source,
        /// Write it to this file (mode 0600) instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print a file in another form
    Export {
        /// The file
        file: PathBuf,
        /// Which form
        #[arg(long, value_enum)]
        to: Form,
    },
    /// What the init script does, step by step
    Service {
        /// Which step
        #[command(subcommand)]
        step: Step,
    },
    /// Takes a change back when its time is over
    #[command(hide = true)]
    WatchConfirmation {
        /// The generation that waits
        number: u64,
    },
}

/// Steps of the service.
#[derive(Debug, Subcommand)]
pub(crate) enum Step {
    /// Load the modules that exist; one that does not is said, and stops nothing
    Load,
    /// Wait for the devices of /etc/scst.conf, by event, then apply it; what is absent stays pending
    Up {
        /// Seconds to wait for devices at most
        #[arg(long, value_name = "SECS", default_value_t = 30)]
        budget: u64,
    },
    /// Serve what is pending as soon as it appears; goes on until it is ended
    Watch,
    /// Take targets out of service, so that initiators are logged out and caches are written
    Down,
}

/// Verbs of `alua`.
#[derive(Debug, Subcommand)]
pub(crate) enum AluaVerb {
    /// Show device groups, target groups and their states
    Show {
        /// A recorded state instead of this machine
        #[arg(long, value_name = "STATE.json")]
        state: Option<PathBuf>,
    },
    /// The safe sequence for two boxes that makes a target group the active one
    Plan {
        /// The device group
        group: String,
        /// The target group that becomes active; the others become nonoptimized
        #[arg(long, value_name = "TGRP")]
        active: String,
        /// The state of the others
        #[arg(long, default_value = "nonoptimized")]
        others: String,
        /// A recorded state instead of this machine
        #[arg(long, value_name = "STATE.json")]
        state: Option<PathBuf>,
    },
    /// Set the state of a target group of this box
    SetState {
        /// The device group
        group: String,
        /// The target group
        target_group: String,
        /// active, nonoptimized, standby, unavailable, offline or transitioning
        #[arg(value_parser = ["active", "nonoptimized", "standby", "unavailable", "offline", "transitioning"])]
        state: String,
        #[command(flatten)]
        how: How,
    },
    /// Check the configurations of two boxes against each other (exit code 4 where they do not fit)
    Lint {
        /// One box's file
        one: PathBuf,
        /// The other's
        other: PathBuf,
    },
}

/// Forms of `export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// As scstadmin reads it, passwords included
    #[value(name = "scst.conf")]
    ScstConf,
    /// JSON, passwords as `***`
    Json,
    /// TOML, passwords as `***`
    Toml,
}

/// Sources of `import`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// A file that scstadmin reads
    #[value(name = "scst.conf")]
    ScstConf,
    /// The file that TrueNAS renders for SCST
    #[value(name = "truenas")]
    TrueNas,
    /// targetcli's saveconfig.json (LIO)
    #[value(name = "targetcli", alias = "targetcli.json")]
    Targetcli,
    /// What SCST has now
    #[value(name = "live")]
    Live,
}

/// How a change is carried out.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct How {
    /// Only show the plan
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Carry out operations that interrupt service
    #[arg(long)]
    pub(crate) allow_disruptive: bool,
    /// Suspend SCST's commands while writing, waiting that many seconds for those under way [default for
    /// more than 50 writes: 30]
    #[arg(long, value_name = "SECS", num_args = 0..=1, default_missing_value = "30", conflicts_with = "no_suspend")]
    pub(crate) suspend: Option<u32>,
    /// Never suspend
    #[arg(long)]
    pub(crate) no_suspend: bool,
    /// Take everything back unless `confirm` comes in that time (30s, 5m, 1h30m)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) confirm_within: Option<Duration>,
    /// Do not keep it as /etc/scst.conf and in the history
    #[arg(long, conflicts_with = "confirm_within")]
    pub(crate) no_persist: bool,
    /// Seconds to wait for another manager that holds the lock
    #[arg(long, value_name = "SECS", default_value_t = 5)]
    pub(crate) wait: u64,
}

impl How {
    /// Whether generations are kept: on this machine, unless told otherwise.
    pub(crate) fn is_kept(&self, ui: &Ui) -> bool {
        !self.no_persist && ui.global().is_live()
    }
}

/// `--suspend` may stand without its seconds in front of anything: `apply --suspend FILE`.
pub(crate) fn separate_suspend(args: &mut [OsString]) {
    let is_number = |a: &OsString| a.to_str().is_some_and(|a| a.parse::<u64>().is_ok());
    for at in 0..args.len() {
        let alone = args.get(at.saturating_add(1)).is_none_or(|next| !is_number(next));
        if let Some(arg) = args.get_mut(at).filter(|a| alone && *a == "--suspend") {
            *arg = OsString::from("--suspend=30");
        }
    }
}

/// A path of an object, kept as it is written.
fn object(text: &str) -> Result<String, String> {
    text.parse::<ObjectPath>().map(|path| path.to_string()).map_err(|e| e.to_string())
}

/// `30s`, `5m`, `1h30m`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let bad = || format!("`{text}` is no time; write 30s, 5m or 1h30m");
    let (mut seconds, mut number) = (0u64, String::new());
    for c in text.chars() {
        let unit: u64 = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(bad()),
        };
        let n: u64 = std::mem::take(&mut number).parse().map_err(|_number| bad())?;
        seconds = n.checked_mul(unit).and_then(|n| n.checked_add(seconds)).ok_or_else(bad)?;
    }
    if number.is_empty() && seconds > 0 { Ok(Duration::from_secs(seconds)) } else { Err(bad()) }
}

/// What both `plan` and `apply` take.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// The wanted configuration
    pub(crate) file: PathBuf,
    /// Remove what the file does not name
    #[arg(long)]
    pub(crate) prune: bool,
    /// Only this object and what is below it, such as iscsi/iqn.2026-01.org.esos:a; may be repeated
    #[arg(long, value_name = "PATH", value_parser = object)]
    pub(crate) only: Vec<String>,
    /// Plan for a recorded state instead of this machine
    #[arg(long, value_name = "STATE.json")]
    pub(crate) state: Option<PathBuf>,
    /// A file that configures nothing is meant so
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

/// What `plan` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanVerb {
    #[command(flatten)]
    pub(crate) args: PlanArgs,
    /// Exit code 4 where something would be done
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

/// What `apply` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    #[command(flatten)]
    pub(crate) how: How,
    /// With --state: write the state after it to this file
    #[arg(long, value_name = "NEW.json", requires = "state")]
    pub(crate) state_out: Option<PathBuf>,
}

/// What `rollback` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    /// The generation, @42 or 42 [default: the one before the last]
    #[arg(value_parser = generation)]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) how: How,
}

/// `@42` or `42`.
pub(crate) fn generation(text: &str) -> Result<u64, String> {
    text.strip_prefix('@')
        .unwrap_or(text)
        .parse()
        .map_err(|_number| format!("`{text}` is no generation; write @42"))
}

/// What `add`, `rm` and `set` take.
#[derive(Debug, clap::Args)]
pub(crate) struct EditArgs {
    /// The object
    pub(crate) path: String,
    /// Its attributes, NAME=VALUE; a LUN has device=NAME
    pub(crate) attributes: Vec<String>,
    #[command(flatten)]
    pub(crate) how: How,
    /// A recorded state instead of this machine
    #[arg(long, value_name = "STATE.json")]
    pub(crate) state: Option<PathBuf>,
    /// With --state: write the state after it to this file
    #[arg(long, value_name = "NEW.json", requires = "state")]
    pub(crate) state_out: Option<PathBuf>,
}

/// What `resize` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ResizeArgs {
    /// The device's name
    pub(crate) device: String,
    /// The new size (64GiB, 500GB, bytes), for devices without a backing store
    pub(crate) size: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
}

/// What `lip` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct LipArgs {
    /// The target, DRIVER/TARGET
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
}

/// What `enable` and `disable` take.
#[derive(Debug, clap::Args)]
pub(crate) struct SwitchArgs {
    /// DRIVER/TARGET, or DRIVER
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) how: How,
    /// A recorded state instead of this machine
    #[arg(long, value_name = "STATE.json")]
    pub(crate) state: Option<PathBuf>,
    /// With --state: write the state after it to this file
    #[arg(long, value_name = "NEW.json", requires = "state")]
    pub(crate) state_out: Option<PathBuf>,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::section::section(global))
    }
}
