//! Packages that mean harm, each through a whole build: it says which package, what of it and why, and the output
//! directory stays as it was (`Case::build` compares it). Lists of packages are in `tests/archive.rs`.
use crate::assemble::{Case, with};
use esos_bootimg::deb::{DebWriter, Entry, Kind};
use std::error::Error;

type Debs = Vec<(&'static str, Vec<u8>)>;

fn deb(name: &'static str, fill: impl FnOnce(&mut DebWriter)) -> (&'static str, Vec<u8>) {
    let mut made = DebWriter::new(&format!("Package: {name}\nVersion: 1\nArchitecture: amd64\n"));
    made.file("usr/share/some/text", &[b'x'; 3000], 0o644);
    if name == "evil-two" {
        made = DebWriter::new("Package: evil-two\nVersion: 1\nArchitecture: amd64\n");
    }
    fill(&mut made);
    (name, made.finish())
}

fn entry(path: &str, kind: Kind) -> Entry {
    Entry::new(path.parse().unwrap(), kind, 0o644)
}

/// A member of that type and size as `ustar` has it, without its content.
fn head(path: &str, kind: u8, size: u64) -> Vec<u8> {
    let mut head = vec![0; 512];
    head[..path.len()].copy_from_slice(path.as_bytes());
    head[100..107].copy_from_slice(b"0000644");
    (head[108], head[116]) = (b'0', b'0');
    head[124..136].copy_from_slice(format!("{size:012o}").as_bytes());
    head[136..147].copy_from_slice(b"00000000000");
    head[156] = kind;
    head[257..265].copy_from_slice(b"ustar  \0");
    head[148..156].copy_from_slice(b"        ");
    let sum: u64 = head.iter().map(|b| u64::from(*b)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    head
}

/// The packages of a case, the words that must be said of it.
fn cases() -> Vec<(&'static str, Debs, &'static [&'static str])> {
    let link = |target: &str| Kind::HardLink { target: target.parse().unwrap() };
    let (name, whole) = deb("evil", |_| {});
    let mut flipped = whole.clone();
    let middle = whole.len() - 300;
    flipped[middle] ^= 4;
    vec![
        ("flipped", vec![(name, flipped)], &["evil"]),
        ("truncated", vec![(name, whole[..whole.len() - 700].to_vec())], &["evil"]),
        (
            "path traversal",
            vec![deb("evil", |d| {
                d.pax("path", b"../../etc/passwd").file("a", b"", 0o644);
            })],
            &["evil", "../../etc/passwd", "upwards"],
        ),
        (
            "a sparse member of 10 GiB, as GNU tar writes it",
            vec![deb("evil", |d| {
                d.raw(&head("big", b'S', 10 << 30));
            })],
            &["evil", "big", "sparse"],
        ),
        (
            "the same in PAX",
            vec![deb("evil", |d| {
                d.pax("GNU.sparse.realsize", b"10737418240").file("big", b"", 0o644);
            })],
            &["evil", "sparse"],
        ),
        (
            "a link out of the root",
            vec![deb("evil", |d| {
                d.symlink("usr/x", "../../etc");
            })],
            &["evil", "usr/x", "above the root"],
        ),
        (
            "a path of two packages",
            vec![
                deb("evil", |d| {
                    d.file("usr/lib/x", b"1", 0o644);
                }),
                deb("evil-two", |d| {
                    d.file("usr/lib/x", b"2", 0o644);
                }),
            ],
            &["/usr/lib/x", "evil has it", "evil-two as a file", "leave one of them out"],
        ),
        (
            "a hard link across packages",
            vec![
                deb("evil", |d| {
                    d.file("usr/lib/x", b"1", 0o644);
                }),
                deb("evil-two", |d| {
                    d.entry(entry("usr/lib/y", link("usr/lib/x")), b"");
                }),
            ],
            &["/usr/lib/y of evil-two", "/usr/lib/x", "no file of the same package"],
        ),
        (
            "a link to a directory, a file in a later package",
            vec![
                deb("evil", |d| {
                    d.dir("usr/share/new", 0o755).symlink("usr/share/old", "new");
                }),
                deb("evil-two", |d| {
                    d.file("usr/share/old", b"a file now", 0o644);
                }),
            ],
            &["/usr/share/old", "evil has it as a symbolic link", "evil-two as a file"],
        ),
    ]
}

fn build(debs: Debs) -> Result<esos_bootimg::assemble::Built, String> {
    let include = if debs.len() == 1 { "\"evil\"" } else { "\"evil\", \"evil-two\"" };
    let include: &'static str = format!("\"linux-image\", \"libc6\", {include}").leak();
    with(|case: &mut Case| (case.whole, case.include) = (debs, include)).map_err(|error| {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            words = format!("{words}: {inner}");
            source = inner.source();
        }
        words
    })
}

#[test]
fn every_hostile_package_is_refused_and_nothing_half_written_stays() {
    for (what, debs, words) in cases() {
        let said = build(debs).expect_err(what);
        println!("{what}: {said}");
        for word in words {
            assert!(said.contains(word), "{what}: no `{word}` in `{said}`");
        }
    }
    // dpkg makes device nodes; so do we, and what is not hostile goes through.
    let devices = deb("evil", |d| {
        d.entry(entry("dev-null", Kind::CharDevice { major: 1, minor: 3 }), b"");
        d.entry(entry("usr/pipe", Kind::Fifo), b"");
    });
    let built = build(vec![devices]).unwrap();
    assert!(built.packages.iter().any(|p| p.name == "evil"));
}
