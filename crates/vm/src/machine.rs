//! The description of a machine, and how it becomes a running guest.
use crate::accel::{self, Accel};
use crate::disk::{Bus, Disk, Placed};
use crate::net::{Net, Plug};
use crate::{Firmware, Guest, QmpError, console, firmware};
use esos_units::Bytes;
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The emulator.
pub(crate) const QEMU: &str = "/usr/bin/qemu-system-x86_64";

/// Places on PCI Express at which a disk can be plugged while the machine runs.
const SLOTS: usize = 8;
/// Ports of the board's AHCI controller.
const SATA: usize = 6;

/// A machine that does not run yet: 2 processors, 3 GiB, BIOS, no disk, no network.
pub struct Machine {
    pub(crate) name: String,
    firmware: Firmware,
    secure_boot: bool,
    memory: Bytes,
    processors: u32,
    accel: Option<Accel>,
    disks: Vec<Disk>,
    pub(crate) nets: Vec<Net>,
    kernel: Option<Kernel>,
    extra: Vec<String>,
    pub(crate) log: Option<PathBuf>,
    pub(crate) listener: Option<console::Listener>,
    end_at_reset: bool,
}

#[derive(Debug)]
struct Kernel {
    kernel: PathBuf,
    initramfs: PathBuf,
    arguments: String,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Machine").field(&self.describe()).finish()
    }
}

/// Why a machine does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No QEMU.
    #[error("{QEMU} is not installed (Debian: package qemu-system-x86)")]
    NoQemu,
    /// No OVMF.
    #[error("no UEFI firmware (Debian: package ovmf); looked for {}", list(.looked_for))]
    NoOvmf {
        /// Where.
        looked_for: Vec<PathBuf>,
    },
    /// A disk's file, or something of our own.
    #[error("{what}")]
    Io {
        /// The file, or what was done.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// More disks than the bus takes, or one that cannot hang there.
    #[error("no place at the {bus} bus for disk {id}")]
    NoPlace {
        /// The bus.
        bus: Bus,
        /// The disk.
        id: String,
    },
    /// QEMU ended at once.
    #[error("QEMU ended at once: {stderr}")]
    Died {
        /// What it said.
        stderr: String,
    },
    /// QEMU runs and says nothing.
    #[error("QEMU did not open its console within {0:?}")]
    Silent(Duration),
    /// The monitor.
    #[error("the monitor of QEMU")]
    Monitor(#[source] QmpError),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl Machine {
    /// A machine; the name is for people and makes the addresses of its network cards.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            firmware: Firmware::Bios,
            secure_boot: false,
            memory: Bytes::gib(3),
            processors: 2,
            accel: None,
            disks: Vec::new(),
            nets: Vec::new(),
            kernel: None,
            extra: Vec::new(),
            log: None,
            listener: None,
            end_at_reset: false,
        }
    }

    /// What it starts from.
    #[must_use]
    pub fn firmware(mut self, firmware: Firmware) -> Self {
        self.firmware = firmware;
        self
    }

    /// UEFI with Secure Boot on and Microsoft's keys enrolled.
    #[must_use]
    pub fn secure_boot(mut self) -> Self {
        self.firmware = Firmware::Uefi;
        self.secure_boot = true;
        self
    }

    /// Its memory, in whole MiB (a rest is dropped).
    #[must_use]
    pub fn memory(mut self, memory: Bytes) -> Self {
        self.memory = memory;
        self
    }

    /// Its processors.
    #[must_use]
    pub fn processors(mut self, processors: u32) -> Self {
        self.processors = processors;
        self
    }

    /// KVM or emulation, whatever [`accel::usable`] would say.
    #[must_use]
    pub fn accel(mut self, accel: Accel) -> Self {
        self.accel = Some(accel);
        self
    }

    /// One disk more; the firmware tries them in this order.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// One network card (virtio) more.
    #[must_use]
    pub fn net(mut self, net: Net) -> Self {
        self.nets.push(net);
        self
    }

    /// Boots this kernel without a boot loader.
    #[must_use]
    pub fn kernel(
        mut self,
        kernel: impl Into<PathBuf>,
        initramfs: impl Into<PathBuf>,
        arguments: impl Into<String>,
    ) -> Self {
        self.kernel =
            Some(Kernel { kernel: kernel.into(), initramfs: initramfs.into(), arguments: arguments.into() });
        self
    }

    /// Arguments of QEMU that nothing else here can say.
    #[must_use]
    pub fn extra<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.extra.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Writes the raw console to a file, too.
    #[must_use]
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Hands the raw console to a listener, too, as it comes.
    #[must_use]
    pub fn listener(mut self, listener: impl FnMut(&[u8]) + Send + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Ends where the guest resets, in place of starting again.
    #[must_use]
    pub fn end_at_reset(mut self) -> Self {
        self.end_at_reset = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(self) -> Result<Guest, StartError> {
        Guest::start(self)
    }

    /// The devices that it has, one a line, as QEMU is told them; for people and tests.
    #[must_use]
    pub fn describe(&self) -> String {
        match self.placed() {
            Ok(placed) => placed.iter().map(|p| format!("{}\n", p.device())).collect(),
            Err(error) => error.to_string(),
        }
    }

    pub(crate) fn chosen_accel(&self) -> Accel {
        self.accel.unwrap_or_else(accel::usable)
    }

    /// Every disk with its place.
    pub(crate) fn placed(&self) -> Result<Vec<Placed>, StartError> {
        let (mut sata, mut slot) = (0..SATA, 0..SLOTS);
        let place = |(i, disk): (usize, &Disk)| {
            let id = disk.id.clone().unwrap_or_else(|| format!("disk{i}"));
            let at = match disk.bus {
                Bus::Usb => Some("xhci.0".to_owned()),
                Bus::Virtio | Bus::Nvme => slot.next().map(|n| format!("slot{n}")),
                Bus::Sata | Bus::Cdrom if disk.absent => None,
                Bus::Sata | Bus::Cdrom => sata.next().map(|n| format!("ide.{n}")),
            };
            let at = at.ok_or_else(|| StartError::NoPlace { bus: disk.bus, id: id.clone() })?;
            // QEMU gives 0 to a kernel of its own command line.
            Ok(Placed { disk: disk.clone(), id, at, boot_index: i.saturating_add(1) })
        };
        self.disks.iter().enumerate().map(place).collect()
    }

    /// The whole command line behind the program.
    pub(crate) fn arguments(
        &self,
        dir: &Path,
        placed: &[Placed],
        plugs: &[Option<Plug>],
    ) -> Result<Vec<String>, StartError> {
        let io = |what: &Path| {
            let what = what.display().to_string();
            move |source| StartError::Io { what, source }
        };
        let mut args = Args(Vec::new());
        args.add(["-name", &self.name, "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"]);
        args.add(["-machine", if self.secure_boot { "q35,smm=on" } else { "q35" }]);
        if self.secure_boot {
            // The variables can only be changed from system management mode.
            args.add(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        }
        args.add(self.chosen_accel().args());
        args.add(["-smp", &self.processors.to_string(), "-m", &format!("{}M", self.memory.get() >> 20)]);
        args.add(["-rtc", "base=utc", "-device", "virtio-rng-pci", "-device", "qemu-xhci,id=xhci,p2=8,p3=8"]);
        args.add(["-device", "i6300esb", "-action", "watchdog=reset"]);
        if self.end_at_reset {
            args.add(["-no-reboot"]);
        }
        if self.firmware == Firmware::Uefi {
            let (code, vars) =
                firmware::ovmf(self.secure_boot).map_err(|looked_for| StartError::NoOvmf { looked_for })?;
            let own = dir.join("vars.fd");
            std::fs::copy(&vars, &own).map_err(io(&vars))?;
            args.add(["-drive", &format!("if=pflash,format=raw,readonly=on,file={}", code.display())]);
            args.add(["-drive", &format!("if=pflash,format=raw,file={}", comma(&own))]);
        }
        for n in 0..SLOTS {
            let (chassis, address) = (n.saturating_add(1), n.saturating_add(0x10));
            let port = format!("pcie-root-port,id=slot{n},chassis={chassis},addr={address:#x}");
            args.add(["-device", &port]);
        }
        for disk in placed {
            let node = disk.block_node(dir).map_err(io(&disk.disk.file))?;
            args.add(["-blockdev", &node.to_string()]);
            if !disk.disk.absent {
                args.add(["-device", &disk.device().to_string()]);
            }
        }
        for (n, (net, plug)) in self.nets.iter().zip(plugs).enumerate() {
            args.add(["-netdev", &netdev(n, net, plug.as_ref()).to_string()]);
            let device = json!({
                "driver": "virtio-net-pci", "id": format!("card{n}"), "netdev": format!("net{n}"),
                "mac": mac(&self.name, n), "romfile": "",
            });
            args.add(["-device", &device.to_string()]);
        }
        if let Some(Kernel { kernel, initramfs, arguments }) = &self.kernel {
            args.add(["-kernel", &kernel.to_string_lossy(), "-initrd", &initramfs.to_string_lossy()]);
            args.add(["-append", arguments]);
        }
        // The guest connects to sockets of ours, so there is never a moment when nobody listens.
        for (id, device) in [("console", "isa-serial,index=0"), ("command", "isa-serial,index=3")] {
            args.add(["-chardev", &format!("socket,id={id},path={}", comma(&dir.join(id)))]);
            args.add(["-device", &format!("{device},chardev={id}")]);
        }
        args.add(["-chardev", &format!("socket,id=monitor,path={}", comma(&dir.join("monitor")))]);
        args.add(["-mon", "chardev=monitor,mode=control"]);
        args.add(self.extra.iter().map(String::as_str));
        Ok(args.0)
    }

    pub(crate) fn plugs(&self) -> Result<Vec<Option<Plug>>, StartError> {
        let plug = |net: &Net| match net {
            Net::User { .. } => Ok(None),
            Net::Segment(segment) => segment.plug().map(Some),
        };
        let plugs = self.nets.iter().map(plug).collect::<Result<_, _>>();
        plugs.map_err(|source| StartError::Io { what: "the network segment".to_owned(), source })
    }
}

struct Args(Vec<String>);

impl Args {
    fn add<'a>(&mut self, args: impl IntoIterator<Item = &'a str>) {
        self.0.extend(args.into_iter().map(str::to_owned));
    }
}

/// In `key=value,…` a comma is doubled.
fn comma(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

fn netdev(n: usize, net: &Net, plug: Option<&Plug>) -> Value {
    let id = format!("net{n}");
    match (net, plug) {
        (Net::User { forward, closed }, _) => {
            let forward: Vec<_> = forward
                .iter()
                .map(|(host, guest)| json!({ "str": format!("tcp:127.0.0.1:{host}-:{guest}") }))
                .collect();
            json!({ "type": "user", "id": id, "restrict": closed, "hostfwd": forward })
        }
        (Net::Segment(_), Some(plug)) => json!({
            "type": "dgram", "id": id,
            "local": { "type": "unix", "path": plug.guest.to_string_lossy() },
            "remote": { "type": "unix", "path": plug.hub.to_string_lossy() },
        }),
        (Net::Segment(_), None) => json!({ "type": "hubport", "id": id, "hubid": 0 }),
    }
}

/// A locally administered address that differs by machine name and card: FNV-1a of the name.
pub(crate) fn mac(name: &str, card: usize) -> String {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [_, a, b, c] = hash.to_be_bytes();
    format!("52:54:{:02x}:{a:02x}:{b:02x}:{c:02x}", card & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keep;

    fn arguments(machine: &Machine) -> String {
        let dir = tempfile::tempdir().unwrap();
        let placed = machine.placed().unwrap();
        machine.arguments(dir.path(), &placed, &machine.plugs().unwrap()).unwrap().join(" ")
    }

    #[test]
    fn what_was_described_is_on_the_command_line() {
        let machine = Machine::new("a")
            .accel(Accel::Tcg)
            .memory(Bytes::mib(700))
            .processors(1)
            .disk(Disk::new("/x.iso", Bus::Cdrom))
            .disk(Disk::new("/x.img", Bus::Usb).keep(Keep::Write).id("stick").absent())
            .net(Net::User { forward: vec![(2222, 22)], closed: true });
        let line = arguments(&machine);
        for part in [
            "-accel tcg,thread=multi",
            "-smp 1 -m 700M",
            r#""driver":"ide-cd""#,
            r#""node-name":"node-stick""#,
            "tcp:127.0.0.1:2222-:22",
            "isa-serial,index=3,chardev=command",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.contains("usb-storage"), "an absent stick is a block node only");
    }

    #[test]
    fn a_seventh_sata_disk_has_no_place() {
        let seven = (0..7).fold(Machine::new("a"), |m, _| m.disk(Disk::new("/x", Bus::Sata)));
        assert_eq!(seven.describe(), "no place at the sata bus for disk disk6");
    }

    #[test]
    fn addresses_differ_by_machine_and_card() {
        let all = [mac("a", 0), mac("a", 1), mac("b", 0)];
        assert!(all.iter().all(|m| m.starts_with("52:54:") && m.len() == 17), "{all:?}");
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
    }
}
