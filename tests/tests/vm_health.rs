//! Faults made in a running box of the default image, one after the other: `esos-health` finds each with the object and
//! the remedy, it is mailed once, and it has cleared when it is gone. A tool that is missing makes its check unknown.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_layout::part;
use esos_tests::image;
use esos_tests::smtp::Sink;
use esos_tests::stick::{Stick, partition};
use esos_tests::{Level, allowed};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Machine, Net};
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// How a fault is made, and mended.
enum Act {
    /// In the guest.
    Sh(&'static str),
    /// From outside.
    Host(fn(&Guest)),
}
use Act::{Host, Sh};

struct Fault {
    /// Check, object and kind of the finding.
    key: [&'static str; 3],
    status: &'static str,
    /// A word of what was found, and one of what to do.
    says: &'static str,
    remedy: &'static str,
    begin: Act,
    end: Act,
    /// Checks that find the same fault, each with a mail of its own.
    also: &'static [&'static str],
}

/// Devices and files that the faults are made of.
const STAGE: &str = r#"
set -e
mkdir -p /run/stage /mnt/vol /mnt/warm /mnt/names /etc/esos/certs
for n in 1 2; do truncate -s 40M /run/stage/member$n; done
truncate -s 64M /run/stage/vol
a=$(losetup -f --show /run/stage/member1); b=$(losetup -f --show /run/stage/member2)
c=$(losetup -f --show /run/stage/vol)
echo "A=$a B=$b C=$c" >/run/stage/names
mdadm --create /dev/md9 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean --run $a $b >/dev/null 2>&1
mkfs.ext4 -q $c; mount -o errors=remount-ro $c /mnt/vol
mount -t tmpfs -o size=100m stage /mnt/warm
mount -t tmpfs -o size=10m,nr_inodes=1000 stage /mnt/names
printf 'local stratum 8\n' >/etc/chrony/conf.d/alone.conf; /etc/init.d/chrony restart >/dev/null 2>&1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 400 -subj /CN=box \
  -keyout /dev/null -out /run/stage/good.crt 2>/dev/null
cp /run/stage/good.crt /etc/esos/certs/box.crt
multipath >/dev/null 2>&1 || :
udevadm settle
for n in 1 2 3 4 5 6 7 8 9 10; do [ "$(multipath -ll | grep -c ' active ready ')" = 2 ] && exit 0; sleep 3; done
multipath -ll; lsblk; exit 1
"#;

const FAULTS: &[Fault] = &[
    Fault {
        key: ["temperature", "nvme/Composite", "hot"],
        status: "warn",
        says: "°C",
        remedy: "fans",
        begin: Sh(
            "cd $(dirname $(grep -l nvme /sys/class/hwmon/*/name)); cp temp1_max /run/stage/max; echo 30000 >temp1_max",
        ),
        end: Sh("cd $(dirname $(grep -l nvme /sys/class/hwmon/*/name)); cat /run/stage/max >temp1_max"),
        also: &["smart"],
    },
    Fault {
        key: ["md", "md9", "state"],
        status: "crit",
        says: "degraded",
        remedy: "esos raid show md9",
        begin: Sh(". /run/stage/names; mdadm /dev/md9 --fail $B"),
        end: Sh(
            ". /run/stage/names; mdadm /dev/md9 --remove $B && mdadm /dev/md9 --add $B; mdadm --wait /dev/md9; :",
        ),
        also: &[],
    },
    Fault {
        key: ["filesystem", "/mnt/vol", "full"],
        status: "crit",
        says: "MiB are used",
        remedy: "du -xh /mnt/vol",
        begin: Sh("cat /dev/zero >/mnt/vol/fill 2>/dev/null; [ -s /mnt/vol/fill ]"),
        end: Sh("rm /mnt/vol/fill"),
        also: &[],
    },
    Fault {
        key: ["filesystem", "/mnt/warm", "full"],
        status: "warn",
        says: "85 of 100 MiB are used",
        remedy: "du -xh /mnt/warm",
        begin: Sh("fallocate -l 85M /mnt/warm/fill"),
        end: Sh("rm /mnt/warm/fill"),
        also: &[],
    },
    Fault {
        key: ["filesystem", "/mnt/names", "inodes"],
        status: "warn",
        says: "of 1000 files",
        remedy: "du -x --inodes /mnt/names",
        begin: Sh("cd /mnt/names && seq 850 | xargs touch"),
        end: Sh("cd /mnt/names && seq 850 | xargs rm"),
        also: &[],
    },
    Fault {
        key: ["filesystem", "/mnt/vol", "errors"],
        status: "crit",
        says: "the kernel may have stopped writing to it",
        remedy: "dmesg",
        begin: Sh(". /run/stage/names; echo trouble >/sys/fs/ext4/${C#/dev/}/trigger_fs_error"),
        end: Sh(
            ". /run/stage/names; umount /mnt/vol; e2fsck -fy $C >/dev/null; mount -o errors=remount-ro $C /mnt/vol",
        ),
        also: &[],
    },
    Fault {
        key: ["memory", "memory", "full"],
        status: "warn",
        says: "MiB are available",
        remedy: "ps -eo rss",
        begin: Sh(r#"mkdir -p /mnt/eat && mount -t tmpfs -o size=8g eat /mnt/eat
            fallocate -l $(awk '/^MemTotal/ {t = $2} /^MemAvailable/ {a = $2} END {printf "%dK", a - t * 0.07}' \
            /proc/meminfo) /mnt/eat/all"#),
        end: Sh("umount /mnt/eat"),
        also: &[],
    },
    Fault {
        key: ["stick", "stick", "gone"],
        status: "crit",
        says: "was pulled or died",
        remedy: "put back the stick that was booted",
        begin: Host(|g| g.pull("stick").unwrap()),
        end: Host(|g| g.plug("stick").unwrap()),
        also: &[],
    },
    Fault {
        key: ["slots", "control records", "lost"],
        status: "crit",
        says: "both control records of the stick are broken",
        remedy: "esos image mark-good",
        begin: Host(|g| {
            let device = partition(g, part::BOOT).unwrap();
            let script = "cd /mnt/esos/state && for c in ca cb; do head -c 512 /dev/urandom | dd of=$c conv=notrunc; done";
            let answer = g.run(&format!("mount -t vfat {device} /mnt && ({script}) && umount /mnt")).unwrap();
            assert!(answer.success(), "{answer:?}");
        }),
        end: Sh("esos-image mark-good"),
        also: &[],
    },
    Fault {
        key: ["conf", "configuration", "pending"],
        status: "crit",
        says: "EIO (I/O error)",
        remedy: "esos stick show",
        begin: Host(|g| {
            Stick::of(g).fails_writes().unwrap();
            assert!(g.run("date >/etc/changed").unwrap().success());
        }),
        end: Host(|g| Stick::of(g).mend().unwrap()),
        also: &[],
    },
    Fault {
        key: ["crash", "crash kernel", "unarmed"],
        status: "warn",
        says: "no crash kernel is loaded",
        remedy: "esos crash",
        begin: Sh("esos-crash disarm"),
        end: Sh("esos-crash arm"),
        also: &[],
    },
    Fault {
        key: ["smart", "/dev/nvme0", "failing"],
        status: "crit",
        says: "it has become unreliable",
        remedy: "smartctl -x /dev/nvme0; replace the drive",
        begin: Host(|g| nvme(g, 4)),
        end: Host(|g| nvme(g, 0)),
        also: &[],
    },
];

/// Tools and documents that a check needs; without one it cannot tell.
const NEEDED: &[(&str, &str)] = &[
    ("smart", "/usr/sbin/smartctl"),
    ("multipath", "/usr/sbin/multipath"),
    ("time", "/usr/bin/chronyc"),
    ("slots", "/usr/sbin/esos-image"),
    ("boot", "/run/esos/boot.json"),
];

/// What the drive's own health log says: bit 2 is "the reliability is degraded" (NVMe Base Specification, 5.14.1.2).
fn nvme(guest: &Guest, warning: u8) {
    let value = json!({ "path": "/machine/peripheral/nvme0", "property": "smart_critical_warning", "value": warning });
    guest.qmp().execute("qom-set", value).unwrap();
}

fn act(act: &Act, guest: &Guest) {
    match act {
        Host(act) => act(guest),
        Sh(script) => {
            let answer = guest.run_within(script, Duration::from_secs(300)).unwrap();
            assert!(answer.success(), "{script}: {answer:?}");
        }
    }
}

/// What `esos-health` says, and how it ends.
fn health(guest: &Guest) -> (i32, Value) {
    let answer = guest.run("esos-health --json").unwrap();
    let document: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    assert!(document["data"]["findings"].is_array(), "{answer:?}");
    (answer.status, document["data"].clone())
}

fn findings(guest: &Guest) -> Vec<Value> {
    health(guest).1["findings"].as_array().unwrap().clone()
}

fn report(guest: &Guest) {
    // Its exit status says how the box is.
    let answer = guest.run("esos-health --report --quiet; s=$?; esos-monitor run --quiet; exit $s").unwrap();
    assert!(answer.status <= 3, "{answer:?}");
}

/// The name of the event, as others made of the same words are.
fn event(fault: &Fault) -> String {
    match fault.key {
        ["stick", ..] => "stick/present".to_owned(),
        ["conf", ..] => "conf/sync".to_owned(),
        [check, object, kind] => format!("health/{check}/{}/{kind}", object.replace(['/', ' '], "_")),
    }
}

/// Makes a fault, sees it found and mailed, mends it, sees it cleared. The line for the list.
fn try_one(fault: &Fault, guest: &Guest, sink: &Sink) -> String {
    let Fault { key, status, says, remedy, begin, end, also } = fault;
    let what = key.join(" ");
    let is_it =
        |f: &Value| (f["check"] == key[0], f["object"] == key[1], f["kind"] == key[2]) == (true, true, true);
    assert_eq!(findings(guest), Vec::<Value>::new(), "before {what}");
    // Two faults may be one event, and one event is mailed three times an hour.
    act(&Sh("cd /var/lib/esos/alert && flock lock rm -f book.json"), guest);
    let (event, from, begun) = (event(fault), sink.mails().len(), Instant::now());
    act(begin, guest);
    let mut now = Vec::new();
    let found = image::eventually(&what, Duration::from_secs(90), || {
        now = findings(guest);
        now.iter().any(is_it)
    });
    let after = begun.elapsed();
    let finding = now.iter().find(|f| is_it(f)).filter(|_| found.is_ok());
    let finding = finding.unwrap_or_else(|| panic!("{what}: {now:#?}"));
    let others = now.iter().filter(|f| !is_it(f)).map(|f| f["check"].as_str().unwrap());
    assert_eq!(others.collect::<Vec<_>>(), *also, "{what}: {now:#?}");
    let text = |name: &str| finding[name].as_str().unwrap();
    assert_eq!(text("status"), *status, "{finding}");
    assert!(text("message").contains(says) && text("remedy").contains(remedy), "{finding}");
    let line =
        format!("{what}: {status}, `{}`, do `{}`, found after {after:.1?}", text("message"), text("remedy"));
    let raised = || sink.of(&event, from).iter().filter(|m| !m.contains("cleared:")).count();
    report(guest);
    image::eventually(&format!("{what}: a mail of {event}"), Duration::from_secs(60), || raised() > 0)
        .unwrap();
    report(guest);
    report(guest);
    act(end, guest);
    let mended = Instant::now();
    image::eventually(&format!("{what} is gone"), Duration::from_secs(120), || findings(guest).is_empty())
        .unwrap();
    let gone = mended.elapsed();
    report(guest);
    let cleared = || sink.of(&event, from).iter().filter(|m| m.contains("cleared:")).count();
    image::eventually(&format!("{what}: it is mailed that it has cleared"), Duration::from_secs(60), || {
        cleared() > 0
    })
    .unwrap();
    report(guest);
    let all = sink.mails().split_off(from);
    assert_eq!((raised(), cleared()), (1, 1), "{what}: {all:#?}");
    assert!(!also.is_empty() || all.len() == 2, "{what}: {all:#?}");
    format!("{line}, gone after {gone:.1?}, one mail of each")
}

/// Without its tool a check cannot tell, and the box is not called well.
fn unknown(guest: &Guest, check: &str, needs: &str) {
    assert!(guest.run(&format!("mv {needs} {needs}.away")).unwrap().success());
    let (status, data) = health(guest);
    assert!(guest.run(&format!("mv {needs}.away {needs}")).unwrap().success());
    let found = data["checks"].as_array().unwrap().iter().find(|c| c["name"] == check).unwrap();
    println!("without {needs}: {found}");
    assert_eq!((status, &found["status"]), (3, &json!("unknown")), "{data}");
}

/// A disk behind two paths.
fn two_paths(file: &Path) -> Vec<String> {
    let node = json!({
        "driver": "raw", "node-name": "shared", "file": { "driver": "file", "filename": file.to_string_lossy() },
    });
    let mut arguments = vec!["-blockdev".to_owned(), node.to_string()];
    for path in ["one", "two"] {
        let bus = json!({ "driver": "virtio-scsi-pci", "id": path });
        let disk = json!({
            "driver": "scsi-hd", "id": format!("path-{path}"), "bus": format!("{path}.0"), "drive": "shared",
            "share-rw": true, "serial": "twice", "device_id": "twice", "wwn": 0x5000_c500_1234_5678_u64,
        });
        for device in [bus, disk] {
            arguments.extend(["-device".to_owned(), device.to_string()]);
        }
    }
    arguments
}

#[test]
fn faults_of_a_running_box_are_found_and_told_once() {
    let test = "faults_of_a_running_box_are_found_and_told_once";
    if !allowed(test, Level::All) {
        return;
    }
    let Some(path) = image::shipped(test) else { return };
    let _turn = image::turn();
    let sink = Sink::start().unwrap();
    let dir = tempfile::tempdir_in(image::target_dir().unwrap()).unwrap();
    let [drive, shared] = ["drive", "shared"].map(|name| dir.path().join(name));
    for file in [&drive, &shared] {
        File::create(file).unwrap().set_len(256 << 20).unwrap();
    }
    let boot = image::boot(&path, Firmware::Bios, Bus::Usb);
    let machine = Machine::new("health")
        .memory(Bytes::gib(3))
        .disk(Disk::new(&path, Bus::Usb).id("stick"))
        .disk(Disk::new(&drive, Bus::Nvme).id("nvme0"))
        .extra(two_paths(&shared))
        .net(Net::User { forward: Vec::new(), closed: false });
    let guest = image::up(machine, &boot).unwrap();
    println!("up after {:.0?}", guest.elapsed());
    act(&Sh(STAGE), &guest);
    let well = image::eventually("the box is well", Duration::from_secs(120), || findings(&guest).is_empty());
    assert!(well.is_ok(), "{:#?}", health(&guest));
    report(&guest);
    guest.write_file("/etc/esos/mail.toml", sink.settings().as_bytes()).unwrap();
    std::thread::sleep(Duration::from_secs(30));
    report(&guest);
    let (status, data) = health(&guest);
    assert_eq!(status, 0, "{data:#}");
    println!("well, {} mails before the first fault", sink.mails().len());

    NEEDED.iter().for_each(|(check, needs)| unknown(&guest, check, needs));
    let lines: Vec<String> = FAULTS
        .iter()
        .enumerate()
        .map(|(n, fault)| {
            let line = try_one(fault, &guest, &sink);
            println!("{:2}. {line}", n + 1);
            line
        })
        .collect();
    assert!(lines.len() >= 12);
}
