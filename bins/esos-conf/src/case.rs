//! The box and its store, as each verb needs them.
use crate::host::{HostBox, HostMedium, put_memory};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_confsync::restore::Restored;
use esos_confsync::{EXTRAS, Index, Request, Store, StoreError, Tracked, sync};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, LockGuard, Mounted, lock};
use esos_layout::run;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the box remembers of its store; not part of the configuration.
pub(crate) const STATE: &str = "/var/lib/esos/conf";

/// The box and its store.
pub(crate) struct Case {
    pub(crate) files: HostFiles,
    pub(crate) tree: HostBox,
    pub(crate) tracked: Tracked,
    pub(crate) medium: HostMedium,
    pub(crate) version: String,
    pub(crate) host: String,
    pub(crate) live: bool,
    pub(crate) store_dir: PathBuf,
    root: PathBuf,
    mounted: Option<Mounted>,
}

impl Case {
    /// With the store for reading, or for writing too.
    pub(crate) fn open(store: Option<&Path>, write: bool, ui: &Ui) -> Result<Self, Failure> {
        let files = HostFiles::new(ui.root());
        let tracked = match files.read(EXTRAS) {
            Ok(bytes) => Tracked::with_extras(&String::from_utf8_lossy(&bytes))
                .map_err(|e| Failure::new(Exit::Invalid, e).code("conf::tracked"))?,
            Err(e) if e.is_not_found() => Tracked::default(),
            Err(e) => return Err(e.into()),
        };
        let (version, host) = names(&files);
        let live = ui.global().is_live();
        let (store_dir, mounted) = match store {
            Some(dir) => (dir.to_owned(), None),
            None if live => {
                let mounted = crate::stick::mounted(write)?;
                (mounted.path().to_owned(), Some(mounted))
            }
            None => {
                return Err(Failure::new(Exit::Usage, "a copied tree has no stick of its own")
                    .help("name the directory of generations with --store DIR"));
            }
        };
        if !store_dir.is_dir() {
            let what = format!("there is no store at {}: the directory is not there", store_dir.display());
            return Err(Failure::new(Exit::Unavailable, what).code("conf::gone").help("esos stick show"));
        }
        let (tree, medium) = (HostBox::new(ui.root()), HostMedium::new(&store_dir));
        let root = ui.root().to_owned();
        Ok(Self { files, tree, tracked, medium, version, host, live, store_dir, root, mounted })
    }

    pub(crate) fn store(&self) -> Result<Store<'_>, Failure> {
        Store::open(&self.medium).map_err(told)
    }

    /// One at a time, on this box and on this store.
    pub(crate) fn lock(&self) -> Result<Vec<LockGuard>, Failure> {
        self.files.make_dir(STATE)?;
        let own = self.root.join(STATE.trim_start_matches('/')).join("lock");
        let wait = Duration::from_secs(60);
        let mut guards = vec![lock(&own, wait).or_exit(Exit::Busy)?];
        // A store that can only be read is told by whoever wants to write.
        match lock(&self.store_dir.join(".lock"), wait) {
            Ok(guard) => guards.push(guard),
            Err(busy @ esos_hostfs::LockError::Busy { .. }) => {
                return Err(Failure::from(busy).with_exit(Exit::Busy));
            }
            Err(_) => {}
        }
        Ok(guards)
    }

    pub(crate) fn index(&self) -> Option<Index> {
        Index::decode(&self.files.read(&format!("{STATE}/index")).ok()?).ok()
    }

    pub(crate) fn keep_index(&self, index: &Index) -> Result<(), Failure> {
        self.files.make_dir(STATE)?;
        Ok(put_memory(&self.root.join(STATE.trim_start_matches('/')).join("index"), &index.encode())?)
    }

    pub(crate) fn restored(&self) -> Result<Option<Restored>, Failure> {
        match self.files.read(&format!("{STATE}/restored.json")) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).or_exit(Exit::Invalid)?)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Forgets the index: the next sync reads what is on the medium, and not only its names.
    pub(crate) fn forget_index(ui: &Ui) -> Result<(), Failure> {
        match HostFiles::new(ui.root()).remove(&format!("{STATE}/index")) {
            Err(e) if !e.is_not_found() => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Whether its store is a partition that was mounted for this.
    pub(crate) fn mounts(&self) -> bool {
        self.mounted.is_some()
    }

    pub(crate) fn keep_restored(&self, restored: &Restored) -> Result<(), Failure> {
        self.files.make_dir(STATE)?;
        Ok(self.files.replace(
            &format!("{STATE}/restored.json"),
            &serde_json::to_vec_pretty(restored)?,
            0o600,
        )?)
    }

    /// The box has its configuration, restored late or declared by hand: the network may come up again.
    /// Whether that was forbidden until now.
    pub(crate) fn network_may_be_on(&self) -> Result<bool, Failure> {
        match self.files.remove(run::NETWORK_OFF) {
            Ok(()) => Ok(true),
            Err(e) if e.is_not_found() => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// The image's own files, as they were before anything was restored.
    pub(crate) fn defaults_dir(&self) -> PathBuf {
        defaults_dir(&self.root)
    }
}

fn defaults_dir(root: &Path) -> PathBuf {
    root.join(STATE.trim_start_matches('/')).join("defaults")
}

/// The version that runs, and the box's name.
fn names(files: &HostFiles) -> (String, String) {
    let text = |path: &str| {
        let bytes = files.read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|t| !t.is_empty())
    };
    // `ESOS 5.0.0` and `5.0.0` are the same.
    let version = text(run::RELEASE).unwrap_or_default();
    let version = version.split_whitespace().next_back().unwrap_or("0").to_owned();
    (version, text("/etc/hostname").unwrap_or_else(|| "localhost".to_owned()))
}

/// Keeps the image's own files, so that the next generation knows what the operator changed. Once: what is kept
/// already is of a time when less had been changed.
pub(crate) fn keep_defaults(root: &Path, tracked: &Tracked) -> Result<(), Failure> {
    let files = HostFiles::new(root);
    files.make_dir(STATE)?;
    let (dir, (version, host)) = (defaults_dir(root), names(&files));
    if !dir.is_dir() {
        std::fs::create_dir(&dir)?;
    }
    let medium = HostMedium::new(&dir);
    if Store::open(&medium).map_err(told)?.generations().next().is_none() {
        let request = Request::new(&host, &version, "defaults", HostClock.now().as_secs());
        sync(&HostBox::new(root), tracked, &medium, None, None, &request).map_err(told)?;
    }
    Ok(())
}

/// An error of the store, each with its own code.
pub(crate) fn told(error: StoreError) -> Failure {
    let (exit, code, help) = match &error {
        StoreError::Gone => (Exit::Unavailable, "gone", "esos stick show"),
        StoreError::Empty => {
            (Exit::Unavailable, "no-repository", "esos conf sync makes the first generation")
        }
        StoreError::NotFound(_) => (Exit::Failed, "not-found", "esos conf log lists what there is"),
        StoreError::Damaged { .. } => (Exit::Invalid, "damaged", "esos conf verify says what is whole"),
        StoreError::Newer { .. } => {
            (Exit::Invalid, "newer", "run the version that made it: esos image slots, esos image rollback")
        }
        StoreError::ReadOnly => {
            (Exit::Failed, "read-only", "a stick that turns read-only is dying: replace it")
        }
        StoreError::Lost { .. } => {
            (Exit::Failed, "lost", "the stick says that it has written what it drops: replace it")
        }
        StoreError::Full => (Exit::Failed, "full", "esos conf prune frees old generations"),
        _ => (Exit::Failed, "io", "esos stick show; dmesg"),
    };
    Failure::from(error).with_exit(exit).code(format!("conf::{code}")).help(help)
}

/// `@7`.
pub(crate) fn id(word: &str) -> Option<Result<u64, Failure>> {
    let digits = word.strip_prefix('@')?;
    let bad = |_| Failure::new(Exit::Usage, format!("`{word}` is no generation; they are written @7"));
    Some(digits.parse().map_err(bad))
}

/// Seconds since 1970 for people.
pub(crate) fn time(seconds: u64) -> String {
    let stamp = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    stamp.map_or_else(|| seconds.to_string(), |t| t.to_string())
}
