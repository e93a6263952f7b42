//! Dumps of the recorded core, read back.
#![allow(clippy::unwrap_used, reason = "this is a test, its helpers too")]
mod common;
use common::{recorded_dmesg, skeleton};
use esos_crashdump::{
    Classifier, Codec, Core, KdumpFile, Level, Manifest, PAGE, PanicScan, Physical, ReadAt, SaveOptions, Vm,
    WriteAt, dmesg, save,
};
use std::cell::RefCell;
use std::io;

/// A file in memory that can be full.
struct MemFile {
    bytes: RefCell<Vec<u8>>,
    room: usize,
}

impl MemFile {
    fn new(room: usize) -> Self {
        Self { bytes: RefCell::default(), room }
    }
}

impl WriteAt for MemFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut file = self.bytes.borrow_mut();
        let (at, end) = (at as usize, at as usize + bytes.len());
        if end > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let len = file.len().max(end);
        file.resize(len, 0);
        file[at..end].copy_from_slice(bytes);
        Ok(())
    }
}

const OPTIONS: SaveOptions =
    SaveOptions { level: Level::LEAST, codec: Codec::Zstd, workers: 2, max_size: None };

fn log_of(memory: &impl Physical) -> Vec<u8> {
    let mut out = Vec::new();
    dmesg(&Vm::new(memory).unwrap(), &mut out).unwrap();
    out
}

/// Every page of the file equals the core's, and exactly those are there that the level has, or (where
/// the file lacks some) fewer. Answers how many.
fn compare<S: ReadAt>(core: &Core<S>, file: &KdumpFile<Vec<u8>>, level: Level, whole: bool) -> u64 {
    let pages = Classifier::new(core, level);
    let (mut ours, mut theirs, mut count) = ([0; PAGE as usize], [0; PAGE as usize], 0);
    for window in pages.windows().map(|first| pages.window(first).unwrap()) {
        for i in window.present.iter() {
            let pfn = window.first + i;
            let there = file.page(pfn, &mut ours).unwrap();
            if whole {
                assert_eq!(there, window.dumped.get(i), "page frame {pfn:#x}");
            }
            assert!(!there || window.dumped.get(i), "page frame {pfn:#x}");
            if there {
                count += 1;
                core.read(pfn * PAGE, &mut theirs).unwrap();
                assert!(ours == theirs, "page frame {pfn:#x}");
            }
        }
    }
    count
}

#[test]
fn each_codec_reads_back() {
    let core = Core::open(skeleton()).unwrap();
    for (codec, level) in
        [(Codec::Zstd, 31), (Codec::Zlib, 31), (Codec::Lzo, 31), (Codec::Snappy, 30), (Codec::None, 23)]
    {
        let level = Level::new(level).unwrap();
        let out = MemFile::new(usize::MAX);
        let saved = save(&core, &SaveOptions { codec, level, ..OPTIONS }, &out, &mut |_| ()).unwrap();
        let file = KdumpFile::open(out.bytes.into_inner()).unwrap();
        println!("{codec} {level}: {saved:?}");
        assert_eq!((file.is_incomplete(), saved.dropped, saved.unreadable), (false, 0, 0));
        assert_eq!(compare(&core, &file, level, true), saved.pages);
        let checked = file.check().unwrap();
        assert_eq!((checked.pages, checked.bad), (saved.pages, 0));
        assert_eq!(log_of(&file), recorded_dmesg());
    }
}

#[test]
fn the_number_of_workers_does_not_show() {
    let core = Core::open(skeleton()).unwrap();
    let file = |workers| {
        let out = MemFile::new(usize::MAX);
        save(&core, &SaveOptions { workers, ..OPTIONS }, &out, &mut |_| ()).unwrap();
        out.bytes.into_inner()
    };
    assert!(file(1) == file(5));
}

/// Neither a limit nor a full file system makes a file useless.
#[test]
fn short_of_room() {
    let core = Core::open(skeleton()).unwrap();
    let level = Level::LEAST;
    let full = MemFile::new(usize::MAX);
    let whole = save(&core, &OPTIONS, &full, &mut |_| ()).unwrap();
    // Of this core, headers, bitmaps and descriptors have 545 384 bytes; here the first part is cut.
    let head = (545_384 + whole.priority) / 2;
    for limit in [head, whole.priority, (whole.priority + whole.size) / 2, whole.size - 1] {
        for (room, max_size) in [(usize::MAX, Some(limit)), (limit as usize, None)] {
            let out = MemFile::new(room);
            let saved = save(&core, &SaveOptions { max_size, ..OPTIONS }, &out, &mut |_| ()).unwrap();
            assert!(saved.size <= limit && saved.dropped > 0, "{saved:?}");
            assert_eq!(saved.pages + saved.dropped, whole.pages);
            let file = KdumpFile::open(out.bytes.into_inner()).unwrap();
            assert!(file.is_incomplete());
            assert_eq!(compare(&core, &file, level, false), saved.pages);
            assert_eq!(file.check().unwrap().bad, 0);
            if limit >= whole.priority {
                assert_eq!(log_of(&file), recorded_dmesg());
            }
        }
    }
    let none = SaveOptions { max_size: Some(5000), ..OPTIONS };
    assert!(
        save(&core, &none, &MemFile::new(usize::MAX), &mut |_| ())
            .unwrap_err()
            .to_string()
            .contains("too few")
    );
}

/// A file that was cut behind its first part still gives the log.
#[test]
fn a_cut_file_gives_the_log() {
    let core = Core::open(skeleton()).unwrap();
    let out = MemFile::new(usize::MAX);
    let saved = save(&core, &OPTIONS, &out, &mut |_| ()).unwrap();
    let mut bytes = out.bytes.into_inner();
    bytes.truncate(saved.priority as usize);
    let file = KdumpFile::open(bytes).unwrap();
    assert_eq!(log_of(&file), recorded_dmesg());
    assert!(file.check().unwrap().bad > 0);
}

#[test]
fn the_manifest_finds_every_damage() {
    let core = Core::open(skeleton()).unwrap();
    let out = MemFile::new(usize::MAX);
    let saved = save(&core, &OPTIONS, &out, &mut |_| ()).unwrap();
    let mut scan = PanicScan::default();
    dmesg(&Vm::new(&core).unwrap(), &mut scan).unwrap();
    let panic = scan.finish();
    assert_eq!(panic.reason.as_deref(), Some("sysrq triggered crash"));
    assert!(panic.stack.iter().any(|frame| frame.starts_with("sysrq_handle_crash+0x")), "{panic:?}");
    let mut bytes = out.bytes.into_inner();
    let manifest = Manifest::new(&core, &OPTIONS, &saved, panic, &bytes).unwrap();
    assert_eq!(manifest.kernel.as_deref(), Some("6.12.117+deb12-amd64"));
    let manifest: Manifest = serde_json::from_str(&serde_json::to_string(&manifest).unwrap()).unwrap();
    assert_eq!(manifest.compare(&bytes).unwrap(), [""; 0]);
    for at in [0, 4096, bytes.len() / 2, bytes.len() - 1] {
        bytes[at] ^= 1;
        assert_eq!(manifest.compare(&bytes).unwrap().len(), 1, "byte {at}");
        bytes[at] ^= 1;
    }
    bytes.pop();
    assert_eq!(manifest.compare(&bytes).unwrap().len(), 1);
}
