//! Disk images that cannot be written, and disks that cannot be read.
use crate::assemble::{Tools, grub_packages};
use crate::seen::Seen;
use esos_bootimg::assemble::BuildError;
use esos_bootimg::disk::description::{Description, Signer, TrustedKeys};
use esos_bootimg::disk::ext4::{Ext4Image, check};
use esos_bootimg::disk::fat::{Fat, FatFile, FatImage, Place, ReadFatError};
use esos_bootimg::disk::gpt::{Copy, SectorSize, Table};
use esos_bootimg::disk::grub::{BootLoader, Linker, Menu, embed, mbr_code};
use esos_bootimg::disk::image::{ComposeError, Layout, Parts, Summary, compose, compress, expand};
use esos_bootimg::disk::iso::{self, MakeIsoError};
use esos_bootimg::disk::iso9660::{IsoFile, Volume};
use esos_bootimg::disk::slot::{self, FileSum, SlotFile, SlotParts, WriteSlotError};
use esos_bootimg::disk::squashfs::{Image, Writer};
use esos_bootimg::disk::{Seed, read_records};
use esos_hostfs::HostFiles;
use esos_layout::part;
use esos_units::Bytes;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

/// A medium that answers nothing.
struct Dead;

fn dead() -> io::Error {
    io::Error::other("the medium does not answer")
}

impl Read for Dead {
    fn read(&mut self, _bytes: &mut [u8]) -> io::Result<usize> {
        Err(dead())
    }
}

impl Write for Dead {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(dead())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(dead())
    }
}

impl Seek for Dead {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(at) => Ok(at),
            SeekFrom::End(_) | SeekFrom::Current(_) => Ok(1 << 30),
        }
    }
}

fn zeros() -> Cursor<Vec<u8>> {
    Cursor::new(vec![0; 1 << 16])
}

pub(crate) fn all(seen: &mut Seen) {
    seen.failed(Table::read(&mut Dead, Copy::Primary));
    seen.failed(Table::read(&mut zeros(), Copy::Primary));
    seen.failed(Layout { slot: Bytes::new(1), ..Layout::default() }.table(&Seed::from_text("t")));
    seen.failed(mbr_code(&[0; 512], 1));
    seen.failed(embed(&[0; 512], 1, 1 << 20));
    seen.failed(compress(&mut Dead, io::sink(), 1, 1));
    seen.failed(compress(&mut &[7; 1 << 16][..], Dead, 1, 1));
    seen.failed(expand(Dead, &mut zeros(), &mut |_| {}));
    seen.failed(expand(&[7; 1 << 16][..], &mut Dead, &mut |_| {}));
    ext4(seen);
    fat(seen);
    squashfs(seen);
    composing(seen);
    isos(seen);
    describing(seen);
    linking(seen);
}

fn describing(seen: &mut Seen) {
    seen.failed(Description::parse(b"{}"));
    let sum = |bytes| FileSum { name: "vmlinuz".into(), bytes, sha256: "aa".into() };
    seen.failed(Description::new("1", None, 1, &[sum(1)]).compare(&[sum(2)]));
    let key = TrustedKeys::default().add("esos.pub", "no key").unwrap_err();
    seen.saw(&key);
    seen.saw(&WriteSlotError::from(key));
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let text = pair.sk.to_box(None).unwrap().to_string();
    seen.failed(Signer::new("esos.key", &text, Some("a password that it has not")));
}

fn ext4(seen: &mut Seen) {
    let image = |len| Ext4Image { label: "t".into(), uuid: [1; 16], hash_seed: [2; 16], len, time: 1 };
    seen.failed(image(1).write(&mut zeros()));
    seen.failed(image(32 << 20).write(&mut Dead));
    seen.failed(check(&mut Dead));
    seen.failed(check(&mut zeros()));
}

fn fat(seen: &mut Seen) {
    let image = |len, path: &str, content: Vec<u8>| FatImage {
        label: "T".into(),
        serial: 1,
        sector: SectorSize::B512,
        len,
        hidden: 2048,
        time: 1,
        files: vec![FatFile { path: path.into(), content, place: Place::Next }],
    };
    let len = 264 << 20;
    seen.failed(image(len, "a", b"x".to_vec()).write(&mut Dead));
    seen.failed(image(1 << 20, "a", b"x".to_vec()).write(&mut zeros()));
    let beyond = FatFile { path: "a".into(), content: b"x".to_vec(), place: Place::Beyond(1 << 40) };
    seen.failed(FatImage { files: vec![beyond], ..image(len, "", vec![]) }.write(&mut zeros()));
    seen.failed(image(len, "../a", b"x".to_vec()).write(&mut zeros()));

    seen.failed(Fat::open(Dead));
    seen.failed(Fat::open(zeros()));
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(len).unwrap();
    let state = format!("{}/ca", part::STATE_DIR);
    image(len, &state, b"no sector".to_vec()).write(&mut file).unwrap();
    seen.failed(Fat::open(&mut file).unwrap().find("none"));
    seen.failed(read_records(&mut Fat::open(&mut file).unwrap()));
    let (cluster, offset) = {
        let mut fat = Fat::open(&mut file).unwrap();
        let entry = fat.find(&state).unwrap();
        (entry.cluster, fat.fat_offset(entry.cluster))
    };
    assert!(cluster > 1);
    let mut second = tempfile::tempfile().unwrap();
    second.set_len(len).unwrap();
    image(len, "a", b"x".to_vec()).write(&mut second).unwrap();
    seen.failed(read_records(&mut Fat::open(&mut second).unwrap()));
    broken_chain(seen, file, offset, &state);
}

/// A file that has bytes, and no cluster for them.
fn broken_chain(seen: &mut Seen, mut file: File, offset: u64, path: &str) {
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&[0; 4]).unwrap();
    let found = Fat::open(&mut file).and_then(|mut fat| fat.read(path));
    assert!(matches!(found, Err(ReadFatError::Chain { .. })), "{found:?}");
    seen.failed(found);
}

fn squashfs(seen: &mut Seen) {
    let writer = || Writer::new(zeros(), 1).unwrap();
    seen.failed(Writer::new(Dead, 1).and_then(|mut w| {
        w.add("a", 1, &mut &b"x"[..])?;
        w.finish().map(drop)
    }));
    seen.failed(writer().add("a", 1, &mut Dead));
    seen.failed(writer().add("a", 9, &mut &b"x"[..]));
    seen.failed(writer().add("a/b", 1, &mut &b"x"[..]));
    seen.failed(writer().add("a", 1 << 40, &mut &b"x"[..]));
    seen.failed(Image::open(&mut Dead));
    seen.failed(Image::open(&mut zeros()));
    let mut damaged = writer();
    damaged.add("a", 1, &mut &b"x"[..]).unwrap();
    let (mut sink, _) = damaged.finish().unwrap();
    sink.get_mut()[4..60].fill(0xff);
    seen.failed(Image::open(&mut sink));
}

fn parts() -> Parts<'static> {
    let mut boot_img = vec![0; 512];
    boot_img[510..].copy_from_slice(&[0x55, 0xaa]);
    Parts {
        layout: Layout {
            slot: Bytes::mib(4),
            conf: Bytes::mib(32),
            logs: Bytes::mib(32),
            ..Layout::default()
        },
        seed: Seed::from_text("t"),
        time: 1,
        boot: BootLoader { boot_img, core_img: vec![1; 2000], cd_img: vec![7; 4096], efi: vec![2; 2000] },
        menu: Menu::default(),
        primary: SlotParts {
            version: "1".into(),
            args: String::new(),
            debug_args: String::new(),
            minimum: None,
            signer: None,
            files: vec![SlotFile::bytes("vmlinuz", b"kernel"), SlotFile::bytes("initrd.img", b"initrd")],
        },
        secondary: None,
        boot_files: Vec::new(),
    }
}

fn composed(change: impl FnOnce(&mut Parts<'_>)) -> Result<Summary, ComposeError> {
    let mut parts = parts();
    change(&mut parts);
    compose(&mut tempfile::tempfile().unwrap(), parts)
}

fn composing(seen: &mut Seen) {
    composed(|_| {}).unwrap();
    seen.failed(compose(&mut Dead, parts()));
    seen.failed(composed(|p| p.layout.slot = Bytes::new(1)));
    seen.failed(composed(|p| p.boot.boot_img.clear()));
    seen.failed(composed(|p| p.layout.boot = Bytes::mib(1)));
    seen.failed(composed(|p| p.layout.conf = Bytes::mib(1)));
    seen.failed(composed(|p| p.primary.files.clear()));
    seen.failed(composed(|p| p.layout.slot = Bytes::mib(1)));

    let slot = |change: fn(&mut SlotParts<'_>)| {
        let mut primary = parts().primary;
        change(&mut primary);
        slot::write(zeros(), &mut primary, 1)
    };
    seen.failed(slot(|s| s.files.clear()));
    seen.failed(slot(|s| s.version = "two\nlines".into()));
    seen.failed(slot(|s| s.files.push(SlotFile::bytes("../evil", b"x"))));
}

fn isos(seen: &mut Seen) {
    let mut whole = tempfile::tempfile().unwrap();
    compose(&mut whole, parts()).unwrap();
    let menu = Menu::default();
    let sink = || tempfile::tempfile().unwrap();
    iso::make(&mut whole, &mut sink(), &menu, &[7; 4096], 1).unwrap();
    seen.failed(iso::make(&mut whole, &mut sink(), &menu, &[7; 1 << 20], 1));
    let unwritten = iso::make(&mut whole, &mut Dead, &menu, &[7; 4096], 1);
    seen.saw(&BuildError::from(unwritten.unwrap_err()));
    seen.failed(iso::make(&mut whole, &mut Dead, &menu, &[7; 4096], 1));
    seen.failed(iso::make(&mut zeros(), &mut zeros(), &menu, &[7; 4096], 1));

    // Images that lack something.
    let damaged = |part: &str, at: u64, bytes: &[u8]| {
        let mut image = tempfile::tempfile().unwrap();
        compose(&mut image, parts()).unwrap();
        let table = Table::read(&mut image, Copy::Primary).unwrap();
        let (start, _) = table.extent(table.find(part).unwrap().1);
        image.seek(SeekFrom::Start(start + at)).unwrap();
        image.write_all(bytes).unwrap();
        iso::make(&mut image, &mut tempfile::tempfile().unwrap(), &Menu::default(), &[7; 4096], 1)
    };
    seen.failed(damaged(part::PRIMARY, 0, &[0; 96]));
    seen.failed(damaged(part::BOOT, 0, &[0; 512]));
    let mut image = tempfile::tempfile().unwrap();
    compose(&mut image, parts()).unwrap();
    let mut table = Table::read(&mut image, Copy::Primary).unwrap();
    table.partitions.remove(2);
    table.write(&mut image, &[]).unwrap();
    seen.failed(iso::make(&mut image, &mut tempfile::tempfile().unwrap(), &Menu::default(), &[7; 4096], 1));

    let file = |path: &str, start| IsoFile { path: path.into(), start, len: 1 };
    let volume = |files| Volume { label: "X".into(), time: 1, len: 1 << 20, files, bios: 0, efi: 0 };
    let place = volume(vec![file("a", 1)]).print();
    seen.failed(place.clone());
    seen.saw(&MakeIsoError::Volume(place.unwrap_err()));
    seen.failed(volume(vec![file("a-b", 2048), file("a+b", 2048)]).print());
    // Made of files that a FAT took before, it takes them again.
    let fat = FatImage {
        label: "?".into(),
        serial: 1,
        sector: SectorSize::B512,
        len: 1,
        hidden: 0,
        time: 1,
        files: Vec::new(),
    };
    seen.saw(&MakeIsoError::WriteBoot(fat.write(&mut zeros()).unwrap_err()));
}

fn linking(seen: &mut Seen) {
    let dir = tempfile::tempdir().unwrap();
    let (tools, scratch) = (dir.path().join("tools"), dir.path().join("scratch"));
    fs::create_dir_all(&scratch).unwrap();
    let link = |runner: &Tools| {
        let files = HostFiles::new("/");
        let (tools, scratch) = (tools.to_string_lossy(), scratch.to_string_lossy());
        Linker { runner, files: &files, tools: &tools, scratch: &scratch }.link()
    };
    seen.failed(link(&Tools::default()));
    for (path, bytes) in grub_packages().into_iter().flat_map(|(_, files)| files) {
        let path = tools.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    link(&Tools::default()).unwrap();
    seen.failed(link(&Tools { libraries: "\tlibc.so.6 => /lib/libc.so.6 (0x1)\n", ..Tools::default() }));
    seen.failed(link(&Tools { missing: true, ..Tools::default() }));
    seen.failed(link(&Tools { status: 1, ..Tools::default() }));
    let boot = tools.join("usr/lib/grub/i386-pc/boot.img");
    fs::remove_file(&boot).unwrap();
    fs::create_dir(&boot).unwrap();
    seen.failed(link(&Tools::default()));
}
