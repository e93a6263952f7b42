//! md for real: `esos-raid` makes, breaks, mends, grows and deletes arrays on a box of the image.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::image::{self, Kind};
use esos_tests::{Level, allowed, scst, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// A command may wait for a rebuild, on a busy host without KVM.
const LONG: Duration = Duration::from_secs(900);
const SCRATCH: usize = 6;

/// The box, and the number of checks made.
struct Box<'g> {
    guest: &'g Guest,
    checks: std::cell::Cell<usize>,
}

impl Box<'_> {
    fn sh(&self, command: &str) -> String {
        let answer = self.guest.run_within(command, LONG).unwrap();
        assert!(answer.success(), "{command}: {answer:?}");
        answer.text()
    }

    /// `esos-raid` with these arguments; its exit code and its document.
    fn raid(&self, args: &str) -> (i32, Value) {
        let answer = self.guest.run_within(&format!("esos-raid --json {args}"), LONG).unwrap();
        let text = answer.text();
        let document =
            serde_json::from_str(&text).unwrap_or_else(|e| unreadable(args, &text, &e.to_string()));
        (answer.status, document)
    }

    /// A change: shown first, then made, then seen.
    fn change(&self, args: &str) {
        let (code, plan) = self.raid(&format!("{args} --dry-run"));
        assert_eq!(code, 0, "{args}: {plan}");
        assert!(!plan["data"]["commands"].as_array().unwrap().is_empty(), "{plan}");
        if !plan["data"]["confirm"].is_null() {
            // Nobody is there to be asked.
            let (code, refused) = self.raid(args);
            assert_eq!(code, 5, "{args}: {refused}");
        }
        let (code, done) = self.raid(&format!("{args} --yes"));
        assert_eq!(code, 0, "{args}: {done}");
        // A superblock that is gone does not show in the lists.
        let unseen = args.starts_with("drive free");
        assert!(done["data"]["seen"] == true || unseen, "{args}: {done}");
        self.checks.set(self.checks.get() + 1);
    }

    fn refused(&self, args: &str, why: &str) {
        let (code, document) = self.raid(&format!("{args} --yes"));
        assert_eq!(code, 5, "{args}: {document}");
        let message = document["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(why), "{args}: {message}");
        println!("refused: {message}");
        self.checks.set(self.checks.get() + 1);
    }

    /// What `esos-raid` says of an array is what sysfs says.
    fn agrees(&self, id: &str, state: &str) {
        let (_, list) = self.raid("list");
        let tools = list["data"]["tools"].as_array().unwrap();
        let arrays =
            tools.iter().filter(|t| t["tool"] == "mdadm").flat_map(|t| t["arrays"].as_array().unwrap());
        let array =
            arrays.into_iter().find(|a| a["id"] == id).unwrap_or_else(|| unreadable(id, "", "no such array"));
        let sysfs = |name: &str| {
            self.sh(&format!("cat /sys/block/{id}/md/{name} 2>/dev/null || true")).trim().to_owned()
        };
        let degraded: u64 = sysfs("degraded").parse().unwrap_or(0);
        assert_eq!(array["state"], state, "{array}");
        assert_eq!(array["degraded_count"].as_u64().unwrap_or(0), degraded, "{array}");
        assert_eq!(array["level_raw"].as_str().unwrap(), sysfs("level"), "{array}");
        let disks = sysfs("raid_disks");
        let disks: u64 = disks.split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!(array["raid_disks"].as_u64(), Some(disks), "{array}");
        assert_eq!(state == "degraded", degraded > 0);
        // Health says so too, and nothing of it when all is well.
        let (code, health) = self.raid("health");
        let told = health["data"].as_array().unwrap();
        let named = told.iter().any(|f| f["object"] == format!("array {id}") && f["severity"] == "crit");
        assert_eq!(named, degraded > 0, "{health}");
        assert!(degraded == 0 || code == 4, "{code} {health}");
        self.checks.set(self.checks.get() + 1);
    }

    fn settled(&self, id: &str) {
        let (code, watched) = self.raid(&format!("rebuild watch {id} --interval 1"));
        assert_eq!(code, 0, "{watched}");
    }

    /// The kernel's name of an array by the name that it was given.
    fn id(&self, name: &str) -> String {
        self.sh("udevadm settle --timeout=60");
        self.sh(&format!("basename $(readlink -f /dev/md/{name})")).trim().to_owned()
    }

    /// Writes 24 MiB and gives their sum.
    fn fill(&self, id: &str) -> String {
        self.sh(&format!(
            "dd if=/dev/urandom of=/dev/{id} bs=1M count=24 oflag=direct 2>/dev/null; {}",
            sum(id)
        ))
    }

    fn holds(&self, id: &str, data: &str) {
        assert_eq!(self.sh(&sum(id)), data, "{id}: other data than what was written");
        self.checks.set(self.checks.get() + 1);
    }
}

fn sum(id: &str) -> String {
    format!("sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/{id} bs=1M count=24 2>/dev/null | sha256sum")
}

fn unreadable<T>(what: &str, text: &str, why: &str) -> T {
    panic!("{what}: {why}: {text}")
}

fn refusals(b: &Box<'_>) {
    b.refused("create --level 1 --name x sda vda", "stick");
    b.sh("mkfs.ext4 -q /dev/vda && mkdir -p /mnt/x && mount /dev/vda /mnt/x");
    b.refused("create --level 1 --name x vda vdb", "mounted on /mnt/x");
    b.sh("umount /mnt/x; wipefs -qa /dev/vda; pvcreate -qq /dev/vdb");
    b.refused("create --level 1 --name x vda vdb", "physical volume of LVM");
    b.sh("vgcreate -qq vg0 /dev/vdb && lvcreate -qq -y -L 16M -n lv0 vg0");
    b.refused("create --level 1 --name x vda vdb", "vg0-lv0");
    b.sh("vgremove -qq -f vg0; pvremove -qq /dev/vdb");
    let (code, few) = b.raid("create --level 6 --name x vda vdb vdc --yes");
    assert_eq!(code, 3, "{few}");
    assert!(few["error"]["message"].as_str().unwrap().contains("needs 4 drives"), "{few}");
}

/// A disk, an array, a logical volume on an array and a file on an array, as LUNs.
const SERVED: &str = "HANDLER vdisk_blockio {
	DEVICE disk {
		filename /dev/vda
	}
	DEVICE array {
		filename /dev/md/served
	}
	DEVICE volume {
		filename /dev/vg1/lv1
	}
}
HANDLER vdisk_fileio {
	DEVICE file {
		filename /mnt/f/lun
	}
}
TARGET_DRIVER iscsi {
	enabled 1
	TARGET iqn.2026-11.org.example:raid {
		rel_tgt_id 1
		enabled 1
		LUN 3 disk
		GROUP hosts {
			INITIATOR iqn.2026-11.org.example:init1
			LUN 0 array
			LUN 1 volume
			LUN 2 file
		}
	}
}
";

/// What SCST serves is refused, whatever lies between the LUN and the drive; what it served before is free.
fn served(b: &Box<'_>) {
    b.change("create --level 1 --name served vdb vdc");
    b.change("create --level 0 --name under vdd vde");
    let (array, under) = (b.id("served"), b.id("under"));
    b.settled(&array);
    b.sh("pvcreate -qq /dev/md/under && vgcreate -qq vg1 /dev/md/under && lvcreate -qq -y -L 16M -n lv1 vg1");
    b.sh("mkfs.ext4 -q /dev/vdf && mkdir -p /mnt/f && mount /dev/vdf /mnt/f && truncate -s 16M /mnt/f/lun");
    b.guest.write_file("/root/served.conf", SERVED.as_bytes()).unwrap();
    println!("{}", b.sh("lsmod | grep -q ^iscsi_scst && esos-scst apply /root/served.conf --no-persist"));
    let served = |what: &str, lun: &str| {
        let on = "iscsi target iqn.2026-11.org.example:raid";
        b.refused(what, &format!("this would destroy what LUN {lun} of {on}"));
    };
    served("create --level 1 --name x vda vdb", "3");
    served("drive free vda", "3");
    served(&format!("spare add vda --for {array}"), "3");
    served(&format!("delete {array}"), "0");
    served("create --level 1 --name x vdb vdc", "0");
    served(&format!("delete {under}"), "1");
    served("create --level 1 --name x vdd vde", "1");
    served("create --level 1 --name x vdf vde", "2");
    not_written(b);
    let nothing = "echo '# nothing' >/root/e.conf; esos-scst apply /root/e.conf --allow-empty --prune --allow-disruptive --yes --no-persist";
    println!("{}", b.sh(nothing));
    b.sh("umount /mnt/f; wipefs -qa /dev/vdf; vgremove -qq -f vg1; pvremove -qq /dev/md/under");
    b.change(&format!("delete {array}"));
    b.change(&format!("delete {under}"));
}

/// Nor does `esos-image write` take a disk of what is served: not the disk itself, nor one below an array, a volume on
/// an array, or a file.
fn not_written(b: &Box<'_>) {
    let stick = b.sh("lsblk -dno NAME,SERIAL | awk '$2 == \"stick\" { print $1 }'");
    for (disk, device) in [("vda", "disk"), ("vdb", "array"), ("vde", "volume"), ("vdf", "file")] {
        let sum = format!("dd if=/dev/{disk} bs=1M count=8 iflag=direct status=none | sha256sum");
        let before = b.sh(&sum);
        let write =
            format!("esos-image write /dev/{} /dev/{disk} --yes-erase {disk} </dev/null", stick.trim());
        let answer = b.guest.run_within(&write, LONG).unwrap();
        let said = answer.error_text();
        assert_eq!(answer.status, 5, "{disk}: {said}");
        for word in ["SCST", &format!("`{device}`"), &format!("esos scst rm dev/{device}")] {
            assert!(said.contains(word), "{disk}: no {word} in {said}");
        }
        assert_eq!(b.sh(&sum), before, "{disk} was written");
        println!("refused: {}", said.lines().next().unwrap_or_default());
        b.checks.set(b.checks.get() + 1);
    }
}

fn levels(b: &Box<'_>) {
    b.change("create --level 0 --name zero vda vdb");
    let zero = b.id("zero");
    b.agrees(&zero, "optimal");
    let data = b.fill(&zero);
    b.holds(&zero, &data);
    b.refused("drive fail vda", "bears no loss");
    b.refused("create --level 1 --name x vda vdc", &format!("part of {zero}"));
    b.change(&format!("delete {zero}"));

    b.change("create --level 1 --name one vda vdb");
    let one = b.id("one");
    b.settled(&one);
    b.agrees(&one, "optimal");
    let data = b.fill(&one);
    // A drive that works is copied to another one, which takes its place.
    let (code, walked) = b.raid("replace vda --with vdc --yes");
    assert_eq!((code, &walked["data"]["done"]), (0, &Value::Bool(true)), "{walked}");
    println!("replace: {}", walked["data"]["steps"]);
    b.agrees(&one, "optimal");
    b.holds(&one, &data);
    assert!(!b.sh("cat /proc/mdstat").contains("vda["));
    b.change("drive free vda");
    b.change(&format!("delete {one}"));

    b.change("create --level 5 --name five vda vdb vdc");
    let five = b.id("five");
    b.settled(&five);
    b.agrees(&five, "optimal");
    let data = b.fill(&five);
    b.change("drive fail vdb");
    b.agrees(&five, "degraded");
    b.holds(&five, &data);
    b.refused("drive fail vdc", "missing already");
    // A failed drive is walked out and a new one in; the walk goes on after it was left.
    let (code, walked) = b.raid("replace vdb --with vdd --no-wait --yes");
    assert!(code == 8 || code == 0, "{walked}");
    let (code, walked) = b.raid("replace vdb --yes");
    assert_eq!((code, &walked["data"]["done"]), (0, &Value::Bool(true)), "{walked}");
    b.agrees(&five, "optimal");
    b.holds(&five, &data);
    let before: u64 = b.sh(&format!("cat /sys/block/{five}/size")).trim().parse().unwrap();
    b.change("drive free vdb");
    b.change(&format!("modify {five} --add vdb"));
    b.settled(&five);
    b.agrees(&five, "optimal");
    b.holds(&five, &data);
    let after: u64 = b.sh(&format!("cat /sys/block/{five}/size")).trim().parse().unwrap();
    assert!(after > before * 14 / 10, "{before} sectors became {after}");
    b.change(&format!("delete {five}"));

    b.change("create --level 6 --name six vda vdb vdc vdd");
    let six = b.id("six");
    b.settled(&six);
    let data = b.fill(&six);
    b.change("drive fail vda");
    b.change("drive fail vdb");
    b.agrees(&six, "degraded");
    b.holds(&six, &data);
    b.refused("drive fail vdc", "missing already");
    b.change("drive detach vda");
    b.change("drive detach vdb");
    b.change(&format!("spare add vde --for {six}"));
    b.change(&format!("spare add vdf --for {six}"));
    b.settled(&six);
    b.agrees(&six, "optimal");
    b.holds(&six, &data);
    b.change(&format!("delete {six}"));

    b.change("create --level 10 --name ten vdc vdd vde vdf");
    let ten = b.id("ten");
    b.settled(&ten);
    let data = b.fill(&ten);
    b.change("drive free vda");
    b.change(&format!("spare add vda --for {ten}"));
    b.agrees(&ten, "optimal");
    // The hot spare takes over by itself.
    b.change("drive fail vdc");
    b.settled(&ten);
    b.agrees(&ten, "optimal");
    b.holds(&ten, &data);
    b.change("drive detach vdc");
    b.change(&format!("delete {ten}"));
}

fn controllers(b: &Box<'_>) {
    let (code, found) = b.raid("tools");
    assert_eq!(code, 0);
    let list = found["data"]["controllers"].as_array().unwrap();
    let get = |id: &str| {
        list.iter()
            .find(|c| c["pci_id"] == id)
            .unwrap_or_else(|| unreadable(id, &found.to_string(), "missing"))
    };
    // `megasas-gen2` is a SAS2108.
    assert_eq!(get("1000:0079")["tools"][0], "storcli");
    assert!(get("1000:0079")["tool"].is_null());
    assert!(get("1000:0054")["publisher"].as_str().unwrap().contains("lsiutil"));
    println!("{}", b.sh("esos-raid tools"));
    // With none it says so.
    for controller in list {
        let address = controller["address"].as_str().unwrap();
        b.sh(&format!("echo 1 >/sys/bus/pci/devices/{address}/remove"));
    }
    assert!(b.sh("esos-raid tools").contains("no RAID controller on the PCI bus"));
}

fn machine(image: &Path, dir: &Path) -> Machine {
    let mut machine = Machine::new("raid")
        .memory(Bytes::gib(3))
        .disk(Disk::new(image, Bus::Usb).id("stick"))
        .extra(["-device", "megasas-gen2,id=mega", "-device", "mptsas1068,id=mpt"]);
    for n in 0..SCRATCH {
        let file = dir.join(format!("disk{n}"));
        if !file.exists() {
            File::create(&file).unwrap().set_len(96 << 20).unwrap();
        }
        machine = machine.disk(Disk::new(file, Bus::Virtio).keep(Keep::Write).id(format!("scratch{n}")));
    }
    machine
}

#[test]
fn md_through_its_life() {
    let test = "md_through_its_life";
    if !allowed(test, Level::All) {
        return;
    }
    let program = match image::release("esos-raid") {
        Ok(program) => program,
        Err(why) => return skip(test, &why),
    };
    let debs = scst::packages("a served LUN's backing is refused").unwrap();
    let path = match &debs {
        Some(debs) => scst::built(debs).unwrap(),
        None => image::find(Kind::Default).unwrap(),
    };
    let _turn = image::turn();
    let boot = image::boot(&path, Firmware::Bios, Bus::Usb);
    let dir = tempfile::tempdir().unwrap();
    let guest = image::up(machine(&path, dir.path()), &boot).unwrap();
    let b = Box { guest: &guest, checks: std::cell::Cell::new(0) };
    if ["ESOS_IMAGE", "ESOS_SCST_IMAGE"].iter().any(|name| std::env::var_os(name).is_some()) {
        // The image may be older than the program.
        let tool = image::release("esos-image").unwrap();
        for (name, program) in [("esos-raid", program), ("esos-image", tool)] {
            guest.write_file(&format!("/usr/sbin/{name}"), &std::fs::read(program).unwrap()).unwrap();
            b.sh(&format!("chmod 755 /usr/sbin/{name}"));
        }
    }
    b.sh("echo 200000 >/proc/sys/dev/raid/speed_limit_min; true");
    controllers(&b);
    refusals(&b);
    if debs.is_some() {
        served(&b);
    }
    levels(&b);

    // One that stays, so that the others' absence after a reboot says something.
    b.change("drive free vdb");
    b.change("drive free vdc");
    b.change("create --level 1 --name stays vda vdb");
    let stays = b.id("stays");
    b.settled(&stays);
    let data = b.fill(&stays);
    b.sh("sync");
    let checks = b.checks.get();
    guest.cut_power();

    let guest = image::up(machine(&path, dir.path()), &boot).unwrap();
    let b = Box { guest: &guest, checks: std::cell::Cell::new(checks) };
    let mdstat = b.sh("cat /proc/mdstat");
    assert_eq!(mdstat.matches(" : active").count(), 1, "{mdstat}");
    let stays = b.id("stays");
    b.holds(&stays, &data);
    println!("{} changes, refusals and comparisons with sysfs and checksums", b.checks.get());
}
