//! Names: suites of the archive and option sets.
use std::fmt;
use std::str::FromStr;

pub(super) const DEFAULT: &str = include_str!("../../assets/manifest/default.toml");

/// A release of Debian that images are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Suite {
    /// Debian 13, the default.
    #[default]
    Trixie,
    /// Debian 12.
    Bookworm,
}

impl Suite {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Trixie, Self::Bookworm];

    /// The code name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trixie => "trixie",
            Self::Bookworm => "bookworm",
        }
    }
}

/// An option set: packages for one purpose, added by `--with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// Pacemaker and Corosync.
    Cluster,
    /// Tape drives and changers.
    Tape,
    /// InfiniBand and RoCE.
    Infiniband,
    /// Fibre Channel over Ethernet.
    Fcoe,
    /// Tracers and debuggers.
    DebugTools,
    /// What the original carried and nothing needs any more.
    Legacy,
}

impl Set {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Cluster, Self::Tape, Self::Infiniband, Self::Fcoe, Self::DebugTools, Self::Legacy];

    /// Its name, as `--with` takes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Tape => "tape",
            Self::Infiniband => "infiniband",
            Self::Fcoe => "fcoe",
            Self::DebugTools => "debug-tools",
            Self::Legacy => "legacy",
        }
    }

    /// Its manifest.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Cluster => include_str!("../../assets/manifest/cluster.toml"),
            Self::Tape => include_str!("../../assets/manifest/tape.toml"),
            Self::Infiniband => include_str!("../../assets/manifest/infiniband.toml"),
            Self::Fcoe => include_str!("../../assets/manifest/fcoe.toml"),
            Self::DebugTools => include_str!("../../assets/manifest/debug-tools.toml"),
            Self::Legacy => include_str!("../../assets/manifest/legacy.toml"),
        }
    }
}

/// A name that is none of those there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct ParseNameError {
    /// The names that there are.
    pub expected: &'static str,
    /// What stood there.
    pub found: String,
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Suite {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|s| s.word() == text);
        found.ok_or_else(|| ParseNameError { expected: "trixie or bookworm", found: text.to_owned() })
    }
}

impl FromStr for Set {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "cluster, tape, infiniband, fcoe, debug-tools or legacy";
        let found = Self::ALL.into_iter().find(|s| s.word() == text);
        found.ok_or_else(|| ParseNameError { expected, found: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_and_parse() {
        for set in Set::ALL {
            assert_eq!(set.to_string().parse(), Ok(set));
            assert!("cluster, tape, infiniband, fcoe, debug-tools or legacy".contains(set.word()));
        }
        for suite in Suite::ALL {
            assert_eq!(suite.to_string().parse(), Ok(suite));
        }
        assert_eq!(
            "sid".parse::<Suite>().unwrap_err().to_string(),
            "expected trixie or bookworm, found `sid`"
        );
    }
}
