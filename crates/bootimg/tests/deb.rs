//! Packages as the archive has them, and as an attacker would make them.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a test that reads real packages in place"
)]
use esos_bootimg::deb::{Deb, DebError, DebWriter, Entry, Fault, Kind, Limits, Script, TreePath, tar};
use proptest::prelude::*;
use std::io::Write as _;

const CONTROL: &str = "Package: x\nVersion: 1\nArchitecture: all\n";

fn read(bytes: &[u8], limits: Limits) -> Result<Vec<(Entry, Vec<u8>)>, DebError> {
    let mut entries = Deb::open("x.deb", bytes, limits)?.entries()?;
    let mut all = Vec::new();
    while let Some(entry) = entries.next_entry()? {
        all.push((entry, entries.read_content(1 << 20)?));
    }
    entries.finish()?;
    Ok(all)
}

fn fault(bytes: &[u8]) -> String {
    let limits = Limits { data: 1 << 30, ..Limits::default() };
    read(bytes, limits).unwrap_err().to_string()
}

fn data(change: impl FnOnce(&mut DebWriter) -> &mut DebWriter) -> Vec<u8> {
    let mut made = DebWriter::new(CONTROL);
    change(&mut made);
    made.finish()
}

#[test]
fn every_compression_is_read() {
    let mut made = DebWriter::new(CONTROL);
    made.control_file("postinst", b"#!/bin/sh\n")
        .control_file("conffiles", b"/etc/x\nremove-on-upgrade /etc/y\n");
    made.dir("etc", 0o755).file("etc/x", b"x = 1\n", 0o640).symlink("etc/l", "../usr/x");
    let gz = |b: &[u8]| {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(b).unwrap();
        e.finish().unwrap()
    };
    let xz = |b: &[u8]| {
        let mut e = liblzma::write::XzEncoder::new(Vec::new(), 0);
        e.write_all(b).unwrap();
        e.finish().unwrap()
    };
    let plain = read(&made.finish(), Limits::default()).unwrap();
    assert_eq!(plain.len(), 3);
    assert_eq!(plain[1].1, b"x = 1\n");
    assert_eq!(plain[1].0.mode, 0o640);
    for bytes in [
        made.finish_with(".xz", xz),
        made.finish_with(".gz", gz),
        made.finish_with(".zst", |b| zstd::encode_all(b, 3).unwrap()),
    ] {
        assert_eq!(read(&bytes, Limits::default()).unwrap(), plain);
        for cut in [bytes.len() - 2, bytes.len() - 40, bytes.len() / 2, 100, 9, 3] {
            assert!(read(&bytes[..cut], Limits::default()).is_err(), "cut at {cut}");
        }
    }
    assert!(fault(&made.finish_with(".lzma", |b| b.to_vec())).contains("compressed as `lzma`"));
    let bytes = made.finish();
    let deb = Deb::open("x.deb", &bytes[..], Limits::default()).unwrap();
    assert_eq!(deb.control().conffiles, ["etc/x".parse::<TreePath>().unwrap()]);
    assert_eq!(deb.control().scripts[&Script::PostInst], "#!/bin/sh\n");
}

#[test]
fn hostile_names_and_links_are_refused_with_package_and_member() {
    let file = |name: &str| data(|d| d.pax("path", name.as_bytes()).file("innocent", b"", 0o644));
    assert_eq!(
        fault(&file("../../etc/passwd")),
        "x.deb: data.tar: ../../etc/passwd: has the name `../../etc/passwd`, which leads upwards by `..`; \
         the package is hostile or broken"
    );
    assert!(fault(&file("/etc/passwd")).contains("is absolute"));
    assert!(fault(&file("a\nb")).contains("line end"));
    assert!(fault(&data(|d| d.symlink("usr/x", "../../etc"))).contains("above the root"));
    let hard = data(|d| {
        d.pax("linkpath", b"../etc/shadow");
        d.entry(Entry::new("l".parse().unwrap(), Kind::HardLink { target: TreePath::default() }, 0o644), b"")
    });
    assert!(fault(&hard).contains("leads upwards"));
}

#[test]
fn sparse_huge_and_broken_members_are_refused() {
    assert!(
        fault(&data(|d| d.pax("GNU.sparse.realsize", b"10737418240").file("s", b"", 0o644)))
            .contains("sparse")
    );
    let huge = data(|d| d.pax("size", b"10737418240").file("huge", b"", 0o644));
    assert_eq!(
        fault(&huge),
        "x.deb: data.tar: ./huge: has more than 1073741824 bytes; raise the limit if the package is trusted"
    );
    assert!(fault(&data(|d| d.raw(&[b'g'; 512]))).contains("checksum"));
    assert!(fault(&data(|d| d.raw(&[0; 1024]).raw(b"more"))).contains("behind the end"));
    assert!(
        fault(&data(|d| d.pax("SCHILY.acl.access", b"u::rwx").file("a", b"", 0o644)))
            .contains("access control")
    );
    assert!(fault(b"not a package at all").contains("!<arch>"));
    let many = Limits { entries: 2, ..Limits::default() };
    let bytes = data(|d| d.dir("a", 0o755).dir("b", 0o755).dir("c", 0o755));
    let error = read(&bytes, many).unwrap_err();
    assert!(matches!(error.fault, Fault::TooLarge { what: "entries", limit: 2 }), "{error}");
    assert!(fault(&DebWriter::new("Package: x\n").finish()).contains("lacks Package or Version"));
}

fn entry() -> impl Strategy<Value = (Entry, Vec<u8>)> {
    let name = prop_oneof![4 => "[a-zé]{1,8}(/[a-z]{1,8}){0,3}", 1 => "[a-z]{60,90}/[a-z]{60,90}"];
    let kind = prop_oneof![
        4 => Just(Kind::File { size: 0 }),
        1 => Just(Kind::Dir),
        1 => "[a-z]{1,120}".prop_map(|target| Kind::Symlink { target }),
        1 => "[a-z]{1,120}".prop_map(|t| Kind::HardLink { target: t.parse().unwrap() }),
        1 => any::<(u16, u16)>().prop_map(|(a, b)| Kind::CharDevice { major: a.into(), minor: b.into() }),
        1 => Just(Kind::Fifo),
    ];
    let xattrs = proptest::collection::btree_map(
        "user\\.[a-z]{1,5}",
        proptest::collection::vec(any::<u8>(), 0..30),
        0..3,
    );
    let content = proptest::collection::vec(any::<u8>(), 0..2000);
    (name, kind, 0u32..0o10000, any::<u32>(), any::<u32>(), any::<i32>(), xattrs, content).prop_map(
        |(name, kind, mode, uid, gid, mtime, xattrs, content)| {
            let content = if kind.is_file() { content } else { Vec::new() };
            let kind = if kind.is_file() { Kind::File { size: content.len() as u64 } } else { kind };
            let path = name.parse().unwrap();
            (Entry { path, kind, mode, uid, gid, mtime: mtime.into(), xattrs }, content)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(all in proptest::collection::vec(entry(), 0..8)) {
        let bytes = data(|d| all.iter().fold(d, |d, (e, content)| d.entry(e.clone(), content)));
        let got = read(&bytes, Limits::default()).unwrap();
        prop_assert_eq!(got, all);
    }

    #[test]
    fn a_changed_package_never_panics(all in proptest::collection::vec(entry(), 1..4), at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = data(|d| all.iter().fold(d, |d, (e, content)| d.entry(e.clone(), content)));
        let at = at.index(bytes.len());
        bytes[at] = to;
        if cut { bytes.truncate(at); }
        let _answer = read(&bytes, Limits { data: 1 << 24, ..Limits::default() });
    }

    #[test]
    fn any_bytes_are_no_reason_to_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let _answer = tar::read_all("x", &bytes);
    }
}

/// All packages in the directory that `ESOS_DEBS` names are read to their end.
#[test]
fn real_packages() {
    let Some(dir) = std::env::var_os("ESOS_DEBS") else {
        eprintln!("skipped: ESOS_DEBS names no directory of packages");
        return;
    };
    let (mut packages, mut count, mut owners, mut xattrs, mut devices) =
        (0, 0u64, std::collections::BTreeSet::new(), 0, 0);
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "deb") {
            continue;
        }
        packages += 1;
        let file = std::fs::File::open(&path).unwrap();
        let deb = Deb::open(&path.display().to_string(), file, Limits::default()).unwrap();
        let mut entries = deb.entries().unwrap();
        while let Some(entry) = entries.next_entry().unwrap() {
            count += 1;
            owners.insert((entry.uid, entry.gid));
            xattrs += entry.xattrs.len();
            devices += usize::from(matches!(
                entry.kind,
                Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo
            ));
        }
        entries.finish().unwrap();
    }
    eprintln!("{packages} packages, {count} entries, owners {owners:?}, {xattrs} xattrs, {devices} devices");
    assert!(packages > 0);
}

/// Small real packages, changed at random for `ESOS_FUZZ_SECONDS`: as they are, and unpacked so that the
/// changes reach the tar. Half of the changed headers get a right checksum again.
#[test]
fn changed_real_packages() {
    let (Some(dir), Some(seconds)) = (std::env::var_os("ESOS_DEBS"), std::env::var_os("ESOS_FUZZ_SECONDS"))
    else {
        eprintln!("skipped: ESOS_DEBS and ESOS_FUZZ_SECONDS are not set");
        return;
    };
    let seconds: u64 = seconds.to_str().unwrap().parse().unwrap();
    let mut seeds = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "deb") || path.metadata().unwrap().len() > 12_000 {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut entries = Deb::open("x", &bytes[..], Limits::default()).unwrap().entries().unwrap();
        let mut plain = DebWriter::new(CONTROL);
        while let Some(entry) = entries.next_entry().unwrap() {
            let content = entries.read_content(1 << 20).unwrap();
            plain.entry(entry, &content);
        }
        seeds.extend([bytes, plain.finish()]);
    }
    assert!(!seeds.is_empty(), "no small packages");
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    let limits = Limits { data: 1 << 24, control: 1 << 22, entries: 10_000, decoder: 64 << 20 };
    let (start, mut runs, mut read_whole) = (std::time::Instant::now(), 0u64, 0u64);
    while start.elapsed().as_secs() < seconds {
        let mut bytes = seeds[random(seeds.len())].clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(6) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = [0, 0xff, b'/', b'.', b'0', b'7', 0x80][random(7)],
                2 => bytes[at] ^= 1 << random(8),
                3 => {
                    let piece = bytes[at..bytes.len().min(at + 512)].to_vec();
                    let to = random(bytes.len());
                    bytes.splice(to..to, piece);
                }
                4 => drop(bytes.drain(at..bytes.len().min(at + random(1024)))),
                _ => bytes[at] = random(256) as u8,
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        if random(2) == 0 {
            // Headers of the tars lie at multiples of 512 behind a member's head of 60 bytes.
            let starts: Vec<usize> =
                bytes.windows(5).enumerate().filter(|(_, w)| w == b"ustar").map(|(i, _)| i).collect();
            for start in starts.into_iter().filter_map(|i| i.checked_sub(257)) {
                if let Some(block) = bytes.get_mut(start..start + 512) {
                    block[148..156].fill(b' ');
                    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
                    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
                }
            }
        }
        runs += 1;
        read_whole += u64::from(read(&bytes, limits).is_ok());
    }
    eprintln!(
        "{runs} changed packages in {seconds} s, {read_whole} of them still readable, {} seeds",
        seeds.len()
    );
}
