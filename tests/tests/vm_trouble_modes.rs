//! The stick's troubles on a box whose `/usr` lies on its stick (`esos_persist`), and on one that keeps a second stick as
//! a mirror. Small boxes: a real kernel, `esos-init`, our tools, BusyBox.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_layout::part;
use esos_tests::init_box::{self, LIMIT};
use esos_tests::keeper::{ready, slot_with};
use esos_tests::stick::{Stick, partition};
use esos_tests::{Level, allowed, image, kernel, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Guest, Keep, Machine, Mark};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

/// An alert comes within this time, by the host's clock.
const SOON: Duration = Duration::from_secs(60);
/// The trouble lasts at least as long, so that a second mail would have been seen.
const LASTS: Duration = Duration::from_secs(70);

/// What init of the image runs. Mails are files in `/tmp`, which is memory as in the image.
const DAEMONS: &str = "dmesg -n 1; mount -t tmpfs tmp /tmp
for tool in stick monitor conf; do setsid esos-$tool watch </dev/null >/tmp/$tool.log 2>&1 & done";

fn up(stick: &Path, mirror: Option<&Path>) -> Guest {
    let usb = |path: &Path, id: &str| Disk::new(path, Bus::Usb).id(id).keep(Keep::Write);
    let mut machine = Machine::new("modes").memory(Bytes::mib(1024)).disk(usb(stick, "stick"));
    machine = mirror.into_iter().fold(machine, |machine, path| machine.disk(usb(path, "mirror")));
    let guest = machine.start().unwrap();
    ready(&guest, Mark::default()).unwrap();
    guest.open_channel(LIMIT).unwrap();
    ran(&guest, DAEMONS);
    println!("up after {:.0?}", guest.elapsed());
    guest
}

fn ran(guest: &Guest, script: &str) -> String {
    let answer = guest.run_within(script, LIMIT).unwrap();
    assert!(answer.success(), "{script}: {answer:?}");
    answer.text()
}

fn works(guest: &Guest, script: &str) -> bool {
    guest.run_within(script, LIMIT).unwrap().success()
}

/// All mails, from the `from`th on.
fn mails(guest: &Guest, from: usize) -> Vec<String> {
    let text = ran(guest, "cat /tmp/mails 2>/dev/null || :").replace('\r', "").replace("=\n", "");
    let whole = text.split("MAIL-END").map(str::trim).filter(|mail| !mail.is_empty());
    whole.skip(from).map(str::to_owned).collect()
}

/// Those of one event.
fn of(mails: &[String], event: &str) -> Vec<String> {
    let header = format!("X-ESOS-Event: {event}\n");
    mails.iter().filter(|mail| mail.contains(&header)).cloned().collect()
}

fn is_kept(guest: &Guest, file: &str) -> bool {
    works(guest, &format!("esos-conf diff {file}"))
}

/// Does something with a partition, mounted.
fn on(guest: &Guest, device: &str, script: &str) {
    let mount = "mkdir -p /run/full && mount -t ext4";
    ran(
        guest,
        &format!("{mount} {device} /run/full && {{ {script}; s=$?; sync; umount /run/full; exit $s; }}"),
    );
}

fn fill(guest: &Guest, device: &str) {
    on(guest, device, "cat /dev/zero >/run/full/photos 2>/dev/null; [ -s /run/full/photos ]");
}

struct Trouble<'a> {
    name: &'a str,
    /// The event that is mailed, and words of that mail.
    told: (&'a str, &'a str),
    begin: Box<dyn Fn(&Guest) + 'a>,
    end: Box<dyn Fn(&Guest) + 'a>,
    /// Whether what was changed during the trouble has arrived where it belongs.
    arrived: &'a dyn Fn(&Guest, &str) -> bool,
}

fn file_of(name: &str) -> String {
    format!("/etc/during-{}", name.replace([' ', '/'], "-"))
}

fn try_one(guest: &Guest, trouble: &Trouble<'_>) {
    let Trouble { name, told: (event, words), begin, end, arrived } = trouble;
    let file = file_of(name);
    // One event is mailed three times an hour.
    ran(guest, "rm -f /var/lib/esos/alert/book.json");
    let from = mails(guest, 0).len();
    let begun = Instant::now();
    begin(guest);
    ran(guest, &format!("echo {name} >{file}"));
    let told = || of(&mails(guest, from), event).iter().any(|mail| mail.contains(words));
    let alert = image::eventually(&format!("{name}: a mail of {event}: {words}"), SOON, told);
    let logs = "cat /tmp/*.log /run/esos/*.json; esos-monitor list; cat /tmp/mails; dmesg | tail -20";
    assert!(alert.is_ok(), "{alert:?}: {}", ran(guest, logs));
    let after = begun.elapsed();
    let served = serves(guest, begun);
    end(guest);
    let ended = Instant::now();
    let there = image::eventually("it is there", Duration::from_secs(180), || arrived(guest, &file));
    assert!(there.is_ok(), "{name}: {}", ran(guest, logs));
    let arrival = ended.elapsed();
    let cleared = || of(&mails(guest, from), event).iter().any(|mail| mail.contains("cleared"));
    let clear = image::eventually(&format!("{name}: it has cleared"), SOON, cleared);
    assert!(clear.is_ok(), "{clear:?}: {}", ran(guest, logs));
    let all = mails(guest, from);
    let ours = of(&all, event);
    println!(
        "{name}: `{}` after {after:.1?}, {} of {event} with the clearing, {} of everything; answered within {served:.1?}; \
         there {arrival:.1?} after the end",
        what(&ours[0]),
        ours.len(),
        all.len()
    );
    all.iter().filter(|mail| !ours.contains(mail)).for_each(|other| println!("  also: {}", what(other)));
    assert_eq!(ours.len(), 2, "{name}: {ours:#?}");
}

fn what(mail: &str) -> String {
    mail.lines().find_map(|l| l.strip_prefix("What:")).unwrap_or_default().trim().to_owned()
}

/// Asks something every second for as long as the trouble lasts; the longest that an answer took.
fn serves(guest: &Guest, begun: Instant) -> Duration {
    let mut worst = Duration::ZERO;
    while begun.elapsed() < LASTS {
        let asked = Instant::now();
        ran(guest, "cat /etc/hostname /run/esos/stick.json && esos-stick show >/dev/null || [ $? = 4 ]");
        worst = worst.max(asked.elapsed());
        std::thread::sleep(Duration::from_secs(1));
    }
    worst
}

/// A stick with one slot, in a directory of its own.
fn stick(args: &str, seed: &str) -> Result<tempfile::TempDir, String> {
    let dir = tempfile::tempdir_in("/var/tmp").map_err(|e| e.to_string())?;
    let slot = slot_with(dir.path(), &kernel::find()?, "1.0", args)?;
    init_box::write(&dir.path().join("esos.img"), &slot, None, seed).map_err(|e| e.to_string())?;
    Ok(dir)
}

#[test]
fn a_box_whose_usr_is_on_its_stick() {
    let test = "a_box_whose_usr_is_on_its_stick";
    if !allowed(test, Level::All) {
        return;
    }
    let dir = match stick("esos_persist", "persist-trouble") {
        Ok(dir) => dir,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let path = dir.path().join("esos.img");
    let guest = up(&path, None);
    let mounts = ran(&guest, "cat /proc/self/mounts");
    assert!(mounts.contains("overlay /usr overlay") && mounts.contains("esos / tmpfs"), "{mounts}");
    ran(&guest, "esos-conf sync");
    let conf = partition(&guest, part::CONF).unwrap();
    let trouble = |name, told, begin: fn(Stick<'_>), end: fn(Stick<'_>)| Trouble {
        name,
        told,
        begin: Box::new(move |g| begin(Stick::of(g))),
        end: Box::new(move |g| end(Stick::of(g))),
        arrived: &is_kept,
    };
    let mend: fn(Stick<'_>) = |stick| stick.mend().unwrap();
    let not = ("conf/sync", "the configuration is not on the stick");
    let troubles = [
        trouble(
            "lying",
            ("conf/sync", "does not keep what is written to it"),
            |s| s.lies().unwrap(),
            |s| {
                s.between_syncs().unwrap();
                s.mend().unwrap();
            },
        ),
        trouble(
            "slow",
            ("conf/sync", "the stick is slow or hangs"),
            |s| s.takes_a_second(2048).unwrap(),
            |s| s.takes_a_second(0).unwrap(),
        ),
        Trouble {
            begin: Box::new(|g| fill(g, &conf)),
            end: Box::new(|g| on(g, &conf, "rm /run/full/photos")),
            ..trouble("full", ("conf/sync", "full: there is no room in the store"), mend, mend)
        },
        trouble("writes fail", not, |s| s.fails_writes().unwrap(), mend),
        trouble("everything fails", ("stick/present", "cannot be read"), |s| s.fails().unwrap(), mend),
        // From here on what is mounted of it is lost, and `/usr` is what is in memory.
        trouble(
            "read-only",
            ("conf/sync", "read-only: nothing can be written"),
            |s| s.write_protect().unwrap(),
            |s| s.unprotect().unwrap(),
        ),
        Trouble {
            begin: Box::new(|g| g.pull("stick").unwrap()),
            end: Box::new(|g| g.plug("stick").unwrap()),
            ..trouble("removed", ("stick/present", "was pulled or died"), mend, mend)
        },
    ];
    for trouble in &troubles {
        try_one(&guest, trouble);
        // Once a stick was pulled, and the book of events was emptied, it is told of for each.
        let restart = of(&mails(&guest, 0), "stick/restart");
        let lost = ["read-only", "removed"].iter().position(|name| *name == trouble.name);
        assert_eq!(restart.len(), lost.map_or(0, |n| n + 1), "{}: {restart:#?}", trouble.name);
    }
    // What it was told to keep in memory is there, and what it was not told is not.
    let programs = "esos-image --version && ! cat /usr/bin/mount >/dev/null";
    ran(&guest, &format!("echo 3 >/proc/sys/vm/drop_caches; {programs}"));
    let queued = "mkdir -p /var/lib/esos/alert/failed; echo 1 >/var/lib/esos/alert/failed/kept";
    ran(&guest, &format!("{queued}; esos-conf sync"));
    guest.cut_power();

    // What was changed is there, and so is what was known of events and mails.
    let guest = up(&path, None);
    for trouble in &troubles {
        assert_eq!(ran(&guest, &format!("cat {}", file_of(trouble.name))), trouble.name);
    }
    assert_eq!(ran(&guest, "cat /var/lib/esos/alert/failed/kept"), "1");
    ran(&guest, "esos-conf verify; esos-image --version");
    assert!(of(&mails(&guest, 0), "stick/restart").is_empty());
}

fn second_stick(guest: &Guest) -> Stick<'_> {
    Stick::named(guest, "mirror")
}

#[test]
fn a_box_with_a_mirror() {
    let test = "a_box_with_a_mirror";
    if !allowed(test, Level::All) {
        return;
    }
    let dir = match stick("", "mirror-trouble") {
        Ok(dir) => dir,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let [path, second] = ["esos.img", "second.img"].map(|name| dir.path().join(name));
    File::create(&second).unwrap().set_len(fs::metadata(&path).unwrap().len()).unwrap();
    let guest = up(&path, Some(&second));
    let disk = ran(&guest, "for d in /sys/block/sd?; do [ -e $d/${d##*/}1 ] || echo ${d##*/}; done");
    let disk = disk.trim();
    ran(
        &guest,
        &format!("esos-conf sync; esos-image mirror /dev/{disk} --yes-erase {disk} && ls /dev/{disk}1"),
    );
    // It follows by itself.
    let follows = |g: &Guest| works(g, "grep -q '\"problem\": null' /run/esos/mirror.json");
    ran(&guest, "echo follow >/etc/follow");
    image::eventually("the mirror follows", Duration::from_secs(60), || follows(&guest)).unwrap();
    let mirrored = |g: &Guest, file: &str| is_kept(g, file) && follows(g);
    // Nobody is in the middle of writing to it.
    let between = |g: &Guest| {
        let script = "cd /run/esos; old=$(stat -c %i mirror.json); n=0
            while [ \"$old\" = \"$(stat -c %i mirror.json)\" ]; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.3; done";
        ran(g, script);
    };
    let conf = partition(&guest, part::CONF).unwrap();
    let number = conf.trim_start_matches(|c: char| !c.is_ascii_digit());
    let theirs = format!("/dev/{disk}{number}");
    let not = ("mirror/stick", "the mirror of the stick is not up to date");
    let trouble = |name, told, begin: fn(Stick<'_>), end: fn(Stick<'_>)| Trouble {
        name,
        told,
        begin: Box::new(move |g| begin(second_stick(g))),
        end: Box::new(move |g| end(second_stick(g))),
        arrived: &mirrored,
    };
    let mend: fn(Stick<'_>) = |stick| stick.mend().unwrap();
    let troubles = [
        Trouble {
            name: "lying",
            told: ("conf/sync", "does not keep what is written to it"),
            begin: Box::new(|g| Stick::of(g).lies().unwrap()),
            end: Box::new(|g| {
                Stick::of(g).between_syncs().unwrap();
                Stick::of(g).mend().unwrap();
            }),
            arrived: &mirrored,
        },
        Trouble {
            end: Box::new(|g| {
                between(g);
                second_stick(g).mend().unwrap();
            }),
            ..trouble(
                "mirror lies",
                ("mirror/stick", "does not keep what is written to it"),
                |s| s.lies().unwrap(),
                mend,
            )
        },
        trouble(
            "mirror slow",
            ("mirror/stick", "it is slow or hangs"),
            |s| s.takes_a_second(2048).unwrap(),
            |s| s.takes_a_second(0).unwrap(),
        ),
        Trouble {
            begin: Box::new(|g| fill(g, &theirs)),
            end: Box::new(|g| on(g, &theirs, "rm /run/full/photos")),
            ..trouble("mirror full", ("mirror/stick", "no room"), mend, mend)
        },
        trouble("mirror fails writes", not, |s| s.fails_writes().unwrap(), mend),
        trouble("mirror fails", ("mirror/stick", "cannot be read"), |s| s.fails().unwrap(), mend),
        Trouble {
            begin: Box::new(|g| g.pull("mirror").unwrap()),
            end: Box::new(|g| g.plug("mirror").unwrap()),
            ..trouble("mirror removed", ("mirror/stick", "is not plugged in"), mend, mend)
        },
        trouble("mirror read-only", not, |s| s.write_protect().unwrap(), |s| s.unprotect().unwrap()),
    ];
    troubles.iter().for_each(|trouble| try_one(&guest, trouble));
    let last = ran(
        &guest,
        "esos-conf export /run/box --plain >/dev/null; echo last >/etc/last; esos-conf sync; esos-conf log",
    );
    image::eventually("the mirror has it", SOON, || mirrored(&guest, "/etc/last")).unwrap();

    // What is taken in from elsewhere is read back like what the box makes itself.
    Stick::of(&guest).lies().unwrap();
    let answer = guest.run_within("esos-conf import /run/box --yes", LIMIT).unwrap();
    println!("import: {answer:?}");
    assert!(
        !answer.success() && answer.error_text().contains("does not keep what is written to it"),
        "{last}"
    );
    guest.cut_power();

    // The mirror alone has all of it.
    let guest = up(&second, None);
    let names: Vec<&str> = troubles.iter().map(|trouble| trouble.name).collect();
    let all = troubles.iter().map(|trouble| file_of(trouble.name)).collect::<Vec<_>>().join(" ");
    assert_eq!(ran(&guest, &format!("cat {all}")), names.join("\n"));
    ran(&guest, "esos-conf verify");
}
