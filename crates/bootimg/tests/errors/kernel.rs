//! Kernels whose modules cannot be used.
use crate::seen::Seen;
use esos_bootimg::kernel::{
    Initramfs, InitramfsError, KernelFiles, MAX_MODULE, Module, ModuleFault, Selection, Tables, decompress,
};
use esos_bootimg::manifest::{Manifest, Suite};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// An object file of one empty section: a module without facts, and a program that needs no library.
pub(crate) fn object() -> Vec<u8> {
    linked(&[], &[])
}

/// An object that offers some symbols and wants others.
pub(crate) fn linked(exports: &[&str], imports: &[&str]) -> Vec<u8> {
    let names = b"\0__ksymtab_strings\0.symtab\0.strtab\0";
    let (mut strings, mut symbols) = (vec![0], vec![0; 24]);
    for name in imports {
        symbols.extend((strings.len() as u32).to_le_bytes());
        symbols.extend([0x10, 0, 0, 0]);
        symbols.extend([0; 16]);
        strings.extend(name.bytes().chain([0]));
    }
    let offered: Vec<u8> = exports.iter().flat_map(|s| s.bytes().chain([0])).collect();
    // Name, kind, link and content of each section; the names of sections come last.
    let sections: [(u32, u32, u32, &[u8]); 5] =
        [(0, 0, 0, &[]), (1, 1, 0, &offered), (19, 2, 3, &symbols), (27, 3, 0, &strings), (0, 3, 0, names)];
    let (mut bytes, mut headers) = (vec![0; 64], Vec::new());
    for (name, kind, link, content) in sections {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[0x18..0x20].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        header[0x20..0x28].copy_from_slice(&(content.len() as u64).to_le_bytes());
        header[0x28..0x2c].copy_from_slice(&link.to_le_bytes());
        headers.extend(header);
        bytes.extend(content);
    }
    let table = (bytes.len() as u64).to_le_bytes();
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[0x28..0x30].copy_from_slice(&table);
    bytes[0x3a..0x3c].copy_from_slice(&64u16.to_le_bytes());
    bytes[0x3c..0x3e].copy_from_slice(&5u16.to_le_bytes());
    bytes[0x3e..0x40].copy_from_slice(&4u16.to_le_bytes());
    bytes.extend(headers);
    bytes
}

/// Two modules that need one another.
fn circle() -> Vec<Module> {
    let module = |name: &str, exports, imports| {
        Module::read(&format!("kernel/{name}.ko"), &linked(&[exports], &[imports])).unwrap()
    };
    vec![module("a", "of_a", "of_b"), module("b", "of_b", "of_a")]
}

struct Full;

impl Write for Full {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An initramfs of these module files, all of them chosen, and `absent`.
fn initramfs(files: &[(&str, Vec<u8>)], absent: &[&str], out: impl Write) -> Result<(), InitramfsError> {
    let modules: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(name, bytes)| (format!("kernel/{name}"), bytes.clone())).collect();
    let chosen = files.iter().map(|(name, _)| name.split('.').next().unwrap()).chain(absent.iter().copied());
    let selection = Selection { modules: chosen.map(str::to_owned).collect(), ..Selection::default() };
    let made = Initramfs {
        release: "6.1-test",
        init: b"\x7fELF",
        root_index: "esos-root-index 1\n",
        version: "1",
        selection: &selection,
        modules: &modules,
        builtin: "",
        firmware: &BTreeMap::new(),
        mtime: 1,
        level: 1,
    };
    made.write(out).map(drop)
}

pub(crate) fn all(seen: &mut Seen) {
    let huge = zstd::encode_all(io::repeat(0).take(MAX_MODULE + 1), 1).unwrap();
    for (path, bytes) in [("a.ko.xz", &b"no xz"[..]), ("a.ko", b"text"), ("a.o", b""), ("a.ko.zst", &huge)] {
        let error = decompress(path, bytes).and_then(|plain| Module::read(path, &plain)).unwrap_err();
        if let ModuleFault::Elf(inner) = &error.source {
            seen.saw(inner);
        }
        seen.saw(&error.source);
        seen.saw(&error);
    }
    seen.failed(Tables::new(circle(), KernelFiles::default()));
    let text = "base = \"none\"\n[[initramfs]]\nload = [\"squashfs\"]\nreason = \"a test\"\n";
    let wanted = Manifest::with_file(Suite::Trixie, &[], "m.toml", text).unwrap().initramfs;
    seen.failed(Tables::new(Vec::new(), KernelFiles::default()).unwrap().choose(&wanted));

    seen.failed(initramfs(&[("a.ko.xz", b"no xz".to_vec())], &[], Vec::new()));
    let (a, b) = (linked(&["of_a"], &["of_b"]), linked(&["of_b"], &["of_a"]));
    seen.failed(initramfs(&[("a.ko", a), ("b.ko", b)], &[], Vec::new()));
    seen.failed(initramfs(&[], &["nvme"], Vec::new()));
    seen.failed(initramfs(&[("a.ko", object())], &[], Full));
}
