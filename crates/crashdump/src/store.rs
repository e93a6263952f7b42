//! The directory of dumps on a file system.
//!
//! A dump is `crash-0001-6.12.117+deb12-amd64.kdump`. The numbers count up and never come from a clock: a box whose
//! clock is wrong loses no dump. The log (`.dmesg`), the manifest (`.manifest.json`), the note that the dump was
//! read back and reported (`.checked.json`) and the mark that somebody has looked at it (`.seen`) lie beside it.
use crate::outcome::{LOG_ENDING, MANIFEST_ENDING, PART_ENDING, beside};
use crate::{
    Core, Estimate, KdumpFile, Level, LogError, Manifest, OutcomeError, Panic, PanicScan, Progress, ReadAt,
    SaveOptions, finish_part, save_dump, save_log, write_manifest,
};
use esos_hostfs::{FileError, Files, HostFiles, Stream, space};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The directory on a file system for dumps (`esos_logs`), and the marker that says that dumps may go there.
pub const DUMP_DIR: &str = "crash";
const DUMP_ENDING: &str = ".kdump";
const CHECKED_ENDING: &str = ".checked.json";
const SEEN_ENDING: &str = ".seen";
/// Room that is kept for the next dump where everything else is full.
const RESERVE: &str = "reserve";
/// What a file system keeps for itself, and the manifest.
const MARGIN: u64 = 512 << 10;
const MAX_NUMBER: u32 = 999_999;

/// What there is of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DumpState {
    /// All pages of its level.
    Complete,
    /// A valid dump that lacks pages of its level.
    Incomplete,
    /// It was being written when the power went or the machine was reset.
    Unfinished,
    /// Only the log.
    Log,
}

/// What a check after the crash found; written once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckNote {
    /// Whether every page and checksum was right.
    pub good: bool,
    /// What was wrong.
    pub problems: Vec<String>,
    /// Whether it was handed on for people to be told. Until they were, every boot hands it on again.
    #[serde(default)]
    pub queued: bool,
    /// Whether people were told.
    pub reported: bool,
}

/// A dump of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name without endings.
    pub name: String,
    /// Its number; a higher one is newer.
    pub number: u32,
    /// What there is.
    pub state: DumpState,
    /// Bytes of all its files.
    pub size_bytes: u64,
    /// Where there is one that can be understood.
    pub manifest: Option<Manifest>,
    /// Where it was read back.
    pub checked: Option<CheckNote>,
    /// Whether somebody has looked at it.
    pub seen: bool,
}

/// What was saved of a crash.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The dump's name without endings.
    pub name: String,
    /// Why the kernel stopped.
    pub panic: Panic,
    /// Why the log is not whole.
    pub log_problem: Option<String>,
}

/// A directory of dumps.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    files: HostFiles,
}

impl Store {
    /// The store in a directory, which is made where it is missing.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(dir: &Path) -> Result<Self, FileError> {
        let this = Self::at(dir);
        this.files.make_dir("/")?;
        Ok(this)
    }

    /// The store in a directory that may be missing: it is empty then.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), files: HostFiles::new(dir) }
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of a dump, whether it is there or not.
    #[must_use]
    pub fn dump(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{DUMP_ENDING}"))
    }

    /// All dumps, the oldest first.
    ///
    /// # Errors
    /// The file system's; a directory that is missing has none.
    pub fn entries(&self) -> Result<Vec<Entry>, FileError> {
        let names = match self.files.list("/") {
            Err(e) if e.is_not_found() => return Ok(Vec::new()),
            other => other?,
        };
        let mut found: BTreeMap<(u32, String), Vec<String>> = BTreeMap::new();
        for file in names {
            if let Some((name, number)) = stem(&file) {
                found.entry((number, name.to_owned())).or_default().push(file);
            }
        }
        Ok(found.into_iter().map(|((number, name), files)| self.entry(name, number, &files)).collect())
    }

    fn entry(&self, name: String, number: u32, files: &[String]) -> Entry {
        let size = |f: &String| self.files.stat(f).map(|m| m.len).unwrap_or(0);
        let has = |ending: &str| files.contains(&format!("{name}{DUMP_ENDING}{ending}"));
        let json = |ending: &str| self.files.read(&format!("{name}{DUMP_ENDING}{ending}")).ok();
        let manifest: Option<Manifest> =
            json(MANIFEST_ENDING).and_then(|text| serde_json::from_slice(&text).ok());
        let state = match &manifest {
            _ if has(PART_ENDING) => DumpState::Unfinished,
            Some(m) if has("") && m.complete => DumpState::Complete,
            _ if has("") => DumpState::Incomplete,
            _ => DumpState::Log,
        };
        let checked = json(CHECKED_ENDING).and_then(|text| serde_json::from_slice(&text).ok());
        let seen = has(SEEN_ENDING);
        Entry { number, state, size_bytes: files.iter().map(size).sum(), manifest, checked, seen, name }
    }

    /// Writes the log of a crash under the next number, whatever the clock says. Where the file system is full, the
    /// reserve makes room.
    ///
    /// # Errors
    /// [`OutcomeError`].
    pub fn begin<S: ReadAt>(&self, core: &Core<S>) -> Result<Kept, OutcomeError> {
        let release: String = crate::Physical::info(core)
            .get("OSRELEASE")
            .unwrap_or("unknown")
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "+.-_".contains(*c))
            .take(64)
            .collect();
        let last = self.entries()?.last().map_or(0, |e| e.number);
        let name = format!("crash-{:04}-{release}", last.saturating_add(1).min(MAX_NUMBER));
        let path = beside(&self.dump(&name), LOG_ENDING);
        let written = match save_log(core, &path) {
            Err(e) if e.is_full() && self.free_reserve()? => save_log(core, &path)?,
            other => other?,
        };
        let (panic, problem): (Panic, Option<LogError>) = written;
        Ok(Kept { name, panic, log_problem: problem.map(|e| e.to_string()) })
    }

    /// Writes the dump of a crash whose log was begun. Free space is looked at first: where the level wanted would
    /// not fit, the reserve makes room, then the level rises to 31, then what is needed least is left out.
    ///
    /// # Errors
    /// [`OutcomeError`]; the log stays.
    pub fn add_dump<S: ReadAt>(
        &self,
        core: &Core<S>,
        kept: &Kept,
        options: &SaveOptions,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Manifest, OutcomeError> {
        let room = || Ok::<_, FileError>(space(&self.dir)?.free.get().saturating_sub(MARGIN));
        let mut options = *options;
        let wanted = Estimate::new(core, options.level)?.likely();
        if room()? < wanted {
            let _made_room = self.free_reserve()?;
        }
        if room()? < wanted {
            options.level = Level::LEAST;
        }
        options.max_size = Some(options.max_size.unwrap_or(u64::MAX).min(room()?));
        save_dump(core, &self.dump(&kept.name), &options, kept.panic.clone(), tell)
    }

    /// Takes room on the medium for the next dump, so that a file system that other things filled still has it.
    ///
    /// # Errors
    /// The file system's, above all that there is no such room.
    pub fn keep_reserve(&self, bytes: u64) -> Result<(), FileError> {
        if self.files.stat(RESERVE).is_ok_and(|m| m.len >= bytes) {
            return Ok(());
        }
        let file = Stream::create(&self.dir.join(RESERVE), 0o600)?;
        let taken = file.allocate(bytes).and_then(|()| file.sync());
        if taken.is_err() {
            let _gone = self.free_reserve();
        }
        taken
    }

    /// Gives the reserve up; whether there was one.
    ///
    /// # Errors
    /// The file system's.
    pub fn free_reserve(&self) -> Result<bool, FileError> {
        match self.files.remove(RESERVE) {
            Ok(()) => Ok(true),
            Err(e) if e.is_not_found() => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Puts the store in order after a crash: what was left unfinished gets its name and its manifest.
    ///
    /// # Errors
    /// The file system's. An unfinished dump of which nothing can be read is removed; its log stays.
    pub fn recover(&self) -> Result<Vec<String>, OutcomeError> {
        let mut said = Vec::new();
        for entry in self.entries()? {
            let dump = self.dump(&entry.name);
            let name = &entry.name;
            if entry.state == DumpState::Unfinished {
                match finish_part(&dump, self.panic_of(name)) {
                    Ok(m) => said.push(format!(
                        "{name} was cut off while it was written; it has {} of its pages",
                        m.pages.saturating_sub(m.dropped_pages)
                    )),
                    Err(OutcomeError::Core(e)) => {
                        self.files.remove(&format!("{name}{DUMP_ENDING}{PART_ENDING}"))?;
                        said.push(format!("{name} was cut off before anything of its memory was written ({e}); its log is there"));
                    }
                    Err(e) => return Err(e),
                }
            } else if entry.state == DumpState::Incomplete
                && entry.manifest.is_none()
                && let Ok(file) = KdumpFile::open(Stream::open(&dump)?)
            {
                write_manifest(&dump, &Manifest::of_file(&file, self.panic_of(name))?)?;
                said.push(format!("{name} had no manifest; one was made of what it holds"));
            }
        }
        Ok(said)
    }

    /// Why the kernel stopped, by the log beside a dump.
    #[must_use]
    pub fn panic_of(&self, name: &str) -> Panic {
        let mut scan = PanicScan::default();
        let log = self.files.read(&format!("{name}{DUMP_ENDING}{LOG_ENDING}")).unwrap_or_default();
        // Writing to it never fails.
        let _all = scan.write_all(&log);
        scan.finish()
    }

    /// Reads a dump back, page by page, and compares it with its checksums. The answer says what is wrong.
    ///
    /// # Errors
    /// The file system's.
    pub fn verify(&self, entry: &Entry) -> Result<Vec<String>, FileError> {
        if entry.state == DumpState::Log {
            return Ok(Vec::new());
        }
        let stream = Stream::open(&self.dump(&entry.name))?;
        let mut problems = match &entry.manifest {
            Some(manifest) => manifest.compare(&stream).unwrap_or_else(|e| vec![e.to_string()]),
            None => vec!["it has no manifest".to_owned()],
        };
        // Of an incomplete dump the manifest says what is missing; that is no damage.
        let expected = entry.manifest.as_ref().map_or(0, |m| m.unfinished_pages);
        match KdumpFile::open(&stream).and_then(|file| file.check()) {
            Ok(checked) if checked.bad == expected => {}
            Ok(checked) => problems.extend(checked.problems),
            Err(e) => problems.push(e.to_string()),
        }
        Ok(problems)
    }

    /// Notes what a check found, and whether people were told.
    ///
    /// # Errors
    /// The file system's.
    pub fn note(&self, name: &str, note: &CheckNote) -> Result<(), FileError> {
        let text = serde_json::to_vec(note).unwrap_or_default();
        self.files.replace(&format!("{name}{DUMP_ENDING}{CHECKED_ENDING}"), &text, 0o600)
    }

    /// Notes that somebody has looked at a dump. The mark is a file of its own: a check may write its note meanwhile.
    ///
    /// # Errors
    /// The file system's.
    pub fn note_seen(&self, name: &str) -> Result<(), FileError> {
        self.files.replace(&format!("{name}{DUMP_ENDING}{SEEN_ENDING}"), b"", 0o600)
    }

    /// Removes a dump with everything beside it.
    ///
    /// # Errors
    /// The file system's; `ENOENT` where there is none of that name.
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        let mut removed = false;
        for file in self.files.list("/")?.iter().filter(|f| stem(f).is_some_and(|(n, _)| n == name)) {
            self.files.remove(file)?;
            removed = true;
        }
        if removed { Ok(()) } else { self.files.stat(&format!("{name}{DUMP_ENDING}")).map(drop) }
    }

    /// Names of the dumps that go, so that at most `keep` stay and together they have at most `bytes`. The newest
    /// stays in any case, and so does every one that nobody was told of.
    ///
    /// # Errors
    /// The file system's.
    pub fn surplus(&self, keep: usize, bytes: u64) -> Result<Vec<String>, FileError> {
        let (mut count, mut sum, mut go) = (0, 0_u64, Vec::new());
        for entry in self.entries()?.iter().rev() {
            (count, sum) = (count + 1, sum.saturating_add(entry.size_bytes));
            let told = entry.checked.as_ref().is_some_and(|c| c.reported);
            if count > 1 && told && (count > keep || sum > bytes) {
                go.push(entry.name.clone());
            }
        }
        go.reverse();
        Ok(go)
    }
}

/// The dump that a file belongs to, and its number.
fn stem(file: &str) -> Option<(&str, u32)> {
    let (name, rest) = file.split_once(DUMP_ENDING)?;
    let known = ["", LOG_ENDING, MANIFEST_ENDING, PART_ENDING, CHECKED_ENDING, SEEN_ENDING].contains(&rest);
    let digits = name.strip_prefix("crash-")?.split('-').next()?;
    let number = digits.parse().ok().filter(|n| known && *n <= MAX_NUMBER)?;
    Some((name, number))
}
