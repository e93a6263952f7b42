//! Loading drivers for the devices that are there, and for those that come.
use crate::{ModuleTables, Uevent, World};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// `ENODEV`, `ENXIO`: the driver found no hardware of its kind, as `crc32c_intel` on an old processor.
const NOT_THERE: [i32; 2] = [19, 6];

/// What was loaded so far.
#[derive(Debug)]
pub struct Drivers {
    tables: ModuleTables,
    directory: String,
    tried: RefCell<BTreeSet<String>>,
    aliases: RefCell<BTreeSet<String>>,
    failed: RefCell<Vec<String>>,
}

impl Drivers {
    /// Reads the tables of a kernel release. Tables that are missing are empty: a kernel may have all
    /// that it needs built in.
    #[must_use]
    pub fn open(world: World<'_>, release: &str) -> Self {
        let directory = format!("{}/{release}", esos_layout::initrd::MODULE_DIR);
        let table = |name: &str| {
            let bytes = world.files.read(&format!("{directory}/{name}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let tables = ModuleTables::parse(
            &table("modules.alias"),
            &table("modules.dep"),
            &table("modules.softdep"),
            &table("modules.builtin"),
        );
        Self {
            tables,
            directory,
            tried: RefCell::default(),
            aliases: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    /// Whether the initramfs has a module, or the kernel has it built in.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tables.load_order(name).is_ok()
    }

    /// Loads a module and what it needs; each is tried once. Whether the kernel has it now.
    pub fn load(&self, world: World<'_>, name: &str) -> bool {
        let order = match self.tables.load_order(name) {
            Ok(order) => order,
            Err(e) => {
                self.failed.borrow_mut().push(e.to_string());
                return false;
            }
        };
        let mut loaded = true;
        for path in order {
            if !self.tried.borrow_mut().insert(path.to_owned()) {
                continue;
            }
            match world.kernel.load(&format!("{}/{path}", self.directory)) {
                Ok(()) => world.console.detail(&format!("loaded {path}")),
                Err(e) if e.raw_os_error().is_some_and(|n| NOT_THERE.contains(&n)) => {
                    world.console.detail(&format!("{path}: no such hardware"));
                }
                Err(e) => {
                    loaded = false;
                    self.failed.borrow_mut().push(format!("{path}: {e}"));
                    world.console.detail(&format!("{path}: {e}"));
                }
            }
        }
        loaded
    }

    /// Loads the modules of the fixed list.
    pub fn load_fixed(&self, world: World<'_>) {
        let list = world.files.read(esos_layout::initrd::MODULES).unwrap_or_default();
        for line in String::from_utf8_lossy(&list).lines() {
            let name = line.split('#').next().unwrap_or_default().trim();
            if !name.is_empty() {
                self.load(world, name);
            }
        }
    }

    /// Loads what fits an alias; each alias is looked up once.
    pub fn load_for(&self, world: World<'_>, modalias: &str) {
        if self.aliases.borrow_mut().insert(modalias.to_owned()) {
            for name in self.tables.matching(modalias) {
                self.load(world, name);
            }
        }
    }

    /// Loads drivers for all devices that sysfs shows now. Drivers make devices (a USB controller its
    /// hubs), and those come as events.
    pub fn coldplug(&self, world: World<'_>) {
        let list = |path: &str| world.sys.list(path).unwrap_or_default();
        for bus in list("bus") {
            let devices = format!("bus/{}/devices", bus.name);
            for device in list(&devices) {
                if let Ok(alias) = world.sys.read(&format!("{devices}/{}/modalias", device.name)) {
                    self.load_for(world, alias.trim());
                }
            }
        }
    }

    /// Loads drivers for devices that came.
    pub fn events(&self, world: World<'_>, events: &[Uevent]) {
        for alias in events.iter().filter_map(Uevent::modalias) {
            self.load_for(world, alias);
        }
    }

    /// How many files were loaded or tried.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tried.borrow().len()
    }

    /// What could not be loaded, and why. None of it stops a boot.
    #[must_use]
    pub fn failed(&self) -> Vec<String> {
        self.failed.borrow().clone()
    }
}
