//! The upgrade itself.
use super::chunks::Chunks;
use super::record::Change;
use super::{Incoming, Plan, Stick, StickError};
use crate::disk::bytes::hex;
use crate::disk::inspect::{region, sums_of, text};
use crate::disk::squashfs::{Image, WriteSquashError, Writer};
use crate::disk::verify::{Finding, verify_slot};
use crate::disk::{Reading, squashfs::File};
use esos_layout::Slot;
use esos_layout::slot::SUMS;
use esos_layout::state::SlotState;
use std::io::{self, Read, Seek};

/// How far an upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Bytes of the new system written, or found to be there already.
    Written(u64),
    /// Bytes read back from the medium and compared.
    ReadBack(u64),
}

/// What an upgrade did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Installed {
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Bytes that were there already, of this upgrade's own earlier try or of an older system.
    pub kept_bytes: u64,
    /// Bytes whose hashes were computed from what the medium gives back.
    pub read_back_bytes: u64,
}

/// Why an upgrade ended. The running slot stays preferred and the other one is not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Stick(#[from] StickError),
    /// Somebody changed the slot state after the plan was made.
    #[error("the slot state has changed since the plan was made")]
    Changed,
    /// The slot cannot be written, or the source cannot be read any more.
    #[error("writing {slot}")]
    Write {
        /// Which.
        slot: Slot,
        /// Why.
        #[source]
        source: WriteSquashError,
    },
    /// The medium fails.
    #[error("writing {slot}")]
    Medium {
        /// Which.
        slot: Slot,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The source gave other bytes than when it was checked.
    #[error("{file} has changed since it was checked")]
    Unsteady {
        /// The file.
        file: String,
    },
    /// The medium gives back something else.
    #[error("{slot} reads back damaged, so the stick does not keep what is written: {}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    ReadBack {
        /// Which.
        slot: Slot,
        /// What.
        findings: Vec<Finding>,
    },
}

impl Plan {
    /// Carries the plan out: the slot is marked `none` (one sector), written, flushed, read back, and
    /// marked for trial with a new epoch and preferred (one sector). Broken off anywhere, it can be done
    /// again; what is there already is not written twice.
    ///
    /// # Errors
    /// [`InstallError`].
    pub fn apply<R: Read + Seek>(
        &self,
        stick: &mut Stick<'_>,
        incoming: &mut Incoming<R>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Installed, InstallError> {
        let slot = self.slot;
        let (_, control) = stick.state().newest().ok_or(InstallError::Changed)?;
        let steady = control.sequence == self.sequence
            && control.slot(self.keeps).state == SlotState::Good
            && stick.slot(slot)? == (self.start, self.room);
        if !steady {
            return Err(InstallError::Changed);
        }
        stick.repair(slot)?;
        let mut emptied = Change::new(control, stick.note()).set(slot, SlotState::None).prefer(self.keeps);
        emptied.note.forget_good(slot);
        if emptied.control != stick.state().control() {
            stick.commit(&emptied)?;
        }
        let (written_bytes, kept_bytes) = self.write(stick, incoming, progress)?;

        let mut disk = Reading::new(stick.medium());
        let table = stick.table().clone();
        let back = verify_slot(&mut disk, &table, slot, &mut |bytes| progress(Progress::ReadBack(bytes)));
        let mut findings = back.findings;
        if findings.is_empty() && !same_files(&mut disk, stick, slot, &incoming.image) {
            let what = "it is not the file system that was written".to_owned();
            findings.push(Finding { place: slot.partition().to_owned(), file: None, what });
        }
        if !findings.is_empty() {
            return Err(InstallError::ReadBack { slot, findings });
        }
        let now = stick.state().control();
        let armed = Change::new(now, stick.note()).renew(stick.state(), slot, SlotState::Trial).prefer(slot);
        stick.commit(&armed)?;
        Ok(Installed { written_bytes, kept_bytes, read_back_bytes: back.hashed_bytes })
    }

    /// The file system is written anew out of the checked files: nothing comes along that no hash covers.
    fn write<R: Read + Seek>(
        &self,
        stick: &Stick<'_>,
        incoming: &mut Incoming<R>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(u64, u64), InstallError> {
        let slot = self.slot;
        let medium = |source| InstallError::Medium { slot, source };
        let write = |source| InstallError::Write { slot, source };
        let unsteady = |file: &str| InstallError::Unsteady { file: file.to_owned() };
        let Incoming { disk, table, slot: from, image, .. } = incoming;
        let mut area = region(disk, table, from.partition()).ok_or_else(|| unsteady(from.partition()))?;
        let sums = text(image, &mut area, SUMS).ok_or_else(|| unsteady(SUMS))?;
        let mut files: Vec<&File> = image.files().iter().collect();
        files.sort_by_key(|f| f.start);

        let chunks = Chunks::new(stick.medium(), self.start, self.room).map_err(medium)?;
        let mut writer = Writer::new(chunks, image.time).map_err(write)?;
        let mut done = 0u64;
        for file in files {
            let mut reader = Told { inner: file.reader(&mut area), done, progress: &mut *progress };
            let sum = hex(&writer.add(&file.name, file.len, &mut reader).map_err(write)?);
            done = done.saturating_add(file.len);
            let known = sums_of(&sums).any(|(expected, name)| name == file.name && expected == sum);
            if !known && file.name != SUMS {
                return Err(unsteady(&file.name));
            }
        }
        let (chunks, _bytes) = writer.finish().map_err(write)?;
        chunks.finish().map_err(medium)
    }
}

/// Whether a slot has the same files in the same places as the system that was to be written.
fn same_files(disk: &mut Reading<'_>, stick: &Stick<'_>, slot: Slot, wanted: &Image) -> bool {
    let area = region(disk, stick.table(), slot.partition());
    area.and_then(|mut area| Image::open(&mut area).ok()).is_some_and(|image| {
        let mut names = image.files().iter().map(|f| (&f.name, f.len));
        image.files().len() == wanted.files().len()
            && wanted.files().iter().all(|f| names.next() == Some((&f.name, f.len)))
    })
}

/// A reader that tells how far it is.
struct Told<'p, R> {
    inner: R,
    done: u64,
    progress: &'p mut dyn FnMut(Progress),
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.done = self.done.saturating_add(crate::disk::bytes::wide(n));
        (self.progress)(Progress::Written(self.done));
        Ok(n)
    }
}
