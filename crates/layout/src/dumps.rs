//! What is known of the crash dumps on the stick, for checks that must not wait for a medium.

/// A dump.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownDump {
    /// `crash-0001-6.12.117+deb12-amd64`.
    pub name: String,
    /// Whether it has all pages of its level.
    pub complete: bool,
    /// What there is of it, in a word or two: `complete`, `incomplete`, `unfinished`, `log only`.
    pub state: String,
    /// Whether it was read back and found good; `None` where nobody has read it back.
    pub verified: Option<bool>,
    /// Why the kernel stopped, where its log tells.
    pub reason: Option<String>,
    /// Whether somebody has looked at it.
    pub seen: bool,
}

/// The document at [`crate::run::DUMPS`], written by `esos-crash` whenever it has looked at the dumps.
///
/// ```
/// use esos_layout::dumps::KnownDumps;
///
/// let text = r#"{"schema": "esos-dumps/1", "problem": null, "dumps": [{"name": "crash-0001-6.12", "complete": true,
///     "state": "complete", "verified": true, "reason": "Oops", "seen": false}], "newer": 1}"#;
/// let known: KnownDumps = serde_json::from_str(text)?;
/// assert_eq!(known.dumps[0].verified, Some(true));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownDumps {
    /// [`KnownDumps::SCHEMA`].
    pub schema: String,
    /// Why they could not be looked at.
    pub problem: Option<String>,
    /// The dumps, the oldest first.
    pub dumps: Vec<KnownDump>,
}

impl KnownDumps {
    /// The name and version of this document.
    pub const SCHEMA: &'static str = "esos-dumps/1";
}
