//! Everything that can be had: the indexes of all archives, verified.
use super::deb822;
use super::directory;
use super::package::{Pool, Universe, parse_index};
use super::plan::{Doors, MirrorChoice, Request};
use super::release::{Release, ReleaseError};
use super::signature::{dearmor, verify};
use super::sources::{self, SignedBy};
use super::{ArchiveError, UnixTime};
use esos_fetch::{FetchError, Location, Progress, Sha256, StoreError, Wanted, read_whole};
use esos_hostfs::HostFiles;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

/// An `InRelease` larger than this is refused; Debian's has 150 kB.
const RELEASE_LIMIT: u64 = 16 << 20;
/// An index whose unpacked size its list does not state; Debian's largest has 57 MB.
const INDEX_LIMIT: u64 = 1 << 30;

/// Something that the user should know, although the build goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// There are no security updates in the image.
    NoSecurity {
        /// Why.
        why: String,
    },
    /// There are no `-updates` in the image.
    NoUpdates {
        /// Why.
        why: String,
    },
    /// A package of the user stays out.
    LeftOut {
        /// Which.
        package: String,
        /// Why.
        why: String,
    },
    /// Packages come from a directory that nobody has signed.
    NotSigned {
        /// The directory.
        dir: PathBuf,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecurity { why } => write!(f, "without security updates: {why}"),
            Self::NoUpdates { why } => write!(f, "without -updates: {why}"),
            Self::LeftOut { package, why } => write!(f, "{package} of the extra packages stays out: {why}"),
            Self::NotSigned { dir } => {
                write!(f, "packages of {} are taken as they are: nothing there is signed", dir.display())
            }
        }
    }
}

/// Where files of each pool lie.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    main: Option<Archive>,
    security: Option<Archive>,
    extra: Option<Location>,
}

#[derive(Debug, Clone)]
struct Archive {
    at: Location,
    signed_by: SignedBy,
    /// A directory of packages without `dists/`.
    flat: bool,
}

impl Places {
    /// Finds out where the request's packages are, without reading any index.
    pub(super) fn find(request: &Request, doors: &Doors<'_>) -> Result<Self, ArchiveError> {
        let extra = request.extra_debs.as_deref().map(Location::directory);
        let archive = |at: Location, signed_by| {
            let flat = at.path().is_some_and(|dir| !sources::is_archive(&HostFiles::new(dir)));
            Archive { at, signed_by, flat }
        };
        let (main, security) = match &request.mirror {
            MirrorChoice::HostSources => {
                let mirrors = sources::mirrors(&sources::read(doors.host)?)?;
                let security = mirrors.security.map(|m| archive(m.at, m.signed_by));
                (archive(mirrors.main.at, mirrors.main.signed_by), security)
            }
            MirrorChoice::At(at) => {
                let main = archive(at.clone(), SignedBy::Unsaid);
                // A mirror may carry the security archive in its own `dists`, or beside itself.
                let security = archive(at.with_suffix("-security"), SignedBy::Unsaid);
                let security = if main.flat || security.flat { None } else { Some(security) };
                (main, security)
            }
        };
        Ok(Self { main: Some(main), security, extra })
    }

    /// Nothing but the user's own directory: for a build from cache and lock.
    pub(super) fn local_only(request: &Request) -> Self {
        Self { extra: request.extra_debs.as_deref().map(Location::directory), ..Self::default() }
    }

    /// Where a file of a pool may be got.
    pub(super) fn locations(
        &self,
        package: &str,
        pool: Pool,
        filename: &str,
    ) -> Result<Vec<Location>, ArchiveError> {
        let refused = |source| ArchiveError::Filename { package: package.to_owned(), source };
        // Checked even where there is no place to join it to.
        Location::directory(".").join(filename).map_err(refused)?;
        let base = match pool {
            Pool::Extra => self.extra.clone(),
            Pool::Main => self.main.as_ref().map(|a| a.at.clone()),
            Pool::Security => self.security.as_ref().or(self.main.as_ref()).map(|a| a.at.clone()),
        };
        let mut all = Vec::new();
        if let Some(base) = base {
            all.push(base.join(filename).map_err(refused)?);
        }
        // A lock that was made with a whole mirror may be built from a directory of its packages.
        if let Some(flat) = self.main.as_ref().filter(|a| a.flat) {
            let name = filename.rsplit('/').next().unwrap_or(filename);
            all.push(flat.at.join(name).map_err(refused)?);
        }
        if pool == Pool::Security
            && let Some(main) = &self.main
        {
            all.push(main.at.join(filename).map_err(refused)?);
        }
        all.dedup();
        Ok(all)
    }
}

/// One verified index.
#[derive(Debug)]
struct Index {
    origin: String,
    text: String,
    pool: Pool,
    component: String,
}

/// The indexes of everything that can be had for a suite, verified and unpacked.
#[derive(Debug)]
pub struct Catalog {
    indexes: Vec<Index>,
    architecture: String,
    /// What the user should know.
    pub notices: Vec<Notice>,
    pub(super) places: Places,
}

impl Catalog {
    /// Gets and verifies the indexes of the suite, its `-updates` and `-security`, and of the user's own
    /// directory.
    ///
    /// # Errors
    /// [`ArchiveError`] for whatever is missing, not trusted, stale or damaged.
    pub fn load(request: &Request, doors: &Doors<'_>, progress: &dyn Progress) -> Result<Self, ArchiveError> {
        let places = Places::find(request, doors)?;
        let mut catalog = Self {
            indexes: Vec::new(),
            architecture: request.wish.architecture.clone(),
            notices: Vec::new(),
            places,
        };
        let load = Load { request, doors, progress };
        if let Some(dir) = &request.extra_debs {
            let text = directory::index(doors.fetch, dir)?;
            catalog.add(dir.display().to_string(), text, Pool::Extra, "extra");
        }
        let Some(main) = catalog.places.main.clone() else { return Ok(catalog) };
        if let Some(dir) = main.at.path().filter(|_| main.flat) {
            let text = directory::index(doors.fetch, dir)?;
            catalog.notices.push(Notice::NotSigned { dir: dir.to_owned() });
            catalog.add(dir.display().to_string(), text, Pool::Main, "main");
            return Ok(catalog);
        }
        let suite = &request.suite;
        catalog.indexes.extend(load.suite(&main, suite, Pool::Main)?);
        // Only where the user names a mirror may it lack what the suite has beside itself; one of the
        // host's own sources that suddenly lacks it hides something.
        let named = matches!(request.mirror, MirrorChoice::At(_));
        match load.suite(&main, &format!("{suite}-updates"), Pool::Main) {
            Ok(found) => catalog.indexes.extend(found),
            Err(e) if named && is_missing(&e) => catalog.notices.push(Notice::NoUpdates { why: cause(&e) }),
            Err(e) => return Err(e),
        }
        let name = format!("{suite}-security");
        let places = [catalog.places.security.clone(), Some(main).filter(|_| named)];
        let mut why = "the sources of this host name no security archive".to_owned();
        for archive in places.into_iter().flatten() {
            match load.suite(&archive, &name, Pool::Security) {
                Ok(found) => {
                    catalog.places.security = Some(archive);
                    catalog.indexes.extend(found);
                    return Ok(catalog);
                }
                Err(e) if named && is_missing(&e) => why = cause(&e),
                Err(e) => return Err(e),
            }
        }
        catalog.notices.push(Notice::NoSecurity { why });
        Ok(catalog)
    }

    fn add(&mut self, origin: String, text: String, pool: Pool, component: &str) {
        self.indexes.push(Index { origin, text, pool, component: component.to_owned() });
    }

    /// All packages.
    ///
    /// # Errors
    /// [`ArchiveError::Syntax`] with index and line.
    pub fn universe(&self) -> Result<Universe<'_>, ArchiveError> {
        let mut all = Vec::new();
        for index in &self.indexes {
            let parsed =
                parse_index(&index.origin, &index.text, &self.architecture, index.pool, &index.component)?;
            all.extend(parsed);
        }
        Ok(Universe::new(all)?)
    }

    /// The paragraph of a package in its index, by name and version.
    #[must_use]
    pub fn paragraph(&self, name: &str, version: &str) -> Option<&str> {
        self.indexes.iter().find_map(|index| {
            let all = deb822::paragraphs(&index.origin, &index.text, deb822::Comments::Refused);
            let mut all = all.filter_map(Result::ok);
            all.find(|p| p.get("Package") == Some(name) && p.get("Version") == Some(version)).map(|p| p.text)
        })
    }
}

fn is_missing(error: &ArchiveError) -> bool {
    match error {
        ArchiveError::NoRelease { source, .. } => matches!(**source, FetchError::NotFound { .. }),
        ArchiveError::NeverSeen { .. } => true,
        _ => false,
    }
}

fn cause(error: &ArchiveError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

struct Load<'l> {
    request: &'l Request,
    doors: &'l Doors<'l>,
    progress: &'l dyn Progress,
}

impl Load<'_> {
    fn suite(&self, archive: &Archive, suite: &str, pool: Pool) -> Result<Vec<Index>, ArchiveError> {
        let refused = |source| ArchiveError::Filename { package: suite.to_owned(), source };
        let dir = archive.at.join(&format!("dists/{suite}")).map_err(refused)?;
        let at = dir.join("InRelease").map_err(refused)?;
        let origin = at.to_string();
        // The address, password and all, is hashed: notes of two archives never mix.
        let key = Sha256::of(format!("{} {suite}", archive.at).as_bytes()).to_string();
        let bytes = if self.request.offline && at.path().is_none() {
            let kept = self.doors.store.note(&format!("inrelease-{key}"))?;
            let archive = archive.at.to_string();
            kept.ok_or_else(|| ArchiveError::NeverSeen { suite: suite.to_owned(), archive })?
        } else {
            read_whole(self.doors.fetch, &at, RELEASE_LIMIT, self.progress)
                .map_err(|e| ArchiveError::NoRelease { suite: suite.to_owned(), source: Box::new(e) })?
        };
        let keyrings = self.keyrings(archive)?;
        let text = verify(self.doors.runner, &origin, &bytes, &keyrings)?;
        let release = Release::parse(&origin, &text)?;
        // The suite of `stable-security` is written `stable-security` or by its code name; both are checked.
        release.check(&origin, suite, self.request.now)?;
        self.not_older(&format!("date-{key}"), &origin, &release)?;
        self.doors.store.set_note(&format!("inrelease-{key}"), &bytes)?;
        let mut indexes = Vec::new();
        for component in &self.request.components {
            match self.index(&dir, &origin, &release, component)? {
                Some((origin, text)) => {
                    indexes.push(Index { origin, text, pool, component: component.clone() });
                }
                // The suites beside the main one may be without a component.
                None if suite != self.request.suite => {}
                None => {
                    return Err(ArchiveError::NoIndex {
                        origin,
                        component: component.clone(),
                        architecture: self.request.wish.architecture.clone(),
                    });
                }
            }
        }
        Ok(indexes)
    }

    fn keyrings(&self, archive: &Archive) -> Result<Vec<PathBuf>, ArchiveError> {
        let mut keyrings = self.request.keyrings.clone();
        match &archive.signed_by {
            SignedBy::Unsaid => {}
            // A fingerprint instead of a file restricts apt's own keyring; it is not looked up here.
            SignedBy::Files(files) => {
                keyrings.extend(
                    files.iter().filter(|f| f.starts_with('/') && f.ends_with(".gpg")).map(PathBuf::from),
                );
            }
            SignedBy::Key(armoured) => {
                let damaged = || ArchiveError::Key { archive: archive.at.to_string() };
                let key = dearmor(armoured).ok_or_else(damaged)?;
                let name = format!("key-{}.gpg", Sha256::of(&key));
                keyrings.push(self.doors.store.set_note(&name, &key)?);
            }
        }
        keyrings.sort();
        keyrings.dedup();
        Ok(keyrings)
    }

    fn not_older(&self, note: &str, origin: &str, release: &Release) -> Result<(), ArchiveError> {
        let kept = self.doors.store.note(note)?.unwrap_or_default();
        let seen = String::from_utf8_lossy(&kept).trim().parse().map(UnixTime::new).ok();
        match seen {
            Some(seen) if release.date < seen => {
                let (origin, date) = (origin.to_owned(), release.date);
                Err(ReleaseError::Older { origin, date, seen }.into())
            }
            Some(seen) if seen == release.date => Ok(()),
            _ => {
                self.doors.store.set_note(note, format!("{}\n", release.date.get()).as_bytes())?;
                Ok(())
            }
        }
    }

    /// The index of a component, from the first form of it that is listed and there.
    fn index(
        &self,
        dir: &Location,
        origin: &str,
        release: &Release,
        component: &str,
    ) -> Result<Option<(String, String)>, ArchiveError> {
        let plain = format!("{component}/binary-{}/Packages", self.request.wish.architecture);
        let limit = release.files.get(&plain).map_or(INDEX_LIMIT, |(size, _)| *size);
        if limit == 0 {
            // An empty index needs no transfer, as for apt; mirrors made with apt's help lack it.
            return Ok(Some((format!("{dir}/{plain}"), String::new())));
        }
        let mut missing = None;
        for suffix in [".xz", ".zst", ".gz", ""] {
            let path = format!("{plain}{suffix}");
            let Some((size, sha256)) = release.files.get(&path).copied() else { continue };
            let refused = |source| ArchiveError::Filename { package: origin.to_owned(), source };
            let mut locations = Vec::new();
            if release.by_hash {
                let parent = format!("{component}/binary-{}", self.request.wish.architecture);
                locations.push(dir.join(&format!("{parent}/by-hash/SHA256/{sha256}")).map_err(refused)?);
            }
            locations.push(dir.join(&path).map_err(refused)?);
            let name = format!("{component} {}", dir.to_string().rsplit('/').next().unwrap_or_default());
            let wanted = Wanted { name, locations, sha256, size };
            match self.doors.store.obtain(self.doors.fetch, &wanted, self.progress) {
                Ok(file) => {
                    let origin = format!("{dir}/{path}");
                    let text = self.unpack(&origin, file, suffix, limit)?;
                    return Ok(Some((origin, text)));
                }
                Err(e @ StoreError::Fetch { source: FetchError::NotFound { .. }, .. }) => missing = Some(e),
                Err(e) => return Err(e.into()),
            }
        }
        missing.map_or(Ok(None), |e| Err(e.into()))
    }

    fn unpack(&self, origin: &str, file: PathBuf, suffix: &str, limit: u64) -> Result<String, ArchiveError> {
        let damaged = |source| ArchiveError::Damaged { origin: origin.to_owned(), source };
        let opened = self.doors.fetch.open(&Location::directory(file), 0);
        let reader = opened.map_err(|e| damaged(io::Error::other(e.to_string())))?.reader;
        let reader: Box<dyn Read> = match suffix {
            ".xz" => Box::new(liblzma::read::XzDecoder::new_multi_decoder(reader)),
            ".zst" => Box::new(zstd::stream::read::Decoder::new(reader).map_err(damaged)?),
            ".gz" => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            _ => Box::new(reader),
        };
        let mut bytes = Vec::with_capacity(usize::try_from(limit.min(128 << 20)).unwrap_or(0));
        reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 > limit {
            return Err(ArchiveError::Oversized { origin: origin.to_owned(), limit });
        }
        String::from_utf8(bytes).map_err(|e| damaged(io::Error::new(io::ErrorKind::InvalidData, e)))
    }
}
