//! The partition of logs.
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_hostfs::{Files, HostFiles, MountFlags, Mounted, Space};
use esos_initramfs::{BootedStick, BootedStickError};
use esos_layout::{part, run};
use esos_logarchive::{Budget, Entry, Policy, retain};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The partition of logs, as a directory.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) space: Space,
    _mounted: Option<Mounted>,
}

impl Place {
    pub(crate) fn open(store: Option<&Path>, write: bool, ui: &Ui) -> Result<Self, Failure> {
        let (dir, mounted) = match store {
            Some(dir) => (dir.to_owned(), None),
            None if ui.global().is_live() => {
                let mounted = mounted(write)?;
                (mounted.path().to_owned(), Some(mounted))
            }
            None => {
                return Err(Failure::new(Exit::Usage, "a copied tree has no stick of its own")
                    .help("name the directory of archives with --store DIR"));
            }
        };
        if !dir.is_dir() {
            let text = format!("{} is not there", dir.display());
            return Err(Failure::new(Exit::Unavailable, text).code("logs::gone").help("esos stick show"));
        }
        let space = esos_hostfs::space(&dir)?;
        Ok(Self { dir, space, _mounted: mounted })
    }

    /// Everything on it, two levels deep: dumps have a directory each.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let mut found = Vec::new();
        walk(&self.dir, "", 3, &mut found)?;
        Ok(found)
    }

    /// Half of it for logs, or as it was asked for.
    pub(crate) fn policy(&self, budget: Option<u64>, keep: Option<usize>) -> Policy {
        let mut policy = Policy::of(self.space.total.get());
        policy.logs = Budget {
            most: budget.unwrap_or(policy.logs.most),
            keep: keep.unwrap_or(policy.logs.keep),
            ..policy.logs
        };
        policy
    }

    /// Makes room. Returns what went, and how many bytes are still missing.
    pub(crate) fn make_room(
        &self,
        policy: &Policy,
        now: i64,
        need: u64,
    ) -> Result<(Vec<String>, u64), Failure> {
        let entries = self.entries()?;
        let free = esos_hostfs::space(&self.dir)?.available.get();
        let verdict = retain(&entries, policy, now, free, need);
        let mut gone = Vec::new();
        for (i, _) in &verdict.removals {
            let Some(entry) = entries.get(*i) else { continue };
            fs::remove_file(self.dir.join(&entry.name))?;
            gone.push(entry.name.clone());
        }
        if !gone.is_empty() {
            esos_hostfs::sync_dir(&self.dir)?;
        }
        Ok((gone, verdict.short_bytes))
    }
}

/// Whoever else has it mounted, for the other purpose, is done by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// `esos_logs` of the stick that was booted, wherever it is now. Never that of another stick with the same names.
fn mounted(write: bool) -> Result<Mounted, Failure> {
    let files = HostFiles::new("/");
    let told = |e: BootedStickError| {
        let exit = if matches!(e, BootedStickError::Report(_)) { Exit::Invalid } else { Exit::Unavailable };
        Failure::from(e).with_exit(exit).code("logs::gone").help("esos stick show")
    };
    let stick = BootedStick::read(&files).map_err(told)?;
    let device = stick.partition(part::LOGS).map_err(told)?;
    files.make_dir(run::DIR)?;
    let mut flags = MountFlags::NO_SUID | MountFlags::NO_DEV | MountFlags::NO_EXEC;
    if !write {
        flags |= MountFlags::READ_ONLY;
    }
    Mounted::new_in(Path::new(run::DIR), device, "ext4", flags, PATIENCE).or_exit(Exit::Unavailable)
}

fn walk(dir: &Path, below: &str, depth: u32, found: &mut Vec<Entry>) -> Result<(), Failure> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(meta) = entry.metadata() else { continue };
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if meta.is_file() {
            found.push(Entry::new(&name, meta.blocks().saturating_mul(512).max(meta.len()), meta.mtime()));
        } else if meta.is_dir() && depth > 0 {
            // What cannot be looked into (`lost+found`) is nobody's business.
            let _not_ours = walk(&entry.path(), &format!("{name}/"), depth - 1, found);
        }
    }
    Ok(())
}
