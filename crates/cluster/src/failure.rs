//! Exit codes of Pacemaker's and Corosync's tools, and what to do.
use serde::Serialize;
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal, $advice:literal;)*) => {
        /// The exit codes of Pacemaker's tools (`crm_error --exit --list`, 2.1.5).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum CrmExit {
            $($(#[$doc])* $variant,)*
            /// A code that this crate does not know.
            Unlisted(i32),
        }

        impl CrmExit {
            /// All codes that are known.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What a number means.
            #[must_use]
            pub fn of(code: i32) -> Self {
                match code { $($code => Self::$variant,)* other => Self::Unlisted(other) }
            }

            /// The number.
            #[must_use]
            pub fn code(self) -> i32 {
                match self { $(Self::$variant => $code,)* Self::Unlisted(code) => code }
            }

            /// Pacemaker's own words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* Self::Unlisted(_) => "Unknown exit status" }
            }

            /// What to do, one sentence; empty where all is well.
            #[must_use]
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* Self::Unlisted(_) => "look into /var/log/pacemaker/pacemaker.log" }
            }
        }
    };
}

codes! {
    /// Done.
    Ok = 0, "OK", "";
    /// An error without a code of its own.
    Error = 1, "Error occurred", "look into /var/log/pacemaker/pacemaker.log and /var/log/corosync.log";
    /// A parameter makes no sense.
    InvalidParam = 2, "Invalid parameter", "mend the parameter";
    /// The agent does not know the action.
    UnimplementFeature = 3, "Unimplemented", "the agent does not know this action: use one that its meta-data names";
    /// The user may not.
    InsufficientPriv = 4, "Insufficient privileges", "run it as root";
    /// What the agent needs is not there.
    NotInstalled = 5, "Not installed", "install what the agent needs on that node, then clean the resource up (`crm resource cleanup`)";
    /// The parameters are wrong everywhere.
    NotConfigured = 6, "Not configured", "mend the resource's parameters, then clean it up (`crm resource cleanup`)";
    /// It is not running.
    NotRunning = 7, "Not running", "nothing is to be done where it should be stopped";
    /// It is running, promoted.
    Promoted = 8, "Promoted", "nothing is to be done where it should be promoted";
    /// It was promoted and has failed.
    FailedPromoted = 9, "Failed in promoted role", "look at the agent's reason on that node, then clean the resource up";
    /// The command line makes no sense.
    Usage = 64, "Incorrect usage", "look at the tool's --help";
    /// The data make no sense.
    DataErr = 65, "Invalid data given", "mend the data that was given";
    /// The file is not there.
    NoInput = 66, "Input file not available", "look whether the file is there";
    /// No such user.
    NoUser = 67, "User does not exist", "look whether the user `hacluster` is there";
    /// No such host.
    NoHost = 68, "Host does not exist", "look at the node's name";
    /// A service is not there.
    Unavailable = 69, "Necessary service unavailable", "start the cluster (`service pacemaker start`)";
    /// A defect of Pacemaker.
    Software = 70, "Internal software bug", "look into /var/log/pacemaker/pacemaker.log";
    /// The system refused.
    OsErr = 71, "Operating system error occurred", "look into the system's log";
    /// A file of the system is not there.
    OsFile = 72, "System file not available", "look whether the packages are whole";
    /// A file cannot be made.
    CantCreat = 73, "Cannot create output file", "look whether the file system is full";
    /// Reading or writing failed.
    IoErr = 74, "I/O error occurred", "look whether the file system is full or broken";
    /// Try again.
    TempFail = 75, "Temporary failure, try again", "try again in a moment";
    /// The other side does not speak as expected.
    Protocol = 76, "Protocol violated", "look whether all nodes have the same version";
    /// The user may not.
    NoPerm = 77, "Insufficient privileges", "run it as root";
    /// The configuration makes no sense.
    Config = 78, "Invalid configuration", "check it (`esos cluster check FILE`) and mend what it names";
    /// A daemon gave up.
    Fatal = 100, "Fatal error occurred, will not respawn", "look into /var/log/pacemaker/pacemaker.log, then start the cluster again";
    /// A daemon wants the machine down.
    Panic = 101, "System panic required", "the node must restart";
    /// The cluster is not running here.
    Disconnect = 102, "Not connected", "start the cluster on this node (`service corosync start`, `service pacemaker start`)";
    /// Someone changed it meanwhile, or the XML is cut off.
    Old = 103, "Update was older than existing configuration", "read the configuration again and repeat the change; look whether the XML is whole";
    /// Two values do not compare.
    Digest = 104, "Digest mismatch", "read the configuration again";
    /// There is no such thing.
    NoSuch = 105, "No such object", "look at the spelling: `esos cluster status` lists what there is";
    /// This partition may not act.
    Quorum = 106, "Quorum required", "bring enough nodes back for a majority";
    /// Something in the way.
    Unsafe = 107, "Operation not safe", "look at what it says, then repeat it with --force";
    /// It is there already.
    Exists = 108, "Requested item already exists", "choose another name, or change what is there";
    /// Two things exclude each other.
    Multiple = 109, "Multiple items match request", "say which one is meant";
    /// It has expired.
    Expired = 110, "Requested item has expired", "make it again";
    /// It is not yet in effect.
    NotYetInEffect = 111, "Requested item is not yet in effect", "wait until it is";
    /// It cannot be told.
    Indeterminate = 112, "Could not determine status", "look at `esos cluster status`";
    /// A condition was not met.
    Unsatisfied = 113, "Not applicable under current conditions", "look at the constraints";
    /// It took too long.
    Timeout = 124, "Timeout occurred", "look whether the nodes reach each other, and how busy they are";
    /// It is running, but may fail soon.
    Degraded = 190, "Service is active but might fail soon", "look at the agent's reason on that node";
    /// It is promoted, but may fail soon.
    DegradedPromoted = 191, "Service is promoted but might fail soon", "look at the agent's reason on that node";
    /// Nothing was told.
    NoStatus = 193, "No exit status available", "look into /var/log/pacemaker/pacemaker.log";
}

/// A tool that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub struct ToolFailure {
    /// The exit code.
    pub exit: Option<i32>,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What was said, in one line.
    pub what: String,
    /// What to do, one sentence.
    pub advice: String,
}

impl fmt::Display for ToolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// Corosync or Pacemaker is not running here.
    NotRunning,
    /// There is no such resource, node, attribute or key.
    NoSuchObject,
    /// The configuration does not fit the schema, or makes no sense.
    InvalidConfiguration,
    /// The XML is cut off or older than what is there.
    Stale,
    /// No quorum.
    NoQuorum,
    /// Anything else; the exit code says more.
    Other,
}

/// Texts, and what they mean whatever the exit code is.
const TEXTS: &[(&str, FailureKind, i32)] = &[
    ("CS_ERR_LIBRARY", FailureKind::NotRunning, 102),
    ("Cannot initialize", FailureKind::NotRunning, 102),
    ("Could not initialize corosync", FailureKind::NotRunning, 102),
    ("Could not connect", FailureKind::NotRunning, 102),
    ("Connection to cluster failed", FailureKind::NotRunning, 102),
    ("Transport endpoint is not connected", FailureKind::NotRunning, 102),
    ("CS_ERR_NOT_EXIST", FailureKind::NoSuchObject, 105),
    ("No such object", FailureKind::NoSuchObject, 105),
    ("No such device or address", FailureKind::NoSuchObject, 105),
    ("not found", FailureKind::NoSuchObject, 105),
    ("does not conform to the configured schema", FailureKind::InvalidConfiguration, 78),
    ("config not valid", FailureKind::InvalidConfiguration, 78),
    ("parser error", FailureKind::InvalidConfiguration, 78),
    ("older than existing configuration", FailureKind::Stale, 103),
];

impl ToolFailure {
    /// Understands what a failed tool of Pacemaker or Corosync said.
    #[must_use]
    pub fn of(exit: Option<i32>, said: &str) -> Self {
        let found = TEXTS.iter().find(|(t, ..)| said.contains(t));
        let code = CrmExit::of(found.map(|(.., c)| *c).or(exit).unwrap_or(1));
        let kind = match (found, code) {
            (Some((_, kind, _)), _) => *kind,
            (None, CrmExit::Disconnect | CrmExit::Unavailable) => FailureKind::NotRunning,
            (None, CrmExit::NoSuch) => FailureKind::NoSuchObject,
            (None, CrmExit::Config) => FailureKind::InvalidConfiguration,
            (None, CrmExit::Old) => FailureKind::Stale,
            (None, CrmExit::Quorum) => FailureKind::NoQuorum,
            _ => FailureKind::Other,
        };
        let line = said.lines().map(str::trim).find(|l| !l.is_empty());
        let what = line.map_or_else(|| code.text().to_owned(), str::to_owned);
        Self { exit, kind, what, advice: code.advice().to_owned() }
    }
}
