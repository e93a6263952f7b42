//! Hostile archives: mutations of packages and lists through every parser that reads what others wrote.
//! An error is fine, a panic, an endless loop or memory without end is not.
//!
//! `ESOS_FUZZ_SECONDS` says for how long each target runs (default 0.3), `ESOS_FUZZ_SEED` with which
//! mutations, `ESOS_FUZZ_SEEDS` names a directory of small real packages to begin with.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "seeds are read from where the environment says")]
use esos_bootimg::archive::release::Release;
use esos_bootimg::archive::signature::{dearmor, verify};
use esos_bootimg::archive::version::{check, compare};
use esos_bootimg::archive::{Pool, deb822, parse_index, relation, sources};
use esos_bootimg::deb::{Deb, DebWriter, Limits, tar};
use esos_exec::{Cmd, ExecError, Exit, Output, Runner};
use std::io::{Cursor, Read};
use std::path::PathBuf;

fn fuzz(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    let odd: [&[u8]; 6] = [b"7", b"\0", b"\n\n", b"../", b"99999999999", b"\xff\xff"];
    esos_fixtures::fuzz::run(name, seeds, &odd, target);
}

/// Small packages: our own, and those of the directory.
fn packages() -> Vec<Vec<u8>> {
    let mut made =
        DebWriter::new("Package: hello\nVersion: 1:2.10-3\nArchitecture: amd64\nDepends: libc6 (>= 2.34)\n");
    made.dir("usr/share/doc", 0o755).file("usr/share/doc/hello", &[b'x'; 700], 0o644);
    made.symlink("usr/bin/hi", "hello").file(&format!("usr/{}/long", "d".repeat(120)), b"y", 0o4755);
    let mut seeds = vec![made.finish()];
    if let Some(dir) = std::env::var_os("ESOS_FUZZ_SEEDS") {
        let files = std::fs::read_dir(dir).unwrap().flatten();
        let small = files.filter_map(|f| std::fs::read(f.path()).ok()).filter(|b| b.len() < 40_000);
        seeds.extend(small.filter(|b| b.starts_with(b"!<arch>")).take(60));
    }
    seeds
}

fn open(bytes: &[u8]) {
    let limits = Limits { control: 1 << 20, data: 8 << 20, entries: 10_000, decoder: 70 << 20 };
    let Ok(mut entries) = Deb::open("x.deb", bytes, limits).and_then(Deb::entries) else { return };
    while let Ok(Some(_)) = entries.next_entry() {}
}

/// The members of a package as they lie in its `ar`.
fn members(deb: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 8;
    while let Some(head) = deb.get(at..at + 60) {
        let Ok(len) = String::from_utf8_lossy(&head[48..58]).trim().parse::<usize>() else { break };
        out.extend(deb.get(at + 60..at + 60 + len).map(<[u8]>::to_vec));
        at += 60 + len + len % 2;
    }
    out
}

#[test]
fn ar() {
    fuzz("ar", &packages(), open);
}

#[test]
fn tars() {
    let unpacked = |bytes: &Vec<u8>| -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match bytes.get(..4)? {
            [0x1f, 0x8b, ..] => flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut out).ok()?,
            [0xfd, ..] => liblzma::read::XzDecoder::new(&bytes[..]).read_to_end(&mut out).ok()?,
            [0x28, 0xb5, ..] => zstd::Decoder::new(&bytes[..]).ok()?.read_to_end(&mut out).ok()?,
            _ => {
                out.extend(bytes);
                out.len()
            }
        };
        out.truncate(200_000);
        (out.get(257..262) == Some(b"ustar")).then_some(out)
    };
    let seeds: Vec<_> = packages().iter().flat_map(|deb| members(deb)).filter_map(|m| unpacked(&m)).collect();
    assert!(seeds.len() > 1);
    fuzz("tar", &seeds, |bytes| {
        let mut reader = tar::Reader::new("x", "data.tar", Cursor::new(bytes), 10_000, 8 << 20);
        while let Ok(Some(_)) = reader.next_entry() {
            let _content = reader.read_content(1 << 20);
        }
    });
}

const PACKAGES: &str = "Package: bash\nEssential: yes\nArchitecture: amd64\nMulti-Arch: foreign\nVersion: 5.2.37-2+b1\n\
Pre-Depends: libc6 (>= 2.38), libtinfo6 (>= 6)\nDepends: base-files (>= 2.1.12), debianutils (>= 5.6-0.1) | x [amd64 !i386] <!nocheck>\n\
Provides: sh (= 5)\nFilename: pool/main/b/bash/bash_5.2.37-2_amd64.deb\nSize: 1497620\n\
SHA256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nDescription: a shell\n more\n .\n end\n\nPackage: b\nVersion: 1\n";

const RELEASE: &str = "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: Sat, 06 Sep 2025 10:21:15 UTC\n\
Valid-Until: Sat, 13 Sep 2025 10:21:15 UTC\nAcquire-By-Hash: yes\nArchitectures: all amd64\nComponents: main contrib\nSHA256:\n \
ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  1497620 main/binary-amd64/Packages.xz\n \
aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad        7 main/binary-amd64/Release\n";

const SOURCES: &str = "Types: deb deb-src\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates\n\
Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n x\n";

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

#[test]
fn lists() {
    fuzz("deb822", &texts(&[PACKAGES, RELEASE, SOURCES]), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _index = parse_index("Packages", &text, "amd64", Pool::Main, "main");
        let _sources = sources::parse_deb822("x.sources", &text);
        let _list = sources::parse_list("x.list", &text);
        let _relation = relation::parse("x", &text);
        for paragraph in deb822::paragraphs("x", &text, deb822::Comments::Allowed) {
            let _fields = paragraph.map(|p| p.fields().len());
        }
    });
}

#[test]
fn versions() {
    let seeds = ["1:2.10-3+b1", "0~rc1-1", "5.2.37-2ubuntu1~bpo12+1", "20230210-5", "a.b:c-d"];
    fuzz("version", &texts(&seeds), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (a, b) = text.split_at(text.floor_char_boundary(text.len() / 2));
        let _checked = check(&text);
        assert_eq!(compare(a, b), compare(b, a).reverse());
        assert_eq!(compare(&text, &text), std::cmp::Ordering::Equal);
    });
}

/// A gpgv that prints what it was given, and says what it was told to.
struct Gpgv<'a>(&'a [u8]);

impl Runner for Gpgv<'_> {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        let stdout = cmd.input().to_vec();
        Ok(Output { status: Exit::Code(0), stdout, stderr: self.0.to_vec() })
    }
}

const STATUS: &str = "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG 6ED0E7B82643E131 1 8 01 1757154086 9 x\n\
[GNUPG:] NO_PUBKEY 6ED0E7B82643E131\n[GNUPG:] GOODSIG 78DBA3BC47EF2265 Debian Archive\ngpgv: Good signature\n";

#[test]
fn releases() {
    let armour = "-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n";
    let signed = format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{RELEASE}{armour}");
    fuzz("InRelease", &texts(&[&signed, RELEASE, PACKAGES, STATUS, armour]), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let keys = [PathBuf::from("/k.gpg")];
        let _signed = verify(&Gpgv(STATUS.as_bytes()), "InRelease", bytes, &keys);
        let _said = verify(&Gpgv(bytes), "InRelease", signed.as_bytes(), &keys);
        let _key = dearmor(&text);
        if let Ok(release) = Release::parse("InRelease", &text) {
            let _checked =
                release.check("InRelease", "trixie", esos_bootimg::archive::UnixTime::new(1_757_000_000));
        }
    });
}
