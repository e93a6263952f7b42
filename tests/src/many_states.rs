//! Disks with the records of many slot states, which one start of GRUB goes through: what it would start in each, and
//! which attempts it writes.
use esos_bootimg::disk::fat::{Fat, FatFile, FatImage, Place};
use esos_bootimg::disk::gpt::{Partition, SectorSize, Table};
use esos_bootimg::disk::grub::{BootLoader, Menu, embed, mbr_code};
use esos_bootimg::disk::state::{State, StateWord, Try};
use esos_bootimg::disk::{Guid, Region, Seed};
use esos_layout::Slot;
use esos_layout::state::{Attempt, Control, RecordError, attempt_file};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Keep, Machine, Mark};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// The records of a state, as [`NAMES`] has them; `None` for a file that is not there.
pub type Files = [Option<Vec<u8>>; 8];

/// The names of their files.
pub const NAMES: [&str; 8] = ["ca", "cb", "P1", "P2", "P3", "S1", "S2", "S3"];

/// What GRUB prints behind the last state.
const END: &str = "STATES-END";

/// How long GRUB may take, software emulation on a busy host included.
const LIMIT: Duration = Duration::from_secs(900);

const ESP: (u64, u64) = (2 << 20, 264 << 20);

/// The records that say that; none for one that is broken.
#[must_use]
pub fn files(state: &State) -> Files {
    let control = |c: &Result<Control, RecordError>| c.as_ref().ok().map(|c| c.encode().to_vec());
    let attempt = |a: &Result<Attempt, RecordError>| a.as_ref().ok().map(|a| a.encode().to_vec());
    let [ca, cb] = &state.controls;
    let [[p1, p2, p3], [s1, s2, s3]] = &state.attempts;
    let [p1, p2, p3, s1, s2, s3] = [p1, p2, p3, s1, s2, s3].map(attempt);
    [control(ca), control(cb), p1, p2, p3, s1, s2, s3]
}

/// What the records say.
#[must_use]
pub fn state(files: &Files) -> State {
    let control = |f: &Option<Vec<u8>>| f.as_ref().map_or(Err(RecordError::NoBlock), |f| Control::decode(f));
    let attempt = |f: &Option<Vec<u8>>| f.as_ref().map_or(Err(RecordError::NoBlock), |f| Attempt::decode(f));
    let [ca, cb, p1, p2, p3, s1, s2, s3] = files;
    State {
        controls: [control(ca), control(cb)],
        attempts: [[attempt(p1), attempt(p2), attempt(p3)], [attempt(s1), attempt(s2), attempt(s3)]],
    }
}

/// What is tried first, by our own code; none where the machine would be reset.
#[must_use]
pub fn decision(files: &Files) -> Option<Try> {
    let state = state(files);
    state.default_slot().and_then(|slot| state.tries(slot, true).first().copied())
}

fn words(t: &Try) -> String {
    let word = t.word.map(|w| if w == StateWord::Lost { "esos.state=lost" } else { "esos.state=ro" });
    let first = t.attempt.map(|k| format!("esos.attempt={k}"));
    let exhausted = t.exhausted.then(|| "esos.exhausted=1".to_owned());
    let all = [Some(t.slot.to_string()), first.or(exhausted), word.map(str::to_owned)];
    all.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The script of a stick, but that it says what it would boot, and goes on.
fn script(count: usize) -> String {
    let rounds: Vec<String> = (0..count).map(|n| format!("{n:04}")).collect();
    format!(
        "if [ \"$grub_platform\" = \"pc\" ]; then serial --unit=0 --speed=115200; terminal_output serial; fi\n{}
function esos_boot {{
  esos_slot $1
  echo \"TRY $esos_name $3\"
}}
function esos_reset {{
  true
}}
for esos_round in {}; do
  set esos_state=\"($esos_esp)/r/$esos_round\"
  set esos_why=
  esos_read
  esos_decide
  echo \"ROUND $esos_round $esos_default\"
  if [ -n \"$esos_default\" ]; then esos_start $esos_default prod; fi
done
echo {END}
sleep 1000
",
        Menu::default().logic(),
        rounds.join(" ")
    )
}

fn disk(path: &Path, boot: &BootLoader, states: &[Files]) -> Result<(), Box<dyn Error>> {
    let (esp, esp_len) = ESP;
    let partition = |name: &str, kind, first: u64, len: u64| {
        let id = Seed::from_text(name).guid("id");
        let (first, end) = (first / 512, first.saturating_add(len) / 512);
        Some(Partition { name: name.into(), kind, id, first, last: end.saturating_sub(1), attributes: 0 })
    };
    let table = Table {
        sector: SectorSize::B512,
        sectors: esp.saturating_add(esp_len).saturating_add(1 << 20) / 512,
        disk: Seed::from_text("replay").guid("disk"),
        partitions: vec![
            partition("esos_bios", Guid::BIOS_BOOT, 1 << 20, 1 << 20),
            partition("ESOS_BOOT", Guid::ESP, esp, esp_len),
        ],
    };
    let file = |path: String, content: Vec<u8>| FatFile { path, content, place: Place::Next };
    let mut files = vec![
        file("EFI/BOOT/BOOTX64.EFI".into(), boot.efi.clone()),
        file("esos/grub.cfg".into(), script(states.len()).into_bytes()),
    ];
    for (n, state) in states.iter().enumerate() {
        for (name, content) in NAMES.iter().zip(state) {
            files.extend(content.iter().map(|c| file(format!("r/{n:04}/{name}"), c.clone())));
        }
    }
    let image = FatImage {
        label: "REPLAY".into(),
        serial: 1,
        sector: SectorSize::B512,
        len: esp_len,
        hidden: 4096,
        time: 0,
        files,
    };
    let mut disk = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
    image.write(&mut Region::new(&mut disk, esp, esp_len))?;
    table.write(&mut disk, &mbr_code(&boot.boot_img, 2048)?)?;
    disk.seek(SeekFrom::Start(1 << 20))?;
    disk.write_all(&embed(&boot.core_img, 2048, 1 << 20)?)?;
    Ok(())
}

/// Starts GRUB on such a disk, and compares what it decides and writes with our own code.
///
/// # Errors
/// Where they differ, or GRUB does not come to the end.
pub fn run(boot: &BootLoader, firmware: Firmware, states: &[Files]) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir_in("/var/tmp")?;
    let path = dir.path().join("states.img");
    disk(&path, boot, states)?;
    let stick = Disk::new(&path, Bus::Usb).keep(Keep::Write);
    let machine = Machine::new("states").firmware(firmware).memory(Bytes::mib(512)).processors(1).disk(stick);
    let guest = machine.start()?;
    guest.console().wait_for(Mark::default(), END, LIMIT)?;
    let console = guest.console().text();
    guest.cut_power();
    check(states, &console)?;
    check_records(states, File::open(&path)?)
}

/// Whether GRUB decided as our own code does, by what it said.
fn check(states: &[Files], console: &str) -> Result<(), String> {
    let ours = |l: &&str| ["ROUND ", "TRY ", END].iter().any(|w| l.starts_with(w));
    let mut lines = console.lines().map(str::trim).filter(ours);
    let mut next = |n: usize, expected: &str| match lines.next() {
        Some(line) if line.split_whitespace().eq(expected.split_whitespace()) => Ok(()),
        found => {
            Err(format!("state {n}: GRUB said {found:?}, and `{expected}` is right: {:?}", states.get(n)))
        }
    };
    for (n, files) in states.iter().enumerate() {
        let state = state(files);
        let default = state.default_slot();
        let letter = default.map_or("", |s| if s == Slot::Primary { "P" } else { "S" });
        next(n, &format!("ROUND {n:04} {letter}"))?;
        for t in default.map(|slot| state.tries(slot, true)).unwrap_or_default() {
            next(n, &format!("TRY {}", words(&t)))?;
        }
    }
    next(states.len(), END)
}

/// Whether GRUB wrote the attempts that it said, and nothing else.
fn check_records<D: Read + Seek>(states: &[Files], disk: D) -> Result<(), Box<dyn Error>> {
    let mut fat = Fat::open(Region::new(disk, ESP.0, ESP.1))?;
    if let Some(found) = fat.check().first() {
        return Err(found.clone().into());
    }
    for (n, files) in states.iter().enumerate() {
        let state = state(files);
        let mut expected = files.clone();
        for t in state.default_slot().map(|slot| state.tries(slot, true)).unwrap_or_default() {
            let Some(name) = t.attempt.and_then(|k| attempt_file(t.slot, k)) else { continue };
            let epoch = state.control().slot(t.slot).epoch;
            let found = fat.read(&format!("r/{n:04}/{name}"))?;
            if Attempt::decode(&found) != Ok(Attempt { epoch }) {
                return Err(format!("state {n}: {name} is not the attempt that GRUB said").into());
            }
            if let Some((_, place)) = NAMES.iter().zip(&mut expected).find(|(other, _)| **other == name) {
                *place = Some(found);
            }
        }
        for (name, content) in NAMES.iter().zip(&expected) {
            if fat.read(&format!("r/{n:04}/{name}")).ok() != *content {
                return Err(format!("state {n}: {name} was written and should not have been").into());
            }
        }
    }
    Ok(())
}
