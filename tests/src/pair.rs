//! Two boxes on one segment with DRBD of Debian's kernel, made from one TOML by `esos-cluster`.
use crate::image;
use crate::scst::told;
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine, Mark, Net, Segment};
use serde_json::Value;
use std::error::Error;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// For one command in a guest on a busy host without KVM.
pub const MINUTE: Duration = Duration::from_secs(60);
/// How many blocks the writer goes round.
pub const SLOTS: u64 = 64;

/// The whole cluster, as an operator writes it down: further settings, and what fences each box.
pub(crate) fn toml(settings: &str, fences: [&str; 2]) -> String {
    let node = |(fence, n): (&str, u32)| {
        format!("[[node]]\nname = \"n{n}\"\naddresses = [\"10.77.0.{n}\"]\nfence = {{ {fence} }}\n")
    };
    let nodes: String = fences.into_iter().zip(1..).map(node).collect();
    let resource = r#"[[resource]]
name = "r0"
minor = 0
disk = "/dev/disk/by-id/virtio-data"
port = 7789
targets = { n1 = ["iqn.2026-11.org.example:n1"], n2 = ["iqn.2026-11.org.example:n2"] }
"#;
    format!("name = \"pair\"\n{settings}{nodes}{resource}")
}

/// Power switches that are not there: DRBD alone cuts nobody's power.
const FENCES: [&str; 2] = [
    r#"agent = "fence_ipmilan", ip = "10.9.0.1", username = "admin", password = "hunter2""#,
    r#"agent = "fence_ipmilan", ip = "10.9.0.2", username = "admin", password = "hunter2""#,
];

/// The card on the segment: the first one.
const CARD: &str = "card=$(ls /sys/class/net | grep -v '^lo$' | sort -V | head -n 1)";

/// The image of these boxes: `ESOS_DRBD_IMAGE`, or a small one with DRBD's tools, built for this run.
///
/// # Errors
/// In words: no `esos-image`, or what it said when it could not build.
pub fn built() -> Result<PathBuf, Box<dyn Error>> {
    image::small_with("ESOS_DRBD_IMAGE", "drbd", &["drbd-utils"], |text| text, None)
}

/// `tests/examples/acked.rs` as a static program.
fn acked(dir: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acked.rs");
    let program = dir.join("acked");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(rustc)
        .args(["--edition", "2024", "-O", "-C", "strip=symbols", "-C", "target-feature=+crt-static", "-o"])
        .arg(&program)
        .arg(source)
        .output()?;
    if made.status.success() {
        Ok(std::fs::read(program)?)
    } else {
        Err(String::from_utf8_lossy(&made.stderr).into_owned().into())
    }
}

/// What the two boxes are, beyond their segment and their disks.
#[derive(Debug)]
pub struct Plan {
    /// The whole cluster, as an operator writes it down.
    pub toml: String,
    /// A network beside the segment.
    pub net: Option<Net>,
    /// Memory of a box.
    pub memory: Bytes,
    /// What is done on a box each time it has booted; `$card` is its card on the segment.
    pub set_up: String,
}

impl Default for Plan {
    /// DRBD alone. Pacemaker is not there: the test itself cuts power, so its handler says that it has (7).
    fn default() -> Self {
        let set_up = "mkdir -p /usr/lib/drbd; for s in crm-fence-peer crm-unfence-peer; do
            printf '#!/bin/sh\\nexit 7\\n' >/usr/lib/drbd/$s.sh; chmod 755 /usr/lib/drbd/$s.sh; done";
        Self { toml: toml("", FENCES), net: None, memory: Bytes::mib(1024), set_up: set_up.to_owned() }
    }
}

/// Both boxes; one that lost its power is not there.
#[derive(Debug)]
pub struct Pair {
    /// Where disks and process numbers lie.
    pub dir: tempfile::TempDir,
    image: PathBuf,
    plan: Plan,
    /// What both boxes hang on.
    pub segment: Segment,
    /// `tests/examples/acked.rs` as a static program.
    pub acked: Vec<u8>,
    guests: [Option<Guest>; 2],
    sealed: [Vec<u8>; 2],
    /// Every line of acknowledgement so far, in the order in which the blocks were written.
    pub acks: String,
    /// The number of the next block.
    pub stamp: u64,
}

impl Pair {
    /// Two boxes that have booted and know nothing yet.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn new(dir: tempfile::TempDir, image: &Path, plan: Plan) -> Result<Self, Box<dyn Error>> {
        let mut pair = Self {
            acked: acked(dir.path())?,
            image: image.to_owned(),
            plan,
            segment: Segment::new()?,
            guests: [None, None],
            sealed: [Vec::new(), Vec::new()],
            acks: String::new(),
            stamp: 1,
            dir,
        };
        for n in 0..2 {
            let data = OpenOptions::new().write(true).create(true).truncate(true).open(pair.data(n))?;
            data.set_len(64 << 20)?;
        }
        let boot = |n| pair.boot(n).map_err(|e| e.to_string());
        let (first, second) = std::thread::scope(|s| {
            let second = s.spawn(|| boot(1));
            (boot(0), second.join())
        });
        let second = second.map_err(|_panic| "the thread of the second box panicked")?;
        pair.guests = [Some(first?), Some(second?)];
        Ok(pair)
    }

    fn data(&self, n: usize) -> PathBuf {
        self.dir.path().join(format!("data{n}"))
    }

    /// A box of this pair.
    ///
    /// # Panics
    /// Where its power was cut.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test that uses a box without power is wrong")]
    pub fn on(&self, n: usize) -> &Guest {
        self.guests[n].as_ref().unwrap()
    }

    /// Runs a command on a box; a status other than 0 is an error.
    ///
    /// # Errors
    /// The command with both streams.
    pub fn sh(&self, n: usize, command: &str) -> Result<String, Box<dyn Error>> {
        told(self.on(n), command, MINUTE * 5)
    }

    /// Whether a box has power.
    #[must_use]
    pub fn is_on(&self, n: usize) -> bool {
        self.guests[n].is_some()
    }

    /// A machine with the pair's image on its segment.
    #[must_use]
    pub fn machine(&self, name: &str) -> Machine {
        let stick = Disk::new(&self.image, Bus::Virtio).id("stick");
        let stick = stick.keep(Keep::Overlay(self.dir.path().join(format!("{name}.qcow2"))));
        let log = self.dir.path().join(format!("{name}.console"));
        Machine::new(name).log(log).disk(stick).net(Net::Segment(self.segment.clone()))
    }

    /// Boots a box, and gives it its name and its address on the segment.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn up(&self, machine: Machine, name: &str, host: usize) -> Result<Guest, Box<dyn Error>> {
        let mut boot = image::boot(&self.image, Firmware::Bios, Bus::Virtio);
        // Three boxes at a time.
        boot.limit *= 3;
        let guest = image::up(machine, &boot)?;
        let set_up = format!(
            "set -e; dmesg -n 1; echo {name} >/proc/sys/kernel/hostname; {CARD}; ip link set $card up
             ip addr flush dev $card; ip addr add 10.77.0.{host}/24 dev $card"
        );
        told(&guest, &set_up, MINUTE * 3)?;
        guest.write_file("/root/acked", &self.acked)?;
        told(&guest, "chmod 755 /root/acked", MINUTE)?;
        Ok(guest)
    }

    fn boot(&self, n: usize) -> Result<Guest, Box<dyn Error>> {
        let name = format!("n{}", n + 1);
        let data = Disk::new(self.data(n), Bus::Virtio).id("data").serial("data").keep(Keep::Write);
        let pid = pid_file(self.dir.path(), n).display().to_string();
        let mut machine = self.machine(&name).memory(self.plan.memory).disk(data).extra(["-pidfile", &pid]);
        if let Some(net) = &self.plan.net {
            machine = machine.net(net.clone());
        }
        let guest = self.up(machine, &name, n + 1)?;
        told(&guest, &format!("set -e; {CARD}; modprobe drbd; {}", self.plan.set_up), MINUTE * 5)?;
        Ok(guest)
    }

    /// From the TOML to a pair that mirrors: `init` on the first box, `join` on both, the first resync.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn make(&mut self) -> Result<(), Box<dyn Error>> {
        self.on(0).write_file("/root/pair.toml", self.plan.toml.as_bytes())?;
        self.sh(0, "esos-cluster init /root/pair.toml --out /root/sealed")?;
        for n in 0..2 {
            self.sealed[n] = self.on(0).read_file(&format!("/root/sealed/n{}.join", n + 1))?;
            self.join(n)?;
            self.sh(n, "drbdadm create-md --force r0 && drbdadm up r0")?;
        }
        self.sh(0, "drbdadm primary --force r0")?;
        self.even()
    }

    fn join(&self, n: usize) -> Result<(), Box<dyn Error>> {
        self.on(n).write_file("/root/sealed.join", &self.sealed[n])?;
        self.sh(
            n,
            "chmod 600 /root/sealed.join; esos-cluster join /root/sealed.join --yes && esos-drbd check",
        )?;
        Ok(())
    }

    /// What `esos-drbd status` says of the one resource.
    ///
    /// # Errors
    /// The command failed, or its document has no resource.
    pub fn status(&self, n: usize) -> Result<Value, Box<dyn Error>> {
        let document: Value = serde_json::from_str(&self.sh(n, "esos-drbd status --json")?)?;
        document.pointer("/data/resources/0").cloned().ok_or_else(|| document.to_string().into())
    }

    /// A word of the state: `/role`, `/devices/0/disk`, `/connections/0/connection`, …
    #[must_use]
    pub fn word(&self, n: usize, pointer: &str) -> String {
        let status = self.status(n).unwrap_or_default();
        status.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned()
    }

    /// Waits until both sides are connected and UpToDate.
    ///
    /// # Errors
    /// They are not in time.
    pub fn even(&self) -> Result<(), Box<dyn Error>> {
        let fine = |n| {
            self.word(n, "/devices/0/disk") == "UpToDate"
                && self.word(n, "/connections/0/peer_devices/0/peer_disk") == "UpToDate"
                && self.word(n, "/connections/0/connection") == "Connected"
        };
        Ok(image::eventually("both sides are UpToDate", MINUTE * 10, || fine(0) && fine(1))?)
    }

    /// Begins to write on a box, without end; [`Pair::since`] has what was acknowledged.
    ///
    /// # Errors
    /// The writer does not start.
    pub fn write(&self, n: usize) -> Result<Mark, Box<dyn Error>> {
        let mark = self.on(n).console().mark();
        let stamp = self.stamp;
        self.sh(
            n,
            &format!("/root/acked write /dev/drbd0 {SLOTS} {stamp} >/dev/ttyS0 2>&1 </dev/null & sleep 1"),
        )?;
        Ok(mark)
    }

    /// The acknowledgements of a box since a mark, whole lines only.
    #[must_use]
    pub fn since(&self, n: usize, mark: Mark) -> Vec<String> {
        lines(self.on(n), mark, "ack ")
    }

    /// Waits for that many acknowledgements.
    ///
    /// # Errors
    /// They do not come.
    pub fn wait_acks(&self, n: usize, mark: Mark, count: usize) -> Result<(), Box<dyn Error>> {
        let what = format!("{count} acknowledged writes");
        Ok(image::eventually(&what, MINUTE * 8, || self.since(n, mark).len() >= count)?)
    }

    /// Takes what was acknowledged into the book.
    pub fn book(&mut self, lines: Vec<String>) -> usize {
        let count = lines.len();
        for line in lines {
            let stamp = line.split(' ').nth(2).and_then(|w| w.parse::<u64>().ok());
            // Blocks that were written and not acknowledged must not be written again under their number.
            self.stamp = self.stamp.max(stamp.unwrap_or(0).saturating_add(1000));
            self.acks.push_str(&line);
            self.acks.push('\n');
        }
        count
    }

    /// Cuts the power of a box.
    pub fn cut(&mut self, n: usize) {
        if let Some(guest) = self.guests[n].take() {
            guest.cut_power();
        }
    }

    /// Power comes back: RAM is fresh, so the box joins again; its disk is as it was.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn back(&mut self, n: usize) -> Result<(), Box<dyn Error>> {
        self.boot_again(n)?;
        self.sh(n, "drbdadm up r0")?;
        self.even()
    }

    /// The same, without DRBD: a cluster starts that itself.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn boot_again(&mut self, n: usize) -> Result<(), Box<dyn Error>> {
        self.guests[n] = Some(self.boot(n)?);
        self.join(n)
    }

    /// Compares a box's device with the book: how many slots, and the lines of those that are lost.
    ///
    /// # Errors
    /// The checker could not read.
    pub fn check(&self, n: usize) -> Result<(usize, Vec<String>), Box<dyn Error>> {
        self.check_at(self.on(n), "/dev/drbd0")
    }

    /// The same of any device of any guest.
    ///
    /// # Errors
    /// The checker could not read.
    pub fn check_at(&self, guest: &Guest, device: &str) -> Result<(usize, Vec<String>), Box<dyn Error>> {
        guest.write_file("/root/acks", self.acks.as_bytes())?;
        let said = guest.run_within(&format!("/root/acked check {device} </root/acks"), MINUTE * 5)?;
        let text = said.text();
        let total =
            text.lines().last().and_then(|l| l.strip_prefix("checked ")?.split(' ').next()?.parse().ok());
        let lost = text.lines().filter(|l| l.starts_with("slot ")).map(str::to_owned).collect();
        Ok((total.ok_or_else(|| format!("{text}{}", said.error_text()))?, lost))
    }
}

/// Where the number of a box's process stands.
#[must_use]
pub fn pid_file(dir: &Path, n: usize) -> PathBuf {
    dir.join(format!("n{}.pid", n + 1))
}

/// Lines of a console since a mark that have a word in them, from that word on; whole lines only.
#[must_use]
pub fn lines(guest: &Guest, mark: Mark, word: &str) -> Vec<String> {
    let text = guest.console().since(mark);
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().filter_map(|l| l.find(word).and_then(|at| l.get(at..)));
    lines.map(|l| l.trim().to_owned()).collect()
}
