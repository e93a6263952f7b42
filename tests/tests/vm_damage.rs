//! Damage to the slots of a stick: a whole slot runs, or the console says why none does and the machine starts
//! again; nothing hangs, and what runs is never mixed from two slots. Nobody touches the machine.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking and says its figures")]
use esos_bootimg::disk::state::fresh;
use esos_initramfs::BootReport;
use esos_layout::Slot as Name;
use esos_layout::slot::{BOOT_CHECK, BOOT_SUMS, GRUB_ENV, INITRAMFS, KERNEL, ROOT, ROOT_INDEX};
use esos_layout::state::Control;
use esos_tests::damage::{Damage, Dice, Place, places};
use esos_tests::image::{self, Kind};
use esos_tests::init_box::{self, Content, END, LIMIT, Slot};
use esos_tests::slots::{set_control, with_secondary};
use esos_tests::{Level, allowed, kernel, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Machine, Mark};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Says which system it is of, in every part of it.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox echo \"ROOT-REACHED $(/bin/busybox cat /etc/version)\"
/bin/busybox echo \"ROOT-LINE $(/bin/busybox cat /proc/cmdline)\"
/bin/busybox echo REPORT-BEGIN
/bin/busybox cat /run/esos/boot.json
/bin/busybox echo REPORT-END
/bin/busybox echo ROOT-END
/bin/busybox sleep 1000
";

/// GRUB says it once at each start of the machine.
const STARTS: &str = "ESOS: starting, Esc shows the menu";
/// What GRUB and `esos-init` say in front of a reset.
const RESETS: [&str; 2] = ["Reset in 10 seconds", "rebooting in "];
/// Starts of the machine after which it is clear that it goes on by itself.
const ROUNDS: usize = 4;
/// The dice of the shipped list; `ESOS_DAMAGE_SEED` throws others.
const SEED: u64 = 8;

const VERSIONS: [(Name, &str); 2] = [(Name::Primary, "1.0-one"), (Name::Secondary, "2.0-two")];

struct Stick {
    _dir: tempfile::TempDir,
    image: PathBuf,
    places: Vec<Place>,
}

impl Stick {
    /// For a test that is to run here; one that is not says why.
    fn asked_for(test: &str) -> Option<Self> {
        if !allowed(test, Level::All) {
            return None;
        }
        Self::new().map_err(|why| skip(test, &why)).ok()
    }

    fn new() -> Result<Self, String> {
        let kernel = kernel::find()?;
        let slot =
            |version| Slot::with(&kernel, &Content { version, init: INIT, programs: Vec::new(), args: "" });
        let (one, two) = (slot(VERSIONS[0].1)?, slot(VERSIONS[1].1)?);
        let dir = tempfile::tempdir_in("/var/tmp").map_err(|e| e.to_string())?;
        let image = dir.path().join("esos.img");
        init_box::write(&image, &one, Some(&two), "damage").map_err(|e| e.to_string())?;
        let places = places(&mut File::open(&image).unwrap()).map_err(|e| e.to_string())?;
        Ok(Self { _dir: dir, image, places })
    }

    fn place(&self, slot: Name, name: &str) -> &Place {
        self.places.iter().find(|p| p.slot == slot && p.name == name).unwrap()
    }

    /// Tables in one of three cases, files in the others.
    fn any(&self, slot: Name, dice: &mut Dice) -> &Place {
        let table = dice.below(3) == 0;
        let of: Vec<&Place> = self.places.iter().filter(|p| p.slot == slot && p.table == table).collect();
        dice.pick(&of).unwrap()
    }

    fn file(&self) -> File {
        File::open(&self.image).unwrap()
    }
}

/// How it ended.
enum End {
    /// A system runs.
    Up(Name, String),
    /// The machine has started again so often, and said why each time.
    Rounds,
}

/// Lets the machine run until something runs, or it has started [`ROUNDS`] times.
fn run(image: &Path, firmware: Firmware) -> (Guest, End) {
    let disk = Disk::new(image, Bus::Usb);
    let machine = Machine::new("damage").firmware(firmware).memory(Bytes::mib(1024)).disk(disk);
    let guest = machine.start().unwrap();
    let limit = LIMIT * 2;
    let up = guest.console().wait_until(
        Mark::default(),
        "a system, or the same words again",
        limit,
        |text| match (text.contains(END), text.matches(STARTS).count() >= ROUNDS) {
            (true, _) => Some(true),
            (_, again) => again.then_some(false),
        },
    );
    let text = guest.console().text();
    if !up.unwrap() {
        let rounds: Vec<&str> = text.split(STARTS).skip(1).take(ROUNDS - 1).collect();
        for round in &rounds {
            assert!(RESETS.iter().any(|words| round.contains(words)), "reset without a word: {round}");
        }
        return (guest, End::Rounds);
    }
    // Everything of it is of one slot.
    let last = text.split(STARTS).last().unwrap();
    let between =
        |from: &str, to: &str| last.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let report = BootReport::from_json(&between("REPORT-BEGIN", "REPORT-END").replace('\r', "")).unwrap();
    let slot = report.slot.unwrap();
    let version = VERSIONS.iter().find(|(name, _)| *name == slot).unwrap().1;
    assert_eq!(report.version, version, "the initramfs");
    assert_eq!(between("ROOT-REACHED ", "\n").trim(), version, "the root");
    let line = between("ROOT-LINE ", "\n");
    assert!(line.contains(&format!("slot={slot} ")), "{line}");
    (guest, End::Up(slot, text))
}

/// One slot is damaged, and it is the preferred one: the other runs and it is said, or the damage touches nothing
/// that is read. Gives a line of the list.
fn one(stick: &Stick, damage: &Damage, place: &Place, firmware: Firmware, must: bool) -> String {
    let control = Control { preferred: place.slot, ..fresh(true) };
    set_control(&mut File::options().read(true).write(true).open(&stick.image).unwrap(), &control).unwrap();
    let undo = damage.strike(&stick.image).unwrap();
    let (guest, end) = run(&stick.image, firmware);
    undo.strike(&stick.image).unwrap();
    let End::Up(slot, text) = end else { panic!("{damage}: no slot, one of them is whole") };
    let seconds = guest.elapsed().as_secs_f64();
    let rounds = text.matches(STARTS).count();
    if slot == place.slot {
        assert!(!must, "{damage}: it runs");
        return format!("{damage}: {slot} runs, what is damaged is not read at boot ({seconds:.0} s)");
    }
    let said = [
        format!("ESOS: {} cannot be started.", place.slot),
        format!("{} is marked bad; {slot} starts next", place.slot),
    ];
    let said = said.iter().find(|words| text.contains(*words));
    let said = said.unwrap_or_else(|| panic!("{damage}: {slot} runs, nobody says why:\n{text}"));
    format!("{damage}: {slot} runs, {rounds} starts, {seconds:.0} s: {said}")
}

fn firmware(n: usize) -> Firmware {
    if n % 5 == 4 { Firmware::Uefi } else { Firmware::Bios }
}

/// Files whose bytes are looked at before the root runs.
const CHECKED: [&str; 5] = [KERNEL, INITRAMFS, ROOT, GRUB_ENV, BOOT_SUMS];

#[test]
fn a_flipped_byte_or_a_cut_file_starts_the_other_slot() {
    let Some(stick) = Stick::asked_for("a_flipped_byte_or_a_cut_file_starts_the_other_slot") else { return };
    let _turn = image::turn();
    let mut dice = Dice::new(seed());
    for (n, name) in [ROOT, KERNEL, INITRAMFS].into_iter().enumerate() {
        let place = stick.place(Name::Primary, name);
        let at = dice.below(place.len);
        let flip = Damage::flip(&mut stick.file(), place, at, 0).unwrap();
        println!("{}", one(&stick, &flip, place, firmware(n), true));
        let cut = Damage::truncated(place).unwrap();
        println!("{}", one(&stick, &cut, place, firmware(n + 3), true));
    }
}

/// GRUB would take a list of nothing for a good one.
#[test]
fn a_list_of_nothing_starts_the_other_slot() {
    let Some(stick) = Stick::asked_for("a_list_of_nothing_starts_the_other_slot") else { return };
    let _turn = image::turn();
    for (n, name) in [BOOT_SUMS, BOOT_CHECK].into_iter().enumerate() {
        let place = stick.place(Name::Primary, name);
        let cut = Damage::cut(place, 0).unwrap();
        println!("{}", one(&stick, &cut, place, firmware(n), true));
        let gone = Damage::unreadable(place).unwrap();
        println!("{}", one(&stick, &gone, place, firmware(n + 3), true));
    }
}

#[test]
fn damage_anywhere_in_the_slots_ends_in_a_slot_or_in_words_and_a_reset() {
    let Some(stick) = Stick::asked_for("damage_anywhere_in_the_slots_ends_in_a_slot_or_in_words_and_a_reset")
    else {
        return;
    };
    let _turn = image::turn();
    let mut dice = Dice::new(seed());
    println!("seed {}", seed());
    for n in 0..20 {
        let place = stick.any(Name::ALL[n % 2], &mut dice);
        let damage = Damage::at_random(&mut stick.file(), place, &mut dice).unwrap();
        let must = CHECKED.contains(&place.name.as_str());
        println!("{:2} {}", n + 1, one(&stick, &damage, place, firmware(n), must));
    }
    set_control(&mut File::options().read(true).write(true).open(&stick.image).unwrap(), &fresh(true))
        .unwrap();
    for n in 20..25 {
        // Of what no boot can do without.
        let vital = [KERNEL, INITRAMFS, ROOT, ROOT_INDEX, BOOT_SUMS, BOOT_CHECK, "superblock", "inode table"];
        let both = Name::ALL.map(|slot| {
            let place = stick.place(slot, dice.pick(&vital).unwrap());
            Damage::at_random(&mut stick.file(), place, &mut dice).unwrap()
        });
        let undo = both.each_ref().map(|damage| damage.strike(&stick.image).unwrap());
        let (guest, end) = run(&stick.image, firmware(n));
        for damage in undo.iter().rev() {
            damage.strike(&stick.image).unwrap();
        }
        let how = match end {
            End::Up(slot, _) => format!("{slot} runs"),
            End::Rounds => format!("no slot, {ROUNDS} starts, each with its reason"),
        };
        println!("{:2} {}; {}: {how}, {:.0} s", n + 1, both[0], both[1], guest.elapsed().as_secs_f64());
    }
}

fn seed() -> u64 {
    std::env::var("ESOS_DAMAGE_SEED").map_or(SEED, |text| text.parse().unwrap())
}

/// The same of the image that is shipped, with a second version of it in SECONDARY.
#[test]
fn the_default_image_does_the_same() {
    let test = "the_default_image_does_the_same";
    if !allowed(test, Level::All) {
        return;
    }
    let images = image::find(Kind::Default).and_then(|one| Ok((one, image::find(Kind::Second)?)));
    let (first, second) = match images {
        Ok(images) => images,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let stick = dir.path().join("stick.img");
    with_secondary(&first, &second, &stick).unwrap();
    let places = places(&mut File::open(&stick).unwrap()).unwrap();
    let mut dice = Dice::new(seed());
    for name in [ROOT, KERNEL, INITRAMFS] {
        let place = places.iter().find(|p| p.slot == Name::Primary && p.name == name).unwrap();
        let at = dice.below(place.len);
        let flip = Damage::flip(&mut File::open(&stick).unwrap(), place, at, 0).unwrap();
        for damage in [flip, Damage::truncated(place).unwrap()] {
            let undo = damage.strike(&stick).unwrap();
            let boot = image::boot(&stick, Firmware::Bios, Bus::Usb);
            let guest = boot.machine().start().unwrap();
            guest.console().wait_for(Mark::default(), " login:", Duration::from_secs(2400)).unwrap();
            guest.log_in(&boot.person, image::LIMIT).unwrap();
            let line = guest.run("cat /proc/cmdline").unwrap().text();
            assert!(line.contains("slot=SECONDARY "), "{damage}: {line}");
            let told = guest.run("esos-image slots; esos-image __section").unwrap().text();
            assert!(told.contains("PRIMARY"), "{told}");
            undo.strike(&stick).unwrap();
            println!("{damage}: login of SECONDARY after {:.0} s\n{told}", guest.elapsed().as_secs_f64());
        }
    }
}
