//! What a boot finds on a stick that is not as it should be: what is restored, and what it says of the rest.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use esos_confsync::testing::{MemBox, MemMedium};
use esos_confsync::{
    Medium, NewPack, PackError, ReadPack, Request, Retention, Store, StoreError, Tracked, collect, restore,
    retain, sync,
};
use std::cell::Cell;
use std::io;

const EIO: i32 = 5;

fn keep(files: &MemBox, medium: &dyn Medium, now: u64, version: &str) -> u64 {
    let request = Request::new("esos1", version, "change", now);
    sync(files, &Tracked::default(), medium, None, None, &request).unwrap().0.generation
}

/// Three generations: the newest adds a file, changes one, takes one away, and sets a mode.
fn three() -> (MemBox, MemMedium) {
    let (files, medium) = (MemBox::new(), MemMedium::new());
    files.write("/etc/passwd", b"root:x:0\n", 0o644);
    files.write("/etc/goes", b"soon gone", 0o644);
    files.write("/etc/scst.conf", &vec![b'x'; 3000], 0o600);
    files.write("/etc/mode", b"as it was", 0o600);
    keep(&files, &medium, 1, "5.0");
    files.write("/etc/second", b"of the second generation", 0o644);
    keep(&files, &medium, 2, "5.0");
    newest(&files);
    keep(&files, &medium, 3, "5.0");
    (files, medium)
}

fn newest(files: &MemBox) {
    use esos_confsync::{BoxPath, Place};
    files.write("/etc/new", b"of the newest generation", 0o644);
    files.write("/etc/passwd", b"root:y:0\n", 0o644);
    files.remove(&BoxPath::new("/etc/goes").unwrap()).unwrap();
    files.write("/etc/mode", b"as it was", 0o640);
}

const DIFFERS: [&str; 4] = ["- /etc/goes", "m /etc/mode", "+ /etc/new", "~ /etc/passwd"];

fn choose(medium: &dyn Medium, version: &str) -> Result<restore::Choice, StoreError> {
    restore::choose(&Store::open(medium)?, version)
}

/// A medium that refuses some reads, as a dying stick does.
struct Dying<'m> {
    medium: &'m MemMedium,
    file: &'static str,
    /// The first byte that cannot be read.
    from: u64,
    refused: Cell<u32>,
}

struct Refusing<'m> {
    file: Box<dyn ReadPack + 'm>,
    from: u64,
    refused: &'m Cell<u32>,
}

impl ReadPack for Refusing<'_> {
    fn size(&self) -> u64 {
        self.file.size()
    }
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        if at + buffer.len() as u64 > self.from {
            self.refused.set(self.refused.get() + 1);
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.file.read_exact_at(buffer, at)
    }
}

impl Medium for Dying<'_> {
    fn list(&self) -> io::Result<Vec<String>> {
        if self.file == "." { Err(io::Error::from_raw_os_error(EIO)) } else { self.medium.list() }
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn ReadPack + '_>> {
        let file = self.medium.open(name)?;
        if name != self.file && self.file != "*" {
            return Ok(file);
        }
        Ok(Box::new(Refusing { file, from: self.from, refused: &self.refused }))
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn NewPack + '_>> {
        self.medium.create(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.medium.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.medium.remove(name)
    }
    fn note(&self, before: Option<&str>, name: &str) -> io::Result<()> {
        self.medium.note(before, name)
    }
}

#[test]
fn what_is_different_is_told_by_path_where_its_list_can_be_read() {
    let (_, medium) = three();
    // One byte of a content: the list of the newest is whole.
    let pack = "gen-0000000003.esc";
    let whole = medium.files()[pack].clone();
    let at = whole.windows(24).position(|w| w == b"of the newest generation").unwrap();
    medium.damage(pack, |bytes| bytes[at] ^= 1);
    let choice = choose(&medium, "5.0").unwrap();
    assert_eq!((choice.generation.id, choice.passed.len()), (2, 1));
    let passed = &choice.passed[0];
    assert_eq!((passed.id, passed.made, passed.damaged), (3, Some(3), true));
    assert!(passed.why.contains("/etc/new"), "{}", passed.why);
    assert_eq!(passed.differs.as_deref().unwrap(), DIFFERS);
    // Its index: that it was there is all that is known.
    medium.damage(pack, |bytes| *bytes = [&whole[..at + 100], &whole[at + 101..]].concat());
    let passed = &choose(&medium, "5.0").unwrap().passed[0];
    assert_eq!((passed.id, passed.made, passed.damaged, passed.differs.as_ref()), (3, None, true, None));
    assert!(passed.why.contains(pack), "{}", passed.why);
}

#[test]
fn a_newest_generation_whose_file_is_gone_is_missed() {
    let (files, medium) = three();
    medium.remove("gen-0000000003.esc").unwrap();
    let choice = choose(&medium, "5.0").unwrap();
    assert_eq!((choice.generation.id, choice.passed.len()), (2, 1));
    assert_eq!((choice.passed[0].id, choice.passed[0].why.as_str()), (3, "its file is gone"));
    // Its number is not given again, and the next whole one ends it.
    assert_eq!(keep(&files, &medium, 4, "5.0"), 4);
    let choice = choose(&medium, "5.0").unwrap();
    assert_eq!((choice.generation.id, choice.passed.len()), (4, 0));
    // Without any generation left it is no new stick.
    for name in medium.files().keys().filter(|name| name.starts_with("gen-")) {
        medium.remove(name).unwrap();
    }
    assert!(!Store::open(&medium).unwrap().is_empty());
    let error = choose(&medium, "5.0").unwrap_err();
    assert!(matches!(error, StoreError::Damaged { source: PackError::Gone, .. }), "{error}");
}

#[test]
fn what_cannot_be_read_is_passed_over_as_what_is_damaged() {
    let (_, medium) = three();
    for file in ["gen-0000000003.esc", "gen-0000000002.esc", "gen-0000000001.esc"] {
        for from in (0..medium.files()[file].len() as u64).step_by(7) {
            let dying = Dying { medium: &medium, file, from, refused: Cell::new(0) };
            match choose(&dying, "5.0") {
                Ok(choice) => {
                    assert!(dying.refused.get() == 0 || choice.generation.id < 3, "{file} from {from}");
                    assert_eq!(choice.passed.len() as u64, 3 - choice.generation.id, "{file} from {from}");
                }
                // All rest on the first.
                Err(e) => assert_eq!(file, "gen-0000000001.esc", "{e}"),
            }
        }
    }
    let dying = |file, from| Dying { medium: &medium, file, from, refused: Cell::new(0) };
    assert!(matches!(choose(&dying("*", 0), "5.0"), Err(StoreError::Damaged { .. })));
    assert!(matches!(choose(&dying(".", 0), "5.0"), Err(StoreError::Io(..))));
    // Where every generation refuses, the boot does not wait for each of a hundred.
    let files = MemBox::new();
    for n in 4..60 {
        files.write("/etc/passwd", format!("root:{n}\n").as_bytes(), 0o644);
        keep(&files, &medium, n, "5.0");
    }
    struct OnlyEnds<'m>(&'m MemMedium, Cell<u32>);
    struct End<'m>(Box<dyn ReadPack + 'm>, &'m Cell<u32>);
    impl ReadPack for End<'_> {
        fn size(&self) -> u64 {
            self.0.size()
        }
        fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
            // Head and tail come, what lies between does not.
            let index = at + buffer.len() as u64 + 64 == self.size();
            if at > 0 && at + (buffer.len() as u64) < self.size() && !index {
                self.1.set(self.1.get() + 1);
                return Err(io::Error::from_raw_os_error(EIO));
            }
            self.0.read_exact_at(buffer, at)
        }
    }
    impl Medium for OnlyEnds<'_> {
        fn list(&self) -> io::Result<Vec<String>> {
            self.0.list()
        }
        fn open(&self, name: &str) -> io::Result<Box<dyn ReadPack + '_>> {
            Ok(Box::new(End(self.0.open(name)?, &self.1)))
        }
        fn create(&self, name: &str) -> io::Result<Box<dyn NewPack + '_>> {
            self.0.create(name)
        }
        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            self.0.rename(from, to)
        }
        fn remove(&self, name: &str) -> io::Result<()> {
            self.0.remove(name)
        }
        fn note(&self, before: Option<&str>, name: &str) -> io::Result<()> {
            self.0.note(before, name)
        }
    }
    let ends = OnlyEnds(&medium, Cell::new(0));
    assert!(matches!(choose(&ends, "5.0"), Err(StoreError::Io(..))));
    assert!((1..20).contains(&ends.1.get()), "{} reads were tried", ends.1.get());
}

#[test]
fn a_newer_format_is_no_damage_and_is_kept() {
    let (files, medium) = three();
    let newer = |name: &str| {
        medium.damage(name, |bytes| {
            let end = bytes.len() - 1;
            (bytes[7], bytes[end]) = (b'2', b'2');
        });
    };
    newer("gen-0000000003.esc");
    let choice = choose(&medium, "5.0").unwrap();
    assert_eq!((choice.generation.id, choice.damaged.len()), (2, 0));
    assert_eq!((choice.passed[0].id, choice.passed[0].damaged), (3, false));
    assert!(choice.passed[0].why.contains("format 2"), "{}", choice.passed[0].why);
    let error = Store::open(&medium).unwrap().generation(3).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    assert_eq!(keep(&files, &medium, 4, "5.0"), 4);
    collect(Store::open(&medium).unwrap(), &[1, 2]).unwrap();
    assert!(medium.files().contains_key("gen-0000000003.esc"));
    assert_eq!(choose(&medium, "5.0").unwrap().generation.id, 4);
    // A head alone is damage.
    medium.damage("gen-0000000004.esc", |bytes| bytes[7] = b'2');
    assert!(choose(&medium, "5.0").unwrap_err().to_string().contains("damaged"));
    for name in medium.files().keys().filter(|name| name.ends_with(".esc")) {
        if !name.contains("03") {
            medium.remove(name).unwrap();
        }
    }
    assert!(matches!(choose(&medium, "5.0"), Err(StoreError::Newer { .. })));
}

#[test]
fn the_changes_of_a_newer_version_are_listed() {
    let (files, medium) = three();
    files.write("/etc/of-5.1", b"x", 0o644);
    keep(&files, &medium, 4, "5.1");
    let choice = choose(&medium, "5.0").unwrap();
    assert_eq!((choice.generation.id, choice.of_newer, choice.newer.as_slice()), (3, false, &[4][..]));
    assert_eq!(choice.passed[0].differs.as_deref().unwrap(), ["+ /etc/of-5.1"]);
    assert!(!choice.passed[0].damaged && choice.passed[0].why.contains("5.1"));
    // There is nothing else: then that, and it says so.
    let choice = choose(&medium, "4.9").unwrap();
    assert_eq!((choice.generation.id, choice.of_newer, choice.passed.len()), (4, true, 0));
}

/// What is damaged is written anew by the next sync, wherever the damage is: no generation rests on it.
#[test]
fn the_next_generation_is_whole_whatever_is_damaged() {
    let (files, medium) = three();
    let whole = medium.files();
    for pack in whole.keys().filter(|name| name.ends_with(".esc")) {
        for at in (0..whole[pack].len()).step_by(11) {
            let medium = MemMedium::with(whole.clone());
            medium.damage(pack, |bytes| bytes[at] ^= 0x10);
            let was_whole = choose(&medium, "5.0").is_ok_and(|choice| choice.generation.id == 3);
            let id = keep(&files, &medium, 9, "5.0");
            assert_eq!(id, if was_whole { 3 } else { 4 }, "{pack} byte {at}");
            let choice = choose(&medium, "5.0").unwrap();
            assert_eq!((choice.generation.id, choice.passed.len()), (id, 0), "{pack} byte {at}");
        }
    }
}

#[test]
fn a_pack_that_cannot_be_read_does_not_end_retention() {
    let (files, medium) = three();
    medium.damage("gen-0000000002.esc", |bytes| bytes.truncate(40));
    for n in 4..70u64 {
        files.write("/etc/passwd", format!("root:{n}\n").as_bytes(), 0o644);
        keep(&files, &medium, n * 100_000, "5.0");
    }
    let tight = |medium| {
        let store = Store::open(medium).unwrap();
        let gone = retain(&store.generations().collect::<Vec<_>>(), 90_000_000, &Retention::tight(), &[]);
        collect(store, &gone).unwrap()
    };
    let done = tight(&medium);
    assert!(done.dropped.len() > 60 && !medium.files().contains_key("gen-0000000002.esc"), "{done:?}");
    let store = Store::open(&medium).unwrap();
    assert_eq!(store.damaged(), []);
    store.generations().for_each(|generation| store.verify(generation).unwrap());
}
