//! Which second stick is kept like the first: `esos-image mirror` says it, the stick watcher looks for it.

/// The document at [`crate::run::MIRROR_KEPT`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MirrorKept {
    /// The identity of the mirror, 32 hex digits.
    pub identity: String,
}
