//! Faults of SCST made in a running box that serves an initiator (its own): each is found with object and remedy, mailed
//! once, and has cleared when it is gone; of what one fault takes with it nothing is told beside it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
mod faults;
use esos_tests::smtp::Sink;
use esos_tests::{Level, allowed, image, scst};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Machine, Net};
use faults::{Fault, Sh, act, report, try_one, well};
use std::time::Duration;

/// A LUN for everybody, an initiator that uses it, and the kernel's initiator logged in. Its disk is no drive of the box.
const STAGE: &str = r#"
set -e
mkdir -p /data; truncate -s 64M /data/f1
cat >/etc/scst.conf <<'END'
HANDLER vdisk_fileio {
	DEVICE f1 {
		filename /data/f1
	}
}
TARGET_DRIVER iscsi {
	enabled 1
	TARGET iqn.2026-11.org.example:t1 {
		enabled 1
		LUN 0 f1
	}
}
END
printf 'local stratum 8\n' >/etc/chrony/conf.d/alone.conf; /etc/init.d/chrony restart >/dev/null 2>&1
esos-scst apply /etc/scst.conf
echo InitiatorName=iqn.2026-11.org.example:init9 >/etc/iscsi/initiatorname.iscsi
modprobe iscsi_tcp; pidof iscsid >/dev/null || iscsid
iscsiadm -m discovery -t sendtargets -p 127.0.0.1 >/dev/null
cat >/root/login <<'END'
#!/bin/sh
iscsiadm -m node -T iqn.2026-11.org.example:t1 -p 127.0.0.1 -o update -n node.session.scan -v manual
iscsiadm -m node -T iqn.2026-11.org.example:t1 -p 127.0.0.1 "$@"
END
chmod +x /root/login; /root/login --login
"#;

const TARGET: &str = "/sys/kernel/scst_tgt/targets/iscsi/iqn.2026-11.org.example:t1";

const FAULTS: &[Fault] = &[
    Fault {
        key: ["scst", "iscsi/iqn.2026-11.org.example:t1/iqn.2026-11.org.example:init9", "session"],
        status: "warn",
        says: "the initiator iqn.2026-11.org.example:init9 had a session with iscsi/iqn.2026-11.org.example:t1",
        remedy: "esos health --forget iqn.2026-11.org.example:init9",
        begin: Sh("/root/login --logout"),
        end: Sh("/root/login --login"),
        also: &[],
    },
    Fault {
        key: ["scst", "lun/iscsi/iqn.2026-11.org.example:t1/0", "lun"],
        status: "crit",
        says: "it is configured, for f1",
        remedy: "esos scst diff",
        begin: Sh("cd $(ls -d /sys/kernel/scst_tgt/targets/iscsi/iqn*t1) && echo 'del 0' >luns/mgmt"),
        end: Sh("esos-scst apply --yes /etc/scst.conf"),
        also: &[],
    },
    Fault {
        key: ["scst", "dev/f1", "missing"],
        status: "crit",
        says: "without it is LUN iscsi/iqn.2026-11.org.example:t1/0",
        remedy: "esos scst plan /etc/scst.conf",
        begin: Sh("echo 'del_device f1' >/sys/kernel/scst_tgt/handlers/vdisk_fileio/mgmt"),
        end: Sh("esos-scst apply --yes /etc/scst.conf"),
        also: &[],
    },
    Fault {
        key: ["scst", "tgt/iscsi/iqn.2026-11.org.example:t1", "disabled"],
        status: "warn",
        says: "the target is not enabled",
        remedy: "esos scst enable",
        begin: Sh("cd $(ls -d /sys/kernel/scst_tgt/targets/iscsi/iqn*t1) && echo 0 >enabled"),
        end: Sh("cd $(ls -d /sys/kernel/scst_tgt/targets/iscsi/iqn*t1) && echo 1 >enabled"),
        also: &[],
    },
    Fault {
        key: ["scst", "tgt/iscsi/iqn.2026-11.org.example:t1", "missing"],
        status: "crit",
        says: "SCST does not have it",
        remedy: "esos scst diff",
        // With its daemon the kernel takes all targets of iSCSI away.
        begin: Sh("kill -9 $(pidof iscsi-scstd); sleep 2"),
        end: Sh("/etc/init.d/scst start"),
        also: &[],
    },
    Fault {
        key: ["scst", "scst", "down"],
        status: "crit",
        says: "SCST is not loaded",
        remedy: "/etc/init.d/scst start",
        begin: Sh("/etc/init.d/scst stop; sleep 2
            for n in 1 2 3 4 5 6; do
              [ -d /sys/kernel/scst_tgt ] || exit 0
              lsmod | awk '$1 ~ /scst|srpt|isert|qla2x00t|fcst/ {print $1}' | xargs -rn1 rmmod 2>/run/rmmod; sleep 1
            done
            lsmod | grep scst; cat /run/rmmod; exit 1"),
        end: Sh("/etc/init.d/scst start"),
        also: &[],
    },
];

#[test]
fn faults_of_scst_are_found_and_told_once() {
    let test = "faults_of_scst_are_found_and_told_once";
    if !allowed(test, Level::All) {
        return;
    }
    let Some(debs) = scst::packages(test).unwrap() else { return };
    let path = scst::built(&debs).unwrap();
    let _turn = image::turn();
    let sink = Sink::start().unwrap();
    let boot = image::boot(&path, Firmware::Bios, Bus::Usb);
    let machine = Machine::new("scst-health")
        .memory(Bytes::gib(3))
        .disk(Disk::new(&path, Bus::Usb).id("stick"))
        .net(Net::User { forward: Vec::new(), closed: false });
    let guest = image::up(machine, &boot).unwrap();
    println!("up after {:.0?}", guest.elapsed());
    act(&Sh(STAGE), &guest);
    well(&guest, &sink);
    for (n, fault) in FAULTS.iter().enumerate() {
        println!("{:2}. {}", n + 1, try_one(fault, &guest, &sink));
        // The initiator comes back by itself, and is remembered then.
        let back = format!(
            "for n in $(seq 60); do ls {TARGET}/sessions/* >/dev/null 2>&1 && exit 0; sleep 2; done; exit 1"
        );
        assert!(guest.run_within(&back, Duration::from_secs(180)).unwrap().success(), "{:?}", fault.key);
        report(&guest);
    }
}
