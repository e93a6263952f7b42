//! How large a dump will be, before it is written.
use crate::format::{DESCRIPTOR, Layout};
use crate::{Classifier, Core, CoreError, Kind, Level, PAGE, ReadAt};
use std::collections::BTreeMap;

/// What a dump of some level would hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Page frames of the machine.
    pub present: u64,
    /// Page frames that the dump has; pages of zeros are among them, since only their contents tell.
    pub pages: u64,
    /// Page frames that the level leaves out, by reason.
    pub excluded: BTreeMap<Kind, u64>,
    /// Bytes of the file before the first page.
    pub head_bytes: u64,
    /// What is not known of this kernel, and what would therefore be kept.
    pub unknown: Vec<String>,
}

impl Estimate {
    /// Sorts the pages of a core, or of the running kernel by `/proc/kcore`, without reading them.
    ///
    /// # Errors
    /// [`CoreError::Read`] from the file.
    pub fn new<S: ReadAt>(core: &Core<S>, level: Level) -> Result<Self, CoreError> {
        let classes = Classifier::new(core, level);
        let mut found = Self { unknown: classes.unknown().to_vec(), ..Self::default() };
        for first in classes.windows() {
            let window = classes.window(first)?;
            found.present += window.present.count();
            found.pages += window.dumped.count();
            for (kind, n) in window.excluded {
                *found.excluded.entry(kind).or_insert(0) += n;
            }
        }
        let layout = Layout::new(core.notes().len() as u64, core.end_pfn());
        found.head_bytes = layout.descriptors() + found.pages * DESCRIPTOR;
        Ok(found)
    }

    /// The size of the file in bytes where no page becomes smaller; compressed kernel memory has a third of it
    /// as a rule.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.head_bytes.saturating_add(self.pages.saturating_mul(PAGE))
    }

    /// What to expect of zstd: half of that, on the safe side.
    #[must_use]
    pub fn likely(&self) -> u64 {
        self.head_bytes.saturating_add(self.pages.saturating_mul(PAGE / 2))
    }
}
