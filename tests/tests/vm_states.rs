//! Many slot states in one start of real GRUB, which must decide each as our own code does, and of each torn write as
//! before it or as after it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_bootimg::disk::state::{State, Try, fresh};
use esos_layout::Slot;
use esos_layout::state::{Control, Epoch, SlotRecord, SlotState};
use esos_tests::disk::{boot_loader, grub_tools};
use esos_tests::image::turn;
use esos_tests::many_states::{self, Files, decision, files};
use esos_tests::{Level, allowed, skip};
use esos_vm::Firmware;

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
    let test = "real_grub_decides_as_we_do";
    if !allowed(test, Level::All) {
        return;
    }
    let tools = match grub_tools() {
        Ok(tools) => tools,
        Err(why) => return skip(test, &why),
    };
    let _turn = turn();
    let states: Vec<Files> = cases().into_iter().map(|case| case.files).collect();
    let boot = boot_loader(&tools).unwrap();
    for firmware in Firmware::ALL {
        many_states::run(&boot, firmware, &states).unwrap();
        println!("{} states, {firmware}: all decided", states.len());
    }
}
