//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Tool};
use esos_crashdump::{Codec, Level};
use std::path::PathBuf;

/// Kernel crash dumps: save, check and read them
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
    /// Write a filtered, compressed dump of a core, its log and its manifest; nothing is overwritten
    Save(Save),
    /// Print the kernel's log out of a core or a dump
    Dmesg {
        /// `/proc/vmcore`, an ELF core, or a kdump-compressed dump
        file: PathBuf,
    },
    /// Read and unpack every page of a dump, and compare it with its manifest (exit code 3 where it is damaged)
    Verify {
        /// A kdump-compressed dump
        file: PathBuf,
    },
    /// Show kernel, panic reason, stack and modules of a core or a dump
    Show {
        /// `/proc/vmcore`, an ELF core, or a kdump-compressed dump
        file: PathBuf,
    },
    /// List the dumps of a directory by their manifests
    List {
        /// The directory; that of the box if none is given
        dir: Option<PathBuf>,
    },
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

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }
}
