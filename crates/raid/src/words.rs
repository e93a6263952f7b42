//! The words that all tools share once their own are translated.
use std::borrow::Cow;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A word of the tool that this crate does not know, as printed.
            Other(String),
        }

        impl $name {
            /// The word in facts; `unknown` for [`Other`](Self::Other), whose own word is beside it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(_) => "unknown",
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a drive is doing.
    DriveState {
        /// A working member of an array.
        Online = "online",
        /// Free for use.
        Ready = "ready",
        /// A hot spare that waits.
        Spare = "spare",
        /// Being filled.
        Rebuilding = "rebuilding",
        /// Being copied back to.
        Copyback = "copyback",
        /// Failed.
        Failed = "failed",
        /// Taken out of its array.
        Offline = "offline",
        /// A member that is not there.
        Missing = "missing",
        /// Unconfigured and bad.
        Bad = "bad",
        /// Passed through to the host.
        Jbod = "jbod",
        /// Without the controller's metadata.
        Raw = "raw",
        /// Working, but it says that it will fail.
        PredictiveFailure = "predictive_failure",
        /// Being erased.
        Erasing = "erasing",
        /// Erased, and to be enabled again.
        Erased = "erased",
        /// A port of a degraded 3ware unit.
        Degraded = "degraded",
    }
}

words! {
    /// How an array is.
    ArrayState {
        /// All members work.
        Optimal = "optimal",
        /// Being made.
        Initializing = "initializing",
        /// Being checked.
        Verifying = "verifying",
        /// A member is being filled.
        Rebuilding = "rebuilding",
        /// Its shape is being changed.
        Migrating = "migrating",
        /// Redundancy is lost.
        Degraded = "degraded",
        /// One of two redundancies is lost.
        PartiallyDegraded = "partially_degraded",
        /// Usable, with parity not yet proven.
        Impacted = "impacted",
        /// Data is not available.
        Failed = "failed",
        /// Not started.
        Inactive = "inactive",
        /// Recovering.
        Recovery = "recovery",
    }
}

words! {
    /// The level of an array.
    Level {
        /// Striped.
        Raid0 = "raid0",
        /// Mirrored.
        Raid1 = "raid1",
        /// Single parity.
        Raid5 = "raid5",
        /// Double parity.
        Raid6 = "raid6",
        /// Striped mirrors.
        Raid10 = "raid10",
        /// Striped RAID 5.
        Raid50 = "raid50",
        /// Striped RAID 6.
        Raid60 = "raid60",
        /// One after the other (md).
        Linear = "linear",
        /// One after the other (Adaptec).
        Spanned = "spanned",
        /// One drive passed through as a unit.
        Jbod = "jbod",
        /// One drive as a unit.
        Single = "single",
        /// A unit that is a spare.
        Spare = "spare",
        /// A simple volume.
        Simple = "simple",
        /// A cache of flash drives.
        Cachecade = "cachecade",
    }
}

words! {
    /// Which arrays a hot spare serves.
    Spare {
        /// Any array.
        Global = "global",
        /// Certain arrays.
        Dedicated = "dedicated",
        /// In use for a failed drive.
        Active = "active",
        /// The tool does not say.
        Hot = "hot",
    }
}

words! {
    /// What a task does.
    TaskKind {
        /// Fills a member.
        Rebuild = "rebuild",
        /// Makes an array.
        Init = "init",
        /// Checks and mends.
        Verify = "verify",
        /// Checks (md).
        Check = "check",
        /// Makes members equal (md).
        Resync = "resync",
        /// Fills a member (md).
        Recovery = "recovery",
        /// Changes the shape (md).
        Reshape = "reshape",
        /// Changes level or members.
        Migrate = "migrate",
        /// Moves data together.
        Compact = "compact",
    }
}

impl Level {
    /// From a word as people write it: `5`, `raid5`, `RAID 10`, `1+0`, `linear`. Nothing may follow it.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let lower = word.trim().to_ascii_lowercase();
        let bare = lower.strip_prefix("raid").unwrap_or(&lower).trim_start_matches(['-', ' ', '_']);
        let level = Self::of(bare);
        let digits = bare.bytes().all(|b| b.is_ascii_digit() || b == b'+');
        if digits || bare == level.as_str() { level } else { Self::Other(word.to_owned()) }
    }

    /// From the digits that tools print, such as `5`, `RAID-10`, `Raid0+1`, `RAID 6 (ADG)`,
    /// `6 Reed-Solomon` or `Spanned_volume`.
    pub(crate) fn of(word: &str) -> Self {
        let mut lower = Cow::Borrowed(word);
        if word.bytes().any(|b| b.is_ascii_uppercase()) {
            lower.to_mut().make_ascii_lowercase();
        }
        let rest = lower.trim().trim_start_matches("raid").trim_start_matches(['-', ' ', '_']);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '+').unwrap_or(rest.len());
        match rest.get(..end).unwrap_or_default() {
            "0" => Self::Raid0,
            "1" if rest.starts_with("1e") => Self::Other(word.to_owned()),
            "1" => Self::Raid1,
            "5" if rest.starts_with("5ee") => Self::Other(word.to_owned()),
            "5" => Self::Raid5,
            "6" => Self::Raid6,
            "10" | "1+0" | "0+1" | "01" => Self::Raid10,
            "50" | "5+0" => Self::Raid50,
            "60" | "6+0" => Self::Raid60,
            _ if rest.starts_with("linear") => Self::Linear,
            _ if rest.starts_with("span") => Self::Spanned,
            _ if rest.starts_with("jbod") => Self::Jbod,
            _ if rest.starts_with("single") => Self::Single,
            _ if rest.starts_with("spare") => Self::Spare,
            _ if rest.starts_with("simple") => Self::Simple,
            _ if rest.starts_with("cache") => Self::Cachecade,
            _ => Self::Other(word.to_owned()),
        }
    }

    /// How many members may be missing before data is lost, for levels where that is one number.
    pub(crate) fn tolerates(&self, members: u64) -> u64 {
        match self {
            Self::Raid1 => members.saturating_sub(1),
            Self::Raid5 | Self::Raid10 | Self::Raid50 => 1,
            Self::Raid6 | Self::Raid60 => 2,
            _ => 0,
        }
    }
}
