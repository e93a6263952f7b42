//! Questions before something is lost.

/// What somebody must agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// What would happen: `erase /dev/sdb (SanDisk Ultra, 28.6 GiB, 3 partitions)`.
    pub action: String,
    /// The name that must be typed; without one, `yes` must be.
    pub name: Option<String>,
}

impl Confirm {
    /// Asks for `yes`.
    #[must_use]
    pub fn new(action: impl Into<String>) -> Self {
        Self { action: action.into(), name: None }
    }

    /// Asks for the object's name instead.
    #[must_use]
    pub fn typed(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(crate) fn word(&self) -> &str {
        self.name.as_deref().unwrap_or("yes")
    }
}
