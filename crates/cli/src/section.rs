//! What one tool tells `esos status` and `esos doctor`.
use serde::{Deserialize, Serialize};

/// How something is. The order is from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// There is nothing to tell: what the tool is about is not in use on this box.
    Unused,
    /// As it should be.
    Ok,
    /// It could not be told.
    Unknown,
    /// Works, but wants attention.
    Warn,
    /// Does not work, or soon will not.
    Crit,
}

/// One thing that wants attention, for `esos doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub health: Health,
    /// What was found, and where.
    pub message: String,
    /// The command or act that mends it.
    pub remedy: Option<String>,
}

/// One tool's part of `esos status`: printed by its hidden verb `__section --json` with the schema
/// `esos.section/1`.
///
/// ```
/// use esos_cli::{Health, Section};
///
/// let section = Section::new("raid")
///     .line("md0 raid6, 5 of 6 drives")
///     .finding(Health::Warn, "md0 is degraded: no spare left", Some("esos raid spare add md0 DEVICE"));
/// assert_eq!(section.health, Health::Warn);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Section {
    /// The subject, in one word: `scst`, `raid`.
    pub name: String,
    /// The worst of its findings.
    pub health: Health,
    /// What there is, a line each, most important first.
    pub lines: Vec<String>,
    /// What wants attention.
    pub findings: Vec<Finding>,
}

impl Section {
    /// All is well, and nothing said yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), health: Health::Ok, lines: Vec::new(), findings: Vec::new() }
    }

    /// There is nothing to tell, and why: `SCST is not loaded`.
    #[must_use]
    pub fn unused(name: impl Into<String>, why: impl Into<String>) -> Self {
        let mut section = Self::new(name).line(why);
        section.health = Health::Unused;
        section
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a finding; the section is at least as bad as it.
    #[must_use]
    pub fn finding(mut self, health: Health, message: impl Into<String>, remedy: Option<&str>) -> Self {
        self.health = self.health.max(health);
        self.findings.push(Finding { health, message: message.into(), remedy: remedy.map(str::to_owned) });
        self
    }
}
