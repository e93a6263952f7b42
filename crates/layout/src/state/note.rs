//! What people want to know of a control record, and GRUB does not.
use super::{Control, SECTOR, Slot, block};
use crate::EnvBlock;
use std::fmt;
use std::str::FromStr;

/// Why the slot that was preferred did not run, or is not tried any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Cause {
    /// GRUB had no attempt left for it: it was started three times and never reported good.
    Tries,
    /// It was on trial, and GRUB could not write that it tries it.
    Uncounted,
    /// GRUB found a wrong checksum, or a file that cannot be read.
    Damaged,
    /// `esos-init` found a wrong checksum in the root image.
    Root,
    /// A person went back to the other slot.
    Rollback,
    /// A word of another version.
    #[cfg_attr(feature = "serde", serde(untagged))]
    Other(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tries => "tries",
            Self::Uncounted => "uncounted",
            Self::Damaged => "damaged",
            Self::Root => "root",
            Self::Rollback => "rollback",
            Self::Other(word) => word,
        })
    }
}

impl From<&str> for Cause {
    fn from(word: &str) -> Self {
        match word {
            "tries" => Self::Tries,
            "uncounted" => Self::Uncounted,
            "damaged" => Self::Damaged,
            "root" => Self::Root,
            "rollback" => Self::Rollback,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A boot that was not that of the preferred slot, in one word: `SECONDARY:tries`, as GRUB writes it
/// behind [`crate::cmdline::FALLBACK`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fallback {
    /// The slot that did not run.
    pub slot: Slot,
    /// Why.
    pub cause: Cause,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.slot, self.cause)
    }
}

impl FromStr for Fallback {
    type Err = crate::ParseSlotError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (slot, cause) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { slot: slot.parse()?, cause: cause.into() })
    }
}

/// The note in a control record: for people only. GRUB does not read it, a record without one or with a
/// torn one is whole, and nothing is decided by it.
///
/// ```
/// use esos_layout::Slot;
/// use esos_layout::state::{Cause, Fallback, Note};
///
/// let mut note = Note::default();
/// note.set_good(Slot::Primary, 1_790_000_000);
/// note.fallback = Some((Fallback { slot: Slot::Secondary, cause: Cause::Tries }, Some(1_790_000_100)));
/// assert_eq!(note.good(Slot::Primary), Some(1_790_000_000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    good: [Option<u64>; 2],
    /// The last fall-back, and when it was noted, in seconds since 1970.
    pub fallback: Option<(Fallback, Option<u64>)>,
}

impl Note {
    /// When a slot was last marked good, in seconds since 1970.
    #[must_use]
    pub fn good(&self, slot: Slot) -> Option<u64> {
        let [primary, secondary] = self.good;
        if slot == Slot::Primary { primary } else { secondary }
    }

    /// A slot was marked good.
    pub fn set_good(&mut self, slot: Slot, time: u64) {
        let [primary, secondary] = &mut self.good;
        *(if slot == Slot::Primary { primary } else { secondary }) = Some(time);
    }

    /// Nothing is known any more of a slot: another system is written into it.
    pub fn forget_good(&mut self, slot: Slot) {
        let [primary, secondary] = &mut self.good;
        *(if slot == Slot::Primary { primary } else { secondary }) = None;
    }

    fn fields(&self) -> String {
        let time = |t: Option<u64>| t.map_or_else(|| "-".to_owned(), |t| t.to_string());
        let [primary, secondary] = self.good;
        let (fallback, at) = match &self.fallback {
            Some((fallback, at)) => (fallback.to_string(), time(*at)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        format!("{},{},{fallback},{at}", time(primary), time(secondary))
    }

    /// Reads the note of a sector; none where it has none or it is torn.
    #[must_use]
    pub fn decode(sector: &[u8]) -> Option<Self> {
        let vars = Some(sector).filter(|s| s.len() == SECTOR).and_then(EnvBlock::parse)?;
        let (check, fields) = vars.text("note").split_once(',')?;
        if check != sum(fields) {
            return None;
        }
        let mut words = fields.split(',');
        let mut word = || words.next();
        let time = |word: &str| if word == "-" { Some(None) } else { word.parse().ok().map(Some) };
        let good = [time(word()?)?, time(word()?)?];
        let (fallback, at) = (word()?, time(word()?)?);
        let fallback = if fallback == "-" { None } else { Some((fallback.parse::<Fallback>().ok()?, at)) };
        Some(Self { good, fallback })
    }
}

impl Control {
    /// The sector, with a note. What does not fit into the sector is left out of the note.
    #[must_use]
    pub fn encode_with(&self, note: &Note) -> [u8; SECTOR] {
        let fields = note.fields();
        let plain = fields.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        let line = if plain && fields.len() <= 160 {
            format!("note={},{fields}\n", sum(&fields))
        } else {
            String::new()
        };
        let (head, tail) = self.lines();
        block(&format!("{head}{line}"), &tail)
    }
}

/// FNV-1a: enough to see that a note is torn.
fn sum(text: &str) -> String {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("{:08x}", text.bytes().fold(0x811c_9dc5, step))
}

#[cfg(test)]
mod tests {
    use super::super::{Epoch, SlotRecord, SlotState};
    use super::*;
    use proptest::prelude::*;

    fn control() -> Control {
        let slot = SlotRecord { state: SlotState::Good, epoch: Epoch::new(3) };
        Control { sequence: u32::MAX, preferred: Slot::Secondary, primary: slot, secondary: slot }
    }

    fn note() -> impl Strategy<Value = Note> {
        let cause = prop_oneof![Just("tries"), Just("root"), Just("later")];
        let fallback = proptest::option::of((any::<bool>(), cause, any::<Option<u64>>()));
        (any::<[Option<u64>; 2]>(), fallback).prop_map(|(good, fallback)| Note {
            good,
            fallback: fallback.map(|(p, cause, at)| {
                let slot = if p { Slot::Primary } else { Slot::Secondary };
                (Fallback { slot, cause: cause.into() }, at)
            }),
        })
    }

    proptest! {
        #[test]
        fn a_note_comes_back_and_changes_nothing_else(note in note(), old in note(), at in 0usize..SECTOR) {
            let sector = control().encode_with(&note);
            prop_assert_eq!(Control::decode(&sector), Ok(control()));
            prop_assert_eq!(Note::decode(&sector), Some(note.clone()));
            let mut torn = control().encode_with(&old);
            torn[..at].copy_from_slice(&sector[..at]);
            if let Some(read) = Note::decode(&torn) {
                prop_assert!(read == note || read == old);
            }
        }
    }

    #[test]
    fn a_record_without_a_note_has_none() {
        assert_eq!(Note::decode(&control().encode()), None);
        assert_eq!(Note::decode(&[]), None);
        let wild = Cause::Other("a b\n".into());
        let note =
            Note { fallback: Some((Fallback { slot: Slot::Primary, cause: wild }, None)), ..Note::default() };
        assert_eq!(control().encode_with(&note), control().encode());
    }
}
