//! Arguments.
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use esos_bootimg::manifest::{Set, Suite};
use esos_cli::{Global, Section, Tool};
use esos_fetch::{Location, Sha256};
use esos_layout::Slot;
use esos_vm::{Bus, Firmware};

/// Build, look at, verify and boot images of ESOS
#[derive(Debug, Parser)]
#[command(name = "esos-image", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Build an image out of Debian's packages; needs no root rights
    ///
    /// Writes esos.img (sparse), esos.img.zst, with --iso esos.iso, SHA256SUMS, sbom.json, packages.lock and manifest.txt into
    /// the directory of --out, all together when all of them are whole. The mirror is that of this
    /// machine's apt sources. The same manifest, lock file and programs give the same bytes anywhere.
    ///
    /// Example: esos-image build --out out --with cluster --ssh-key ~/.ssh/id_ed25519.pub
    Build(Box<BuildArgs>),
    /// Say what is on an image or a stick: partitions, slots, packages, sizes
    Inspect {
        /// The image, or a device
        image: PathBuf,
    },
    /// Compute every hash and check every file system (exit code 3 where something is wrong)
    Verify {
        /// The image, or a device
        image: PathBuf,
    },
    /// Boot an image in QEMU, as it would on a machine; the image stays as it is
    ///
    /// With --until-login the machine ends at the login prompt; with --exec a person logs in, the first
    /// login's questions are answered, and the command is run as root. With neither, its serial console
    /// is this terminal.
    Run(RunArgs),
    /// Choose the packages and print or update a lock file, without building
    Lock(LockArgs),
    /// Say what is in the slots of an image or a stick, and why the last boot fell back
    ///
    /// Per slot: version, state (good, trial, bad, none), tries left, attempt records and their health,
    /// when it last reported good. On a box the stick that it booted from needs no name.
    Slots {
        /// The image, or a device [default: the stick that this box booted from]
        image: Option<PathBuf>,
    },
    /// Write an image onto a stick or a disk, and read all of it back
    ///
    /// Refuses a disk that somebody uses (mounts, swap, md, LVM, SCST, this box's own stick) and says who,
    /// and how it is freed. Shows what the disk is and what is on it, and asks for its name to be typed.
    /// esos_logs gets the rest of the medium; above 128 GiB, esos_data does. A file is made, or written as
    /// if it were a medium.
    ///
    /// Example: esos-image write esos.img.zst /dev/sdb --tool storcli.zip --sha256 0123…
    Write(WriteArgs),
    /// Put a new system into the slot that does not run, and let GRUB try it
    ///
    /// Everything is checked before the first write: signature, hashes, version, room, the state of both
    /// slots. The slot is marked empty, written, flushed, read back past the caches, and only then marked
    /// for trial. Power may go at any moment: the running system stays. Broken off, it goes on where it
    /// was. A new system that does not report good within three boots is given up by GRUB.
    ///
    /// Example: esos-image upgrade esos.img.zst --target /dev/sda
    Upgrade(UpgradeArgs),
    /// Start the other slot from the next boot on
    ///
    /// A system on trial is given up. A good one stays good: one more rollback goes forward again.
    Rollback {
        /// The image, or a device [default: the stick that this box booted from]
        image: Option<PathBuf>,
    },
    /// Keep a second stick like the one that the box booted from
    ///
    /// The first time the second stick is written whole, with an identity of its own, and remembered; from then on
    /// `esos-image mirror` (cron runs it) copies what has changed: slots, the slot state, generations of the
    /// configuration. Logs stay where they are. The box boots from either.
    ///
    /// Example: esos-image mirror /dev/sdb
    Mirror(MirrorArgs),
    /// Copy the RAID makers' tools of the stick to /opt/sbin; the box does so at boot
    Tools {
        /// The image, or a device [default: the stick that this box booted from]
        image: Option<PathBuf>,
    },
    /// Mark the running slot good, or a slot of an image
    MarkGood(MarkGoodArgs),
}

/// `write`.
#[derive(Debug, clap::Args)]
pub(crate) struct WriteArgs {
    /// The image (.img, .img.zst or .iso), a URL of one, another stick, or a disc
    #[arg(value_name = "IMG|URL|DEVICE")]
    pub(crate) image: String,
    /// The disk that is erased, or a file
    #[arg(value_name = "DEVICE|FILE")]
    pub(crate) target: PathBuf,
    /// Add a RAID maker's tool, as rpm, deb, zip, tar or program; it survives upgrades
    #[arg(long = "tool", value_name = "FILE|URL")]
    pub(crate) tools: Vec<String>,
    /// The SHA-256 of the tool's file, one for each --tool, in their order
    #[arg(long = "sha256", value_name = "HEX")]
    pub(crate) sums: Vec<Sha256>,
    /// Erase the target of that name without asking
    #[arg(long, value_name = "NAME")]
    pub(crate) yes_erase: Option<String>,
    /// Copy this box's configuration, with its history, onto the new stick
    #[arg(long)]
    pub(crate) with_config: bool,
    /// Copy the configuration of that stick, or image, instead
    #[arg(long, value_name = "DEVICE|FILE", conflicts_with = "with_config")]
    pub(crate) config_of: Option<PathBuf>,
}

/// `upgrade`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpgradeArgs {
    /// The new system: an image (.img or .img.zst), a URL of one, or another stick
    #[arg(value_name = "IMG|URL|DEVICE")]
    pub(crate) image: String,
    /// The stick whose slot is written [default: the stick that this box booted from]
    #[arg(long, value_name = "DEVICE|FILE")]
    pub(crate) target: Option<PathBuf>,
    /// Take a version that is older than the one that runs
    #[arg(long)]
    pub(crate) downgrade: bool,
    /// Take an unsigned system of that version; without this the version must be typed
    #[arg(long, value_name = "VERSION")]
    pub(crate) accept_unsigned: Option<String>,
    /// Trust systems that are signed with this key too (minisign), beside those of /etc/esos/keys
    #[arg(long = "key", value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
    /// Upgrade while an array is rebuilt
    #[arg(long)]
    pub(crate) despite_resync: bool,
    /// Check everything and say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `mirror`.
#[derive(Debug, clap::Args)]
pub(crate) struct MirrorArgs {
    /// The second stick, or a file that stands for it [default: the one that is kept as a mirror]
    #[arg(value_name = "DEVICE|FILE")]
    pub(crate) target: Option<PathBuf>,
    /// The stick that is copied [default: the one that this box booted from]; nothing is remembered then
    #[arg(long, value_name = "DEVICE|FILE", requires = "target")]
    pub(crate) of: Option<PathBuf>,
    /// Erase the second stick of that name without asking
    #[arg(long, value_name = "NAME")]
    pub(crate) yes_erase: Option<String>,
    /// Throw away generations of the configuration that only the mirror has
    #[arg(long)]
    pub(crate) replace: bool,
    /// Keep no mirror any more
    #[arg(long, conflicts_with_all = ["target", "of", "yes_erase", "replace"])]
    pub(crate) forget: bool,
}

/// `mark-good`.
#[derive(Debug, clap::Args)]
pub(crate) struct MarkGoodArgs {
    /// The image, or a device [default: the stick that this box booted from]
    pub(crate) image: Option<PathBuf>,
    /// The slot [default: the one that runs]
    #[arg(long, value_name = "SLOT")]
    pub(crate) slot: Option<Slot>,
    /// What the box does by itself: wait for the checks in /usr/lib/esos/good.d, and mark once a boot
    #[arg(long, conflicts_with_all = ["image", "slot"])]
    pub(crate) after_boot: bool,
    /// With --after-boot: how long the checks may take to succeed
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) within: u64,
    /// With --after-boot: where they do not succeed and the slot is on trial, reboot, so that GRUB counts
    #[arg(long, requires = "after_boot")]
    pub(crate) reboot_on_trial: bool,
}

/// Which packages, and from where.
#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// The release of Debian: trixie or bookworm
    #[arg(long, value_name = "SUITE", default_value_t)]
    pub(crate) suite: Suite,
    /// Add an option set: cluster, tape, infiniband, fcoe, debug-tools or legacy
    #[arg(long = "with", value_name = "SET")]
    pub(crate) sets: Vec<Set>,
    /// Add a manifest of yours, or use it alone (`base = "none"`)
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Take Debian from there: an address, an archive's directory, or a directory of packages
    /// [default: ESOS_MIRROR, or what this machine's apt sources name]
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) mirror: Option<Location>,
    /// Put the packages of a directory into the image, too; kernel modules of dkms packages among them are
    /// built for its kernel (-dev, -dbg and -dbgsym packages stay out)
    #[arg(long, value_name = "DIR")]
    pub(crate) extra_debs: Option<PathBuf>,
    /// Trust the keys of this binary keyring, instead of those of the package debian-archive-keyring
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Vec<PathBuf>,
    /// Use no network: the cache and directories have to do
    #[arg(long)]
    pub(crate) offline: bool,
    /// Keep packages and packed frames there [default: $XDG_CACHE_HOME/esos-image or ~/.cache/esos-image]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

/// `build`.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// Where the products go
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Take exactly these packages (a packages.lock of an earlier build)
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// A linux-image package whose kernel the Debug entries boot
    #[arg(long, value_name = "DEB")]
    pub(crate) debug_kernel: Option<PathBuf>,
    /// Put a file into the root; it is a program there if it is one here
    #[arg(long, value_name = "SRC:DST")]
    pub(crate) add_file: Vec<AddFileArg>,
    /// Let the owner of a public key log in as root
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_key: Vec<PathBuf>,
    /// Our own programs [default: the directory of this one]
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
    /// The version that the image carries [default: of this program, and the suite]
    #[arg(long, value_name = "TEXT")]
    pub(crate) image_version: Option<String>,
    /// zstd's level: 3 for trying, 19 for releases
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=19))]
    pub(crate) level: i32,
    /// Threads to use [default: one a processor]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Write esos.img only, not esos.img.zst
    #[arg(long)]
    pub(crate) no_compress: bool,
    /// Write esos.iso, too: it starts as a disc and as a stick, live or to install
    #[arg(long)]
    pub(crate) iso: bool,
    /// For Secure Boot: Debian's signed shim and GRUB, instead of a GRUB of our own
    #[arg(long)]
    pub(crate) secure_boot: bool,
    /// Sign the system with a secret key of minisign; boxes of this image trust it
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    /// The password of the secret key, in a file
    #[arg(long, value_name = "FILE", requires = "sign_key")]
    pub(crate) sign_key_password: Option<PathBuf>,
    /// The oldest version that a box which runs this one may still go back to
    #[arg(long, value_name = "VERSION")]
    pub(crate) minimum_version: Option<String>,
}

/// `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The image
    pub(crate) image: PathBuf,
    /// bios or uefi
    #[arg(long, default_value = "bios")]
    pub(crate) firmware: Firmware,
    /// UEFI with Secure Boot on and Microsoft's keys enrolled
    #[arg(long)]
    pub(crate) secure_boot: bool,
    /// usb, virtio, sata or cdrom
    #[arg(long, default_value = "usb")]
    pub(crate) bus: Bus,
    /// Memory of the machine in MiB
    #[arg(long, value_name = "MIB", default_value_t = 3072)]
    pub(crate) memory: u64,
    /// Processors of the machine
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) processors: u32,
    /// End at the login prompt
    #[arg(long)]
    pub(crate) until_login: bool,
    /// Log in, run a command as root, print what it prints; its status is in the JSON document
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,
    /// Seconds that everything together may take
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) timeout: u64,
}

/// `lock`.
#[derive(Debug, clap::Args)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Write it there instead of printing it, and say what has changed
    #[arg(long, value_name = "FILE")]
    pub(crate) update: Option<PathBuf>,
}

/// `SRC:DST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddFileArg {
    pub(crate) source: PathBuf,
    pub(crate) path: String,
}

impl std::str::FromStr for AddFileArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("expected SRC:DST with an absolute DST, found `{text}`");
        let (source, path) = text.rsplit_once(':').ok_or_else(wrong)?;
        if source.is_empty() || !path.starts_with('/') || path.ends_with('/') {
            return Err(wrong());
        }
        Ok(Self { source: source.into(), path: path.to_owned() })
    }
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::slots::section(&global.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_spellings_that_others_use() {
        Args::command().debug_assert();
        let build = "esos-image build --out o --suite bookworm --with cluster --with tape --manifest m --lock l --mirror /m \
                     --extra-debs d --debug-kernel k --add-file a:/b --ssh-key s --offline";
        let parsed = Args::try_parse_from(build.split_whitespace()).unwrap();
        let Verb::Build(args) = parsed.verb else { panic!("build") };
        assert_eq!(args.source.sets, [Set::Cluster, Set::Tape]);
        assert_eq!(args.add_file[0].path, "/b");
        let run = "esos-image run o/esos.img --firmware uefi --bus sata --until-login --timeout 900 --json";
        assert!(Args::try_parse_from(run.split_whitespace()).unwrap().global.json);
        for more in [
            "run i --exec uname",
            "verify i",
            "inspect i --json",
            "lock --update l",
            "slots i --json",
            "write i /dev/sdx --tool t --sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 --yes-erase sdx",
            "upgrade i --target /dev/sdx --downgrade",
            "upgrade http://a/b.img.zst --target f",
            "rollback",
            "mirror",
            "mirror /dev/sdy --yes-erase sdy --replace",
            "mirror --forget",
            "write i /dev/sdx --with-config",
            "mark-good --after-boot --reboot-on-trial",
        ] {
            Args::try_parse_from(["esos-image"].into_iter().chain(more.split_whitespace())).unwrap();
        }
        assert!("a:b".parse::<AddFileArg>().is_err() && "a".parse::<AddFileArg>().is_err());
    }
}
