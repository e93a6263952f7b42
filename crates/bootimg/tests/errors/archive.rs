//! Archives that cannot be used. The text of a list is taken as signed, or not, by what a stand-in for
//! gpgv says; `tests/archive.rs` has the real one.
use crate::assemble::Tools;
use crate::seen::Seen;
use esos_bootimg::archive::resolve::resolve_within;
use esos_bootimg::archive::signature::verify;
use esos_bootimg::archive::{
    ArchiveError, Catalog, Doors, Lock, MirrorChoice, Pool, Request, ResolveError, Universe, UnixTime,
    Version, Wish, parse_index, plan_packages, relation, sources,
};
use esos_bootimg::deb::DebWriter;
use esos_bootimg::manifest::{Manifest, Set, Suite};
use esos_fetch::{HostFetch, Location, Sha256, Store};
use esos_hostfs::HostFiles;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// 2026-11-23 09:00:00 UTC.
const NOW: UnixTime = UnixTime::new(1_795_424_400);
const DATE: &str = "Mon, 23 Nov 2026 08:00:00 UTC";
const UNTIL: &str = "Mon, 30 Nov 2026 08:00:00 UTC";

fn deb(name: &str) -> Vec<u8> {
    DebWriter::new(&format!("Package: {name}\nVersion: 1\nArchitecture: amd64\n")).finish()
}

fn paragraph(name: &str, more: &str) -> String {
    let bytes = deb(name);
    let (size, hash) = (bytes.len(), Sha256::of(&bytes));
    format!(
        "Package: {name}\nVersion: 1\nArchitecture: amd64\n{more}Filename: pool/{name}.deb\nSize: {size}\nSHA256: {hash}\n\n"
    )
}

fn signed(text: &str) -> Vec<u8> {
    let (begin, end) =
        ("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n", "-----END PGP SIGNATURE-----\n");
    format!("{begin}{text}-----BEGIN PGP SIGNATURE-----\n\nx\n{end}").into_bytes()
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
    fetch: HostFetch,
    host: HostFiles,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("cache")).unwrap();
        let host = HostFiles::new(dir.path().join("host"));
        Self { store, fetch: HostFetch::offline(), host, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// An archive of one suite with one package; `change` makes the list what it shall be.
    fn publish(&self, index: &str, change: impl FnOnce(String) -> String) {
        let path = "main/binary-amd64/Packages";
        self.write("mirror/pool/box.deb", deb("box"));
        self.write(&format!("mirror/dists/trixie/{path}"), index);
        let hash = Sha256::of(index.as_bytes());
        let release = format!(
            "Suite: trixie\nCodename: trixie\nDate: {DATE}\nValid-Until: {UNTIL}\nSHA256:\n {hash} {} {path}\n",
            index.len()
        );
        self.write("mirror/dists/trixie/InRelease", signed(&change(release)));
    }

    fn request(&self) -> Request {
        let seeds = relation::parse("the request", "box").unwrap();
        let wish = Wish { seeds, architecture: "amd64".to_owned(), ..Wish::default() };
        let mut request = Request::new("trixie", wish, NOW);
        request.components = vec!["main".to_owned()];
        request.keyrings = vec!["/keyring.gpg".into()];
        request.mirror = MirrorChoice::At(Location::directory(self.path("mirror")));
        request
    }

    fn plan(&self, seen: &mut Seen, change: impl FnOnce(&mut Request)) {
        let mut request = self.request();
        change(&mut request);
        let tools = Tools::default();
        let doors = Doors { fetch: &self.fetch, runner: &tools, host: &self.host, store: &self.store };
        let error = plan_packages(&request, &doors, &()).unwrap_err();
        match &error {
            ArchiveError::Sources(inner) => seen.saw(&**inner),
            ArchiveError::Signature(inner) => seen.saw(&**inner),
            ArchiveError::Release(inner) => seen.saw(&**inner),
            ArchiveError::Resolve(inner) => seen.saw(&**inner),
            _ => {}
        }
        seen.saw(&error);
    }
}

pub(crate) fn all(seen: &mut Seen) {
    lists(seen);
    directories(seen);
    signatures(seen);
    resolving(seen);
    seen.failed("1_0".parse::<Version>());
    seen.failed(Manifest::with_file(Suite::Trixie, &[], "m.toml", "include = 7\n"));
    seen.failed(Manifest::with_file(Suite::Trixie, &[], "m.toml", "exclude = [\"no-such-package\"]\n"));
    seen.failed("everything".parse::<Set>());
}

fn lists(seen: &mut Seen) {
    let world = World::new();
    fs::create_dir_all(world.path("mirror/dists")).unwrap();
    world.plan(seen, |_| {});
    let http = "http://127.0.0.1:9/debian".parse::<Location>().unwrap();
    world.plan(seen, |r| (r.mirror, r.offline) = (MirrorChoice::At(http), true));

    let whole = paragraph("box", "");
    let publish = |index: &str| world.publish(index, |release| release);
    publish(&whole);
    world.plan(seen, |r| r.keyrings.clear());
    world.plan(seen, |r| r.components = vec!["contrib".to_owned()]);
    world.plan(seen, |r| r.now = NOW.plus(30 * 86_400));
    world.plan(seen, |r| r.now = NOW.plus(-30 * 86_400));
    world.publish(&whole, |release| release.replace("trixie", "sid"));
    world.plan(seen, |_| {});
    // Before it an archive of that place was seen that was newer.
    world.publish(&whole, |release| release.replace(DATE, "Sun, 22 Nov 2026 08:00:00 UTC"));
    world.plan(seen, |_| {});
    publish(&whole.replace("pool/", "../../etc/"));
    world.plan(seen, |_| {});
    publish("no field here\n");
    world.plan(seen, |_| {});
    publish(&paragraph("box", "Depends: nothing-has-this\n"));
    world.plan(seen, |_| {});
    world.publish(&whole, |release| release.replace(&format!(" {} main", whole.len()), " 9 main"));
    world.plan(seen, |_| {});
    publish(&whole);
    world.write("mirror/pool/box.deb", b"another package");
    world.plan(seen, |_| {});
    publish(&whole);
    world.write("mirror/dists/trixie/main/binary-amd64/Packages", [0xff; 8]);
    let broken = Sha256::of(&[0xff; 8]);
    let good = Sha256::of(whole.as_bytes());
    world.publish(&whole, |release| {
        release
            .replace(&good.to_string(), &broken.to_string())
            .replace(&format!(" {} main", whole.len()), " 8 main")
    });
    world.write("mirror/dists/trixie/main/binary-amd64/Packages", [0xff; 8]);
    world.plan(seen, |_| {});

    // A list that states a small size for what unpacks to more.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(whole.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    world.publish(&whole, |release| {
        let stated = release.replace(&format!(" {} main", whole.len()), " 9 main");
        format!("{stated} {} {} main/binary-amd64/Packages.gz\n", Sha256::of(&packed), packed.len())
    });
    world.write("mirror/dists/trixie/main/binary-amd64/Packages.gz", &packed);
    world.plan(seen, |_| {});

    let lock = Lock::new("bookworm".into(), "amd64".into());
    world.plan(seen, |r| r.lock = Some(lock));

    let host = |text: &str| world.write("host/etc/apt/sources.list.d/debian.sources", text);
    host("");
    world.plan(seen, |r| r.mirror = MirrorChoice::HostSources);
    host("Types deb\n");
    world.plan(seen, |r| r.mirror = MirrorChoice::HostSources);
    let (place, key) = (world.path("mirror"), "-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n b@d");
    publish(&whole);
    host(&format!(
        "Types: deb\nURIs: file://{}\nSuites: trixie\nComponents: main\nSigned-By:\n {key}\n",
        place.display()
    ));
    world.plan(seen, |r| r.mirror = MirrorChoice::HostSources);
    fs::create_dir_all(world.path("host/etc/apt/sources.list")).unwrap();
    seen.failed(sources::read(&world.host));
}

fn directories(seen: &mut Seen) {
    let world = World::new();
    let flat = |seen: &mut Seen| world.plan(seen, |_| {});
    flat(seen);
    fs::create_dir(world.path("mirror")).unwrap();
    flat(seen);
    world.write("mirror/x.deb", b"junk");
    flat(seen);
    fs::rename(world.path("mirror/x.deb"), world.path("mirror/a b.deb")).unwrap();
    flat(seen);
    fs::remove_file(world.path("mirror/a b.deb")).unwrap();
    world.write("mirror/box.deb", deb("box"));
    let tools = Tools::default();
    let doors = Doors { fetch: &world.fetch, runner: &tools, host: &world.host, store: &world.store };
    let planned = plan_packages(&world.request(), &doors, &()).unwrap();
    let other = deb("other");
    let opened = esos_bootimg::deb::Deb::open("x", &other[..], Default::default()).unwrap();
    seen.failed(planned.packages[0].agrees(opened.control()));
    assert!(Catalog::load(&world.request(), &doors, &()).is_ok());
}

fn signatures(seen: &mut Seen) {
    let said = |gpgv, missing| Tools { gpgv, missing, ..Tools::default() };
    let text = signed("text\n");
    let keyrings = [PathBuf::from("/keyring.gpg")];
    for tools in
        [said("[GNUPG:] BADSIG A Somebody\n", false), said("[GNUPG:] NO_PUBKEY A\n", false), said("", true)]
    {
        seen.failed(verify(&tools, "InRelease", &text, &keyrings));
    }
    seen.failed(verify(&Tools::default(), "InRelease", b"not signed at all\n", &keyrings));
    seen.failed(verify(&Tools::default(), "InRelease", &text, &[]));
}

fn resolving(seen: &mut Seen) {
    let solve = |index: &str, seed: &str| {
        let universe =
            Universe::new(parse_index("Packages", index, "amd64", Pool::Main, "main").unwrap()).unwrap();
        let seeds = relation::parse("the request", seed).unwrap();
        let wish = Wish { seeds, architecture: "amd64".to_owned(), ..Wish::default() };
        resolve_within(&universe, &wish, 20).map(drop)
    };
    seen.failed(solve(&paragraph("box", "Depends: none\n"), "box"));
    seen.failed(solve(&paragraph("box", "Depends: a (=> 1)\n"), "box"));
    // Five guests for four rooms, one each: no order of choices helps, and there are many.
    let (guests, rooms) = (5, 4);
    let mut index = String::new();
    for guest in 0..guests {
        let wanted: Vec<String> = (0..rooms).map(|room| format!("g{guest}-in-r{room}")).collect();
        index.push_str(&paragraph(&format!("guest{guest}"), &format!("Depends: {}\n", wanted.join(" | "))));
        for room in 0..rooms {
            let others: Vec<String> =
                (0..guests).filter(|g| *g != guest).map(|g| format!("g{g}-in-r{room}")).collect();
            let conflicts = format!("Conflicts: {}\n", others.join(", "));
            index.push_str(&paragraph(&format!("g{guest}-in-r{room}"), &conflicts));
        }
    }
    let seed: Vec<String> = (0..guests).map(|guest| format!("guest{guest}")).collect();
    let error = solve(&index, &seed.join(", ")).unwrap_err();
    assert!(matches!(error, ResolveError::GaveUp { .. }), "{error}");
    seen.saw(&error);
}
