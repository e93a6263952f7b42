//! What can be wrong with a stick while a box runs from it, made in QEMU: the guest's disk stays the same disk, and what
//! lies below it is exchanged.
use esos_initramfs::BootReport;
use esos_vm::{Guest, QmpError};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Duration;

/// The node of a partition of the booted stick, by its name.
///
/// # Errors
/// There is no command channel, no boot report, or no such partition.
pub fn partition(guest: &Guest, name: &str) -> Result<String, Box<dyn Error>> {
    let text = guest.read_file("/run/esos/boot.json")?;
    let report = BootReport::from_json(&String::from_utf8_lossy(&text))?;
    let found = report.stick.and_then(|mut stick| stick.partitions.remove(name));
    Ok(found.ok_or_else(|| format!("no partition {name}"))?.device)
}

/// A USB stick of a guest.
#[derive(Debug, Clone, Copy)]
pub struct Stick<'g> {
    guest: &'g Guest,
    id: &'g str,
}

/// What lies between the disk and the stick.
const FILTER: &str = "trouble";

impl<'g> Stick<'g> {
    /// The one that is called `stick`.
    #[must_use]
    pub fn of(guest: &'g Guest) -> Self {
        Self::named(guest, "stick")
    }

    /// The one of that name.
    #[must_use]
    pub fn named(guest: &'g Guest, id: &'g str) -> Self {
        Self { guest, id }
    }

    /// QEMU's name of its block node.
    fn node(&self) -> String {
        format!("node-{}", self.id)
    }

    /// The disk that `usb-storage` makes for itself.
    fn disk(&self) -> String {
        format!("/machine/peripheral/{id}/{id}.0/legacy[0]", id = self.id)
    }

    fn ask(&self, command: &str, arguments: Value) -> Result<(), QmpError> {
        self.guest.qmp().execute(command, arguments).map(drop)
    }

    /// Puts a block node of QEMU between the disk and the stick.
    fn filter(&self, node: Value) -> Result<(), QmpError> {
        self.ask("blockdev-add", node)?;
        self.ask("qom-set", json!({ "path": self.disk(), "property": "drive", "value": FILTER }))
    }

    /// Takes it out again.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn mend(&self) -> Result<(), QmpError> {
        self.ask("qom-set", json!({ "path": self.disk(), "property": "drive", "value": self.node() }))?;
        self.ask("blockdev-del", json!({ "node-name": FILTER }))
    }

    /// Every request of these kinds (`read`, `write`, `flush`) ends with this error number: QEMU's `blkdebug`.
    fn inject(&self, kinds: &[&str], errno: i64) -> Result<(), QmpError> {
        let rules: Vec<Value> =
            kinds.iter().map(|kind| json!({ "event": "none", "iotype": kind, "errno": errno })).collect();
        let node =
            json!({ "driver": "blkdebug", "node-name": FILTER, "image": self.node(), "inject-error": rules });
        self.filter(node)
    }

    /// Nothing can be written to it any more (EIO).
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn fails_writes(&self) -> Result<(), QmpError> {
        self.inject(&["write", "flush"], 5)
    }

    /// Nothing can be read from it or written to it (EIO).
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn fails(&self) -> Result<(), QmpError> {
        self.inject(&["read", "write", "flush"], 5)
    }

    /// Writes and flushes are said to be done; what was written is dropped. `blkdebug` takes any number as an error, and
    /// one that is below zero comes out of it as success, with nothing done.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn lies(&self) -> Result<(), QmpError> {
        self.inject(&["write"], -1)
    }

    /// Waits until the watcher of the configuration has just come to the end of a try, with nothing mounted; its next
    /// one is ten seconds away.
    ///
    /// # Errors
    /// It does not come to an end.
    pub fn between_syncs(&self) -> Result<(), Box<dyn Error>> {
        let script = "cd /run/esos; old=$(stat -c %i.%y conf.json); n=0
            while [ \"$old\" = \"$(stat -c %i.%y conf.json)\" ]; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.3; done";
        let answer = self.guest.run(script)?;
        if answer.success() { Ok(()) } else { Err(format!("the watcher does not try: {answer:?}").into()) }
    }

    /// It takes so many bytes a second, and is read as fast as ever; 0 for as many as it can. Less than 2048 would stop
    /// QEMU itself: a reset of the disk waits for what it was given, and the machine with it.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn takes_a_second(&self, bytes: u32) -> Result<(), QmpError> {
        let limits = json!({
            "id": self.disk(), "bps": 0, "bps_rd": 0, "bps_wr": bytes, "iops": 0, "iops_rd": 0, "iops_wr": 0,
        });
        self.ask("block_set_io_throttle", limits)
    }

    /// Pulled, and plugged in again with its switch on "read only", as a worn one comes back by itself.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn write_protect(&self) -> Result<(), Box<dyn Error>> {
        self.guest.pull(self.id)?;
        self.ask(
            "blockdev-add",
            json!({ "driver": "raw", "node-name": FILTER, "read-only": true, "file": self.node() }),
        )?;
        let device = json!({
            "driver": "usb-storage", "id": self.id, "drive": FILTER, "bus": "xhci.0", "serial": self.id, "removable": true,
        });
        Ok(self.ask("device_add", device)?)
    }

    /// Pulled, and plugged in again with its switch off.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn unprotect(&self) -> Result<(), Box<dyn Error>> {
        self.guest.pull(self.id)?;
        // The node is free a moment after the device is gone.
        for _ in 0..50 {
            if self.ask("blockdev-del", json!({ "node-name": FILTER })).is_ok() {
                return Ok(self.guest.plug(self.id)?);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the read-only stick is still in use".into())
    }
}
