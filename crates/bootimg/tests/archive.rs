//! Small signed archives, good and hostile, all the way to chosen packages.
//!
//! Every archive is made and signed here with a key that is made here; what needs gpg says so and is
//! skipped where there is none.
#![expect(clippy::unwrap_used, reason = "a test may end at the first thing that goes wrong")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]
#[path = "archive/world.rs"]
mod world;

use esos_bootimg::archive::release::ReleaseError;
use esos_bootimg::archive::signature::SignatureError;
use esos_bootimg::archive::{ArchiveError, Lock, MirrorChoice, Notice, plan_packages};
use esos_bootimg::deb::{Deb, Limits};
use esos_fetch::{FetchError, HostFetch, StoreError};
use esos_hostfs::{Files, Stream};
use world::{NOW, Suite, World, deb};

fn names(planned: &esos_bootimg::archive::Planned) -> Vec<String> {
    planned.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect()
}

/// An archive with updates and security updates.
fn whole(world: &World) {
    let mut main = Suite::new("trixie");
    main.package("shell", "1.0-1", "Essential: yes\nDepends: libc (>= 2)\n");
    main.package("libc", "2.0-1", "");
    main.package("box", "1", "Depends: mta | other, shell\n");
    main.package("postbox", "1", "Provides: mta\n");
    world.publish("debian", &main);
    // An empty index is not even asked for.
    world.publish("debian", &Suite::new("trixie-updates"));
    world.remove("debian/dists/trixie-updates/main");
    let empty = plan_packages(&world.request("libc"), &world.doors(), &());
    assert!(matches!(&empty, Err(ArchiveError::NoRelease { .. })), "security comes next: {empty:?}");
    let mut updates = Suite::new("trixie-updates");
    updates.package("postbox", "2", "Provides: mta\n");
    world.publish("debian", &updates);
    let mut security = Suite::new("trixie-security");
    security.package("libc", "2.0-1+deb13u1", "");
    world.publish("security", &security);
}

#[test]
fn from_the_hosts_sources_to_packages_and_back_from_the_lock() {
    let Some(world) = World::new() else { return };
    whole(&world);
    let request = world.request("box");
    let planned = plan_packages(&request, &world.doors(), &()).unwrap();
    assert_eq!(names(&planned), ["box 1", "libc 2.0-1+deb13u1", "postbox 2", "shell 1.0-1"]);
    assert_eq!(planned.notices, []);
    assert_eq!(planned.packages[2].because, "box needs mta | other");
    for package in &planned.packages {
        let deb = Deb::open(&package.name, Stream::open(&package.deb).unwrap(), Limits::default()).unwrap();
        package.agrees(deb.control()).unwrap();
    }
    // A lock needs no index at all.
    let lock = Lock::parse("packages.lock", &planned.lock.to_string()).unwrap();
    assert_eq!(lock, planned.lock);
    world.remove("debian/dists");
    world.remove("security/dists");
    let locked = world.request_with(|r| r.lock = Some(lock.clone()));
    let again = plan_packages(&locked, &world.doors(), &());
    // The directory without `dists` is one of packages now; those of the pool are named by their path.
    assert_eq!(names(&again.unwrap()), names(&planned));
    let other = world.request_with(|r| {
        r.suite = "bookworm".to_owned();
        r.lock = Some(lock.clone());
    });
    assert!(matches!(plan_packages(&other, &world.doors(), &()), Err(ArchiveError::OtherLock { .. })));
}

#[test]
fn a_mirror_by_name_may_lack_what_is_beside_the_suite() {
    let Some(world) = World::new() else { return };
    let mut main = Suite::new("trixie");
    main.package("box", "1", "");
    world.publish("mirror", &main);
    let request = world.request_with(|r| r.mirror = MirrorChoice::At(world.location("mirror")));
    let planned = plan_packages(&request, &world.doors(), &()).unwrap();
    assert!(
        matches!(&planned.notices[..], [Notice::NoUpdates { .. }, Notice::NoSecurity { .. }]),
        "{:?}",
        planned.notices
    );
    // One of the host's own sources may not: somebody could hide the security updates.
    world.publish("debian", &main);
    let error = plan_packages(&world.request("box"), &world.doors(), &()).unwrap_err();
    assert!(
        matches!(&error, ArchiveError::NoRelease { suite, .. } if suite == "trixie-updates"),
        "{error:?}"
    );
}

#[test]
fn packages_of_a_directory_take_part() {
    let Some(world) = World::new() else { return };
    whole(&world);
    world.write("extra/scst.deb", &deb("scst", "3.9", "Depends: libc\n"));
    world.write("extra/postbox.deb", &deb("postbox", "9", "Provides: mta\n"));
    let mut request = world.request("box, scst");
    request.extra_debs = Some(world.path("extra"));
    let planned = plan_packages(&request, &world.doors(), &()).unwrap();
    assert_eq!(names(&planned), ["box 1", "libc 2.0-1+deb13u1", "postbox 9", "scst 3.9", "shell 1.0-1"]);
    assert!(planned.lock.to_string().contains(" extra extra postbox.deb\n"), "{}", planned.lock);
    // And a directory may be all there is.
    let mut flat = world.request("postbox");
    flat.mirror = MirrorChoice::At(world.location("extra"));
    let planned = plan_packages(&flat, &world.doors(), &()).unwrap();
    assert_eq!(names(&planned), ["postbox 9"]);
    assert!(matches!(&planned.notices[..], [Notice::NotSigned { .. }]));
}

#[test]
fn what_is_not_signed_well_is_refused() {
    let Some(world) = World::new() else { return };
    whole(&world);
    let plan = |world: &World| plan_packages(&world.request("box"), &world.doors(), &()).unwrap_err();
    let signature = |error: ArchiveError| match error {
        ArchiveError::Signature(e) => *e,
        other => panic!("{other:?}"),
    };
    let at = "debian/dists/trixie/InRelease";
    let good = world.read(at);
    let text = String::from_utf8(good.clone()).unwrap();

    world.write(at, text.replace("Codename: trixie", "Codename: trixia").as_bytes());
    assert!(matches!(signature(plan(&world)), SignatureError::Bad { .. }));
    world.write(at, b"Suite: stable\n");
    assert!(matches!(signature(plan(&world)), SignatureError::Unsigned { .. }));
    world.write(at, &[&good[..], &good[..]].concat());
    assert!(matches!(signature(plan(&world)), SignatureError::Unsigned { .. }));
    world.write(at, &good);
    let stranger = World::new().unwrap();
    let request = world.request_with(|r| r.keyrings = vec![stranger.keyring()]);
    let error = plan_packages(&request, &world.doors(), &()).unwrap_err();
    assert!(matches!(signature(error), SignatureError::Untrusted { .. }));
    let request = world.request_with(|r| r.keyrings.clear());
    let error = plan_packages(&request, &world.doors(), &()).unwrap_err();
    assert!(matches!(signature(error), SignatureError::NoKeyring { .. }));
    // Nothing may stand around the signed text either.
    for evil in [format!("Codename: evil\n\n{text}"), format!("{text}\nCodename: evil\n")] {
        world.write(at, evil.as_bytes());
        assert!(matches!(signature(plan(&world)), SignatureError::Unsigned { .. }));
    }
    world.write(at, &good);
    assert!(plan_packages(&world.request("box"), &world.doors(), &()).is_ok());
    world.nothing_half_written();
}

#[test]
fn a_key_may_stand_in_the_source() {
    let Some(world) = World::new() else { return };
    whole(&world);
    let key: String =
        world.armoured_key().lines().map(|l| format!(" {}\n", if l.is_empty() { "." } else { l })).collect();
    world.sources(&format!("Signed-By:\n{key}"));
    let request = world.request_with(|r| r.keyrings.clear());
    assert!(plan_packages(&request, &world.doors(), &()).is_ok());
    world.sources("Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n b@d\n");
    let error = plan_packages(&request, &world.doors(), &()).unwrap_err();
    assert!(matches!(error, ArchiveError::Key { .. }), "{error:?}");
}

#[test]
fn stale_and_replayed_lists_are_refused() {
    let Some(world) = World::new() else { return };
    whole(&world);
    let plan = |now: i64| {
        let request = world.request_with(|r| r.now = NOW.plus(now));
        plan_packages(&request, &world.doors(), &())
    };
    let release = |result: Result<_, ArchiveError>| match result {
        Err(ArchiveError::Release(e)) => *e,
        other => panic!("{other:?}"),
    };
    assert!(plan(0).is_ok());
    assert!(matches!(release(plan(8 * 86_400)), ReleaseError::Expired { .. }));
    assert!(matches!(release(plan(-2 * 86_400)), ReleaseError::Future { .. }));
    // An older list that is still valid, with a good signature, after a newer one was seen.
    let mut older = Suite::new("trixie");
    older.package("box", "0", "");
    older.date = "Sun, 22 Nov 2026 09:00:00 UTC";
    world.publish("debian", &older);
    assert!(matches!(release(plan(0)), ReleaseError::Older { .. }));
    // The list of another suite, served under this one's name.
    let mut other = Suite::new("bookworm");
    other.package("box", "0", "");
    world.publish("debian", &other);
    world.write("debian/dists/trixie/InRelease", &world.read("debian/dists/bookworm/InRelease"));
    assert!(matches!(release(plan(0)), ReleaseError::OtherSuite { .. }));
    world.nothing_half_written();
}

#[test]
fn damaged_and_hostile_indexes_are_refused() {
    let Some(world) = World::new() else { return };
    let plan = |suite: &Suite| {
        world.publish("mirror", suite);
        let request = world.request_with(|r| r.mirror = MirrorChoice::At(world.location("mirror")));
        plan_packages(&request, &world.doors(), &()).unwrap_err()
    };
    let suite = |more: &str| {
        let mut suite = Suite::new("trixie");
        suite.package("box", "1", more);
        suite
    };
    let index = "mirror/dists/trixie/main/binary-amd64/Packages.xz";

    let mut traversal = suite("");
    traversal.index = traversal.index.replace("pool/", "../../../etc/");
    assert!(matches!(plan(&traversal), ArchiveError::Filename { .. }));
    let mut broken = suite("");
    broken.index.push_str("no field here\n");
    let error = plan(&broken);
    let ArchiveError::Syntax(e) = &error else { panic!("{error:?}") };
    assert_eq!(e.line_text, "no field here");
    let mut bomb = suite("");
    bomb.stated_size = Some(100);
    assert!(matches!(plan(&bomb), ArchiveError::Oversized { limit: 100, .. }));
    let mut junk = suite("");
    junk.compressed = Some(b"this is no xz".to_vec());
    assert!(matches!(plan(&junk), ArchiveError::Damaged { .. }));
    let mut elsewhere = suite("");
    elsewhere.component = "contrib";
    assert!(matches!(plan(&elsewhere), ArchiveError::NoIndex { .. }));
    assert!(matches!(plan(&suite("Depends: none\n")), ArchiveError::Resolve(_)));

    let request = world.request_with(|r| r.mirror = MirrorChoice::At(world.location("mirror")));
    let again = || match plan_packages(&request, &world.doors(), &()) {
        Err(ArchiveError::Store(e)) => *e,
        other => panic!("{other:?}"),
    };
    world.publish("mirror", &suite(""));
    let good = world.read(index);
    world.write(index, &good[..good.len() - 4]);
    assert!(matches!(again(), StoreError::Mismatch(_)), "a truncated index");
    world.write(index, &[&good[..], b"x"].concat());
    assert!(matches!(again(), StoreError::Mismatch(_)), "a lengthened index");
    world.remove(index);
    assert!(matches!(again(), StoreError::Fetch { source: FetchError::NotFound { .. }, .. }));
    world.write(index, &good);
    // The same for packages.
    let package = "mirror/pool/box_1.deb";
    let good = world.read(package);
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    world.write(package, &changed);
    assert!(matches!(again(), StoreError::Mismatch(_)), "a changed package");
    world.write(package, &good[..100]);
    assert!(matches!(again(), StoreError::Mismatch(_)), "a truncated package");
    world.remove(package);
    assert!(matches!(again(), StoreError::Fetch { source: FetchError::NotFound { .. }, .. }));
    world.write(package, &good);
    assert!(plan_packages(&request, &world.doors(), &()).is_ok());
    world.nothing_half_written();
}

#[test]
fn a_package_that_is_another_one_is_found_out() {
    let Some(world) = World::new() else { return };
    let mut suite = Suite::new("trixie");
    suite.package("box", "1", "");
    suite.index = suite.index.replace("Version: 1", "Version: 2");
    world.publish("mirror", &suite);
    let request = world.request_with(|r| r.mirror = MirrorChoice::At(world.location("mirror")));
    let planned = plan_packages(&request, &world.doors(), &()).unwrap();
    let chosen = &planned.packages[0];
    let deb = Deb::open("box", Stream::open(&chosen.deb).unwrap(), Limits::default()).unwrap();
    let error = chosen.agrees(deb.control()).unwrap_err();
    assert!(matches!(&error, ArchiveError::Disagrees { field: "Version", .. }), "{error}");
}

#[test]
fn without_sources_or_network() {
    let Some(world) = World::new() else { return };
    world.write("host/etc/apt/sources.list.d/debian.sources", b"");
    let error = plan_packages(&world.request("box"), &world.doors(), &()).unwrap_err();
    assert!(matches!(error, ArchiveError::Sources(_)), "{error:?}");
    let offline = HostFetch::offline();
    let mut doors = world.doors();
    doors.fetch = &offline;
    let request = world.request_with(|r| {
        r.mirror = MirrorChoice::At("http://127.0.0.1:9/debian".parse().unwrap());
        r.offline = true;
    });
    let error = plan_packages(&request, &doors, &()).unwrap_err();
    assert!(matches!(error, ArchiveError::NeverSeen { .. }), "{error:?}");
    let missing = world.request_with(|r| r.extra_debs = Some(world.path("none")));
    let error = plan_packages(&missing, &doors, &()).unwrap_err();
    assert!(matches!(error, ArchiveError::Sources(_) | ArchiveError::Directory { .. }), "{error:?}");
    assert!(world.files().list("/cache/sha256").unwrap().is_empty());
}
