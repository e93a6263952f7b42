//! The slot state: which slot GRUB prefers, and how often it has tried.
//!
//! Every record is one file of one 512-byte sector in [`crate::part::STATE_DIR`], in the form of a GRUB
//! environment block, and has exactly one writer. The **control** record lies there twice
//! ([`CONTROL_FILES`]); Linux writes it by turns, always over the older or broken copy. The **attempt**
//! records ([`attempt_file`]) are written by GRUB: attempt k of a slot is used once it carries the
//! slot's epoch, or is torn. A new epoch in the control record gives a slot all its attempts back, with
//! one sector written.
//!
//! A record repeats its fields in the last bytes of the sector, so that a torn write shows: GRUB can
//! compare strings, not compute sums.
mod note;

use crate::{EnvBlock, Slot};
use std::fmt;
use std::str::FromStr;

pub use note::{Cause, Fallback, Note};

/// Bytes of a record.
pub const SECTOR: usize = 512;
/// The two copies of the control record.
pub const CONTROL_FILES: [&str; 2] = ["ca", "cb"];
/// Attempts that GRUB makes for a slot in one epoch.
pub const ATTEMPTS: u8 = 3;
/// The version of the records.
pub const VERSION: &str = "1";
/// The first line of an environment block.
pub const SIGNATURE: &str = "# GRUB Environment Block\n";

/// The file of an attempt record: `P1` to `P3`, `S1` to `S3`. `None` for an attempt that is not
/// `1..=`[`ATTEMPTS`].
#[must_use]
pub fn attempt_file(slot: Slot, attempt: u8) -> Option<String> {
    (1..=ATTEMPTS).contains(&attempt).then(|| format!("{}{attempt}", letter(slot)))
}

fn letter(slot: Slot) -> &'static str {
    match slot {
        Slot::Primary => "P",
        Slot::Secondary => "S",
    }
}

/// What is known of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum SlotState {
    /// It has run and said so.
    Good,
    /// Written, not yet proven: booted only where the attempt can be counted.
    Trial,
    /// Not to be booted.
    Bad,
    /// Empty, or being written.
    None,
}

impl SlotState {
    /// Whether GRUB may boot such a slot.
    #[must_use]
    pub fn is_bootable(self) -> bool {
        matches!(self, Self::Good | Self::Trial)
    }
}

impl fmt::Display for SlotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Trial => "trial",
            Self::Bad => "bad",
            Self::None => "none",
        })
    }
}

impl FromStr for SlotState {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "good" => Ok(Self::Good),
            "trial" => Ok(Self::Trial),
            "bad" => Ok(Self::Bad),
            "none" => Ok(Self::None),
            _ => Err(RecordError::Field { name: "state", found: text.to_owned() }),
        }
    }
}

/// A generation of a slot's attempts, `0..=99_999_999`; prints as eight digits. Epochs are only ever
/// compared for being equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(u32);

impl Epoch {
    const COUNT: u32 = 100_000_000;
    /// The epoch of both slots when both control records are lost: neither that of a fresh attempt
    /// record (0) nor, for the next hundred million upgrades, one that a slot has had.
    pub const LOST: Self = Self(99_999_999);
    /// The first epoch of a slot.
    pub const FIRST: Self = Self(1);

    /// The epoch of that number, wrapped into range.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number.checked_rem(Self::COUNT).unwrap_or(0))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// The next one; behind the last comes 1, because 0 stands in attempt records never used.
    #[must_use]
    pub fn next(self) -> Self {
        let next = self.0.saturating_add(1);
        Self(if next >= Self::COUNT { 1 } else { next })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = (text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok());
        number.flatten().map(Self).ok_or_else(|| RecordError::Field { name: "epoch", found: text.to_owned() })
    }
}

/// State and epoch of one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlotRecord {
    /// What is known of it.
    pub state: SlotState,
    /// The generation of its attempts.
    pub epoch: Epoch,
}

/// The control record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Control {
    /// Its number; of two valid copies the higher one counts.
    pub sequence: u32,
    /// The slot that is tried first.
    pub preferred: Slot,
    /// PRIMARY.
    pub primary: SlotRecord,
    /// SECONDARY.
    pub secondary: SlotRecord,
}

impl Control {
    /// The record of a slot.
    #[must_use]
    pub fn slot(&self, slot: Slot) -> SlotRecord {
        match slot {
            Slot::Primary => self.primary,
            Slot::Secondary => self.secondary,
        }
    }

    /// The record that follows this one, with one slot changed.
    #[must_use]
    pub fn with(&self, slot: Slot, record: SlotRecord) -> Self {
        let mut next = Self { sequence: self.sequence.saturating_add(1), ..self.clone() };
        match slot {
            Slot::Primary => next.primary = record,
            Slot::Secondary => next.secondary = record,
        }
        next
    }

    fn fields(&self) -> [(&'static str, String); 7] {
        [
            ("v", VERSION.to_owned()),
            // Not padded: GRUB's `test -gt` takes a leading zero for octal.
            ("n", self.sequence.to_string()),
            ("pref", letter(self.preferred).to_owned()),
            ("ps", self.primary.state.to_string()),
            ("ss", self.secondary.state.to_string()),
            ("pe", self.primary.epoch.to_string()),
            ("se", self.secondary.epoch.to_string()),
        ]
    }

    /// The sector. Its last line is `chk=` with all fields joined by commas.
    #[must_use]
    pub fn encode(&self) -> [u8; SECTOR] {
        let (head, tail) = self.lines();
        block(&head, &tail)
    }

    /// What stands in front and at the end of the sector.
    fn lines(&self) -> (String, String) {
        let fields = self.fields();
        let head: String = fields.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let joined: Vec<&str> = fields.iter().map(|(_, value)| value.as_str()).collect();
        (head, format!("chk={}\n", joined.join(",")))
    }

    /// Reads a sector.
    ///
    /// # Errors
    /// [`RecordError`] for anything that [`Control::encode`] does not print.
    pub fn decode(sector: &[u8]) -> Result<Self, RecordError> {
        let vars = Vars::read(sector)?;
        let version = vars.get("v")?;
        if version != VERSION {
            return Err(RecordError::Version { found: version.to_owned() });
        }
        let number = |name: &'static str| {
            let text = vars.get(name)?;
            text.parse().map_err(|_not_a_number| RecordError::Field { name, found: text.to_owned() })
        };
        let preferred = match vars.get("pref")? {
            "P" => Slot::Primary,
            "S" => Slot::Secondary,
            other => return Err(RecordError::Field { name: "pref", found: other.to_owned() }),
        };
        let slot = |state, epoch| {
            Ok::<_, RecordError>(SlotRecord {
                state: vars.get(state)?.parse()?,
                epoch: vars.get(epoch)?.parse()?,
            })
        };
        let control = Self {
            sequence: number("n")?,
            preferred,
            primary: slot("ps", "pe")?,
            secondary: slot("ss", "se")?,
        };
        // Exactly what GRUB compares. What lies between fields and copy is not looked at: a record that GRUB
        // acts upon must not be a broken one to Linux.
        let joined = control.fields().map(|(_, value)| value).join(",");
        if vars.get("chk")? == joined { Ok(control) } else { Err(RecordError::Torn) }
    }

    /// Which of the two copies counts (0 or 1) and what it says; `None` where both are broken. The other
    /// copy is the one to write next.
    #[must_use]
    pub fn newest(a: &[u8], b: &[u8]) -> Option<(usize, Self)> {
        match (Self::decode(a), Self::decode(b)) {
            (Ok(a), Ok(b)) if b.sequence > a.sequence => Some((1, b)),
            (Ok(a), _) => Some((0, a)),
            (Err(_), Ok(b)) => Some((1, b)),
            (Err(_), Err(_)) => None,
        }
    }
}

/// An attempt record: the epoch in which GRUB used it, in front and at the end of the sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The epoch in which it was used last; 0 in a fresh image.
    pub epoch: Epoch,
}

impl Attempt {
    /// The sector.
    #[must_use]
    pub fn encode(self) -> [u8; SECTOR] {
        block(&format!("e={}\n", self.epoch), &format!("f={}\n", self.epoch))
    }

    /// Reads a sector.
    ///
    /// # Errors
    /// [`RecordError`] where it is torn or no attempt record.
    pub fn decode(sector: &[u8]) -> Result<Self, RecordError> {
        let vars = Vars::read(sector)?;
        let epoch: Epoch = vars.get("e")?.parse()?;
        if vars.get("f")?.parse() == Ok(epoch) { Ok(Self { epoch }) } else { Err(RecordError::Torn) }
    }

    /// Whether a sector is a used attempt of a slot with that epoch: it carries it, or is torn.
    #[must_use]
    pub fn is_used(sector: &[u8], epoch: Epoch) -> bool {
        Self::decode(sector).map_or(true, |attempt| attempt.epoch == epoch)
    }
}

/// The sector that makes a stick unlike its twins; see [`crate::part::STICK_FILE`].
#[must_use]
pub fn encode_stick(identity: &str) -> [u8; SECTOR] {
    block(&format!("stick={identity}\n"), "")
}

/// The identity in that sector: 32 hex digits, or `unset`.
///
/// # Errors
/// [`RecordError`] where it is torn.
pub fn decode_stick(sector: &[u8]) -> Result<String, RecordError> {
    let identity = Vars::read(sector)?.get("stick")?.to_owned();
    let is_hex = identity.len() == 32 && identity.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex || identity == STICK_UNSET {
        Ok(identity)
    } else {
        Err(RecordError::Field { name: "stick", found: identity })
    }
}

/// The identity of a stick that has none yet.
pub const STICK_UNSET: &str = "unset";

/// Why a sector is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not 512 bytes of text behind the signature of an environment block.
    #[error("no GRUB environment block of {SECTOR} bytes")]
    NoBlock,
    /// A variable is not there.
    #[error("no variable `{name}`")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A variable has a value that it cannot have.
    #[error("variable `{name}` cannot be `{found}`")]
    Field {
        /// Its name.
        name: &'static str,
        /// Its value.
        found: String,
    },
    /// Written by another version.
    #[error("records of version {VERSION} are read, this one has version `{found}`")]
    Version {
        /// Its version.
        found: String,
    },
    /// Begin and end do not belong together.
    #[error("the sector is torn: its end does not repeat its fields")]
    Torn,
}

fn block(head: &str, tail: &str) -> [u8; SECTOR] {
    let mut sector = [b'#'; SECTOR];
    let front = SIGNATURE.bytes().chain(head.bytes());
    sector.iter_mut().zip(front).for_each(|(to, from)| *to = from);
    // The fill is a comment line of its own where something stands behind it.
    let back = tail.bytes().rev().chain((!tail.is_empty()).then_some(b'\n'));
    sector.iter_mut().rev().zip(back).for_each(|(to, from)| *to = from);
    sector
}

struct Vars(EnvBlock);

impl Vars {
    fn read(sector: &[u8]) -> Result<Self, RecordError> {
        let block = Some(sector).filter(|s| s.len() == SECTOR).and_then(EnvBlock::parse);
        block.map(Self).ok_or(RecordError::NoBlock)
    }

    fn get(&self, name: &'static str) -> Result<&str, RecordError> {
        let value = self.0.get(name).ok_or(RecordError::Missing { name })?;
        let lossy =
            |_not_text| RecordError::Field { name, found: String::from_utf8_lossy(value).into_owned() };
        std::str::from_utf8(value).map_err(lossy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> impl Strategy<Value = SlotState> {
        prop_oneof![
            Just(SlotState::Good),
            Just(SlotState::Trial),
            Just(SlotState::Bad),
            Just(SlotState::None)
        ]
    }

    prop_compose! {
        fn slot()(state in state(), epoch in any::<u32>()) -> SlotRecord {
            SlotRecord { state, epoch: Epoch::new(epoch) }
        }
    }

    prop_compose! {
        fn control()(sequence in any::<u32>(), p in any::<bool>(), primary in slot(), secondary in slot()) -> Control {
            let preferred = if p { Slot::Primary } else { Slot::Secondary };
            Control { sequence, preferred, primary, secondary }
        }
    }

    proptest! {
        #[test]
        fn a_control_record_reads_as_it_was_written(control in control()) {
            prop_assert_eq!(Control::decode(&control.encode()), Ok(control));
        }

        #[test]
        fn a_torn_control_record_is_old_or_new_or_broken(old in control(), new in control(), at in 0usize..SECTOR) {
            let mut torn = old.encode();
            torn[..at].copy_from_slice(&new.encode()[..at]);
            match Control::decode(&torn) {
                Ok(read) => prop_assert!(read == old || read == new),
                Err(_torn) => {}
            }
        }

        #[test]
        fn any_sector_gives_an_answer(bytes in proptest::collection::vec(any::<u8>(), SECTOR)) {
            prop_assert!(Control::decode(&bytes).is_err());
            prop_assert!(Attempt::is_used(&bytes, Epoch::default()));
            prop_assert!(decode_stick(&bytes).is_err());
        }

        #[test]
        fn an_attempt_is_used_in_its_epoch_alone(a in any::<u32>(), b in any::<u32>(), at in 0usize..SECTOR) {
            let (a, b) = (Epoch::new(a), Epoch::new(b));
            let sector = Attempt { epoch: a }.encode();
            prop_assert!(Attempt::is_used(&sector, a));
            prop_assert_eq!(Attempt::is_used(&sector, b), a == b);
            // Torn on the way from a to b: used in b, or still what it was.
            let mut torn = sector;
            torn[..at].copy_from_slice(&Attempt { epoch: b }.encode()[..at]);
            prop_assert!(Attempt::is_used(&torn, b) || torn == sector);
        }
    }

    #[test]
    fn the_sector_is_what_grub_reads() {
        let slot = |state, epoch| SlotRecord { state, epoch: Epoch::new(epoch) };
        let control = Control {
            sequence: 12,
            preferred: Slot::Secondary,
            primary: slot(SlotState::Good, 3),
            secondary: slot(SlotState::Trial, 4),
        };
        let text = String::from_utf8(control.encode().to_vec()).unwrap();
        let head =
            "# GRUB Environment Block\nv=1\nn=12\npref=S\nps=good\nss=trial\npe=00000003\nse=00000004\n#";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("#\nchk=1,12,S,good,trial,00000003,00000004\n"), "{text}");
        let stick = encode_stick("00112233445566778899aabbccddeeff");
        assert_eq!(decode_stick(&stick), Ok("00112233445566778899aabbccddeeff".to_owned()));
    }

    #[test]
    fn the_newer_copy_counts_and_a_broken_one_does_not() {
        let slot = SlotRecord { state: SlotState::Good, epoch: Epoch::new(1) };
        let old = Control { sequence: 9, preferred: Slot::Primary, primary: slot, secondary: slot };
        let new = old.with(Slot::Primary, SlotRecord { state: SlotState::Bad, ..slot });
        assert_eq!(Control::newest(&old.encode(), &new.encode()), Some((1, new.clone())));
        assert_eq!(Control::newest(&new.encode(), &old.encode()), Some((0, new.clone())));
        assert_eq!(Control::newest(&[0; SECTOR], &old.encode()), Some((1, old)));
        assert_eq!(Control::newest(&[0; SECTOR], &[]), None);
        assert_eq!(attempt_file(Slot::Secondary, 3).as_deref(), Some("S3"));
        assert_eq!(attempt_file(Slot::Secondary, 4), None);
        assert_eq!(Epoch::new(99_999_999).next(), Epoch::new(1));
    }
}
