//! Which media with our labels there are, and whether they can be read.
use esos_blockdev::{Device, Inventory};
use esos_cli::Failure;
use esos_hostfs::{Clock, HostClock};
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

/// How long one look waits for an answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a medium may take to answer before it counts as dead. A dying stick can hold a read for the
/// kernel's whole retry time, minutes; one that is being written to can be busy for many seconds, and is well.
const DEAD: Duration = Duration::from_secs(20);

/// A read that was begun, and when.
struct Asked {
    since: Duration,
    answer: Receiver<Result<Identity, String>>,
}

impl Asked {
    /// Begins a read in a thread of its own.
    fn new(read: impl FnOnce() -> Result<Identity, String> + Send + 'static) -> Self {
        let (send, answer) = channel();
        // Whoever asked may have given up; then nobody wants the answer.
        thread::spawn(move || send.send(read()).is_ok());
        Self { since: HostClock.monotonic(), answer }
    }
}

/// Looks at media, each in a thread of its own, so that one that hangs stops nobody.
#[derive(Default)]
pub(crate) struct Looker {
    open: BTreeMap<String, Asked>,
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
        let asked = self.open.remove(&node).unwrap_or_else(|| {
            let (node, block) = (node.clone(), u64::from(disk.logical_block.max(512)));
            Asked::new(move || read(&node, block))
        });
        let (identity, readable) = self.answer(&node, hardware, asked, PATIENCE);
        Medium { device: node, identity, readable }
    }

    /// What the medium answers, and whether that is well. Who it is may have been learnt before.
    fn answer(
        &mut self,
        node: &str,
        hardware: Identity,
        asked: Asked,
        patience: Duration,
    ) -> (Identity, Result<(), String>) {
        let known = self.known.get(node).cloned();
        let read = match asked.answer.recv_timeout(patience) {
            Ok(read) => read,
            Err(RecvTimeoutError::Disconnected) => Err("the reader ended".to_owned()),
            Err(RecvTimeoutError::Timeout) => {
                let late = HostClock.monotonic().saturating_sub(asked.since) >= DEAD;
                self.open.insert(node.to_owned(), asked);
                match known {
                    Some(known) if !late => return (known, Ok(())),
                    _ => Err(format!(
                        "no answer within {} seconds",
                        if late { DEAD } else { patience }.as_secs()
                    )),
                }
            }
        };
        match read {
            Ok(found) => {
                let identity = Identity { disk_guid: found.disk_guid, stick: found.stick, ..hardware };
                self.known.insert(node.to_owned(), identity.clone());
                (identity, Ok(()))
            }
            // It cannot be read now; who it is was learnt before.
            Err(why) => (known.unwrap_or(hardware), Err(why)),
        }
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
    let gpt = Gpt::read(&disk, block).map_err(|e| Failure::from(e).whole())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "/dev/sda";
    const MOMENT: Duration = Duration::from_millis(1);

    fn stick() -> Identity {
        Identity { stick: Some("one".to_owned()), ..Identity::default() }
    }

    /// What a look says of a medium whose read was begun so long ago and has no answer.
    fn waits(looker: &mut Looker, ago: Duration) -> (Identity, Result<(), String>) {
        let (send, answer) = channel();
        let asked = Asked { since: HostClock.monotonic().saturating_sub(ago), answer };
        let said = looker.answer(NODE, Identity::default(), asked, MOMENT);
        drop(send);
        said
    }

    #[test]
    fn one_that_is_busy_for_seconds_is_there_and_one_that_never_answers_is_dead() {
        let mut looker = Looker::default();
        let asked = Asked::new(|| Ok(stick()));
        assert_eq!(looker.answer(NODE, Identity::default(), asked, PATIENCE), (stick(), Ok(())));
        assert_eq!(waits(&mut looker, PATIENCE), (stick(), Ok(())));
        assert!(looker.open.contains_key(NODE), "the same read is waited for the next time");
        let (who, why) = waits(&mut looker, DEAD);
        assert_eq!((who, why.unwrap_err().as_str()), (stick(), "no answer within 20 seconds"));
        let asked = Asked::new(|| Err("Input/output error".to_owned()));
        assert_eq!(looker.answer(NODE, Identity::default(), asked, PATIENCE).0, stick());
    }

    #[test]
    fn why_it_cannot_be_read_is_said_to_the_bottom() {
        let dir = esos_hostfs::TempDir::new("stick").unwrap();
        // Reading a directory fails as reading a dead medium does, with an error of the kernel.
        let why = read(&dir.path().to_string_lossy(), 512).unwrap_err();
        assert!(why.starts_with("cannot read the GPT: ") && why.contains("os error"), "{why}");
    }

    #[test]
    fn one_that_has_never_answered_is_not_taken_for_the_stick() {
        let mut looker = Looker::default();
        assert!(waits(&mut looker, MOMENT).1.is_err());
    }
}
