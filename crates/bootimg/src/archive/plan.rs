//! The whole way from a request to packages on this machine.
use super::catalog::{Catalog, Notice, Places};
use super::lock::{Lock, Locked};
use super::resolve::{Wish, resolve};
use super::{ArchiveError, UnixTime, Version};
use crate::deb::Control;
use esos_exec::Runner;
use esos_fetch::{Fetch, Location, Progress, Sha256, Store, Wanted};
use esos_hostfs::Files;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where Debian is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MirrorChoice {
    /// Where the host's own apt sources get it.
    #[default]
    HostSources,
    /// There: an archive with `dists/` and `pool/`, or a directory of packages.
    At(Location),
}

/// What packages are wanted, and from where.
#[derive(Debug, Clone)]
pub struct Request {
    /// The suite, by its code name: `trixie`.
    pub suite: String,
    /// What is wanted of it, and for which machine.
    pub wish: Wish,
    /// Components, such as `main` and `non-free-firmware`.
    pub components: Vec<String>,
    /// Where Debian is to be had.
    pub mirror: MirrorChoice,
    /// Binary keyrings with the archive's keys. A `Signed-By` of the host's source counts as well.
    pub keyrings: Vec<PathBuf>,
    /// A directory of packages that take part.
    pub extra_debs: Option<PathBuf>,
    /// Exactly these packages; nothing is chosen then, and no index is read.
    pub lock: Option<Lock>,
    /// Whether the network may not be used. [`Doors::fetch`] must be offline too.
    pub offline: bool,
    /// The time of the build, for expiry.
    pub now: UnixTime,
    /// Downloads at a time.
    pub threads: usize,
}

impl Request {
    /// For `main` and `non-free-firmware` of a suite on `amd64`, from the host's sources.
    #[must_use]
    pub fn new(suite: &str, wish: Wish, now: UnixTime) -> Self {
        Self {
            suite: suite.to_owned(),
            wish,
            components: vec!["main".to_owned(), "non-free-firmware".to_owned()],
            mirror: MirrorChoice::HostSources,
            keyrings: Vec::new(),
            extra_debs: None,
            lock: None,
            offline: false,
            now,
            threads: 4,
        }
    }
}

/// What the way leads through.
#[derive(Clone, Copy)]
pub struct Doors<'d> {
    /// The network and directories.
    pub fetch: &'d dyn Fetch,
    /// gpgv.
    pub runner: &'d dyn Runner,
    /// The build host's files, for its apt sources.
    pub host: &'d dyn Files,
    /// The cache.
    pub store: &'d Store,
}

impl fmt::Debug for Doors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").field("store", self.store).finish_non_exhaustive()
    }
}

/// A package that lies on this machine, its hash verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// `amd64`, or `all`.
    pub architecture: String,
    /// The hash of the file.
    pub sha256: Sha256,
    /// Bytes of the file.
    pub size: u64,
    /// The component, such as `non-free-firmware`.
    pub component: String,
    /// The file.
    pub deb: PathBuf,
    /// Why it is among them, in words; empty for packages of a lock file.
    pub because: String,
}

impl Chosen {
    /// Whether the package itself says what its index said of it; asked by whoever opens it.
    ///
    /// # Errors
    /// [`ArchiveError::Disagrees`] with the field.
    pub fn agrees(&self, control: &Control) -> Result<(), ArchiveError> {
        let fields = [
            ("Package", self.name.as_str()),
            ("Version", self.version.as_str()),
            ("Architecture", self.architecture.as_str()),
        ];
        for (field, expected) in fields {
            let found = control.field(field).unwrap_or_default();
            if found != expected {
                let (found, expected) = (found.to_owned(), expected.to_owned());
                return Err(ArchiveError::Disagrees { path: self.deb.clone(), field, found, expected });
            }
        }
        Ok(())
    }
}

/// The packages of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// By name.
    pub packages: Vec<Chosen>,
    /// The same as a lock file.
    pub lock: Lock,
    /// What the user should know.
    pub notices: Vec<Notice>,
}

/// Which packages a request needs, without fetching any: the lock file, and why each is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The packages.
    pub lock: Lock,
    /// Why, by name, in words.
    pub because: BTreeMap<String, String>,
    /// What the user should know.
    pub notices: Vec<Notice>,
}

/// Chooses packages from a catalog.
///
/// # Errors
/// [`ArchiveError::Resolve`] with the explanation, [`ArchiveError::Syntax`] for a damaged index,
/// [`ArchiveError::Filename`] for one that leads out of the archive.
pub fn choose(catalog: &Catalog, request: &Request) -> Result<Resolved, ArchiveError> {
    let universe = catalog.universe()?;
    let mut packages = BTreeMap::new();
    let mut because = BTreeMap::new();
    for selected in resolve(&universe, &request.wish)? {
        let Some(package) = universe.package(selected.package) else { continue };
        let why = match &selected.because {
            super::Because::Asked(words) => format!("asked for as {words}"),
            super::Because::Base => "part of the base system".to_owned(),
            super::Because::Needed { by, relation } => {
                format!("{} needs {relation}", universe.package(*by).map_or("", |p| p.name))
            }
        };
        // A bad file name is refused while its index is still known.
        catalog.places.locations(package.name, package.pool, package.filename)?;
        because.insert(package.name.to_owned(), why);
        let locked = Locked {
            name: package.name.to_owned(),
            version: package.version.parse().map_err(|_e| bad_version(package.version))?,
            architecture: package.architecture.to_owned(),
            sha256: package.sha256,
            size: package.size,
            pool: package.pool,
            component: package.component.to_owned(),
            filename: package.filename.to_owned(),
        };
        packages.insert(locked.name.clone(), locked);
    }
    let mut lock = Lock::new(request.suite.clone(), request.wish.architecture.clone());
    lock.packages = packages;
    Ok(Resolved { lock, because, notices: catalog.notices.clone() })
}

fn bad_version(text: &str) -> ArchiveError {
    esos_diag::ParseError::at("index", text, 0, "a version").into()
}

/// Chooses the packages of a request, or takes those of its lock, and gets them.
///
/// Without the network, packages come from the cache and from directories; what was chosen from indexes
/// of the network then is what the last build with it saw.
///
/// # Errors
/// [`ArchiveError`]; nothing half-written stays in the cache.
pub fn plan_packages(
    request: &Request,
    doors: &Doors<'_>,
    progress: &dyn Progress,
) -> Result<Planned, ArchiveError> {
    let (resolved, places) = match &request.lock {
        Some(lock) => (from_lock(lock, request)?, places_for_lock(request, doors)?),
        None => {
            let catalog = Catalog::load(request, doors, progress)?;
            (choose(&catalog, request)?, catalog.places)
        }
    };
    let mut wanted = Vec::new();
    for package in resolved.lock.packages.values() {
        let locations = places.locations(&package.name, package.pool, &package.filename)?;
        let (name, sha256, size) = (package.name.clone(), package.sha256, package.size);
        wanted.push(Wanted { name, locations, sha256, size });
    }
    let files = doors.store.obtain_all(doors.fetch, &wanted, request.threads, progress)?;
    let chosen = |(package, deb): (&Locked, PathBuf)| Chosen {
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        sha256: package.sha256,
        size: package.size,
        component: package.component.clone(),
        deb,
        because: resolved.because.get(&package.name).cloned().unwrap_or_default(),
    };
    let packages = resolved.lock.packages.values().zip(files).map(chosen).collect();
    Ok(Planned { packages, lock: resolved.lock, notices: resolved.notices })
}

fn places_for_lock(request: &Request, doors: &Doors<'_>) -> Result<Places, ArchiveError> {
    match (&request.mirror, request.offline) {
        // The cache alone has to do; which mirrors the host has does not matter then.
        (MirrorChoice::HostSources, true) => Ok(Places::local_only(request)),
        _ => Places::find(request, doors),
    }
}

fn from_lock(lock: &Lock, request: &Request) -> Result<Resolved, ArchiveError> {
    if lock.suite != request.suite || lock.architecture != request.wish.architecture {
        return Err(ArchiveError::OtherLock {
            locked: format!("{} {}", lock.suite, lock.architecture),
            wanted: format!("{} {}", request.suite, request.wish.architecture),
        });
    }
    Ok(Resolved { lock: lock.clone(), because: BTreeMap::new(), notices: Vec::new() })
}
