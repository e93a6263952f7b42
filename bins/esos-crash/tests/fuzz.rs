//! Hostile cores: the recorded core with damage of every kind goes through the commands, each under limits of the kernel:
//! 10 s of processor time, 64 MiB of memory. An error is fine, an end by a signal or a panic is not.
//!
//! `ESOS_FUZZ_SECONDS` says for how long (default 3), `ESOS_FUZZ_SEED` with which damage, `ESOS_FUZZ_PROGRAM` with which
//! build of `esos-crash` (a release build does ten times as many).
#![allow(clippy::unwrap_used, reason = "this is a test, its helpers too")]
use esos_hostfs::TempDir;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const LIMITS: [&str; 2] = ["--data=67108864", "--cpu=10"];
const BLOCK: usize = 4096;

/// Unpacks the recorded core; blocks of zeros become holes. Gives its length and the offsets of the others.
fn unpack(to: &Path) -> (u64, Vec<u64>) {
    let packed = File::open(esos_fixtures::path("crashdump/r2-6.12.skel.zst")).unwrap();
    let mut from = zstd::Decoder::new(packed).unwrap();
    let file = File::create(to).unwrap();
    let (mut at, mut blocks) = (0, Vec::new());
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        let n = (&mut from).take(BLOCK as u64).read_to_end(&mut block).unwrap();
        if block.iter().any(|b| *b != 0) {
            file.write_all_at(&block, at).unwrap();
            blocks.push(at);
        }
        at += n as u64;
        if n < BLOCK {
            file.set_len(at).unwrap();
            return (at, blocks);
        }
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

/// Damages a file in some places and gives what was there.
fn damage(file: &File, len: u64, blocks: &[u64], random: &mut Random) -> Vec<(u64, Vec<u8>)> {
    let mut before = Vec::new();
    let mut put = |at: u64, bytes: &[u8]| {
        let mut old = vec![0; bytes.len()];
        if at + bytes.len() as u64 <= len && file.read_exact_at(&mut old, at).is_ok() {
            file.write_all_at(bytes, at).unwrap();
            before.push((at, old));
        }
    };
    let word = |random: &mut Random| {
        let mut word = [0; 8];
        let at = blocks[random.below(blocks.len() as u64) as usize] + random.below(512) * 8;
        let _zeros = file.read_exact_at(&mut word, at);
        word
    };
    let odd = [0, 1, u64::MAX, 1 << 63, 1 << 40, 0x7fff_ffff, 0xffff_ffff_8000_0000, 0xfff, 1 << 46];
    match random.below(4) {
        // The headers: a number in place of a number.
        0 => {
            for _ in 0..=random.below(4) {
                let value = odd[random.below(odd.len() as u64) as usize].to_le_bytes();
                put(random.below(64 + 8 * 56), &value[..1 << random.below(4)]);
            }
        }
        // VMCOREINFO: digits and letters change, lines end elsewhere.
        1 => {
            for _ in 0..=random.below(12) {
                put(0x1000 + random.below(0x2000), &[b"0123456789abcdef\n=()"[random.below(20) as usize]]);
            }
        }
        // Words go where others were: tables point to tables, lists into the void.
        2 => {
            for _ in 0..=random.below(64) {
                let value = word(random);
                put(blocks[random.below(blocks.len() as u64) as usize] + random.below(512) * 8, &value);
            }
        }
        // Noise.
        _ => {
            for _ in 0..=random.below(256) {
                let value = random.next().to_le_bytes();
                put(blocks[random.below(blocks.len() as u64) as usize] + random.below(4089), &value);
            }
        }
    }
    before
}

fn run(dir: &Path, args: &[&str]) -> String {
    let program = std::env::var("ESOS_FUZZ_PROGRAM");
    let program = program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_esos-crash"));
    let out = Command::new("prlimit")
        .args(LIMITS)
        .args(["--", program])
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    // 101 is a panic of Rust; none is a signal: time, memory, a fault.
    assert!(out.status.code().is_some_and(|c| c < 10), "{args:?} {}: {said}", out.status);
    said
}

#[test]
fn damaged_cores_end_in_words() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: damaged_cores_end_in_words: prlimit is not installed (Debian: util-linux)");
        return;
    }
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|t| t.parse().ok()).unwrap_or(default);
    let (seconds, seed) = (number("ESOS_FUZZ_SECONDS", 3), number("ESOS_FUZZ_SEED", 0x9e37_79b9));
    let dir = TempDir::new("fuzz").unwrap();
    let path = dir.path().join("core");
    let (len, blocks) = unpack(&path);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let mut random = Random(seed | 1);
    let (began, mut cases, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while began.elapsed() < Duration::from_secs(seconds) {
        let before = damage(&file, len, &blocks, &mut random);
        let cut = if random.below(8) == 0 { random.below(len) } else { len };
        file.set_len(cut).unwrap();
        let case = Instant::now();
        run(dir.path(), &["show", "core"]);
        let max = random.below(64 << 20).to_string();
        let mut save = vec!["save", "core", "--out", "dump", "--workers", "2"];
        if random.below(2) == 0 {
            save.extend(["--max-size", &max]);
        }
        run(dir.path(), &save);
        slowest = slowest.max(case.elapsed());
        if let Ok(dump) = File::options().read(true).write(true).open(dir.path().join("dump")) {
            // The dump's own reader, with damage of its own.
            let size = dump.metadata().unwrap().len();
            for _ in 0..random.below(8) {
                let value = random.next().to_le_bytes();
                let place = if random.below(2) == 0 { random.below(12_288) } else { random.below(size) };
                dump.write_all_at(&value, place).unwrap();
            }
            run(dir.path(), &["verify", "dump"]);
            run(dir.path(), &["show", "dump"]);
        }
        for name in ["dump", "dump.dmesg", "dump.manifest.json", "dump.part"] {
            let _absent = std::fs::remove_file(dir.path().join(name));
        }
        file.set_len(len).unwrap();
        for (at, old) in before.iter().rev() {
            file.write_all_at(old, *at).unwrap();
        }
        if cut < len {
            // What was cut off comes back with its blocks.
            drop(unpack(&path));
        }
        cases += 1;
    }
    println!("{cases} damaged cores, the slowest took {slowest:.1?} of wall time");
    assert!(cases > 0);
}

/// A core whose headers claim a TiB, of which the file has next to nothing.
#[test]
fn a_sparse_core_that_claims_a_tebibyte_is_saved() {
    let dir = TempDir::new("sparse").unwrap();
    let path = dir.path().join("core");
    let (len, _) = unpack(&path);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let mut head = vec![0; 4096];
    file.read_exact_at(&mut head, 0).unwrap();
    let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
    let count = usize::from(u16::from_le_bytes(head[56..58].try_into().unwrap()));
    // The last segment of memory becomes a TiB.
    let last = (0..count).map(|i| word(32) as usize + i * 56).max_by_key(|at| word(*at + 8)).unwrap();
    for at in [last + 32, last + 40] {
        file.write_all_at(&(1_u64 << 40).to_le_bytes(), at as u64).unwrap();
    }
    file.set_len(len + (1 << 40)).unwrap();
    let said = run(dir.path(), &["save", "core", "--out", "dump", "--workers", "2", "--json"]);
    assert!(said.is_empty(), "{said}");
    let dump = std::fs::metadata(dir.path().join("dump")).unwrap();
    assert!(dump.len() < 200 << 20, "{} bytes", dump.len());
    run(dir.path(), &["verify", "dump"]);
}
