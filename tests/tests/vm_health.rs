//! Faults made in a running box of the default image, one after the other: `esos-health` finds each with the object and
//! the remedy, it is mailed once, and it has cleared when it is gone. A tool that is missing makes its check unknown.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
mod faults;
use esos_layout::part;
use esos_tests::image;
use esos_tests::smtp::Sink;
use esos_tests::stick::{Stick, partition};
use esos_tests::{Level, allowed};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Machine, Net};
use faults::{Fault, Host, Sh, act, health, report, try_one, well};
use serde_json::json;
use std::fs::File;
use std::path::Path;

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
cat >/run/stage/certificate <<'END'
#!/bin/sh
out=$1; shift
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=box -keyout /dev/null -out $out "$@" 2>&1
END
chmod +x /run/stage/certificate
/run/stage/certificate /run/stage/good.crt -days 400
/run/stage/certificate /run/stage/expired.crt -not_before 20200101000000Z -not_after 20210101000000Z
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
        key: ["multipath", "mpatha", "paths"],
        status: "warn",
        says: "1 of 2 paths failed",
        remedy: "multipath -ll",
        begin: Sh("p=$(multipath -ll | grep -o 'sd[a-z]*' | tail -1); \
                   echo $p >/run/stage/path; echo offline >/sys/block/$p/device/state"),
        end: Sh("echo running >/sys/block/$(cat /run/stage/path)/device/state"),
        also: &["smart"],
    },
    Fault {
        key: ["certificate", "/etc/esos/certs/box.crt", "expiry"],
        status: "crit",
        says: "it has expired",
        remedy: "renew it",
        begin: Sh("cp /run/stage/expired.crt /etc/esos/certs/box.crt"),
        end: Sh("cp /run/stage/good.crt /etc/esos/certs/box.crt"),
        also: &[],
    },
    Fault {
        key: ["certificate", "/etc/esos/certs/new.crt", "expiry"],
        status: "warn",
        says: "it expires in 2 days",
        remedy: "renew it",
        begin: Sh("/run/stage/certificate /etc/esos/certs/new.crt -not_before 20200101000000Z \
                   -not_after $(date -u -d '+60 hours' +%Y%m%d%H%M%SZ)"),
        end: Sh("rm /etc/esos/certs/new.crt"),
        also: &[],
    },
    Fault {
        key: ["time", "clock", "unsynchronised"],
        status: "warn",
        says: "the clock follows no server",
        remedy: "chronyc sources",
        begin: Sh("mv /etc/chrony/conf.d/alone.conf /run/stage/; /etc/init.d/chrony restart"),
        end: Sh("mv /run/stage/alone.conf /etc/chrony/conf.d/; /etc/init.d/chrony restart"),
        also: &[],
    },
    Fault {
        key: ["dumps", "crash-0007-6.12.1", "incomplete"],
        status: "warn",
        says: "Kernel panic",
        remedy: "esos crash dmesg crash-0007-6.12.1",
        begin: Host(|g| {
            let device = partition(g, part::LOGS).unwrap();
            let script = "mkdir -p /mnt/crash && echo '[    5.000000] Kernel panic - not syncing: Kernel panic of a test' \
                          >/mnt/crash/crash-0007-6.12.1.kdump.dmesg";
            let answer = g.run(&format!("mount {device} /mnt && ({script}) && umount /mnt && esos-crash check")).unwrap();
            assert!(answer.success(), "{answer:?}");
        }),
        // Looking is enough; it goes because the next look at dumps would tell of it anew, the book being thrown away.
        end: Sh("esos-crash dmesg crash-0007-6.12.1 | grep 'Kernel panic' && \
                 ! esos-health --json | grep crash-0007 && esos-crash remove --yes crash-0007-6.12.1"),
        also: &[],
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
        key: ["conf", "configuration", "old"],
        status: "warn",
        says: "its watcher has not looked for changes for",
        remedy: "esos conf sync",
        // Not in the middle of a sync. Five minutes of the watcher's silence are spared the test.
        begin: Sh(
            "n=0; until grep -q '\"since\": null' /run/esos/conf.json; do n=$((n+1)); [ $n -lt 60 ] || exit 1; sleep 2; done
             kill -STOP $(pgrep -f 'esos-conf [w]atch') && sed -i 's/\"looked\": [0-9]*/\"looked\": 1/' /run/esos/conf.json",
        ),
        end: Sh("kill -CONT $(pgrep -f 'esos-conf [w]atch')"),
        also: &[],
    },
    Fault {
        key: ["crash", "crash kernel", "unarmed"],
        status: "warn",
        says: "no crash kernel is loaded",
        remedy: "esos crash",
        // What looks after a boot finds it, too: one event, one mail.
        begin: Sh("esos-crash disarm && esos-crash check"),
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
    ("dumps", "/run/esos/dumps.json"),
    ("conf", "/run/esos/conf.json"),
    ("boot", "/run/esos/boot.json"),
];

/// What the drive's own health log says: bit 2 is "the reliability is degraded" (NVMe Base Specification, 5.14.1.2).
fn nvme(guest: &Guest, warning: u8) {
    let value = json!({ "path": "/machine/peripheral/nvme0", "property": "smart_critical_warning", "value": warning });
    guest.qmp().execute("qom-set", value).unwrap();
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

/// A fault that comes and goes every few seconds is mailed three times, and no more within the hour.
fn flapping(guest: &Guest, sink: &Sink) {
    let from = sink.mails().len();
    for _ in 0..6 {
        for script in ["cp /run/stage/expired.crt /etc/esos/certs/flaps.crt", "rm /etc/esos/certs/flaps.crt"]
        {
            act(&Sh(script), guest);
            report(guest);
        }
    }
    let mails = sink.of("health/certificate", from);
    mails.iter().filter_map(|m| m.lines().find(|l| l.starts_with("Subject:"))).for_each(|l| println!("{l}"));
    assert_eq!(mails.len(), 3, "{mails:#?}");
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
    well(&guest, &sink);

    NEEDED.iter().for_each(|(check, needs)| unknown(&guest, check, needs));
    flapping(&guest, &sink);
    let lines: Vec<String> = FAULTS
        .iter()
        .enumerate()
        .map(|(n, fault)| {
            let line = try_one(fault, &guest, &sink);
            println!("{:2}. {line}", n + 1);
            line
        })
        .collect();
    assert!(lines.len() >= 18);
}
