//! Manifest, mirror, cache: what `build` and `lock` share.
use std::path::{Path, PathBuf};

use esos_bootimg::archive::{self, Lock, MirrorChoice, UnixTime};
use esos_bootimg::assemble::{self, Wanted};
use esos_bootimg::manifest::{Manifest, ManifestError};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_exec::HostRunner;
use esos_fetch::{HostFetch, HttpOptions, Location, Store};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};

use crate::args::{LockArgs, SourceArgs};

/// The doors that packages come through.
pub(crate) struct Opened {
    pub(crate) fetch: HostFetch,
    pub(crate) host: HostFiles,
    pub(crate) store: Store,
    pub(crate) cache: PathBuf,
}

/// Where Debian's archive keyring package puts its keys.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(HostFiles::new("/").read(&absolute(path)?.to_string_lossy())?)
}

pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|e| Failure::new(Exit::Usage, format!("{}: {e}", path.display())))
}

pub(crate) fn manifest(args: &SourceArgs) -> Result<Manifest, Failure> {
    let invalid = |e: ManifestError| Failure::from(e).with_exit(Exit::Invalid);
    match &args.manifest {
        None => Manifest::standard(args.suite, &args.sets).map_err(invalid),
        Some(path) => {
            let text = String::from_utf8(read(path)?)
                .map_err(|_e| Failure::new(Exit::Invalid, format!("{}: not UTF-8", path.display())))?;
            let origin = path.to_string_lossy();
            Manifest::with_file(args.suite, &args.sets, &origin, &text).map_err(invalid)
        }
    }
}

pub(crate) fn open(args: &SourceArgs) -> Result<Opened, Failure> {
    let cache = match &args.cache {
        Some(dir) => absolute(dir)?,
        None => default_cache()?,
    };
    let host = HostFiles::new("/");
    let fetch = if args.offline { HostFetch::offline() } else { HostFetch::new(http(&host))? };
    let store = Store::open(&cache.join("packages"))?;
    host.make_dir(&cache.join("frames").to_string_lossy())?;
    Ok(Opened { fetch, host, store, cache })
}

fn default_cache() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let base = base.filter(|dir| dir.is_absolute());
    let none = || Failure::new(Exit::Usage, "no place for the cache: neither XDG_CACHE_HOME nor HOME is set");
    Ok(base.ok_or_else(|| none().help("give a directory with --cache"))?.join("esos-image"))
}

pub(crate) fn http(host: &HostFiles) -> HttpOptions {
    let variable =
        |names: [&str; 2]| names.iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let mut options = HttpOptions::default();
    options.http_proxy = variable(["http_proxy", "HTTP_PROXY"]);
    options.https_proxy = variable(["https_proxy", "HTTPS_PROXY"]);
    options.no_proxy = variable(["no_proxy", "NO_PROXY"]).unwrap_or_default();
    options.ca_certificates = host.read(CERTIFICATES).ok();
    options
}

pub(crate) fn wanted(args: &SourceArgs, manifest: &Manifest, lock: Option<&Path>) -> Result<Wanted, Failure> {
    let now = UnixTime::new(i64::try_from(HostClock.now().as_secs()).unwrap_or(i64::MAX));
    let wanted = assemble::request(manifest, args.suite, now).or_exit(Exit::Invalid)?;
    let lock = lock.map(parse_lock).transpose()?;
    let mut keyrings = Vec::new();
    for path in &args.keyring {
        keyrings.push(absolute(path)?);
    }
    if keyrings.is_empty() && HostFiles::new("/").stat(KEYRING).is_ok() {
        keyrings.push(KEYRING.into());
    }
    let mirror = match (&args.mirror, std::env::var("ESOS_MIRROR")) {
        (None, Ok(text)) if !text.is_empty() => Some(text.parse::<Location>().or_exit(Exit::Usage)?),
        (given, _) => given.clone(),
    };
    let extra = args.extra_debs.as_deref().map(absolute).transpose()?;
    Ok(wanted.extra_debs(extra).with(|request| {
        if let Some(mirror) = &mirror {
            request.mirror = MirrorChoice::At(mirror.clone());
        }
        request.keyrings.clone_from(&keyrings);
        request.lock.clone_from(&lock);
        request.offline = args.offline;
    }))
}

fn parse_lock(path: &Path) -> Result<Lock, Failure> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    Lock::parse(&path.to_string_lossy(), &text).or_exit(Exit::Invalid)
}

/// `lock`.
pub(crate) fn lock(args: LockArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let manifest = manifest(&args.source)?;
    let opened = open(&args.source)?;
    let wanted = wanted(&args.source, &manifest, None)?;
    let doors = archive::Doors {
        fetch: &opened.fetch,
        runner: &HostRunner,
        host: &opened.host,
        store: &opened.store,
    };
    let resolved = assemble::lock(&wanted, &doors, &())?;
    for notice in &resolved.notices {
        ui.warn(notice.to_string());
    }
    let text = resolved.lock.to_string();
    let Some(path) = &args.update else {
        ui.raw(text.as_bytes())?;
        return Ok(Exit::Done);
    };
    let place = absolute(path)?;
    let old = match opened.host.stat(&place.to_string_lossy()) {
        Ok(_) => parse_lock(path)?,
        Err(e) if e.is_not_found() => {
            Lock::new(resolved.lock.suite.clone(), resolved.lock.architecture.clone())
        }
        Err(e) => return Err(e.into()),
    };
    let diff = resolved.lock.diff(&old);
    opened.host.replace(&place.to_string_lossy(), text.as_bytes(), 0o644)?;
    let changes = serde_json::json!({ "changes": diff.changes.len(), "text": diff.to_string() });
    ui.emit("esos.image.lock/1", &changes, |human| human.line(diff.to_string().trim_end()))?;
    Ok(Exit::Done)
}
