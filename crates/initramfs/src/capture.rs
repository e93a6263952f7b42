//! The crash kernel's work: what the crashed system left is saved where it can be, and the machine reboots.
//!
//! The log goes first and is on the medium before the dump begins. Every step is under the guard, which reboots when
//! one lasts too long; the dump must go on, however slowly.
use crate::boot::chain;
use crate::memory::{mem_available, mem_total};
use crate::world::{Mount, World};
use crate::{BootMode, Cmdline, Drivers, Fault, Gpt, medium, stick};
use esos_crashdump::{
    Codec, Core, DUMP_DIR, Kept, Level, Panic, PanicScan, Progress, ReadAt, SaveOptions, Store, Vm, dmesg,
};
use esos_layout::{crash, part};
use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

const MOUNT: &str = "/crash";
/// How long a mount may take: the journal of a slow stick may have to be replayed.
const MOUNTING: Duration = Duration::from_secs(120);
/// How long reading and writing the log may take.
const LOG: Duration = Duration::from_secs(120);
/// How long the dump may stand still.
const STILL: Duration = Duration::from_secs(180);
/// How long the dump may take in all: 12 GB at 5 MB/s. Then the box is of more use than the rest of the dump.
const DUMP: Duration = Duration::from_secs(2400);
/// How long flushing may take.
const CLOSING: Duration = Duration::from_secs(180);
/// How much of the log goes to the console where it can go nowhere else.
const TAIL: usize = 16 << 10;

type Memory = Core<Box<dyn ReadAt>>;

/// Somewhere a dump can go.
struct Place {
    device: String,
    what: String,
    /// Only the log: it is small and meant for other things.
    log_only: bool,
    /// Only where the marker, a directory for dumps, is there: it may be anybody's.
    marked: bool,
}

/// Saves what can be saved.
pub(crate) fn capture(world: World<'_>, drivers: &Drivers, line: &Cmdline) -> Result<(), Fault> {
    let console = world.console;
    let began = world.clock.now();
    console.warn("this is the crash kernel: the system before it has crashed");
    let room = Room::new(world);
    world.kernel.guard("reading the crashed system", LOG);
    let memory = world.crash.memory();
    let memory = memory.map_err(|e| Fault::Machine(format!("cannot read the crashed system: {e}")))?;
    let core = Core::open(memory)
        .map_err(|e| Fault::Machine(format!("cannot understand the crashed system's memory: {e}")))?;
    tell_reason(world, &core);

    let mut saved = false;
    for place in places(world, drivers, line) {
        match save_to(world, drivers, line, &core, &place, &room) {
            Ok(()) => {
                saved = true;
                break;
            }
            Err(why) => console.warn(&format!("{} ({}): {why}", place.device, place.what)),
        }
        world.kernel.guard("closing", CLOSING);
        // Where it was not mounted there is nothing to unmount.
        let _not_mounted = world.mounts.unmount(MOUNT);
    }
    if !saved {
        world.kernel.guard("writing the log to the console", LOG);
        console.warn("nothing could be saved; the end of the log follows");
        let mut tail = Tail(Vec::new());
        let _partial = Vm::new(&core).map_err(drop).map(|vm| dmesg(&vm, &mut tail).is_ok());
        String::from_utf8_lossy(&tail.0).lines().for_each(|text| console.say(text));
    }
    room.look();
    console.say(&room.to_string());
    let took = world.clock.now().saturating_sub(began);
    console.say(&format!("capture took {:.1} s; rebooting", took.as_secs_f64()));
    Ok(())
}

/// Why the system stopped, before anything else can go wrong.
fn tell_reason(world: World<'_>, core: &Memory) {
    let mut scan = PanicScan::default();
    let found = Vm::new(core).map_err(|e| e.to_string());
    if let Err(e) = found.and_then(|vm| dmesg(&vm, &mut scan).map_err(|e| e.to_string())) {
        world.console.warn(&format!("the crashed system's log cannot be read: {e}"));
    }
    let Panic { reason, process, stack, .. } = scan.finish();
    let unknown = || "for a reason that its log does not tell".to_owned();
    let release = esos_crashdump::Physical::info(core).get("OSRELEASE").unwrap_or("unknown");
    world.console.warn(&format!("kernel {release} stopped: {}", reason.unwrap_or_else(unknown)));
    process.iter().for_each(|p| world.console.say(p));
    stack.iter().take(8).for_each(|frame| world.console.say(&format!("  {frame}")));
}

/// Where the dump could go, the best first: the stick's log partition and its data partition, partitions made for
/// dumps on any disk, those of other sticks where they hold the marker, and at last, for the log alone, the
/// stick's configuration.
fn places(world: World<'_>, drivers: &Drivers, line: &Cmdline) -> Vec<Place> {
    world.kernel.guard("waiting for the medium", Duration::from_secs(150));
    let mut places: Vec<Place> = Vec::new();
    let mut conf = None;
    match medium::find(world, drivers, line, BootMode::Capture) {
        Ok(found) => {
            let stick = found.report;
            let place = |name: &str, log_only| {
                let p = stick.partitions.get(name)?;
                let what = format!("{name} of the stick {}", stick.device);
                Some(Place { device: p.device.clone(), what, log_only, marked: false })
            };
            places.extend([part::LOGS, part::DATA].into_iter().filter_map(|name| place(name, false)));
            conf = place(part::CONF, true);
        }
        Err(fault) => world.console.warn(&format!("the stick: {fault}")),
    }
    for (disk, _) in stick::disks(world.sys) {
        let Some(gpt) = table(world, &disk) else { continue };
        for name in [crash::PARTITION, part::LOGS, part::DATA] {
            let nodes = gpt.partitions.iter().filter(|p| p.name == name);
            for device in nodes.filter_map(|p| stick::partition_node(world.sys, &disk, p.number)) {
                if places.iter().all(|p| p.device != device) {
                    let marked = name != crash::PARTITION;
                    places.push(Place { device, what: format!("{name} of {disk}"), log_only: false, marked });
                }
            }
        }
    }
    places.extend(conf);
    places
}

fn table(world: World<'_>, disk: &str) -> Option<Gpt> {
    let block = world.sys.read(&format!("block/{disk}/queue/logical_block_size")).ok();
    let block = block.and_then(|text| text.trim().parse().ok()).unwrap_or(512);
    let device = world.devices.open(&format!("/dev/{disk}")).ok()?;
    Gpt::read(&*device, block).ok()
}

fn save_to(
    world: World<'_>,
    drivers: &Drivers,
    line: &Cmdline,
    core: &Memory,
    place: &Place,
    room: &Room<'_>,
) -> Result<(), String> {
    let (console, clock) = (world.console, world.clock);
    let seconds = |from: Duration| clock.now().saturating_sub(from).as_secs_f64();
    world.kernel.guard("mounting the file system for dumps", MOUNTING);
    let began = clock.now();
    drivers.load(world, "ext4");
    let mount = Mount {
        source: &place.device,
        target: MOUNT,
        kind: "ext4",
        read_only: false,
        harmless: true,
        options: "errors=remount-ro",
    };
    world.mounts.mount(&mount).map_err(|e| format!("cannot be mounted: {e}"))?;
    if place.marked && world.files.stat(&format!("{MOUNT}/{DUMP_DIR}")).is_err() {
        return Err(format!("holds no directory {DUMP_DIR}, so it is not ours to write to"));
    }
    console.say(&format!("{} ({}) mounted in {:.1} s", place.device, place.what, seconds(began)));

    world.kernel.guard("writing the log", LOG);
    let began = clock.now();
    let store = Store::open(&world.crash.directory(MOUNT).join(DUMP_DIR)).map_err(|e| e.to_string())?;
    let kept = store.begin(core).map_err(|e| format!("the log is not written: {}", chain(&e)))?;
    console.say(&format!("{}: log written in {:.1} s", kept.name, seconds(began)));
    kept.log_problem.iter().for_each(|p| console.warn(&format!("the log is not whole: {p}")));

    if place.log_only {
        console.warn("there is room for the log only");
    } else {
        save_dump(world, line, core, &store, &kept, room)?;
    }
    world.kernel.guard("closing", CLOSING);
    let began = clock.now();
    world.mounts.unmount(MOUNT).map_err(|e| format!("cannot be unmounted: {e}"))?;
    console.say(&format!("{} unmounted in {:.1} s", place.device, seconds(began)));
    Ok(())
}

fn save_dump(
    world: World<'_>,
    line: &Cmdline,
    core: &Memory,
    store: &Store,
    kept: &Kept,
    room: &Room<'_>,
) -> Result<(), String> {
    let console = world.console;
    let level = line.crash_level.and_then(|n| Level::new(n).ok()).unwrap_or(Level::LEAST);
    let options = SaveOptions { level, codec: Codec::Zstd, workers: world.crash.workers(), max_size: None };
    let teller = Teller::new(world, room);
    match store.add_dump(core, kept, &options, &mut |p| teller.tell(p)) {
        Ok(m) => {
            let took = world.clock.now().saturating_sub(teller.began).as_secs_f64();
            console.say(&format!(
                "{}: dump of level {} written in {took:.1} s, {} bytes, {} of {} pages",
                kept.name, m.level, m.size_bytes, m.pages, m.present_pages
            ));
            if m.dropped_pages > 0 {
                console.warn(&format!(
                    "no room for {} pages: the dump has what is needed first",
                    m.dropped_pages
                ));
            }
            m.unknown.iter().for_each(|u| console.warn(u));
            Ok(())
        }
        Err(e) if e.is_full() => {
            console.warn(&format!("no room for a dump, only the log is kept: {}", chain(&e)));
            Ok(())
        }
        Err(e) => Err(format!("the dump is not written: {}", chain(&e))),
    }
}

/// Tells how far the dump is, and the guard that it goes on.
struct Teller<'a> {
    world: World<'a>,
    room: &'a Room<'a>,
    began: Duration,
    told: Cell<Duration>,
}

impl<'a> Teller<'a> {
    fn new(world: World<'a>, room: &'a Room<'a>) -> Self {
        let began = world.clock.now();
        world.kernel.guard("writing the dump", STILL);
        Self { world, room, began, told: Cell::new(began) }
    }

    fn tell(&self, p: Progress) {
        let now = self.world.clock.now();
        if now.saturating_sub(self.told.get()) < Duration::from_secs(2) {
            return;
        }
        self.told.set(now);
        self.room.look();
        let took = now.saturating_sub(self.began);
        let left = DUMP.saturating_sub(took).max(Duration::from_millis(1));
        self.world.kernel.guard("writing the dump", STILL.min(left));
        let ms = took.as_millis().max(1);
        let rate = u128::from(p.pages).saturating_mul(4096 * 1000) / ms / (1 << 20);
        let rest = u128::from(p.total.saturating_sub(p.pages)).saturating_mul(ms)
            / u128::from(p.pages.max(1))
            / 1000;
        let percent = p.pages.saturating_mul(100).checked_div(p.total).unwrap_or(100);
        self.world.console.say(&format!(
            "dump: {percent} %, {} MiB written, {rate} MiB/s of memory, {rest} s left",
            p.bytes >> 20
        ));
    }
}

/// How much of the reserved memory is left: what reservations are measured by.
struct Room<'a> {
    world: World<'a>,
    total: u64,
    first: u64,
    least: Cell<u64>,
}

impl<'a> Room<'a> {
    fn new(world: World<'a>) -> Self {
        let text = meminfo(world);
        let first = mem_available(&text).unwrap_or(0);
        Self { world, total: mem_total(&text).unwrap_or(0), first, least: Cell::new(first) }
    }

    fn look(&self) {
        if let Some(now) = mem_available(&meminfo(self.world)) {
            self.least.set(self.least.get().min(now));
        }
    }
}

impl fmt::Display for Room<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [total, first, least] = [self.total, self.first, self.least.get()].map(|bytes| bytes >> 20);
        write!(f, "memory: {total} MiB, {first} MiB available at first, {least} MiB at the least")
    }
}

fn meminfo(world: World<'_>) -> String {
    String::from_utf8_lossy(&world.files.read("/proc/meminfo").unwrap_or_default()).into_owned()
}

/// The last bytes of what is written to it.
struct Tail(Vec<u8>);

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        let over = self.0.len().saturating_sub(2 * TAIL);
        if over > 0 {
            let cut = self.0.len().saturating_sub(TAIL);
            self.0.drain(..cut);
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
