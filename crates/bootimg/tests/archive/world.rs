//! A directory with a host, its archives, a signing key and a cache.
use esos_bootimg::archive::{Base, Doors, Request, UnixTime, Wish, relation};
use esos_bootimg::deb::DebWriter;
use esos_exec::{Cmd, HostRunner, Output, Runner};
use esos_fetch::{HostFetch, HttpOptions, Location, Sha256, Store};
use esos_hostfs::{FileKind, Files, HostFiles, TempDir};
use std::io::Read;
use std::path::PathBuf;

/// 2026-11-23 09:00:00 UTC, the time of the builds; the archives are signed an hour before.
pub(crate) const NOW: UnixTime = UnixTime::new(1_795_424_400);

/// A package with that control data and a file of its own.
pub(crate) fn deb(name: &str, version: &str, more: &str) -> Vec<u8> {
    let control = format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n{more}");
    let mut deb = DebWriter::new(&control);
    deb.file(&format!("usr/share/{name}"), version.as_bytes(), 0o644);
    deb.finish()
}

/// A suite with one component, before it is published.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) component: &'static str,
    pub(crate) date: &'static str,
    pub(crate) index: String,
    pub(crate) stated_size: Option<usize>,
    pub(crate) compressed: Option<Vec<u8>>,
    debs: Vec<(String, Vec<u8>)>,
}

impl Suite {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            component: "main",
            date: "Mon, 23 Nov 2026 08:00:00 UTC",
            index: String::new(),
            stated_size: None,
            compressed: None,
            debs: Vec::new(),
        }
    }

    pub(crate) fn package(&mut self, name: &str, version: &str, more: &str) {
        let bytes = deb(name, version, more);
        let (size, hash) = (bytes.len(), Sha256::of(&bytes));
        let file = format!("pool/{name}_{version}.deb");
        self.index.push_str(&format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{more}Filename: {file}\nSize: {size}\nSHA256: {hash}\n\n"
        ));
        self.debs.push((file, bytes));
    }
}

/// All of it.
pub(crate) struct World {
    dir: TempDir,
    fetch: HostFetch,
    store: Store,
    host: HostFiles,
}

impl World {
    /// `None` where gpg or gpgv is missing.
    pub(crate) fn new() -> Option<Self> {
        for program in ["/usr/bin/gpg", "/usr/bin/gpgv"] {
            if HostRunner.run(&Cmd::new(program).arg("--version")).is_err() {
                println!("skipped: {program} is not installed");
                return None;
            }
        }
        let dir = TempDir::new("archive").unwrap();
        let host = HostFiles::new(dir.path().join("host"));
        let store = Store::open(&dir.path().join("cache")).unwrap();
        let world = Self { fetch: HostFetch::new(HttpOptions::default()).unwrap(), store, host, dir };
        world.files().make_dir("/gpg").unwrap();
        world.gpg(&["--passphrase", "", "--quick-gen-key", "archive", "ed25519", "sign", "never"], b"");
        world.write("keyring.gpg", &world.gpg(&["--export"], b"").stdout);
        world.sources("");
        Some(world)
    }

    fn gpg(&self, args: &[&str], input: &[u8]) -> Output {
        let home = self.path("gpg");
        let home = home.to_str().unwrap();
        let cmd = Cmd::new("/usr/bin/gpg").args(["--homedir", home, "--batch", "--no-permission-warning"]);
        let out = HostRunner.run(&cmd.args(args.iter().copied()).stdin(input)).unwrap();
        assert!(out.status.success(), "{}", &*out.error_text());
        out
    }

    pub(crate) fn armoured_key(&self) -> String {
        self.gpg(&["--armor", "--export"], b"").text().into_owned()
    }

    pub(crate) fn files(&self) -> HostFiles {
        HostFiles::new(self.dir.path())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn location(&self, name: &str) -> Location {
        Location::directory(self.path(name))
    }

    pub(crate) fn keyring(&self) -> PathBuf {
        self.path("keyring.gpg")
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        self.files().read(&format!("/{name}")).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = format!("/{name}");
        self.files().make_dir(path.rsplit_once('/').unwrap().0).unwrap();
        self.files().replace(&path, bytes, 0o644).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        let path = format!("/{name}");
        if self.files().stat(&path).unwrap().kind == FileKind::Dir {
            for inner in self.files().list(&path).unwrap() {
                self.remove(&format!("{name}/{inner}"));
            }
        }
        self.files().remove(&path).unwrap();
    }

    /// The host's apt sources: both archives, with more fields for each.
    pub(crate) fn sources(&self, more: &str) {
        let one = |dir: &str, suites: &str| {
            format!(
                "Types: deb\nURIs: file://{}\nSuites: {suites}\nComponents: main\n{more}\n",
                self.path(dir).display()
            )
        };
        // The host is of an older release than the image.
        let text = one("debian", "bookworm bookworm-updates") + &one("security", "bookworm-security");
        self.write("host/etc/apt/sources.list.d/debian.sources", text.as_bytes());
    }

    /// Writes a suite into an archive and signs its list.
    pub(crate) fn publish(&self, archive: &str, suite: &Suite) {
        for (file, bytes) in &suite.debs {
            self.write(&format!("{archive}/{file}"), bytes);
        }
        let mut compressed = Vec::new();
        liblzma::read::XzEncoder::new(suite.index.as_bytes(), 1).read_to_end(&mut compressed).unwrap();
        let compressed = suite.compressed.clone().unwrap_or(compressed);
        let path = format!("{}/binary-amd64/Packages", suite.component);
        let dir = format!("{archive}/dists/{}", suite.name);
        self.write(&format!("{dir}/{path}.xz"), &compressed);
        let line = |bytes: &[u8], size, path: &str| format!(" {} {size} {path}\n", Sha256::of(bytes));
        let release = format!(
            "Suite: {0}\nCodename: {0}\nDate: {1}\nValid-Until: Mon, 30 Nov 2026 08:00:00 UTC\nSHA256:\n{2}{3}",
            suite.name,
            suite.date,
            line(suite.index.as_bytes(), suite.stated_size.unwrap_or(suite.index.len()), &path),
            line(&compressed, compressed.len(), &format!("{path}.xz")),
        );
        let signed = self.gpg(&["--clearsign"], release.as_bytes()).stdout;
        self.write(&format!("{dir}/InRelease"), &signed);
    }

    pub(crate) fn doors(&self) -> Doors<'_> {
        Doors { fetch: &self.fetch, runner: &HostRunner, host: &self.host, store: &self.store }
    }

    pub(crate) fn request(&self, seeds: &str) -> Request {
        let seeds = relation::parse("the request", seeds).unwrap();
        let base = Base::Essential;
        let wish = Wish { seeds, base, architecture: "amd64".to_owned(), ..Wish::default() };
        let mut request = Request::new("trixie", wish, NOW);
        request.components = vec!["main".to_owned()];
        request.keyrings = vec![self.keyring()];
        request
    }

    pub(crate) fn request_with(&self, change: impl FnOnce(&mut Request)) -> Request {
        let mut request = self.request("box");
        change(&mut request);
        request
    }

    /// Files under work are gone, whatever happened.
    pub(crate) fn nothing_half_written(&self) {
        assert!(self.files().list("/cache/part").unwrap().is_empty());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // gpg starts an agent for its home.
        let home = self.path("gpg");
        let cmd = Cmd::new("/usr/bin/gpgconf").arg("--homedir").arg(home).args(["--kill", "all"]);
        let _gone = HostRunner.run(&cmd);
    }
}
