//! The file system of the new root, and what is unpacked into it.
use super::{Boot, NEW_ROOT, chain};
use crate::persist::Persist;
use crate::world::{Mount, World};
use crate::{BootMode, Fault, MemoryNeed, Progress, RootReport, UnpackError, unpack};
use esos_layout::slot;
use std::cell::Cell;
use std::time::Duration;

impl Boot<'_> {
    pub(super) fn memory(&mut self) -> Result<(), Fault> {
        let total = self.report.memory_bytes;
        match self.need().refusal(total) {
            Some(refusal) if self.line.no_memory_check => Err(Fault::Minor(refusal)),
            Some(refusal) => Err(Fault::Machine(refusal)),
            None => Ok(()),
        }
    }

    fn need(&mut self) -> MemoryNeed {
        let processors = self.world.sys.list("devices/system/cpu").unwrap_or_default();
        let is_cpu = |n: &str| {
            n.strip_prefix("cpu").is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
        };
        let count = processors.iter().filter(|e| is_cpu(&e.name)).count();
        let need = MemoryNeed::of(&self.index, count, self.report.memory_bytes);
        *self.need.insert(need)
    }

    pub(super) fn room(&mut self) -> Result<(), Fault> {
        let need = self.need();
        if let BootMode::Persist { .. } = self.mode {
            self.load("ext4");
            self.load("overlay");
            let persist = Persist::of(&self.index_text);
            let stick = self.report.stick.clone().unwrap_or_default();
            let there = persist.open(self.world, &stick)?;
            self.unpack_to = (!there).then(|| persist.target());
            self.persist = Some(persist);
            return Ok(());
        }
        let options = format!("mode=0755,size={}k,nr_inodes={}", need.tmpfs / 1024, need.inodes);
        let mount = Mount {
            source: "esos",
            target: NEW_ROOT,
            kind: "tmpfs",
            read_only: false,
            harmless: false,
            options: &options,
        };
        self.world.mounts.mount(&mount).map_err(|e| Fault::Machine(format!("cannot mount a tmpfs: {e}")))
    }

    pub(super) fn unpack(&mut self) -> Result<(), Fault> {
        let need = self.need();
        let kind = if self.persist.is_some() { "overlay" } else { "tmpfs" };
        let mut root = RootReport {
            kind: kind.into(),
            frames: u64::try_from(self.index.frames.len()).unwrap_or(u64::MAX),
            packed_bytes: self.index.packed(),
            unpacked_bytes: self.index.unpacked(),
            tmpfs_bytes: if self.persist.is_some() { 0 } else { need.tmpfs },
            workers: u64::try_from(need.effort.workers).unwrap_or(0),
            ..RootReport::default()
        };
        let Some(target) = self.unpack_to.clone() else {
            self.world.console.say("the root lies unpacked on the stick");
            self.report.root = Some(root);
            return Ok(());
        };
        let path = format!("{}/{}", self.slot_dir, slot::ROOT);
        let image = self
            .world
            .root
            .image(&path)
            .map_err(|e| self.slot_or_medium(format!("cannot open {path}: {e}")))?;
        let tree = self
            .world
            .root
            .tree(&target)
            .map_err(|e| Fault::Machine(format!("cannot open {target}: {e}")))?;
        let teller = Teller::new(self.world);
        let done = unpack(&self.index, &*image, &*tree, need.effort, &|p| teller.tell(p));
        let done = done.map_err(|e| match e {
            UnpackError::Tree(_) => Fault::Machine(self.no_room(&e)),
            UnpackError::Damaged { .. } | UnpackError::Read { .. } => self.slot_or_medium(chain(&e)),
        })?;
        (root.entries, root.reread) = (done.entries, done.reread);
        if done.reread > 0 {
            self.warn(format!(
                "{} frames of the root image came wrong from the medium and right the second time",
                done.reread
            ));
        }
        if let Some(persist) = &self.persist {
            persist
                .commit(self.world)
                .map_err(|e| Fault::Medium(format!("cannot keep the unpacked root: {e}")))?;
        }
        self.report.root = Some(root);
        Ok(())
    }

    /// Why an entry of the root could not be made. Of a stick that is too small, what would help.
    fn no_room(&self, error: &UnpackError) -> String {
        let full =
            matches!(error, UnpackError::Tree(e) if e.source.kind() == std::io::ErrorKind::StorageFull);
        let size = self.index.unpacked().div_ceil(1 << 20);
        match full && self.persist.is_some() {
            true => format!(
                "{}: with esos_persist the root of {size} MiB lies on the stick's esos_data, or else on its \
                 esos_logs: make that larger, or boot without esos_persist",
                chain(error)
            ),
            false => chain(error),
        }
    }

    pub(super) fn overlay(&mut self) -> Result<(), Fault> {
        let Some(persist) = &self.persist else { return Ok(()) };
        let copied = persist
            .root(self.world, NEW_ROOT)
            .map_err(|e| Fault::Machine(format!("cannot make the root of what lies on the stick: {e}")))?;
        self.world.console.say(&format!(
            "/usr lies on the stick (esos_persist), {} MiB of the root in memory",
            copied.div_ceil(1 << 20)
        ));
        Ok(())
    }
}

/// Tells how far unpacking is: every tenth part, or every ten seconds.
struct Teller<'a> {
    world: World<'a>,
    began: Duration,
    told: Cell<(Duration, u64)>,
}

impl<'a> Teller<'a> {
    fn new(world: World<'a>) -> Self {
        let began = world.clock.now();
        Self { world, began, told: Cell::new((began, 0)) }
    }

    fn tell(&self, p: Progress) {
        let now = self.world.clock.now();
        let tenths = p.packed.saturating_mul(10).checked_div(p.packed_total).unwrap_or(10);
        let (at, told) = self.told.get();
        if tenths <= told && now.saturating_sub(at) < Duration::from_secs(10) {
            return;
        }
        self.told.set((now, tenths));
        let took = now.saturating_sub(self.began).as_millis().max(1);
        let mib = |bytes: u64| bytes / (1 << 20);
        let rate = u128::from(p.unpacked).saturating_mul(1000) / took / (1 << 20);
        let left = p.packed_total.saturating_sub(p.packed);
        let left = u128::from(left).saturating_mul(took) / u128::from(p.packed.max(1)) / 1000;
        let percent = p.packed.saturating_mul(100).checked_div(p.packed_total).unwrap_or(100);
        self.world
            .console
            .say(&format!("unpacking: {percent} %, {} MiB, {rate} MiB/s, {left} s left", mib(p.unpacked)));
    }
}
