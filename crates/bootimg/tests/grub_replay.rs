//! Many slot states in one boot of real GRUB, which must decide each as our own code does, and of each
//! torn write as before it or as after it. `ESOS_TEST_GRUB_TOOLS` names a directory with unpacked GRUB
//! packages (see `disk_image.rs`); without it the test says so and does nothing.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "the test is told by its environment where GRUB is")]
use esos_bootimg::disk::fat::{Fat, FatFile, FatImage, Place};
use esos_bootimg::disk::gpt::{Partition, SectorSize, Table};
use esos_bootimg::disk::grub::{Linker, Menu, embed, mbr_code};
use esos_bootimg::disk::state::{State, StateWord, Try, fresh};
use esos_bootimg::disk::{Guid, Region, Seed};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::HostFiles;
use esos_layout::Slot;
use esos_layout::state::{Attempt, Control, Epoch, RecordError, SlotRecord, SlotState, attempt_file};
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

/// The eight records, `ca cb P1 P2 P3 S1 S2 S3`; `None` for a file that is not there.
type Files = [Option<Vec<u8>>; 8];

const NAMES: [&str; 8] = ["ca", "cb", "P1", "P2", "P3", "S1", "S2", "S3"];

fn files(state: &State) -> Files {
    let control = |c: &Result<Control, RecordError>| c.as_ref().ok().map(|c| c.encode().to_vec());
    let attempt = |a: &Result<Attempt, RecordError>| a.as_ref().ok().map(|a| a.encode().to_vec());
    let [ca, cb] = &state.controls;
    let [[p1, p2, p3], [s1, s2, s3]] = &state.attempts;
    let [p1, p2, p3, s1, s2, s3] = [p1, p2, p3, s1, s2, s3].map(attempt);
    [control(ca), control(cb), p1, p2, p3, s1, s2, s3]
}

fn state(files: &Files) -> State {
    let control = |f: &Option<Vec<u8>>| f.as_ref().map_or(Err(RecordError::NoBlock), |f| Control::decode(f));
    let attempt = |f: &Option<Vec<u8>>| f.as_ref().map_or(Err(RecordError::NoBlock), |f| Attempt::decode(f));
    let [ca, cb, p1, p2, p3, s1, s2, s3] = files;
    State {
        controls: [control(ca), control(cb)],
        attempts: [[attempt(p1), attempt(p2), attempt(p3)], [attempt(s1), attempt(s2), attempt(s3)]],
    }
}

/// What a write of `new` over `old` may leave when it is cut off at a byte.
fn torn(old: &[u8], new: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let garbage: Vec<u8> = (0..512u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for at in (0..40).map(|n| (n * 13 + 3) % 512) {
        out.push([&new[..at], &old[at..]].concat());
        out.push([&old[..at], &new[at..]].concat());
        out.push([&new[..at], &garbage[at..]].concat());
        out.push([&garbage[..at], &new[at..]].concat());
        out.push([&new[..at], &vec![0xff; 512 - at]].concat());
        out.push([&new[..at], &vec![0; 512 - at]].concat());
        let end = (at + 16).min(512);
        out.push([&new[..at], &old[at..end], &new[end..]].concat());
        let mut flipped = new.to_vec();
        flipped[at] ^= 1 << (at % 8);
        out.push(flipped);
    }
    out
}

/// A state to replay, and the decisions that are right for it where it comes of a torn write.
struct Case {
    files: Files,
    right: Vec<Option<Try>>,
}

fn decision(files: &Files) -> Option<Try> {
    let state = state(files);
    state.default_slot().and_then(|slot| state.tries(slot, true).first().copied())
}

fn cases() -> Vec<Case> {
    let slot = |state, epoch| SlotRecord { state, epoch: Epoch::new(epoch) };
    let mut out = Vec::new();
    // An upgrade is armed: SECONDARY becomes preferred and a trial, with a new epoch.
    let old = Control {
        sequence: 9,
        preferred: Slot::Primary,
        primary: slot(SlotState::Good, 3),
        secondary: slot(SlotState::None, 4),
    };
    let new = Control {
        sequence: 10,
        preferred: Slot::Secondary,
        secondary: slot(SlotState::Trial, 5),
        ..old.clone()
    };
    let before = Control { sequence: 8, secondary: slot(SlotState::Bad, 4), ..old.clone() };
    let mut base = State::of(old);
    base.controls[1] = Ok(before.clone());
    base.mark(Slot::Primary, 1);
    let whole = |control: &Control| {
        let mut state = base.clone();
        state.controls[1] = Ok(control.clone());
        files(&state)
    };
    let right = vec![decision(&whole(&before)), decision(&whole(&new))];
    for sector in torn(&before.encode(), &new.encode()) {
        let mut files = whole(&before);
        files[1] = Some(sector);
        out.push(Case { files, right: right.clone() });
    }
    // GRUB uses the second attempt of PRIMARY.
    let mut after = base.clone();
    after.mark(Slot::Primary, 2);
    let right = vec![decision(&files(&base)), decision(&files(&after))];
    let (from, to) = (files(&base), files(&after));
    for sector in torn(from[3].as_ref().unwrap(), to[3].as_ref().unwrap()) {
        let mut files = from.clone();
        files[3] = Some(sector);
        out.push(Case { files, right: right.clone() });
    }
    // Whole states: every pair of health words, either preferred, with 0 to 3 attempts used of each.
    let words = [SlotState::Good, SlotState::Trial, SlotState::Bad, SlotState::None];
    for (n, (p, s)) in words.iter().flat_map(|p| words.iter().map(move |s| (*p, *s))).enumerate() {
        for preferred in Slot::ALL {
            let mut state =
                State::of(Control { sequence: 1, preferred, primary: slot(p, 7), secondary: slot(s, 8) });
            (1..=n % 4).for_each(|k| state.mark(Slot::Primary, k as u8));
            (1..=n / 4).for_each(|k| state.mark(Slot::Secondary, k as u8));
            out.push(Case { files: files(&state), right: vec![] });
        }
    }
    // Records that are gone.
    let fresh = files(&State::of(fresh(true)));
    for gone in [&[0usize, 1][..], &[0], &[2, 3, 4], &[2, 3, 4, 5, 6, 7], &[0, 1, 2, 3, 4, 5, 6, 7]] {
        let mut files = fresh.clone();
        gone.iter().for_each(|n| files[*n] = None);
        out.push(Case { files, right: vec![] });
    }
    out
}

fn words(t: &Try) -> String {
    let word = t.word.map(|w| if w == StateWord::Lost { "esos.state=lost" } else { "esos.state=ro" });
    let first = t.attempt.map(|k| format!("esos.attempt={k}"));
    let exhausted = t.exhausted.then(|| "esos.exhausted=1".to_owned());
    let all = [Some(t.slot.to_string()), first.or(exhausted), word.map(str::to_owned)];
    all.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

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
echo END
halt
",
        Menu::default().logic(),
        rounds.join(" ")
    )
}

const ESP: u64 = 2 << 20;
const ESP_LEN: u64 = 264 << 20;

fn disk(tools: &str, cases: &[Case]) -> tempfile::NamedTempFile {
    let scratch = tempfile::tempdir().unwrap();
    let (files, path) = (HostFiles::new("/"), scratch.path().to_str().unwrap());
    let boot = Linker { runner: &HostRunner, files: &files, tools, scratch: path }.link().unwrap();
    let partition = |name: &str, kind, first: u64, len: u64| {
        let (first, last) = (first / 512, (first + len) / 512 - 1);
        Some(Partition {
            name: name.into(),
            kind,
            id: Seed::from_text(name).guid("id"),
            first,
            last,
            attributes: 0,
        })
    };
    let table = Table {
        sector: SectorSize::B512,
        sectors: (ESP + ESP_LEN + (1 << 20)) / 512,
        disk: Seed::from_text("replay").guid("disk"),
        partitions: vec![
            partition("esos_bios", Guid::BIOS_BOOT, 1 << 20, 1 << 20),
            partition("ESOS_BOOT", Guid::ESP, ESP, ESP_LEN),
        ],
    };
    let file = |path: String, content: Vec<u8>| FatFile { path, content, place: Place::Next };
    let mut files = vec![
        file("EFI/BOOT/BOOTX64.EFI".into(), boot.efi.clone()),
        file("esos/grub.cfg".into(), script(cases.len()).into_bytes()),
    ];
    for (n, case) in cases.iter().enumerate() {
        for (name, content) in NAMES.iter().zip(&case.files) {
            files.extend(content.iter().map(|c| file(format!("r/{n:04}/{name}"), c.clone())));
        }
    }
    let esp = FatImage {
        label: "REPLAY".into(),
        serial: 1,
        sector: SectorSize::B512,
        len: ESP_LEN,
        hidden: 4096,
        time: 0,
        files,
    };
    let mut disk = tempfile::NamedTempFile::new().unwrap();
    esp.write(&mut Region::new(disk.as_file_mut(), ESP, ESP_LEN)).unwrap();
    table.write(disk.as_file_mut(), &mbr_code(&boot.boot_img, 2048).unwrap()).unwrap();
    disk.seek(SeekFrom::Start(1 << 20)).unwrap();
    disk.write_all(&embed(&boot.core_img, 2048, 1 << 20).unwrap()).unwrap();
    disk
}

fn run(disk: &std::path::Path, uefi: bool) -> String {
    let drive = format!("if=none,id=d,format=raw,file={}", disk.display());
    let mut cmd = Cmd::new("/usr/bin/qemu-system-x86_64")
        .args(["-accel", "tcg", "-machine", "q35", "-m", "512", "-display", "none", "-serial", "stdio"])
        .args(["-monitor", "none", "-no-reboot", "-device", "qemu-xhci", "-drive", drive.as_str()])
        .args(["-device", "usb-storage,drive=d,bootindex=1"])
        .limit(Duration::from_secs(600));
    if uefi {
        cmd = cmd.args(["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"]);
        cmd = cmd.args(["-drive", "if=pflash,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd"]);
    }
    let out = HostRunner.run(&cmd).unwrap();
    out.text().into_owned()
}

fn check(cases: &[Case], text: &str) {
    let mut lines =
        text.lines().map(str::trim).filter(|l| ["ROUND ", "TRY ", "END"].iter().any(|w| l.starts_with(w)));
    for (n, case) in cases.iter().enumerate() {
        let state = state(&case.files);
        let default = state.default_slot();
        let letter = default.map_or("", |s| if s == Slot::Primary { "P" } else { "S" });
        assert_eq!(lines.next(), Some(format!("ROUND {n:04} {letter}").trim()), "{:?}", case.files);
        for t in default.map(|slot| state.tries(slot, true)).unwrap_or_default() {
            let line = lines.next().and_then(|l| l.strip_prefix("TRY "));
            let found = line.map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
            assert_eq!(found, Some(words(&t)), "state {n}: {state:?}");
        }
    }
    assert_eq!(lines.next(), Some("END"));
}

/// GRUB wrote the attempts that it said, and nothing else.
fn check_records(cases: &[Case], disk: impl std::io::Read + Seek) {
    let mut fat = Fat::open(Region::new(disk, ESP, ESP_LEN)).unwrap();
    assert_eq!(fat.check(), Vec::<String>::new());
    for (n, case) in cases.iter().enumerate() {
        let state = state(&case.files);
        let mut expected = case.files.clone();
        for t in state.default_slot().map(|slot| state.tries(slot, true)).unwrap_or_default() {
            let Some(name) = t.attempt.and_then(|k| attempt_file(t.slot, k)) else { continue };
            let epoch = state.control().slot(t.slot).epoch;
            let at = NAMES.iter().position(|other| *other == name).unwrap();
            let found = fat.read(&format!("r/{n:04}/{name}")).unwrap();
            assert_eq!(Attempt::decode(&found), Ok(Attempt { epoch }), "{name} of state {n}");
            expected[at] = Some(found);
        }
        for (name, content) in NAMES.iter().zip(&expected) {
            let found = fat.read(&format!("r/{n:04}/{name}")).ok();
            assert_eq!(&found, content, "{name} of state {n}");
        }
    }
}

#[test]
fn torn_writes_are_decided_as_before_or_as_after() {
    let cases = cases();
    assert!(cases.len() > 600);
    for case in cases.iter().filter(|c| !c.right.is_empty()) {
        let found = decision(&case.files);
        assert!(case.right.contains(&found), "{found:?}, right are {:?}: {:?}", case.right, case.files);
    }
}

#[test]
fn real_grub_decides_as_we_do() {
    let Ok(tools) = std::env::var("ESOS_TEST_GRUB_TOOLS") else {
        return println!("skipped: ESOS_TEST_GRUB_TOOLS names no unpacked packages");
    };
    let cases = cases();
    let mut disk = disk(&tools, &cases);
    let keep = std::env::var("ESOS_TEST_LOG").ok();
    for uefi in [false, true] {
        let copy = tempfile::NamedTempFile::new().unwrap();
        std::io::copy(
            &mut {
                disk.rewind().unwrap();
                disk.as_file()
            },
            &mut copy.as_file(),
        )
        .unwrap();
        let text = run(copy.path(), uefi);
        if let Some(log) = &keep {
            std::fs::write(format!("{log}.{uefi}"), &text).unwrap();
        }
        check(&cases, &text);
        check_records(&cases, copy.reopen().unwrap());
        println!("{} states, {}: all decided", cases.len(), if uefi { "UEFI" } else { "BIOS" });
    }
}
