//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Section, Tool};
use esos_crashdump::{Codec, Level};
use std::path::PathBuf;

/// Kernel crash dumps: be ready for them, save, check and read them
#[derive(Debug, Parser)]
#[command(name = "esos-crash", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Load the crash kernel of the running slot, and make faults of the kernel crashes
    Arm(Arm),
    /// Unload the crash kernel
    Disarm,
    /// Say whether a crash would be captured (exit code 7 where not, with the reason), and what dumps there are
    Status,
    /// After a boot: read new dumps back, report each once, keep their number and room within bounds
    Check(Check),
    /// Write a filtered, compressed dump of a core, its log and its manifest; nothing is overwritten
    Save(Save),
    /// Make another form of a dump: packed or filtered anew, an ELF core, or the flattened stream for pipes
    Convert(Convert),
    /// Print the kernel's log out of a core or a dump
    Dmesg {
        /// `/proc/vmcore`, an ELF core, a kdump-compressed dump, or the name of a dump of this box
        file: PathBuf,
    },
    /// Read and unpack every page of a dump, and compare it with its manifest (exit code 3 where it is damaged)
    Verify {
        /// A kdump-compressed dump, or the name of a dump of this box
        file: PathBuf,
    },
    /// Show kernel, panic reason, stack and modules of a core or a dump
    Show {
        /// `/proc/vmcore`, an ELF core, a kdump-compressed dump, or the name of a dump of this box
        file: PathBuf,
    },
    /// List the dumps of a directory by their manifests
    List {
        /// The directory; that of the box if none is given
        dir: Option<PathBuf>,
    },
    /// Write one file for the support desk: log, stack, versions, and no memory of any program
    Report {
        /// `/proc/vmcore`, an ELF core, a kdump-compressed dump, or the name of a dump of this box
        file: PathBuf,
        /// The report; printed if not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Note that somebody has looked at dumps of the box; `show`, `report` and `dmesg` of one note it, too
    Seen {
        /// Their names, as `list` shows them
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Remove dumps of the box with their logs and manifests
    Remove {
        /// Their names, as `list` shows them
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Say how large a dump would be: of this machine as it runs, or of a core
    Estimate {
        /// The core
        #[arg(default_value = "/proc/kcore")]
        core: PathBuf,
        /// Pages to leave out, as for `save`
        #[arg(long, default_value = "31")]
        level: Level,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arm {
    /// The crash kernel; that of the running slot if not given
    #[arg(long, value_name = "FILE", requires = "initramfs")]
    pub(crate) kernel: Option<PathBuf>,
    /// Its initramfs
    #[arg(long, value_name = "FILE", requires = "kernel")]
    pub(crate) initramfs: Option<PathBuf>,
    /// Level of the dump
    #[arg(long, default_value = "31")]
    pub(crate) level: Level,
    /// Leave the kernel's settings (`panic_on_oops` and the like) as they are
    #[arg(long)]
    pub(crate) keep_settings: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Dumps to keep; the newest and those that nobody was told of stay in any case
    #[arg(long, default_value = "5")]
    pub(crate) keep: usize,
    /// Do not report, only read back
    #[arg(long)]
    pub(crate) no_report: bool,
    /// Wait so long until the mails have left, and note that they have; without it the next `check` does
    #[arg(long, value_name = "SECONDS", default_value = "0", conflicts_with = "no_report")]
    pub(crate) wait: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Save {
    /// `/proc/vmcore` or another ELF core
    pub(crate) vmcore: PathBuf,
    /// The dump; the log goes to FILE.dmesg, the manifest to FILE.manifest.json
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Pages to leave out, the sum of: 1 zero, 2 cache, 4 cache with private data, 8 user, 16 free
    #[arg(long, default_value = "31")]
    pub(crate) level: Level,
    /// zstd, lzo, snappy, zlib or none
    #[arg(long, default_value = "zstd")]
    pub(crate) compress: Codec,
    /// Threads that read and pack; one per CPU if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: Option<u16>,
    /// The greatest size of the dump; what is needed least is dropped
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_size: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    /// A kdump-compressed dump, flattened or not, or the name of a dump of this box
    pub(crate) file: PathBuf,
    /// The new file; `-` writes to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Its form
    #[arg(long, value_enum, default_value = "kdump")]
    pub(crate) format: Format,
    /// Pages to leave out, as for `save`; those of the dump if not given
    #[arg(long)]
    pub(crate) level: Option<Level>,
    /// zstd, lzo, snappy, zlib or none
    #[arg(long, default_value = "zstd")]
    pub(crate) compress: Codec,
}

/// A form of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// kdump-compressed
    Kdump,
    /// An ELF core, packed not at all
    Elf,
    /// The kdump-compressed form as a stream (`makedumpfile -R` reads it)
    Flat,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::status::section(global))
    }
}
