//! Packages that cannot be read.
use crate::seen::{Seen, words};
use esos_bootimg::deb::{Deb, DebError, DebWriter, Limits, TreePath};

const CONTROL: &str = "Package: x\nVersion: 1\nArchitecture: all\n";

fn read(bytes: &[u8]) -> Result<(), DebError> {
    let limits = Limits { data: 1 << 20, ..Limits::default() };
    let mut entries = Deb::open("x.deb", bytes, limits)?.entries()?;
    while entries.next_entry()?.is_some() {}
    entries.finish().map(drop)
}

fn data(change: impl FnOnce(&mut DebWriter) -> &mut DebWriter) -> Vec<u8> {
    let mut made = DebWriter::new(CONTROL);
    change(&mut made);
    made.finish()
}

pub(crate) fn all(seen: &mut Seen) {
    let whole = data(|d| d.file("a", b"text", 0o644));
    let mut bad_size = whole.clone();
    // The size of the first member, from column 48 of its head.
    bad_size[8 + 48] = b'x';
    let mut header = DebWriter::new(CONTROL);
    header.file("a", b"", 0o644);
    let wrong = [
        b"not a package at all, though long enough to be one".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        header.finish_with(".xz", |_| b"this is no xz at all".to_vec()),
        header.finish_with(".lzma", <[u8]>::to_vec),
        bad_size,
        data(|d| d.raw(&[b'g'; 512])),
        data(|d| d.pax("path", b"../../etc/passwd").file("a", b"", 0o644)),
        data(|d| d.symlink("usr/x", "../../etc")),
        data(|d| d.pax("GNU.sparse.realsize", b"1").file("s", b"", 0o644)),
        data(|d| d.pax("SCHILY.xattr.", b"without a name").file("a", b"", 0o644)),
        data(|d| d.pax("size", b"10737418240").file("huge", b"", 0o644)),
        data(|d| d.raw(&[0; 1024]).raw(b"more")),
        DebWriter::new("Package: x\n").finish(),
    ];
    for bytes in wrong {
        let error = read(&bytes).unwrap_err();
        seen.saw(&error.fault);
        words(&error);
    }
    seen.failed(read(b"!<arch>\n"));

    let long = "x".repeat(256);
    for name in [&b"/etc/passwd"[..], b"../x", b"a\nb", b"\xff", long.as_bytes()] {
        seen.failed(TreePath::parse(name));
    }
}
