//! Upgrade, mark and roll-back of sticks in memory: what they refuse, what they write, and what power
//! that goes at any write leaves.
#![cfg(test)]
#[path = "upgrade/cut.rs"]
mod cut;
#[path = "upgrade/images.rs"]
mod images;
#[path = "upgrade/medium.rs"]
mod medium;

use esos_bootimg::disk::description::{Signer, TrustedKeys};
use esos_bootimg::disk::gpt::{Copy, Partition, Table};
use esos_bootimg::disk::verify::verify;
use esos_bootimg::disk::{Medium, Reading};
use esos_bootimg::upgrade::{
    Incoming, IncomingError, InstallError, Installed, MirrorSlotsError, Ran, Refusal, Running, Stick,
    StickError, Wishes, after_boot, mirror_slots, plan, report, roll_back,
};
use esos_layout::Slot;
use esos_layout::state::SlotState;
use images::{Wanted, image};
use medium::Disk;

const ANY: Wishes = Wishes { downgrade: false, unsigned: true };

fn upgrade_with(
    target: &Disk,
    source: &Disk,
    running: Slot,
    wishes: Wishes,
    keys: &TrustedKeys,
) -> Result<Installed, Box<dyn std::error::Error>> {
    let mut stick = Stick::open(target)?;
    let mut incoming = Incoming::open(Reading::new(source), keys)?;
    incoming.check(&mut |_| {})?;
    let running = Running::of(&stick, running);
    let plan = plan(&stick, &incoming, &running, wishes)?;
    Ok(plan.apply(&mut stick, &mut incoming, &mut |_| {})?)
}

fn upgrade(target: &Disk, source: &Disk, running: Slot) -> Installed {
    upgrade_with(target, source, running, ANY, &TrustedKeys::default()).unwrap()
}

/// What GRUB would start: the slot, its version, and whether it is whole.
fn starts(disk: &Disk) -> (Slot, Option<String>, bool) {
    let stick = Stick::open(disk).unwrap();
    let slot = stick.state().default_slot().unwrap();
    let found = report(&stick, None, None);
    let version = found.slots.iter().find(|s| s.slot == slot).unwrap().version.clone();
    let table = stick.table().clone();
    let findings =
        esos_bootimg::disk::verify::verify_slot(&mut Reading::new(disk), &table, slot, &mut |_| {});
    (slot, version, findings.findings.is_empty())
}

fn good(disk: &Disk, slot: Slot) {
    let mut stick = Stick::open(disk).unwrap();
    let ran = Ran { slot, fallback: None, other: SlotState::Good };
    let change = after_boot(stick.state(), stick.note(), &ran, 1_790_000_000).unwrap();
    stick.commit(&change).unwrap();
}

#[test]
fn the_slot_that_does_not_run_is_written_and_tried_three_times() {
    let target = image(&Wanted::of("1.0"));
    let source = image(&Wanted::of("2.0"));
    let done = upgrade(&target, &source, Slot::Primary);
    assert!(done.written_bytes > 2_500_000 && done.read_back_bytes > 2_500_000, "{done:?}");
    assert_eq!(starts(&target), (Slot::Secondary, Some("2.0".into()), true));
    assert_eq!(verify(&mut Reading::new(&target), &mut |_| {}).unwrap().findings, []);
    let stick = Stick::open(&target).unwrap();
    assert_eq!(stick.state().tries_left(Slot::Secondary), 3);
    assert_eq!(stick.state().control().primary.state, SlotState::Good);

    // The slot is the source's, byte for byte.
    let (from, to) =
        (Stick::open(&source).unwrap().slot(Slot::Primary).unwrap(), stick.slot(Slot::Secondary).unwrap());
    let bytes = |disk: &Disk, at: u64| {
        let mut bytes = vec![0; 2_700_000];
        disk.read_at(&mut bytes, at).unwrap();
        bytes
    };
    assert!(bytes(&source, from.0) == bytes(&target, to.0));
}

#[test]
fn a_stick_gets_an_identity_once_by_one_sector() {
    let disk = image(&Wanted::of("1.0"));
    let mut stick = Stick::open(&disk).unwrap();
    assert_eq!(stick.records().stick.as_deref(), Some("unset"));
    let (one, two) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    assert!(stick.identify(one).unwrap());
    assert_eq!(disk.writes(), 1);
    assert!(!stick.identify(two).unwrap());
    assert_eq!(Stick::open(&disk).unwrap().records().stick.as_deref(), Some(one));
    assert_eq!((disk.writes(), starts(&disk).0), (1, Slot::Primary));

    // A stick that forgets what is written says so; one whose record was torn gets a new one.
    let deaf = image(&Wanted::of("1.0"));
    deaf.deaf.set(true);
    let error = Stick::open(&deaf).unwrap().identify(one).unwrap_err();
    assert!(matches!(error, StickError::NotKept { .. }), "{error}");
    let (_, at) = {
        let stick = Stick::open(&disk).unwrap();
        let (boot, _) = stick.table().find("ESOS_BOOT").map(|(_, p)| stick.table().extent(p)).unwrap();
        let place = stick.records().places.iter().find(|(path, _)| path.ends_with("state/stick")).unwrap().1;
        (boot, boot + place.start)
    };
    disk.pages.borrow_mut().write(&[0; 256], at);
    let mut stick = Stick::open(&disk).unwrap();
    assert_eq!(stick.records().stick, None);
    assert!(stick.identify(two).unwrap());
    assert_eq!(stick.records().stick.as_deref(), Some(two));
}

#[test]
fn running_from_secondary_primary_is_written() {
    let target = image(&Wanted::of("1.0"));
    upgrade(&target, &image(&Wanted::of("2.0")), Slot::Primary);
    good(&target, Slot::Secondary);
    upgrade(&target, &image(&Wanted::of("3.0")), Slot::Secondary);
    assert_eq!(starts(&target), (Slot::Primary, Some("3.0".into()), true));
    let found = report(&Stick::open(&target).unwrap(), Some(Slot::Secondary), None);
    let versions: Vec<_> = found.slots.iter().map(|s| s.version.as_deref().unwrap()).collect();
    assert_eq!(versions, ["3.0", "2.0"]);
    assert_eq!(found.slots[1].last_good, Some(1_790_000_000));
    assert_eq!(found.slots[0].last_good, None);
}

#[test]
fn running_from_the_good_secondary_because_primary_is_bad_secondary_is_kept() {
    // The original overwrote SECONDARY whatever ran: the good one was lost.
    let target = image(&Wanted { secondary: Some("1.0"), ..Wanted::of("0.9") });
    let mut stick = Stick::open(&target).unwrap();
    let ran = Ran {
        slot: Slot::Secondary,
        fallback: Some("PRIMARY:damaged".parse().unwrap()),
        other: SlotState::Bad,
    };
    let change = after_boot(stick.state(), stick.note(), &ran, 5).unwrap();
    stick.commit(&change).unwrap();
    let before = slot_bytes(&target, Slot::Secondary);
    upgrade(&target, &image(&Wanted::of("2.0")), Slot::Secondary);
    assert!(before == slot_bytes(&target, Slot::Secondary));
    assert_eq!(starts(&target), (Slot::Primary, Some("2.0".into()), true));
}

fn slot_bytes(disk: &Disk, slot: Slot) -> Vec<u8> {
    let (at, len) = Stick::open(disk).unwrap().slot(slot).unwrap();
    let mut bytes = vec![0; len as usize];
    disk.read_at(&mut bytes, at).unwrap();
    bytes
}

#[test]
fn with_and_without_a_debug_kernel_slots_stay_whole() {
    // The original died half way without one and left no slot that boots.
    for (here, there) in [(true, false), (false, true), (false, false)] {
        let target = image(&Wanted { debug: here, ..Wanted::of("1.0") });
        upgrade(&target, &image(&Wanted { debug: there, ..Wanted::of("2.0") }), Slot::Primary);
        assert_eq!(verify(&mut Reading::new(&target), &mut |_| {}).unwrap().findings, []);
        assert_eq!(starts(&target), (Slot::Secondary, Some("2.0".into()), true));
    }
}

#[test]
fn a_target_of_three_terabytes_with_seven_partitions_is_upgraded() {
    let small = image(&Wanted::of("1.0"));
    let len = 3_000_000_000_000 / 4096 * 4096;
    let target = Disk::new(len, small.pages.borrow().clone());
    let mut table = Table::read(&mut Reading::new(&small), Copy::Primary).unwrap();
    let last = table.partitions.iter().flatten().map(|p| p.last).max().unwrap();
    table.sectors = len / 512;
    let data = Partition {
        name: "esos_data".into(),
        kind: table.partitions[5].as_ref().unwrap().kind,
        id: table.disk,
        first: (last + 1).next_multiple_of(2048),
        last: table.last_usable(),
        attributes: 0,
    };
    table.partitions.push(Some(data));
    let mut sink = Growing { disk: &target, at: 0 };
    table.write(&mut sink, &[]).unwrap();
    upgrade(&target, &image(&Wanted::of("2.0")), Slot::Primary);
    assert_eq!(starts(&target), (Slot::Secondary, Some("2.0".into()), true));
}

struct Growing<'d> {
    disk: &'d Disk,
    at: u64,
}

impl std::io::Write for Growing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.disk.pages.borrow_mut().write(bytes, self.at);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Seek for Growing<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        let std::io::SeekFrom::Start(at) = to else { panic!("{to:?}") };
        self.at = at;
        Ok(at)
    }
}

#[test]
fn what_must_not_be_taken_is_refused_before_the_first_write() {
    let (ours, theirs) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let mut keys = TrustedKeys::default();
    keys.add("ours.pub", &ours.public_key()).unwrap();
    let target = image(&Wanted { minimum: Some("0.9"), ..Wanted::of("1.0") });
    let strict = Wishes::default();
    let refused = |source: &Disk, wishes| {
        let error = upgrade_with(&target, source, Slot::Primary, wishes, &keys).unwrap_err();
        assert_eq!(target.log.borrow().len(), 0, "{error}");
        error
    };
    let signed = |version: &'static str, by| image(&Wanted { signer: Some(by), ..Wanted::of(version) });
    let is = |error: Box<dyn std::error::Error>, want: fn(&Refusal) -> bool| {
        assert!(error.downcast_ref().is_some_and(want), "{error}");
    };
    is(refused(&image(&Wanted::of("2.0")), strict), |r| matches!(r, Refusal::Unsigned { .. }));
    is(refused(&signed("2.0", &theirs), strict), |r| matches!(r, Refusal::Untrusted { .. }));
    is(refused(&signed("0.9.5", &ours), strict), |r| matches!(r, Refusal::Older { .. }));
    let all = Wishes { downgrade: true, unsigned: true };
    is(refused(&signed("0.8", &ours), all), |r| matches!(r, Refusal::BelowMinimum { .. }));

    // A byte of the root image, and then its sum too: the signature covers both.
    let source = signed("2.0", &ours);
    let (at, _) = Stick::open(&source).unwrap().slot(Slot::Primary).unwrap();
    let mut byte = [0];
    source.pages.borrow().read(&mut byte, at + 1_000_000);
    source.pages.borrow_mut().write(&[byte[0] ^ 1], at + 1_000_000);
    let error = refused(&source, all);
    assert!(matches!(error.downcast_ref(), Some(IncomingError::Damaged { .. })), "{error}");

    // Cut off.
    let whole = signed("2.0", &ours);
    for len in [300, 40_000, at + 100_000, at + 2_000_000] {
        let short = Disk::new(len / 512 * 512, whole.pages.borrow().clone());
        refused(&short, all);
    }
    upgrade_with(&target, &whole, Slot::Primary, strict, &keys).unwrap();
    assert_eq!(starts(&target).1.as_deref(), Some("2.0"));
}

#[test]
fn the_parts_of_two_signed_systems_cannot_be_mixed() {
    let ours = Signer::generate().unwrap();
    let mut keys = TrustedKeys::default();
    keys.add("ours.pub", &ours.public_key()).unwrap();
    let a = image(&Wanted { signer: Some(&ours), ..Wanted::of("2.0") });
    let b = image(&Wanted { signer: Some(&ours), ..Wanted::of("2.1") });
    let table = Table::read(&mut Reading::new(&a), Copy::Primary).unwrap();
    let at = table.extent(table.find("esos_primary").unwrap().1).0;
    // The kernel of the other one, in its place.
    let mut kernel = vec![0; 200_000];
    b.pages.borrow().read(&mut kernel, at + 4096);
    a.pages.borrow_mut().write(&kernel, at + 4096);
    let mut incoming = Incoming::open(Reading::new(&a), &keys).unwrap();
    let error = incoming.check(&mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("vmlinuz"), "{error}");
}

#[test]
fn a_slot_on_trial_may_not_be_the_one_to_fall_back_to() {
    let target = image(&Wanted::of("1.0"));
    upgrade(&target, &image(&Wanted::of("2.0")), Slot::Primary);
    let writes = target.writes();
    let error =
        upgrade_with(&target, &image(&Wanted::of("3.0")), Slot::Secondary, ANY, &TrustedKeys::default())
            .unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Refusal::NotGood { .. })), "{error}");
    assert_eq!(target.writes(), writes);
}

#[test]
fn an_upgrade_that_was_broken_off_goes_on_where_it_was() {
    let source = image(&Wanted::of("2.0"));
    let first = image(&Wanted::of("1.0"));
    let whole = upgrade(&first.again(), &source, Slot::Primary);
    let target = first.again();
    target.fails_at.set(Some(3));
    let error = upgrade_with(&target, &source, Slot::Primary, ANY, &TrustedKeys::default()).unwrap_err();
    assert!(error.to_string().contains("SECONDARY"), "{error}");
    assert_eq!(starts(&target), (Slot::Primary, Some("1.0".into()), true));
    target.fails_at.set(None);
    let rest = upgrade(&target, &source, Slot::Primary);
    assert!(
        rest.written_bytes < whole.written_bytes && rest.kept_bytes > whole.kept_bytes,
        "{rest:?} {whole:?}"
    );
    assert_eq!(starts(&target), (Slot::Secondary, Some("2.0".into()), true));
}

#[test]
fn a_stick_that_does_not_keep_what_is_written_is_found() {
    let source = image(&Wanted::of("2.0"));
    let target = image(&Wanted::of("1.0"));
    let (at, _) = Stick::open(&target).unwrap().slot(Slot::Secondary).unwrap();
    target.rots.set(Some(at + 1_200_000));
    let error = upgrade_with(&target, &source, Slot::Primary, ANY, &TrustedKeys::default()).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(InstallError::ReadBack { .. })), "{error}");
    assert_eq!(starts(&target), (Slot::Primary, Some("1.0".into()), true));
    target.deaf.set(true);
    let error = upgrade_with(&target, &source, Slot::Primary, ANY, &TrustedKeys::default()).unwrap_err();
    let unkept = matches!(error.downcast_ref(), Some(InstallError::Stick(StickError::NotKept { .. })))
        || matches!(error.downcast_ref(), Some(InstallError::ReadBack { .. }));
    assert!(unkept, "{error}");
    assert_eq!(starts(&target), (Slot::Primary, Some("1.0".into()), true));
}

#[test]
fn native_sectors_of_4096_bytes_are_written_whole() {
    let mut target = image(&Wanted::of("1.0"));
    target.sector = 4096;
    upgrade(&target, &image(&Wanted::of("2.0")), Slot::Primary);
    assert_eq!(starts(&target), (Slot::Secondary, Some("2.0".into()), true));
    assert_eq!(verify(&mut Reading::new(&target), &mut |_| {}).unwrap().findings, []);
}

#[test]
fn back_by_one_command() {
    let target = image(&Wanted::of("1.0"));
    upgrade(&target, &image(&Wanted::of("2.0")), Slot::Primary);
    let mut stick = Stick::open(&target).unwrap();
    let change = roll_back(stick.state(), stick.note(), 3).unwrap();
    stick.commit(&change).unwrap();
    let found = report(&stick, None, None);
    assert_eq!((found.preferred, found.slots[1].state), (Slot::Primary, SlotState::Bad));
    assert_eq!(found.fallback.as_ref().unwrap().text, "somebody went back from SECONDARY");
    assert_eq!(starts(&target).1.as_deref(), Some("1.0"));
}

fn mirrored(from: &Disk, to: &Disk) -> Result<esos_bootimg::upgrade::MirroredSlots, MirrorSlotsError> {
    let stick = Stick::open(from).unwrap();
    mirror_slots(&stick, &mut Stick::open(to).unwrap(), &mut |_| {})
}

#[test]
fn a_mirror_starts_what_the_stick_starts() {
    let stick = image(&Wanted::of("1.0"));
    Stick::open(&stick).unwrap().identify("0123456789abcdef0123456789abcdef").unwrap();
    let mirror = image(&Wanted::of("0.5"));
    let done = mirrored(&stick, &mirror).unwrap();
    assert_eq!(done.slots, [Slot::Primary]);
    assert_eq!(starts(&mirror), (Slot::Primary, Some("1.0".into()), true));
    let writes = mirror.writes();
    assert_eq!(mirrored(&stick, &mirror).unwrap(), Default::default());
    assert_eq!(mirror.writes(), writes, "nothing has changed, nothing is written");

    upgrade(&stick, &image(&Wanted::of("2.0")), Slot::Primary);
    good(&stick, Slot::Secondary);
    let done = mirrored(&stick, &mirror).unwrap();
    assert_eq!((done.slots, done.state), (vec![Slot::Secondary], true));
    assert_eq!(starts(&mirror), (Slot::Secondary, Some("2.0".into()), true));
    assert_eq!(verify(&mut Reading::new(&mirror), &mut |_| {}).unwrap().findings, []);
    let control = |disk: &Disk| Stick::open(disk).unwrap().state().control();
    for slot in Slot::ALL {
        assert_eq!(control(&stick).slot(slot).state, control(&mirror).slot(slot).state);
        assert_eq!(Stick::open(&mirror).unwrap().state().tries_left(slot), 3);
    }
    // A state alone, too.
    let mut own = Stick::open(&stick).unwrap();
    let change = roll_back(own.state(), own.note(), 7).unwrap();
    own.commit(&change).unwrap();
    assert_eq!(mirrored(&stick, &mirror).unwrap().slots, []);
    assert_eq!(starts(&mirror).0, Slot::Primary);
}

#[test]
fn a_mirror_never_takes_damage_nor_itself() {
    let stick = image(&Wanted::of("1.0"));
    let mirror = image(&Wanted::of("0.5"));
    assert!(matches!(mirrored(&stick, &mirror), Err(MirrorSlotsError::Same(_))), "both are unset");
    Stick::open(&stick).unwrap().identify("0123456789abcdef0123456789abcdef").unwrap();
    let (at, _) = Stick::open(&stick).unwrap().slot(Slot::Primary).unwrap();
    let mut byte = [0];
    stick.pages.borrow().read(&mut byte, at + 1_000_000);
    stick.pages.borrow_mut().write(&[byte[0] ^ 1], at + 1_000_000);
    assert!(matches!(mirrored(&stick, &mirror), Err(MirrorSlotsError::Source { .. })));
    assert_eq!(mirror.writes(), 0);
    stick.pages.borrow_mut().write(&byte, at + 1_000_000);
    mirror.rots.set(Some(Stick::open(&mirror).unwrap().slot(Slot::Primary).unwrap().0 + 1_000_000));
    assert!(matches!(mirrored(&stick, &mirror), Err(MirrorSlotsError::ReadBack { .. })));
    assert!(Stick::open(&mirror).unwrap().state().default_slot().is_none(), "what is damaged is not started");
    mirror.rots.set(None);
    mirrored(&stick, &mirror).unwrap();
    assert_eq!(starts(&mirror), (Slot::Primary, Some("1.0".into()), true));
}

#[test]
fn power_that_goes_while_a_mirror_is_made_leaves_it_whole_or_empty() {
    let stick = image(&Wanted { secondary: Some("0.9"), ..Wanted::of("2.0") });
    Stick::open(&stick).unwrap().identify("0123456789abcdef0123456789abcdef").unwrap();
    let before = image(&Wanted { secondary: Some("0.9"), ..Wanted::of("1.0") });
    let whole = before.again();
    mirrored(&stick, &whole).unwrap();
    let operations = whole.log.borrow().len();
    for after in 0..operations {
        let mirror = before.again();
        mirror.fails_at.set(Some(after));
        assert!(mirrored(&stick, &mirror).is_err(), "{after}");
        let (_, version, sound) = starts(&mirror);
        assert!(sound && ["1.0", "0.9", "2.0"].contains(&version.unwrap().as_str()), "{after}");
        mirror.fails_at.set(None);
        mirrored(&stick, &mirror).unwrap();
        assert_eq!(starts(&mirror), (Slot::Primary, Some("2.0".into()), true), "{after}");
    }
}
