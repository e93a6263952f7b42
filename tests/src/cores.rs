//! Cores of real kernels: by QEMU's monitor out of a running guest, and by a crash kernel in it. The guest
//! has every kind of page that a dump leaves out.
use crate::apt;
use crate::busybox::busybox;
use crate::cpio::Cpio;
use crate::kernel::Kernel;
use crate::tiny::LIMIT;
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Guest, Keep, Machine, Mark};
use serde_json::json;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How the memory gets out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `dump-guest-memory` of QEMU's monitor: the kernel still runs.
    Monitor,
    /// A crash kernel loaded with `kexec_file_load`, and `/proc/vmcore`.
    FileLoad,
    /// The same with the older `kexec_load`.
    Load,
}

/// A core to be made.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// Its name.
    pub name: &'static str,
    /// The empty package that stands for the kernel's newest one.
    pub package: &'static str,
    /// Memory of the guest in MiB.
    pub memory: u64,
    /// Words on the kernel's command line; `no5lvl` keeps page tables at four levels.
    pub words: &'static str,
    /// Memory below 4 GiB in MiB, where the rest is to lie above and leave a hole.
    pub below: Option<u64>,
    /// How the memory gets out.
    pub way: Way,
}

/// The cores that classification is tried on.
pub const RECIPES: [Recipe; 6] = [
    Recipe {
        name: "6.1-monitor",
        package: "linux-image-amd64",
        memory: 512,
        words: "no5lvl",
        below: None,
        way: Way::Monitor,
    },
    Recipe {
        name: "6.1-levels5-hole",
        package: "linux-image-amd64",
        memory: 576,
        words: "",
        below: Some(384),
        way: Way::Monitor,
    },
    Recipe {
        name: "6.12-monitor",
        package: "linux-image-6.12-amd64",
        memory: 640,
        words: "no5lvl",
        below: None,
        way: Way::Monitor,
    },
    Recipe {
        name: "6.12-levels5-hole",
        package: "linux-image-6.12-amd64",
        memory: 640,
        words: "",
        below: Some(512),
        way: Way::Monitor,
    },
    Recipe {
        name: "6.12-file-load",
        package: "linux-image-6.12-amd64",
        memory: 640,
        words: "no5lvl crashkernel=160M",
        below: None,
        way: Way::FileLoad,
    },
    Recipe {
        name: "6.1-kexec-load",
        package: "linux-image-amd64",
        memory: 512,
        words: "no5lvl crashkernel=160M",
        below: None,
        way: Way::Load,
    },
];

const MODULES: [&str; 4] = ["virtio_pci", "virtio_blk", "qemu_fw_cfg", "ext4"];

/// In both kernels. What runs before the crash makes pages of every kind; what cannot be made is said.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /run /tmp /mnt
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r m; do insmod /modules/$m.ko; done </modules/list
if [ -e /proc/vmcore ]; then
  size=$(stat -c %s /proc/vmcore)
  echo "CORE-COPY $size"
  dd if=/proc/vmcore of=/dev/vdb bs=1M && sync && echo "CORE-SIZE=$size."
  poweroff -f
fi
for word in $(cat /proc/cmdline); do case $word in boot.*=*) eval "${word#boot.}";; esac; done
mount -t tmpfs -o size=25% tmpfs /tmp
dd if=/dev/urandom of=/tmp/noise bs=1M count=24
dd if=/dev/zero of=/tmp/zeros bs=1M count=8
# Cache with and without private data: a file system on the scratch disk, and the raw disk.
mount -t ext4 /dev/vdc /mnt && cp /tmp/noise /mnt/file && sync && cat /mnt/file >/dev/null
dd if=/dev/vda of=/dev/null bs=1M count=48
# Anonymous memory, read-only text, huge pages, a damaged page.
awk 'BEGIN { s = "anonymous "; while (length(s) < 20000000) s = s s; while (1) system("sleep 1000") }' &
echo 6 >/proc/sys/vm/nr_hugepages || echo "WITHOUT huge pages"
sleep 5
for page in 0x3000000 0x5000000 0x7000000; do
  echo $page >/sys/devices/system/memory/hard_offline_page && break
done
echo "POISON $(grep -i corrupt /proc/meminfo)"
rm /tmp/zeros
if [ -n "$kernel" ]; then
  head -c "$kernel" /dev/vda >/run/vmlinuz
  dd if=/dev/vda bs=4096 skip=$((kernel / 4096 + 1)) 2>/dev/null | head -c "$initrd" >/run/initrd
  echo "RESERVED $(cat /sys/kernel/kexec_crash_size)"
  /sbin/kexec $call -p /run/vmlinuz --initrd=/run/initrd --append="console=ttyS0 nr_cpus=1 reset_devices irqpoll panic=-1 $words"
  echo "LOADED $(cat /sys/kernel/kexec_crash_loaded)"
  rm /run/vmlinuz /run/initrd
fi
sync
echo CORE-READY
[ -z "$kernel" ] || { sleep 1; echo c >/proc/sysrq-trigger; }
while :; do sleep 1000; done
"#;

/// Makes a core in a directory, or gives the one that is there.
///
/// # Errors
/// In words, where this host lacks what the guest is made of, or the guest does not do what it should.
pub fn make(recipe: &Recipe, dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let core = dir.join(format!("{}.core", recipe.name));
    if core.exists() {
        return Ok(core);
    }
    let kernel = crate::kernel::of_package(recipe.package)?;
    let work = tempfile::tempdir()?;
    let file = |name: &str| work.path().join(name);
    let archive = initramfs(&kernel, recipe.way != Way::Monitor)?;
    fs::write(file("initrd"), &archive)?;
    fs::File::create(file("scratch"))?.set_len(Bytes::mib(64).get())?;
    if !Command::new("/sbin/mkfs.ext4").arg("-q").arg(file("scratch")).status()?.success() {
        return Err("mkfs.ext4 made no file system".into());
    }
    let target = dir.join(format!(".{}.tmp", recipe.name));
    fs::File::create(&target)?.set_len(Bytes::mib(recipe.memory + 64).get())?;
    let mut input = fs::read(&kernel.image)?;
    let length = input.len();
    input.resize(length / 4096 * 4096 + 4096, 0);
    input.extend_from_slice(&archive);
    input.resize(input.len().max(64 << 20).next_multiple_of(4096), 7);
    fs::write(file("input"), &input)?;

    let mut words = format!("console=ttyS0 panic=-1 {}", recipe.words);
    if recipe.way != Way::Monitor {
        let call = if recipe.way == Way::FileLoad { "-s" } else { "-c" };
        words += &format!(
            " boot.kernel={length} boot.initrd={} boot.call={call} boot.words=no5lvl",
            archive.len()
        );
    }
    let mut machine = Machine::new(recipe.name)
        .memory(Bytes::mib(recipe.memory))
        .kernel(&kernel.image, file("initrd"), words)
        .extra(["-device", "vmcoreinfo"])
        .end_at_reset()
        .disk(Disk::new(file("input"), Bus::Virtio).id("input"))
        .disk(Disk::new(&target, Bus::Virtio).id("core").keep(Keep::Write))
        .disk(Disk::new(file("scratch"), Bus::Virtio).id("scratch"));
    if let Some(below) = recipe.below {
        machine = machine.extra(["-machine".to_owned(), format!("max-ram-below-4g={below}M")]);
    }
    let guest = machine.start()?;
    let ready = guest.console().wait_for(Mark::default(), "CORE-READY", LIMIT.saturating_mul(3))?;
    match recipe.way {
        Way::Monitor => by_monitor(&guest, &target)?,
        Way::FileLoad | Way::Load => {
            guest.console().wait_for(ready, "CORE-SIZE=", LIMIT.saturating_mul(3))?;
            guest.wait_end(LIMIT)?;
            let text = guest.console().text();
            let size = text.split("CORE-SIZE=").last().and_then(|t| t.split('.').next());
            let size: u64 = size.unwrap_or_default().parse()?;
            fs::File::options().write(true).open(&target)?.set_len(size)?;
        }
    }
    fs::rename(&target, &core)?;
    Ok(core)
}

fn by_monitor(guest: &Guest, target: &Path) -> Result<(), Box<dyn Error>> {
    let arguments = json!({
        "paging": false, "protocol": format!("file:{}", target.display()), "detach": true, "format": "elf",
    });
    guest.qmp().execute("dump-guest-memory", arguments)?;
    let done = guest.qmp().event("DUMP_COMPLETED", LIMIT, |_| true)?;
    if let Some(error) = done.get("error") {
        return Err(format!("dump-guest-memory: {error}").into());
    }
    guest.qmp().execute("quit", json!({}))?;
    guest.wait_end(Duration::from_secs(30))?;
    Ok(())
}

fn initramfs(kernel: &Kernel, with_kexec: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let busybox = busybox()?;
    let mut archive = Cpio::default();
    for dir in ["bin", "sbin", "modules", "dev"] {
        archive.directory(dir);
    }
    archive.file("bin/busybox", 0o755, &busybox);
    archive.file("init", 0o755, INIT.as_bytes());
    let mut list = String::new();
    for (name, bytes) in kernel.modules(&MODULES)? {
        archive.file(&format!("modules/{name}.ko"), 0o644, &bytes);
        list.push_str(&name);
        list.push('\n');
    }
    archive.file("modules/list", 0o644, list.as_bytes());
    if with_kexec {
        add_kexec(&mut archive)?;
    }
    Ok(archive.finish())
}

/// Debian's kexec with the libraries that it needs on this host.
fn add_kexec(archive: &mut Cpio) -> Result<(), Box<dyn Error>> {
    let dir = apt::unpacked("kexec", &apt::with_libraries("kexec-tools", &["libxen"]), |dir| {
        dir.join("sbin/kexec").is_file()
    })?;
    let program = dir.join("sbin/kexec");
    archive.file("sbin/kexec", 0o755, &fs::read(&program)?);
    let libraries = dir.join("usr/lib/x86_64-linux-gnu");
    let listed = Command::new("ldd").arg(&program).env("LD_LIBRARY_PATH", &libraries).output()?;
    let mut made = std::collections::BTreeSet::new();
    for path in String::from_utf8_lossy(&listed.stdout).split_whitespace().filter(|w| w.starts_with('/')) {
        let inside = Path::new(path).strip_prefix(&dir).map_or(path, |p| p.to_str().unwrap_or(path));
        let inside = inside.trim_start_matches('/');
        let ends = inside.match_indices('/').map(|(at, _)| at);
        for directory in ends.filter_map(|at| inside.get(..at)) {
            if made.insert(directory.to_owned()) {
                archive.directory(directory);
            }
        }
        archive.file(inside, 0o755, &fs::read(path)?);
    }
    Ok(())
}
