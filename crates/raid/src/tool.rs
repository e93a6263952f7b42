//! Which tool printed it.
use crate::Capture;
use std::fmt;
use std::str::FromStr;

/// A vendor's tool, or one of Linux md's two views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Tool {
    /// LSI MegaCli64, also sold as CmdTool2.
    Megacli,
    /// LSI, Avago and Broadcom storcli64.
    Storcli,
    /// Broadcom storcli2, for the 96xx generation.
    Storcli2,
    /// Dell's storcli.
    Perccli,
    /// Adaptec and Microchip arcconf.
    Arcconf,
    /// HP hpacucli and hpssacli.
    Hpacucli,
    /// HPE ssacli.
    Ssacli,
    /// Areca cli64.
    Areca,
    /// 3ware tw_cli.
    TwCli,
    /// `mdadm`, together with `/proc/mdstat` of the same moment.
    Mdadm,
    /// `/proc/mdstat` alone.
    Mdstat,
}

/// A name that is no tool's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no RAID tool is called `{name}`; known are megacli, storcli, storcli2, perccli, arcconf, hpacucli, ssacli, areca, tw_cli, mdadm, mdstat"
)]
pub struct UnknownTool {
    /// What was given.
    pub name: String,
}

impl Tool {
    /// All of them, in the order in which reports list them.
    pub const ALL: [Self; 11] = [
        Self::Megacli,
        Self::Storcli,
        Self::Storcli2,
        Self::Perccli,
        Self::Arcconf,
        Self::Hpacucli,
        Self::Ssacli,
        Self::Areca,
        Self::TwCli,
        Self::Mdadm,
        Self::Mdstat,
    ];

    /// Its name in commands and folders.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Megacli => "megacli",
            Self::Storcli => "storcli",
            Self::Storcli2 => "storcli2",
            Self::Perccli => "perccli",
            Self::Arcconf => "arcconf",
            Self::Hpacucli => "hpacucli",
            Self::Ssacli => "ssacli",
            Self::Areca => "areca",
            Self::TwCli => "tw_cli",
            Self::Mdadm => "mdadm",
            Self::Mdstat => "mdstat",
        }
    }
}

impl serde::Serialize for Tool {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Tool {
    type Err = UnknownTool;

    fn from_str(name: &str) -> Result<Self, UnknownTool> {
        Self::ALL
            .into_iter()
            .find(|tool| tool.name() == name)
            .ok_or_else(|| UnknownTool { name: name.to_owned() })
    }
}

impl Tool {
    /// Puts the captures of a case into the order in which this tool is asked, so that lists follow
    /// it: first what concerns the controller, then arrays, then drives, then the rest.
    pub fn sort(self, captures: &mut [Capture]) {
        let order: &[&str] = match self {
            Self::Megacli => &["adpallinfo", "encinfo", "ldinfo", "ldpdinfo", "cfgdsply", "pdlist", "bbu"],
            Self::Arcconf => &["list", "getversion", "getconfig", "getstatus"],
            Self::Hpacucli | Self::Ssacli => &["status", "ctrl", "config-detail", "config", "ld", "pd"],
            Self::Areca => &["main", "rsf", "vsf", "disk"],
            Self::TwCli => &["info", "units", "drives", "bbu", "show", "all"],
            _ => &[],
        };
        captures.sort_by_cached_key(|capture| {
            let (kind, object) = capture.name.split_once('.').unwrap_or((&capture.name, ""));
            let rank = order.iter().position(|name| *name == kind).unwrap_or(order.len());
            // A chassis name comes before slot numbers.
            let slot = object.starts_with(|c: char| c.is_ascii_digit());
            (rank, slot, capture.name.clone())
        });
    }
}
