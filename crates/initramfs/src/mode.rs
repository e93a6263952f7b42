//! What this start of the machine is for.
use crate::{Cmdline, IsoMode};
use esos_layout::Slot;

/// What `/init` sees before it decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// `/proc/vmcore` is there: this is the crash kernel.
    pub vmcore: bool,
    /// The initramfs holds an index of a root image, and it can be read.
    pub root_index: bool,
}

/// What this start is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BootMode {
    /// The crash kernel: save what can be saved, then reboot.
    Capture,
    /// Unpack the slot into RAM and run from there. Without a slot on the command line, the slot that
    /// this initramfs belongs to.
    Ram {
        /// `slot=`.
        slot: Option<Slot>,
    },
    /// Unpack the slot onto the stick once; `/usr` is used from there, everything else is copied into RAM.
    Persist {
        /// `slot=`.
        slot: Option<Slot>,
    },
    /// Unpack from an ISO into RAM.
    Iso(IsoMode),
    /// Nothing can be booted with this initramfs.
    Nothing(NothingToBoot),
}

/// Why nothing can be booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NothingToBoot {
    /// The index of the root image is missing or broken.
    #[error("the initramfs holds no readable {}: it is damaged", esos_layout::initrd::ROOT_INDEX)]
    NoRootIndex,
}

impl BootMode {
    /// The word for it in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Ram { .. } => "ram",
            Self::Persist { .. } => "persist",
            Self::Iso(IsoMode::Live) => "iso-live",
            Self::Iso(IsoMode::Install) => "iso-install",
            Self::Nothing(_) => "nothing",
        }
    }
}

/// Decides the mode. A crash kernel saves its dump whatever else stands on its command line (it has
/// that of the crashed system); an ISO knows no slots and nowhere to persist.
#[must_use]
pub fn decide(line: &Cmdline, facts: &Facts) -> BootMode {
    match line {
        _ if facts.vmcore => BootMode::Capture,
        _ if !facts.root_index => BootMode::Nothing(NothingToBoot::NoRootIndex),
        Cmdline { iso: Some(iso), .. } => BootMode::Iso(*iso),
        Cmdline { persist: true, slot, .. } => BootMode::Persist { slot: *slot },
        Cmdline { slot, .. } => BootMode::Ram { slot: *slot },
    }
}

/// What is worth saying about a command line, beside what it asks for.
#[must_use]
pub fn remarks(line: &Cmdline) -> Vec<String> {
    let mut said: Vec<String> = line
        .unknown
        .iter()
        .map(|w| format!("`{w}` on the kernel command line is not understood and ignored"))
        .collect();
    if line.slot.is_none() && line.iso.is_none() {
        said.push(
            "no slot= on the kernel command line: taking the slot that this initramfs belongs to".into(),
        );
    }
    if line.persist && line.iso.is_some() {
        said.push("esos_persist has no meaning with esos_iso= and is ignored".into());
    }
    said.extend(line.state.as_deref().map(|state| match state {
        "lost" => "both slot control records on the stick are broken: GRUB chose by default".into(),
        "ro" => "GRUB could not count this attempt: the stick did not take its write".into(),
        other => format!("GRUB reports the slot state `{other}`"),
    }));
    if line.exhausted {
        said.push("no attempt was left in any slot: GRUB started one nevertheless".into());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let primary = Some(Slot::Primary);
        let table = [
            // command line, vmcore, index → mode
            ("slot=PRIMARY", false, true, BootMode::Ram { slot: primary }),
            ("slot=SECONDARY rescue", false, true, BootMode::Ram { slot: Some(Slot::Secondary) }),
            ("", false, true, BootMode::Ram { slot: None }),
            ("slot=nonsense", false, true, BootMode::Ram { slot: None }),
            ("slot=PRIMARY esos_persist", false, true, BootMode::Persist { slot: primary }),
            ("esos_iso=live", false, true, BootMode::Iso(IsoMode::Live)),
            ("esos_iso=install esos_persist", false, true, BootMode::Iso(IsoMode::Install)),
            ("esos_iso=other slot=PRIMARY", false, true, BootMode::Ram { slot: primary }),
            ("slot=PRIMARY", false, false, BootMode::Nothing(NothingToBoot::NoRootIndex)),
            ("slot=PRIMARY", true, true, BootMode::Capture),
            ("esos_iso=live rescue", true, false, BootMode::Capture),
        ];
        for (line, vmcore, root_index, wanted) in table {
            let mode = decide(&Cmdline::parse(line), &Facts { vmcore, root_index });
            assert_eq!(mode, wanted, "{line:?} vmcore={vmcore} index={root_index}");
        }
    }

    #[test]
    fn remarks_are_made_when_there_is_a_reason() {
        assert!(remarks(&Cmdline::parse("slot=PRIMARY esos.attempt=1")).is_empty());
        let said =
            remarks(&Cmdline::parse("esos_persist esos_iso=live slot=x esos.state=lost esos.exhausted=1"));
        assert_eq!(said.len(), 4, "{said:?}");
        assert_eq!(remarks(&Cmdline::parse("")).len(), 1);
    }
}
