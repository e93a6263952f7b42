//! What each step of the plan does, but for filling the root.
use super::{Boot, NEW_ROOT, SLOT_MOUNT};
use crate::capture;
use crate::medium::{self};
use crate::world::{HookEnd, Mount};
use crate::{
    BootMode, Cmdline, Drivers, Facts, Fault, Gpt, ReadAt, RestoreReport, Step, decide, mem_total, remarks,
};
use esos_layout::frames::Index;
use esos_layout::{Slot, initrd, part, run, slot};
use std::time::Duration;

impl Boot<'_> {
    pub(super) fn run(&mut self, step: Step) -> Result<(), Fault> {
        match step {
            Step::Base => Ok(()),
            Step::Drivers => self.drivers(),
            Step::Medium => self.medium(),
            Step::Slot => self.slot(),
            Step::Memory => self.memory(),
            Step::Room => self.room(),
            Step::Unpack => self.unpack(),
            Step::Overlay => self.overlay(),
            Step::Close => self.close(),
            Step::Hand => self.hand(),
            Step::Restore => self.restore(),
            Step::Capture => self.capture(),
        }
    }

    pub(super) fn base(&mut self, release: &str) -> Result<(), Fault> {
        let world = self.world;
        for (kind, target, options) in [
            ("devtmpfs", "/dev", "mode=0755"),
            ("proc", "/proc", ""),
            ("sysfs", "/sys", ""),
            ("tmpfs", "/run", "mode=0755,size=20%"),
        ] {
            let mount =
                Mount { source: kind, target, kind, read_only: false, harmless: target != "/dev", options };
            match world.mounts.mount(&mount) {
                // The kernel or an earlier stage was quicker.
                Err(e) if e.kind() == std::io::ErrorKind::ResourceBusy => {}
                other => other.map_err(|e| Fault::Machine(format!("cannot mount {target}: {e}")))?,
            }
        }
        let read = |path: &str| world.files.read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
        self.line = Cmdline::parse(&read("/proc/cmdline").unwrap_or_default());
        self.report.version = read(initrd::VERSION).unwrap_or_default().trim().to_owned();
        self.report.memory_bytes = read("/proc/meminfo").ok().as_deref().and_then(mem_total).unwrap_or(0);
        self.index_text = world.files.read(initrd::ROOT_INDEX).unwrap_or_default();
        let index = std::str::from_utf8(&self.index_text).ok().and_then(|text| text.parse::<Index>().ok());
        let facts = Facts {
            vmcore: world.files.stat("/proc/vmcore").is_ok(),
            root_index: index.as_ref().is_some_and(|i| !i.frames.is_empty()),
        };
        self.index = index.unwrap_or_default();
        self.mode = decide(&self.line, &facts);
        let line = &self.line;
        let report = &mut self.report;
        report.mode = self.mode.word().into();
        (report.flavour, report.attempt, report.state) =
            (line.flavour.clone(), line.attempt, line.state.clone());
        (report.exhausted, report.single_user) = (line.exhausted, line.single_user);
        if let BootMode::Ram { slot } | BootMode::Persist { slot } = self.mode {
            report.slot = slot;
        }
        let slot = report.slot.map(|s| format!(" {s}")).unwrap_or_default();
        world.console.say(&format!("ESOS {}{slot}, kernel {release}, mode {}", report.version, report.mode));
        for remark in remarks(&self.line) {
            self.warn(remark);
        }
        Ok(())
    }

    fn drivers(&mut self) -> Result<(), Fault> {
        let drivers = Drivers::open(self.world, &self.report.kernel);
        drivers.load_fixed(self.world);
        drivers.coldplug(self.world);
        let mut watchdog = self.world.kernel.watchdog();
        // The machine has none: the kernel's own at least ends what hangs above it.
        if watchdog.is_none() && drivers.has("softdog") && drivers.load(self.world, "softdog") {
            watchdog = self.world.kernel.watchdog();
        }
        if let Some(identity) = watchdog {
            self.world.console.say(&format!("watchdog: {identity}"));
        }
        self.world.console.detail(&format!("{} modules", drivers.count()));
        self.drivers = Some(drivers);
        Ok(())
    }

    pub(super) fn load(&self, name: &str) {
        if let Some(drivers) = &self.drivers {
            drivers.load(self.world, name);
        }
    }

    fn medium(&mut self) -> Result<(), Fault> {
        let Some(drivers) = &self.drivers else { return Err(Fault::Medium("no drivers".into())) };
        let found = medium::find(self.world, drivers, &self.line, self.mode);
        for failed in drivers.failed() {
            self.world.console.detail(&failed);
            self.report.warnings.push(format!("driver: {failed}"));
        }
        let found = found?;
        let stick = found.report.clone();
        let serial = stick.serial.as_deref().map(|s| format!(", serial {s}")).unwrap_or_default();
        let model = stick.model.as_deref().unwrap_or("unknown model");
        self.world
            .console
            .say(&format!("booting from {} ({model}{serial}): {}", stick.device, stick.chosen_by));
        if !stick.twins.is_empty() {
            self.warn(format!(
                "other media carry ESOS's labels too and are not used: {}; taken is {} ({})",
                stick.twins.join(", "),
                stick.device,
                stick.chosen_by
            ));
        }
        if found.stick.as_ref().is_some_and(|s| s.gpt.from_backup) {
            self.warn(format!("the first partition table of {} is broken, its copy serves", stick.device));
        }
        self.report.stick = Some(stick);
        self.medium = Some(found);
        Ok(())
    }

    /// Mounts the slot and makes sure that it is the one that this initramfs belongs to.
    fn slot(&mut self) -> Result<(), Fault> {
        let stick = self.report.stick.clone().unwrap_or_default();
        if let BootMode::Iso(_) = self.mode {
            self.load("isofs");
            self.slot_dir = format!("{SLOT_MOUNT}{}", part::ISO_SLOT_DIR);
            return self.open_slot(&stick.device, "iso9660");
        }
        self.load("squashfs");
        let slots = self.report.slot.map_or_else(|| Slot::ALL.to_vec(), |slot| vec![slot]);
        let mut last = Fault::Medium(format!("{} has no slot", stick.device));
        for slot in slots {
            let Some(part) = stick.partitions.get(slot.partition()) else { continue };
            match self.open_slot(&part.device, "squashfs") {
                Ok(()) => {
                    self.report.slot = Some(slot);
                    return Ok(());
                }
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    fn open_slot(&self, device: &str, kind: &str) -> Result<(), Fault> {
        let mount =
            Mount { source: device, target: SLOT_MOUNT, kind, read_only: true, harmless: true, options: "" };
        let opened =
            self.world.mounts.mount(&mount).map_err(|e| format!("{device} holds no slot ({kind}: {e})"));
        let checked = opened.and_then(|()| {
            let path = format!("{}/{}", self.slot_dir, slot::ROOT_INDEX);
            match self.world.files.read(&path) {
                Ok(theirs) if theirs == self.index_text => Ok(()),
                Ok(_) => Err(format!("{device} holds another ESOS than this initramfs belongs to")),
                Err(e) => Err(format!("the slot on {device} cannot be read: {e}")),
            }
        });
        checked.map_err(|problem| {
            // What was not mounted cannot be unmounted; the problem is said in either case.
            let _not_mounted = self.world.mounts.unmount(SLOT_MOUNT);
            self.slot_or_medium(problem)
        })
    }

    /// A stick that no longer answers is no damaged slot.
    pub(super) fn slot_or_medium(&self, problem: String) -> Fault {
        let stick = self.medium.as_ref().and_then(|m| m.stick.as_ref());
        let Some(stick) = stick else { return Fault::Medium(problem) };
        let answers = self.world.devices.open(&format!("/dev/{}", stick.name)).is_ok_and(|disk| {
            let whole: &dyn ReadAt = &*disk;
            whole.forget(0, 1 << 20);
            Gpt::read(whole, 512)
                .or_else(|_| Gpt::read(whole, 4096))
                .is_ok_and(|g| g.disk_guid == stick.gpt.disk_guid)
        });
        if answers {
            Fault::Slot(problem)
        } else {
            Fault::Medium(format!("{problem}; the medium {} does not answer any more", stick.name))
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let closed = self.world.mounts.unmount(SLOT_MOUNT);
        closed.map_err(|e| Fault::Minor(format!("the slot stays mounted: {e}")))?;
        let init = format!("{NEW_ROOT}/sbin/init");
        if self.world.files.stat(&init).is_err() {
            return Err(Fault::Slot("the root image holds no /sbin/init".into()));
        }
        Ok(())
    }

    /// Hands the kernel's file systems to the new root.
    fn hand(&mut self) -> Result<(), Fault> {
        for target in ["/run", "/sys", "/dev", "/proc"] {
            let to = format!("{NEW_ROOT}{target}");
            self.world
                .mounts
                .shift(target, &to)
                .map_err(|e| Fault::Machine(format!("cannot move {target}: {e}")))?;
        }
        self.prefix = NEW_ROOT;
        self.write_report();
        Ok(())
    }

    fn restore(&mut self) -> Result<(), Fault> {
        let stick = self.report.stick.clone().unwrap_or_default();
        let mut environment = vec![
            ("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("ESOS_VERSION".to_owned(), self.report.version.clone()),
            ("ESOS_SLOT".to_owned(), self.report.slot.map(|s| s.to_string()).unwrap_or_default()),
            ("ESOS_STICK".to_owned(), stick.identity.clone().unwrap_or_default()),
            ("ESOS_STICK_DISK".to_owned(), stick.device.clone()),
        ];
        environment
            .extend(stick.partitions.iter().map(|(name, p)| (format!("ESOS_PART_{name}"), p.device.clone())));
        // The guard leaves room for killing the hook.
        let limit = Step::Restore.budget(0).saturating_sub(Duration::from_secs(20));
        let end = self.world.root.run(NEW_ROOT, run::RESTORE_HOOK, &environment, limit);
        let (outcome, status, output) = match end {
            HookEnd::Absent => ("absent", None, String::new()),
            HookEnd::Ended(Some(0), output) => ("restored", Some(0), output),
            HookEnd::Ended(status, output) => ("failed", status, output),
            HookEnd::Timeout(output) => ("timeout", None, output),
            HookEnd::Failed(problem) => ("failed", None, problem),
        };
        let problem = match outcome {
            "failed" => Some(format!("the configuration was not restored: {}", output.trim_end())),
            "timeout" => Some(format!("the configuration was not restored within {} s", limit.as_secs())),
            _ => None,
        };
        if let "restored" = outcome {
            output.lines().for_each(|l| self.world.console.say(l));
        }
        self.report.restore = Some(RestoreReport { outcome: outcome.into(), status, output });
        self.nothing_stays_mounted();
        problem.map_or(Ok(()), |problem| Err(Fault::Minor(problem)))
    }

    /// Unmounts what a hook left mounted of the stick.
    fn nothing_stays_mounted(&mut self) {
        if self.persist.is_some() {
            return;
        }
        let text = self.world.files.read(&format!("{}/proc/self/mounts", self.prefix)).unwrap_or_default();
        let stick = self.report.stick.clone().unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines().rev() {
            let mut words = line.split(' ');
            let (Some(device), Some(target)) = (words.next(), words.next()) else { continue };
            let ours = device == stick.device || stick.partitions.values().any(|p| p.device == device);
            if ours {
                let result = self.world.mounts.unmount(target);
                let how =
                    result.map_or_else(|e| format!("and does not go: {e}"), |()| "and was unmounted".into());
                self.warn(format!("{device} was left mounted on {target} {how}"));
            }
        }
    }

    fn capture(&mut self) -> Result<(), Fault> {
        let Some(drivers) = &self.drivers else { return Err(Fault::Machine("no drivers".into())) };
        capture::capture(self.world, drivers, &self.line)
    }
}
