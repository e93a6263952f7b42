//! Which media with our labels there are, and whether they can be read.
use esos_blockdev::{Device, Inventory};
use esos_initramfs::{Fat, Gpt, ReadAt, Window};
use esos_layout::{part, state::decode_stick};
use esos_stickwatch::{Identity, Medium};
use esos_sysfs::HostTree;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long a medium may take to answer before it counts as dead. A dying stick can hold a read for the
/// kernel's whole retry time, minutes.
const PATIENCE: Duration = Duration::from_secs(4);

/// Looks at media, each in a thread of its own, so that one that hangs stops nobody.
#[derive(Default)]
pub(crate) struct Looker {
    open: BTreeMap<String, Receiver<Result<Identity, String>>>,
    known: BTreeMap<String, Identity>,
}

impl Looker {
    /// All media with ESOS's boot partition.
    pub(crate) fn media(&mut self) -> Vec<Medium> {
        let Ok(inventory) = Inventory::read(&HostTree::new("/sys")) else { return Vec::new() };
        let disks: Vec<Device> = inventory
            .devices()
            .filter(|d| d.part_name.as_deref() == Some(part::BOOT))
            .filter_map(|p| inventory.whole(&p.name).cloned())
            .collect();
        // What was learnt of a node is forgotten when the node goes: another medium may get its name.
        self.known.retain(|node, _| disks.iter().any(|d| d.node() == *node));
        self.open.retain(|node, _| disks.iter().any(|d| d.node() == *node));
        disks.iter().map(|disk| self.medium(disk)).collect()
    }

    fn medium(&mut self, disk: &Device) -> Medium {
        let node = disk.node();
        let hardware = Identity {
            serial: disk.serial.clone(),
            model: disk.model.clone(),
            size_bytes: disk.size.get(),
            ..Identity::default()
        };
        let answer = self.open.remove(&node).unwrap_or_else(|| {
            let (send, receive) = channel();
            let (node, block) = (node.clone(), u64::from(disk.logical_block.max(512)));
            // Whoever asked may have given up; then nobody wants the answer.
            thread::spawn(move || send.send(read(&node, block)).is_ok());
            receive
        });
        let read = match answer.recv_timeout(PATIENCE) {
            Ok(read) => read,
            Err(RecvTimeoutError::Disconnected) => Err("the reader ended".to_owned()),
            Err(RecvTimeoutError::Timeout) => {
                self.open.insert(node.clone(), answer);
                Err(format!("no answer within {} seconds", PATIENCE.as_secs()))
            }
        };
        let (identity, readable) = match read {
            Ok(found) => {
                let identity = Identity { disk_guid: found.disk_guid, stick: found.stick, ..hardware };
                self.known.insert(node.clone(), identity.clone());
                (identity, Ok(()))
            }
            // It cannot be read now; who it is was learnt before.
            Err(why) => (self.known.get(&node).cloned().unwrap_or(hardware), Err(why)),
        };
        Medium { device: node, identity, readable }
    }
}

/// A disk's place below `/sys`, and the nodes of its partitions by their names.
pub(crate) fn nodes(disk: &str) -> Option<(String, BTreeMap<String, String>)> {
    let inventory = Inventory::read(&HostTree::new("/sys")).ok()?;
    let of_disk = |p: &&Device| inventory.whole(&p.name).is_some_and(|whole| whole.node() == disk);
    let named = inventory.devices().filter(of_disk).filter_map(|p| Some((p.part_name.clone()?, p.node())));
    let path = inventory.devices().find(|d| d.node() == disk)?.path.clone();
    Some((path, named.collect()))
}

/// A disk, read past the kernel's cache.
struct Disk {
    file: File,
    len: u64,
}

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
    fn len(&self) -> u64 {
        self.len
    }
}

/// The GUID of the table and the identity of the stick, read from the medium itself.
fn read(node: &str, block: u64) -> Result<Identity, String> {
    let text = |e: io::Error| e.to_string();
    let file = File::open(node).map_err(text)?;
    // Without this the kernel answers from memory, though the medium is gone.
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).map_err(|e| e.to_string())?;
    let len = io::Seek::seek(&mut &file, io::SeekFrom::End(0)).map_err(text)?;
    let disk = Disk { file, len };
    let gpt = Gpt::read(&disk, block).map_err(|e| e.to_string())?;
    let stick = gpt.named(part::BOOT).and_then(|boot| identity(&disk, boot.start, boot.length));
    Ok(Identity { disk_guid: Some(gpt.disk_guid), stick, ..Identity::default() })
}

fn identity(disk: &Disk, start: u64, length: u64) -> Option<String> {
    let boot = Window::new(disk, start, length);
    let file = Fat::open(&boot).ok()?.find(part::STICK_FILE).ok()?;
    let mut sector = [0; 512];
    boot.read_at(file.offset, &mut sector).ok()?;
    decode_stick(&sector).ok().filter(|id| id != "unset")
}
