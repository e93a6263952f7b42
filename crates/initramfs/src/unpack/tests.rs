//! Small images in memory, damaged in every way.
use super::*;
use crate::tar::EntryKind;
use crate::tar::tests::{file, header};
use esos_layout::frames::Frame;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A tree in memory that knows the rules.
#[derive(Default)]
struct Memory {
    made: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    refuse: Option<&'static str>,
}

struct Hand<'a>(&'a Memory);

impl Tree for Memory {
    fn worker(&self) -> Box<dyn TreeWorker + '_> {
        Box::new(Hand(self))
    }
    fn finish(&self) -> Result<(), TreeError> {
        Ok(())
    }
}

impl TreeWorker for Hand<'_> {
    fn make(&mut self, entry: &Entry, data: &mut dyn BufRead) -> Result<(), TreeError> {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let error = |source| TreeError { path: path.clone(), source };
        if self.0.refuse == Some(path.as_str()) {
            return Err(error(io::ErrorKind::StorageFull.into()));
        }
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).map_err(error)?;
        let parent = entry.path.rsplitn(2, |b| *b == b'/').nth(1).unwrap_or_default();
        let mut made = self.0.made.lock().unwrap();
        if !parent.is_empty() && !made.contains_key(parent) {
            return Err(error(io::ErrorKind::NotFound.into()));
        }
        match made.insert(entry.path.clone(), bytes) {
            Some(_) if entry.kind != EntryKind::Dir => Err(error(io::ErrorKind::AlreadyExists.into())),
            _ => Ok(()),
        }
    }
}

fn image(frames: &[(&str, Vec<u8>, u64)]) -> (Index, Vec<u8>) {
    let mut index = Index::default();
    let mut image = Vec::new();
    for (name, tar, entries) in frames {
        let packed = zstd::bulk::compress(tar, 3).unwrap();
        index.frames.push(Frame {
            packed: packed.len() as u64,
            unpacked: tar.len() as u64,
            entries: *entries,
            sha256: Sha256::digest(&packed).as_slice().try_into().unwrap(),
            name: (*name).to_owned(),
        });
        image.extend_from_slice(&packed);
    }
    (index, image)
}

fn small() -> (Index, Vec<u8>) {
    let dirs: Vec<u8> = (0..8).flat_map(|i| header(&format!("d{i}"), b'5', 0, "")).collect();
    let mut frames = vec![("<directories>".to_owned(), dirs, 8)];
    for i in 0..40 {
        let tar: Vec<u8> =
            (0..5).flat_map(|k| file(&format!("d{}/f{i}-{k}", i % 8), &vec![i as u8; 3000 * k])).collect();
        frames.push((format!("p{i}"), tar, 5));
    }
    frames.push(("<end>".to_owned(), vec![0; 1024], 0));
    let frames: Vec<_> = frames.iter().map(|(n, t, e)| (n.as_str(), t.clone(), *e)).collect();
    image(&frames)
}

const EFFORT: Effort = Effort { workers: 3, packed_in_flight: 400 };

#[test]
fn everything_is_made_whatever_the_number_of_workers() {
    let (index, image) = small();
    for workers in [1, 2, 7] {
        let tree = Memory::default();
        let done = unpack(&index, &image, &tree, Effort { workers, ..EFFORT }, &|_| {}).unwrap();
        assert_eq!((done.frames, done.entries, done.bytes, done.reread), (42, 208, index.unpacked(), 0));
        let made = tree.made.into_inner().unwrap();
        assert_eq!(made.len(), 208);
        assert_eq!(made[b"d3/f11-2".as_slice()], vec![11; 6000]);
    }
}

/// A tree whose files are made only while another one is being made.
#[derive(Default)]
struct Together {
    met: Mutex<u32>,
    changed: Condvar,
}

impl Tree for Together {
    fn worker(&self) -> Box<dyn TreeWorker + '_> {
        Box::new(self)
    }
    fn finish(&self) -> Result<(), TreeError> {
        Ok(())
    }
}

impl TreeWorker for &Together {
    fn make(&mut self, entry: &Entry, _data: &mut dyn BufRead) -> Result<(), TreeError> {
        if entry.kind == EntryKind::Dir {
            return Ok(());
        }
        *self.met.lock().unwrap() += 1;
        self.changed.notify_all();
        let long = Duration::from_secs(60);
        let met = self.changed.wait_timeout_while(self.met.lock().unwrap(), long, |met| *met < 2).unwrap();
        let alone = || TreeError { path: "alone".to_owned(), source: io::ErrorKind::TimedOut.into() };
        if met.1.timed_out() { Err(alone()) } else { Ok(()) }
    }
}

#[test]
fn two_workers_work_at_the_same_time() {
    let (index, image) = small();
    let effort = Effort { workers: 2, packed_in_flight: 1 << 20 };
    unpack(&index, &image, &Together::default(), effort, &|_| {}).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_is_found_before_it_is_used() {
    let (index, image) = small();
    for at in (0..image.len()).step_by(97) {
        let mut damaged = image.clone();
        damaged[at] ^= 4;
        let error = unpack(&index, &damaged, &Memory::default(), EFFORT, &|_| {}).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_truncated_image_is_found() {
    let (index, image) = small();
    let error =
        unpack(&index, &image[..image.len() - 1].to_vec(), &Memory::default(), EFFORT, &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "frame 41 (<end>) of the root image is damaged: the file ends before it");
}

/// Wrong the first time, as behind a bad cable, then right.
struct Flaky<'a>(&'a Vec<u8>, AtomicBool);

impl ReadAt for Flaky<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)?;
        if offset > 500 && !self.1.load(Ordering::Relaxed) {
            buffer[0] ^= 1;
        }
        Ok(())
    }
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn forget(&self, _offset: u64, _length: u64) {
        self.1.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_frame_that_is_right_the_second_time_is_used_and_counted() {
    let (index, image) = small();
    let source = Flaky(&image, AtomicBool::new(false));
    let done =
        unpack(&index, &source, &Memory::default(), Effort { workers: 1, packed_in_flight: 1 }, &|_| {})
            .unwrap();
    assert!(done.reread >= 1);
}

#[test]
fn a_full_tree_is_not_a_damaged_image() {
    let (index, image) = small();
    let tree = Memory { refuse: Some("d1/f9-3"), ..Memory::default() };
    let error = unpack(&index, &image, &tree, EFFORT, &|_| {}).unwrap_err();
    assert!(matches!(error, UnpackError::Tree(_)), "{error}");
    assert_eq!(error.to_string(), "cannot make /d1/f9-3");
}

#[test]
fn what_was_built_wrong_is_said() {
    let dirs = || ("<directories>", header("d", b'5', 0, ""), 1);
    let run = |frames: &[(&str, Vec<u8>, u64)], change: &dyn Fn(&mut Index)| {
        let (mut index, image) = image(frames);
        change(&mut index);
        unpack(&index, &image, &Memory::default(), EFFORT, &|_| {}).unwrap_err().to_string()
    };
    let text = run(&[dirs(), ("a", file("d/x", b"12"), 2)], &|_| {});
    assert_eq!(
        text,
        "frame 1 (a) of the root image is damaged: 1 entries in 1024 bytes, the index says 2 in 1024"
    );
    let text = run(&[dirs(), ("a", file("d/x", &[1; 9000]), 1)], &|i| i.frames[1].unpacked = 2000);
    assert!(text.contains("damaged"), "{text}");
    let text = run(&[dirs(), ("a", file("../x", b"12"), 1)], &|_| {});
    assert_eq!(text, "frame 1 (a) of the root image is damaged: path `../x` leads out of the root");
    let text = run(&[dirs(), ("a", file("d/x", b"1"), 1), ("b", file("d/x", b"2"), 1)], &|_| {});
    assert_eq!(text, "frame 2 (b) of the root image is damaged: cannot make /d/x: entity already exists");
}
