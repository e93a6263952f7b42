//! What the stick watcher says about the stick, for `esos status`, the banner and mails.

/// Whether the medium that the box booted from is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Presence {
    /// It is there and can be read.
    Present,
    /// It was pulled, or died.
    Gone,
    /// A stick with the same labels is there, but it is not the one that was booted; it is not used.
    Refused,
    /// A word of a newer watcher.
    #[cfg_attr(feature = "serde", serde(untagged))]
    Other(String),
}

/// The document at [`crate::run::STICK_STATE`].
///
/// ```
/// use esos_layout::stick_state::{Presence, StickState};
///
/// let text = r#"{"schema": "esos-stick/1", "state": "gone", "device": "/dev/sdb", "since": 1790000000,
///     "message": "the stick was pulled", "newer": 1}"#;
/// let state: StickState = serde_json::from_str(text)?;
/// assert_eq!(state.state, Presence::Gone);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StickState {
    /// [`StickState::SCHEMA`].
    pub schema: String,
    /// Whether it is there.
    pub state: Presence,
    /// Its node, `/dev/sdb`; of a refused one that one's.
    pub device: Option<String>,
    /// Since when, in seconds since 1970.
    pub since: Option<u64>,
    /// One line for people: what happened and what to do.
    pub message: String,
    /// `/usr` lay on it (`esos_persist`) when it went: what of that is not in memory cannot be had before the box is
    /// started again, though the stick may be back.
    #[cfg_attr(feature = "serde", serde(default))]
    pub restart: bool,
}

impl StickState {
    /// The name and version of this document.
    pub const SCHEMA: &'static str = "esos-stick/1";
}
