//! From `/var/log` to a list of what is archived.
//!
//! A file that nobody has open, or only rsyslog, is renamed away; rsyslog then opens a new one on SIGHUP, and
//! what it still writes in between goes into the renamed one. A file that some other process keeps open cannot be
//! renamed away: its lines so far are archived, and the room that they take is given back by a hole at its
//! beginning, which the writer does not notice.
use crate::holders::{Key, holders};
use esos_cli::Failure;
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Databases, not logs.
const KEPT: &[&str] = &["wtmp", "btmp", "lastlog", "faillog"];
const STAGING: &str = ".archive";
/// How much of a file that is in use was archived, by device and inode.
const OFFSETS: &str = "/var/lib/esos/logs/offsets.json";
/// rsyslog answers within a moment; one that hangs must not hold the archive.
const PATIENCE: Duration = Duration::from_secs(10);

/// One file, or the part of it that is archived.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// In the archive.
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) mode: u32,
    pub(crate) mtime: u64,
    key: Key,
    held: bool,
}

/// What is archived.
pub(crate) struct Staged {
    pub(crate) sources: Vec<Source>,
    offsets: BTreeMap<String, u64>,
    log: PathBuf,
    files: HostFiles,
}

fn key_text(key: Key) -> String {
    format!("{}:{}", key.0, key.1)
}

/// Bytes in files below a directory, as they take room.
pub(crate) fn size(dir: &Path) -> u64 {
    let mut all = Vec::new();
    walk(dir, dir, &mut all);
    all.iter()
        .filter_map(|(path, _)| fs::symlink_metadata(path).ok())
        .map(|m| m.blocks().saturating_mul(512))
        .sum()
}

fn walk(base: &Path, dir: &Path, found: &mut Vec<(PathBuf, PathBuf)>) {
    let mut entries: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            walk(base, &path, found);
        } else if meta.is_file() {
            let below = path.strip_prefix(base).unwrap_or(&path).to_owned();
            found.push((path, below));
        }
    }
}

impl Staged {
    /// Renames what can be, and finds how far the rest goes.
    pub(crate) fn take(root: &Path) -> Result<Self, Failure> {
        let log = root.join("var/log");
        let files = HostFiles::new(root);
        let offsets: BTreeMap<String, u64> =
            files.read(OFFSETS).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        let staging = log.join(STAGING).join(HostClock.now().as_nanos().to_string());
        let mut all = Vec::new();
        walk(&log, &log, &mut all);
        all.retain(|(_, below)| {
            let name = below.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            !KEPT.contains(&name) && !below.starts_with(STAGING)
        });
        let held = holders();
        let mut loggers: Vec<i32> = Vec::new();
        for (path, below) in &all {
            let Ok(meta) = fs::symlink_metadata(path) else { continue };
            let who = held.get(&(meta.dev(), meta.ino())).map(Vec::as_slice).unwrap_or_default();
            if meta.len() == 0 || who.iter().any(|(_, name)| name != "rsyslogd") {
                continue;
            }
            loggers.extend(who.iter().map(|(pid, _)| *pid));
            let to = staging.join(below);
            fs::create_dir_all(to.parent().unwrap_or(&staging))?;
            fs::rename(path, &to)?;
        }
        loggers.sort_unstable();
        loggers.dedup();
        reopen(&loggers, &log.join(STAGING));
        let mut staged = Self { sources: Vec::new(), offsets, log, files };
        staged.look()?;
        Ok(staged)
    }

    /// What there is now: everything staged, by this run or one that failed, and what is in use.
    fn look(&mut self) -> Result<(), Failure> {
        let held = holders();
        let mut all = Vec::new();
        walk(&self.log, &self.log, &mut all);
        let mut names: BTreeMap<String, u32> = BTreeMap::new();
        for (path, below) in all {
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let key = (meta.dev(), meta.ino());
            let mut parts = below.components();
            let is_staged = parts.next().is_some_and(|p| p.as_os_str() == STAGING);
            let below = if is_staged { parts.skip(1).collect::<PathBuf>() } else { below };
            let name = below.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let in_use = held.contains_key(&key);
            // What was made since is for the next time.
            if (!is_staged && !in_use) || KEPT.contains(&name) {
                continue;
            }
            let known = self.offsets.get(&key_text(key)).copied().unwrap_or(0);
            // Cut since: it begins anew.
            let start = if known > meta.len() { 0 } else { known };
            let end = if in_use { last_line(&path, start, meta.len())? } else { meta.len() };
            if end <= start && in_use {
                continue;
            }
            let plain = format!("var/log/{}", below.to_string_lossy());
            let count = names.entry(plain.clone()).or_default();
            *count += 1;
            let name = if *count > 1 { format!("{plain}.{count}") } else { plain };
            let mtime = u64::try_from(meta.mtime()).unwrap_or(0);
            self.sources.push(Source {
                path,
                name,
                start,
                end,
                mode: meta.mode() & 0o7777,
                mtime,
                key,
                held: in_use,
            });
        }
        Ok(())
    }

    /// The archive is on the medium: what is in it goes from memory.
    pub(crate) fn done(mut self) -> Result<(), Failure> {
        for source in &self.sources {
            if source.held {
                self.offsets.insert(key_text(source.key), source.end);
            } else {
                self.offsets.remove(&key_text(source.key));
            }
        }
        let live: Vec<String> = {
            let mut all = Vec::new();
            walk(&self.log, &self.log, &mut all);
            let metas = all.iter().filter_map(|(path, _)| fs::symlink_metadata(path).ok());
            metas.map(|m| key_text((m.dev(), m.ino()))).collect()
        };
        self.offsets.retain(|key, _| live.contains(key));
        self.files.make_dir("/var/lib/esos/logs")?;
        // Before the files: what is archived twice is better than what is archived never.
        self.files.replace(OFFSETS, &serde_json::to_vec(&self.offsets)?, 0o600)?;
        for source in &self.sources {
            if source.held {
                hole(&source.path, source.start, source.end);
            } else {
                fs::remove_file(&source.path)?;
            }
        }
        remove_empty(&self.log.join(STAGING));
        Ok(())
    }
}

/// Asks rsyslog to open its files anew, and waits until it has.
fn reopen(loggers: &[i32], staging: &Path) {
    for pid in loggers {
        // One that has ended holds nothing.
        let _gone = kill(Pid::from_raw(*pid), Signal::SIGHUP);
    }
    let until = HostClock.monotonic().saturating_add(PATIENCE);
    while !loggers.is_empty() && HostClock.monotonic() < until {
        let held = holders();
        let mut all = Vec::new();
        walk(staging, staging, &mut all);
        let busy = all.iter().filter_map(|(path, _)| fs::symlink_metadata(path).ok()).any(|m| {
            held.get(&(m.dev(), m.ino())).is_some_and(|who| who.iter().any(|(pid, _)| loggers.contains(pid)))
        });
        if !busy {
            return;
        }
        HostClock.sleep(Duration::from_millis(50));
    }
}

/// The end of the last whole line between two places.
fn last_line(path: &Path, start: u64, end: u64) -> io::Result<u64> {
    let file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    let mut at = end;
    while at > start {
        let length = usize::try_from(at - start).unwrap_or(usize::MAX).min(buffer.len());
        let from = at - length as u64;
        let part = &mut buffer[..length];
        file.read_exact_at(part, from)?;
        if let Some(newline) = part.iter().rposition(|b| *b == b'\n') {
            return Ok(from + newline as u64 + 1);
        }
        at = from;
    }
    Ok(start)
}

/// Gives the room of what is archived back. Where the file system cannot, the file only stays larger.
fn hole(path: &Path, start: u64, end: u64) {
    use nix::fcntl::{FallocateFlags, fallocate};
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let range = i64::try_from(start).ok().zip(i64::try_from(end.saturating_sub(start)).ok());
    if let (Ok(file), Some((start, length))) = (fs::OpenOptions::new().write(true).open(path), range) {
        let _larger = fallocate(&file, flags, start, length);
    }
}

fn remove_empty(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_empty(&entry.path());
        }
    }
    // What is not empty holds what is still in use.
    let _in_use = fs::remove_dir(dir);
}
