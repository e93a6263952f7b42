//! The front-page example of each library crate, from outside. Written by tools/consumer.

/// ```
/// use esos_agent::{Goal, Next, Params, Step, next, observe, perform};
/// use esos_cluster::{OcfExit, OcfRequest};
/// use esos_scst_sim::{Environment, Sim};
/// use esos_sysfs::AttrTree;
///
/// let sim = Sim::new(Environment::default().block("/dev/drbd0", 1 << 20));
/// sim.write("handlers/vdisk_blockio/mgmt", "add_device d filename=/dev/drbd0; active=0; bind_alua_state=0")?;
/// sim.write("device_groups/mgmt", "create g")?;
/// sim.write("device_groups/g/devices/mgmt", "add d")?;
/// sim.write("device_groups/g/target_groups/mgmt", "create n1")?;
/// sim.write("device_groups/g/target_groups/n1/state", "standby")?;
/// let env = [("OCF_RESKEY_device_group".to_owned(), "g".to_owned())];
/// let params = Params::read(&OcfRequest::from_env(env), "n1")?;
/// let mut steps = Vec::new();
/// loop {
///     match next(&Goal::Promote, &observe(&sim, &params), &params) {
///         Next::Do(step) => { perform(&sim, &params, &step, &mut || true)?; steps.push(step) }
///         other => { assert_eq!(other, Next::Done(OcfExit::Success)); break }
///     }
/// }
/// assert_eq!(steps[2], Step::Activate("d".to_owned()));
/// assert_eq!(next(&Goal::Monitor, &observe(&sim, &params), &params), Next::Done(OcfExit::RunningPromoted));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod agent {}

/// ```
/// use esos_alert::{Desk, EventId, Inbox, Origin, Report, Settings, Severity};
/// use esos_hostfs::MemFiles;
/// use std::time::Duration;
///
/// let files = MemFiles::new();
/// let id: EventId = "raid/md/md0/degraded".parse()?;
/// let report = Report::raised(id.clone(), Severity::Critical, "md0 is degraded: 5 of 6 drives")
///     .remedy("esos raid show md0");
/// Inbox::new(&files).put(&report, Duration::from_secs(1_790_000_000))?;
///
/// let settings = Settings::parse("mail.toml", "to = [\"admin@example.org\"]")?;
/// let mut desk = Desk::open(&files, Origin::new("esos1"), settings)?;
/// let mails = desk.work(Duration::from_secs(1_790_000_005))?;
/// assert_eq!(mails[0].subject, "[esos1] CRITICAL: md0 is degraded: 5 of 6 drives");
/// assert!(mails[0].text.contains("esos raid show md0"));
/// // The same again is not told again.
/// Inbox::new(&files).put(&report, Duration::from_secs(1_790_000_060))?;
/// assert!(desk.work(Duration::from_secs(1_790_000_065))?.is_empty());
/// assert_eq!(desk.book().get(&id).map(|e| e.count), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod alert {}

/// ```
/// use esos_blockdev::{Claims, Inventory};
/// use esos_hostfs::Mount;
/// use esos_sysfs::MemTree;
///
/// let disk = "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
/// let sys = MemTree::new()
///     .link("class/block/sda", &format!("../../{disk}"))
///     .file(&format!("{disk}/dev"), "8:0\n")
///     .file(&format!("{disk}/size"), "4194304\n")
///     .link("class/block/sda1", &format!("../../{disk}/sda1"))
///     .file(&format!("{disk}/sda1/dev"), "8:1\n")
///     .file(&format!("{disk}/sda1/size"), "2048\n")
///     .file(&format!("{disk}/sda1/partition"), "1\n");
/// let inventory = Inventory::read(&sys)?;
/// let mounts = Mount::parse_all("mountinfo", "27 1 8:1 / /mnt/data rw - ext4 /dev/root rw\n")?;
/// let claims = Claims { mounts, ..Claims::default() };
/// let uses = inventory.uses("sda", &claims).unwrap_or_default();
/// assert_eq!(uses[0].to_string(), "sda1 is mounted on /mnt/data");
/// assert_eq!(uses[0].remedy().as_deref(), Some("umount /mnt/data"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod blockdev {}

/// ```
/// use esos_bootimg::deb::{Deb, DebWriter, Limits};
/// use esos_bootimg::manifest::{Manifest, Set, Suite};
///
/// // What an image with the tape set is made of.
/// let manifest = Manifest::standard(Suite::Trixie, &[Set::Tape])?;
/// assert!(manifest.include.contains("sysvinit-core") && manifest.include.contains("mtx"));
///
/// // A package, read as a stream.
/// let bytes = DebWriter::new("Package: hello\nVersion: 1\nArchitecture: all\n").finish();
/// let deb = Deb::open("hello_1_all.deb", &bytes[..], Limits::default())?;
/// assert_eq!(deb.control().field("version"), Some("1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod bootimg {}

/// ```
/// use clap::Parser;
/// use esos_cli::{Captured, Exit, Failure, Global, Tool, Ui};
///
/// /// Counts things.
/// #[derive(Parser)]
/// #[command(name = "esos-count", version)]
/// struct Args {
///     #[command(flatten)]
///     global: Global,
///     /// How far.
///     upto: u32,
/// }
///
/// impl Tool for Args {
///     fn global(&self) -> &Global {
///         &self.global
///     }
/// }
///
/// fn count(args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
///     ui.emit("esos.count/1", &args.upto, |human| human.line(format!("up to {}", args.upto)))?;
///     Ok(Exit::Done)
/// }
///
/// // In a binary: `fn main() -> ExitCode { esos_cli::main(count) }`
/// let run = Captured::run(["esos-count", "7"], count);
/// assert_eq!((run.exit, run.stdout.as_str()), (Exit::Done, "up to 7\n"));
/// assert_eq!(Captured::run(["esos-count", "x"], count).exit, Exit::Usage);
/// let run = Captured::run(["esos-count", "7", "--json"], count);
/// assert!(run.stdout.contains(r#""schema": "esos.count/1""#) && run.stdout.contains(r#""data": 7"#));
/// ```
pub mod cli {}

/// ```
/// use esos_cluster::{explain, monitor};
///
/// let text = esos_fixtures::text("cluster/pacemaker/crm_mon.2n-resource-disabled.xml")?;
/// let seen = monitor("n1", &text)?;
/// let answer = explain(&seen.cluster, "d1", None)?;
/// assert_eq!(answer.why, "an operator switched d1 off (target-role=Stopped)");
/// assert_eq!(answer.advice, "start it with `crm resource start d1`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod cluster {}

/// ```
/// use esos_confsync::testing::{MemBox, MemMedium};
/// use esos_confsync::{Request, Store, Tracked, sync};
///
/// let (files, medium, tracked) = (MemBox::new(), MemMedium::new(), Tracked::default());
/// files.write("/etc/scst.conf", b"HANDLER vdisk_fileio {\n}\n", 0o600);
/// let request = Request::new("esos1", "5.0.0", "change", 1_790_000_000);
/// let (first, index) = sync(&files, &tracked, &medium, None, None, &request)?;
/// assert_eq!((first.generation, first.made), (1, true));
/// // Nothing has changed: nothing is written.
/// let (again, index) = sync(&files, &tracked, &medium, Some(index), None, &request)?;
/// assert_eq!((again.generation, again.made), (1, false));
/// files.write("/etc/scst.conf", b"", 0o600);
/// let (second, _) = sync(&files, &tracked, &medium, Some(index), None, &request)?;
/// assert_eq!(second.changes[0].to_string(), "~ /etc/scst.conf");
/// let store = Store::open(&medium)?;
/// assert_eq!(store.generations().map(|g| g.id).collect::<Vec<_>>(), [1, 2]);
/// # Ok::<(), esos_confsync::StoreError>(())
/// ```
pub mod confsync {}

/// ```
/// use esos_crashdump::{Core, CoreError};
///
/// let not_a_core = b"#!/bin/sh\n".repeat(10);
/// let error = Core::open(not_a_core).unwrap_err();
/// assert!(matches!(error, CoreError::NotCore { .. }));
/// ```
pub mod crashdump {}

/// ```
/// use esos_diag::ParseError;
///
/// let text = "LUN 0 disk1\nLUN x disk2\n";
/// let error = ParseError::at("/etc/scst.conf", text, 16, "a LUN number (0 to 16383)");
/// assert_eq!(
///     error.to_string(),
///     "/etc/scst.conf:2:5: expected a LUN number (0 to 16383), found `x disk2`\n  | LUN x disk2",
/// );
/// ```
pub mod diag {}

/// ```
/// use esos_drbd::{Disk, Kind, Role, promotable, read};
///
/// let text = esos_fixtures::text("cluster/drbd9/events2-now.initial-sync.n2.txt")?;
/// let report = read(None, "n2", &text)?;
/// let resource = &report.status.resources[0];
/// assert_eq!((report.kind, &resource.role, &resource.devices[0].disk), (Kind::Events2, &Role::Secondary, &Disk::Inconsistent));
/// assert_eq!(promotable(resource).reason, "n1 is Primary; demote it there first");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod drbd {}

/// ```
/// use esos_exec::{Cmd, HostRunner, Runner};
/// use std::time::Duration;
///
/// let out = HostRunner.run(&Cmd::new("/bin/echo").arg("a b; $(c)").limit(Duration::from_secs(5)))?;
/// assert_eq!(out.stdout, b"a b; $(c)\n");
/// assert!(out.status.success());
/// # Ok::<(), esos_exec::ExecError>(())
/// ```
pub mod exec {}

/// ```
/// use esos_fetch::{HostFetch, HttpOptions, Location, Sha256, Store, Wanted};
///
/// let dir = tempfile::tempdir()?;
/// std::fs::write(dir.path().join("hello.txt"), "hello\n")?;
/// let fetch = HostFetch::new(HttpOptions::default())?;
/// let store = Store::open(&dir.path().join("cache"))?;
/// let wanted = Wanted {
///     name: "hello.txt".to_owned(),
///     locations: vec![Location::directory(dir.path()).join("hello.txt")?],
///     sha256: Sha256::of(b"hello\n"),
///     size: 6,
/// };
/// let path = store.obtain(&fetch, &wanted, &())?;
/// assert_eq!(std::fs::read(path)?, b"hello\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod fetch {}

/// ```text
/// esos login: root
/// This box has not been set up yet. An empty answer takes what stands in brackets.
/// New password for root: ********
/// The same again: ********
/// Host name [esos]: san1
/// Network, dhcp or static [dhcp]: static
/// Interface [eth0]:                                            (only for static)
/// Address with prefix length, such as 192.0.2.10/24: 192.0.2.10/24   (only for static)
/// Gateway [none]: 192.0.2.1                                    (only for static)
/// Name servers [none]: 192.0.2.53 192.0.2.54                   (only for static)
/// Time zone [Etc/UTC]: Europe/Berlin
/// Apply this, yes or no [yes]:
/// The box is set up.
/// root@san1:~#
/// ```
pub mod firstboot {}

/// ```
/// use esos_health::{Before, Fact, Facts, Status, check};
///
/// let mut facts = Facts::unused();
/// let text = "Personalities : [raid1]\nmd0 : active raid1 sdb[1](F) sda[0]\n      \
///             64512 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";
/// facts.mdstat = Fact::Known(text.into());
/// facts.smart = Fact::Unknown("smartctl is not installed".into());
/// let health = check(&facts, &Before::default());
/// assert_eq!(health.status, Status::Crit);
/// assert_eq!(health.findings[0].object, "md0");
/// let smart = health.checks.iter().find(|c| c.name == "smart").unwrap();
/// assert_eq!(smart.status, Status::Unknown);
/// ```
pub mod health {}

/// ```
/// use esos_hostfs::{Files, MemFiles};
///
/// let files = MemFiles::new();
/// files.make_dir("/etc")?;
/// files.replace("/etc/hostname", b"esos1\n", 0o644)?;
/// assert_eq!(files.read("/etc/hostname")?, b"esos1\n");
/// # Ok::<(), esos_hostfs::FileError>(())
/// ```
pub mod hostfs {}

/// ```
/// use esos_initramfs::{BootMode, Cmdline, Facts, decide};
///
/// let line = Cmdline::parse("BOOT_IMAGE=/vmlinuz slot=PRIMARY esos.attempt=1 panic=10");
/// let facts = Facts { root_index: true, vmcore: false };
/// assert_eq!(decide(&line, &facts), BootMode::Ram { slot: Some(esos_layout::Slot::Primary) });
/// // In the crash kernel nothing else counts.
/// assert_eq!(decide(&line, &Facts { vmcore: true, ..facts }), BootMode::Capture);
/// ```
pub mod initramfs {}

/// ```
/// use esos_layout::{Slot, cmdline, part};
///
/// assert_eq!(Slot::Primary.partition(), part::PRIMARY);
/// assert_eq!("SECONDARY".parse(), Ok(Slot::Secondary));
/// assert_eq!(format!("{}{}", cmdline::SLOT, Slot::Primary), "slot=PRIMARY");
/// ```
pub mod layout {}

/// ```
/// use esos_logarchive::{Budget, Entry, Policy, Redactor, retain};
///
/// let day = 86_400;
/// let names = ["logs-san1-20261101T000000Z.tar.zst", "dumpfile-1700000000", "logs-san1-20261120T000000Z.tar.zst"];
/// let files: Vec<Entry> = names.iter().map(|name| Entry::new(name, 100, 0)).collect();
/// let logs = Budget { most: 1000, keep: 1, age: 365 * day };
/// let policy = Policy::new(logs, Budget { most: 50, keep: 1, age: 0 }, logs);
/// // Room for 150 bytes where there is none: the old archive goes, the dump and the newest archive stay.
/// let verdict = retain(&files, &policy, 1_795_000_000, 0, 150);
/// assert_eq!(verdict.removals.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [0]);
/// assert_eq!((verdict.freed_bytes, verdict.short_bytes), (100, 50));
///
/// let mut redactor = Redactor::new();
/// redactor.learn("hunter2hunter2");
/// let line = "login joe hunter2hunter2, aHVudGVyMmh1bnRlcjI=, target iqn.2026-11.io.esos:a";
/// assert_eq!(redactor.scrub(line), "login joe ***, ***, target iqn.2026-11.io.esos:a");
/// ```
pub mod logarchive {}

/// ```
/// use esos_network::{Facts, parse, plan};
///
/// let text = "[general]\nhostname = san1\n[eth0.42]\nbootproto = static\nipaddr = 192.0.2.10/24\n";
/// let (config, findings) = parse("/etc/network.conf", text);
/// assert!(findings.is_empty());
/// let plan = plan(&config, &Facts::default());
/// let commands: Vec<String> = plan.interfaces[0].steps.iter().map(|s| s.cmd.to_string()).collect();
/// assert!(commands.contains(&"/usr/sbin/ip link add link eth0 name eth0.42 type vlan id 42".to_owned()));
/// assert!(commands.contains(&"/usr/sbin/ip address replace 192.0.2.10/24 broadcast + dev eth0.42".to_owned()));
/// ```
pub mod network {}

/// ```
/// use esos_raid::{Capture, Tool, parse};
/// let text = "Personalities : [raid1]\nmd0 : active raid1 sdb[1](F) sda[0]\n      \
///             64512 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";
/// let facts = parse(Tool::Mdstat, &[Capture::new("mdstat", "cat /proc/mdstat", text)]);
/// let array = &facts.arrays[0];
/// assert_eq!(array.state.as_ref().map(|s| s.as_str()), Some("degraded"));
/// assert!(facts.error.is_none());
/// ```
pub mod raid {}

/// ```
/// use esos_scst_sim::{Environment, Sim};
/// use esos_sysfs::AttrTree;
///
/// let sim = Sim::new(Environment::default().file("/disks/d1", 8 << 20));
/// sim.write("handlers/vdisk_fileio/mgmt", "add_device disk1 filename=/disks/d1")?;
/// assert_eq!(sim.read("devices/disk1/size")?, "8388608\n[key]\n");
/// let error = sim.write("handlers/vdisk_nullio/mgmt", "add_device disk1").unwrap_err();
/// assert_eq!(error.errno_name(), "EEXIST");
/// # Ok::<(), esos_sysfs::AttrError>(())
/// ```
pub mod scst_sim {}

/// ```
/// use esos_diag::Severity;
/// use esos_scst::Document;
///
/// let file = Document::parse("/etc/scst.conf", "HANDLER vdisk_fileio\n\tDEVICE d1 {\n\t\tfilename /d1\n\t}\n}\n");
/// let missing = file.diagnostics().iter().find(|d| d.severity == Severity::Error).expect("an error");
/// assert_eq!(missing.code, "scst-conf::missing-brace");
/// assert_eq!(missing.position(file.text()).map(|p| p.to_string()).as_deref(), Some("1:21"));
/// assert_eq!(file.to_string(), file.text(), "nothing is lost");
/// ```
pub mod scst {}

/// ```
/// use esos_layout::stick_state::Presence;
/// use esos_stickwatch::{Identity, Medium, Watcher};
///
/// let booted = Identity { disk_guid: Some("6d1c".into()), serial: Some("A1".into()), ..Identity::default() };
/// let mut watcher = Watcher::new(booted.clone());
/// let here = Medium { device: "/dev/sdb".into(), identity: booted, readable: Ok(()) };
/// watcher.look(100, &[here.clone()]);
/// assert_eq!(watcher.state().state, Presence::Present);
/// let said = watcher.look(105, &[]);
/// assert!(said[0].text.starts_with("the stick /dev/sdb (serial A1) was pulled"));
/// let twin = Identity { disk_guid: Some("6d1c".into()), serial: Some("B2".into()), ..Identity::default() };
/// let other = Medium { device: "/dev/sdc".into(), identity: twin, readable: Ok(()) };
/// let said = watcher.look(110, &[other]);
/// assert!(said[0].text.contains("/dev/sdc (serial B2) is refused: its serial number is B2, not A1"));
/// let back = Medium { device: "/dev/sdd".into(), ..here };
/// assert!(watcher.look(115, &[back])[0].text.starts_with("the stick is back as /dev/sdd"));
/// ```
pub mod stickwatch {}

/// ```
/// use esos_sysfs::{AttrTree, MemTree};
///
/// let tree = MemTree::new().file("block/sda/size", "2048\n").link("block/sda/device", "../../devices/x");
/// assert_eq!(tree.read("block/sda/size")?, "2048\n");
/// assert_eq!(tree.list("block/sda")?.len(), 2);
/// # Ok::<(), esos_sysfs::AttrError>(())
/// ```
pub mod sysfs {}

/// ```
/// use esos_units::{Bytes, Lun, ScsiAddress};
///
/// let size: Bytes = "931.5 GiB".parse()?;
/// assert_eq!(size.to_string(), "931.5 GiB");
/// assert!(Lun::new(16384).is_err(), "SCST's LUNs end at 16383");
/// let addr: ScsiAddress = "2:0:1:7".parse()?;
/// assert_eq!(addr.lun, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod units {}

/// ```
/// use esos_vm::{Bus, Disk, Firmware, Machine};
///
/// let machine = Machine::new("box").firmware(Firmware::Uefi).disk(Disk::new("esos.img", Bus::Usb));
/// assert!(machine.describe().contains("usb-storage"));
/// ```
pub mod vm {}
