//! A box that keeps its configuration: the hook of the image, the tools that keep and tell, mails as files, and a root
//! of BusyBox that gives a shell.
use crate::init_box::{Content, LIMIT, Slot, ask, ask_json};
use crate::{image, kernel};
use esos_initramfs::BootReport;
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Guest, Keep, Machine, Mark};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin:/usr/bin HOME=/ PS1='tiny# '
mkdir -p /tmp
/usr/lib/esos/watchdog
esos-image mark-good --after-boot --within 20 || echo "NOT GOOD $?"
echo "BOX-READY"
setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
reboot -f
"#;

/// The hook of the image, in a root that has no shell of that name before it. Where the test asks for it, it waits
/// until the stick is gone.
const RESTORE: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
case "$(cat /proc/cmdline)" in
  *test.pull*) echo PULL-NOW >/dev/console; while [ -b "$ESOS_PART_esos_conf" ]; do sleep 1; done ;;
esac
exec /bin/sh /usr/lib/esos/restore-conf.image
"#;

/// Takes mails as sendmail does.
const SENDMAIL: &str = "#!/bin/busybox sh\n(cat; echo; echo MAIL-END) >>/tmp/mails\n";

/// The slot of such a box, version 1.0, with files made in `dir`.
///
/// # Errors
/// In words: what is not built, or not installed here.
pub fn slot(dir: &Path, kernel: &kernel::Kernel) -> Result<Slot, String> {
    slot_of(dir, kernel, "1.0")
}

/// The same of another version.
///
/// # Errors
/// As [`slot`].
pub fn slot_of(dir: &Path, kernel: &kernel::Kernel, version: &str) -> Result<Slot, String> {
    slot_with(dir, kernel, version, "")
}

/// The same with arguments of the kernel.
///
/// # Errors
/// As [`slot`].
pub fn slot_with(dir: &Path, kernel: &kernel::Kernel, version: &str, args: &str) -> Result<Slot, String> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/bootimg/assets/root");
    let text = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|e| e.to_string())?;
        Ok::<PathBuf, String>(path)
    };
    let mut programs = Vec::new();
    for tool in ["esos", "esos-conf", "esos-image", "esos-monitor", "esos-stick"] {
        programs.push((format!("usr/sbin/{tool}"), image::release(tool)?));
    }
    let own = [
        ("usr/lib/esos/watchdog", assets.join("usr/lib/esos/watchdog")),
        ("usr/lib/esos/keep-in-memory", assets.join("usr/lib/esos/keep-in-memory")),
        ("usr/lib/esos/restore-conf.image", assets.join("usr/lib/esos/restore-conf")),
        ("usr/lib/esos/restore-conf", text("restore", RESTORE)?),
        ("usr/sbin/sendmail", text("sendmail", SENDMAIL)?),
        ("etc/esos-release", text(&format!("release-{version}"), &format!("{version}\n"))?),
        ("etc/settings", text("settings", "as shipped\n")?),
        ("etc/hostname", text("hostname", "keeper\n")?),
        ("etc/esos/mail.toml", text("mail", "to = [\"admin@example.org\"]\n")?),
    ];
    programs.extend(own.map(|(name, path)| (name.to_owned(), path)));
    // BusyBox has no checker, and its mount knows no offsets.
    for (name, program) in [("sbin/e2fsck", "/usr/sbin/e2fsck"), ("usr/bin/mount", "/usr/bin/mount")] {
        if Path::new(program).exists() {
            programs.push((name.to_owned(), PathBuf::from(program)));
        }
    }
    Slot::with(kernel, &Content { version, init: INIT, programs, args })
}

/// Waits until the box has come up and given its shell; what the console has said since.
///
/// # Errors
/// It does not come up.
pub fn ready(guest: &Guest, from: Mark) -> Result<String, Box<dyn Error>> {
    let ready = guest.console().wait_for(from, "BOX-READY", LIMIT)?;
    guest.console().wait_for(ready, "tiny# ", LIMIT)?;
    Ok(without_kernel(&guest.console().since(from).replace('\r', "")))
}

/// Without what the kernel says in the middle of somebody else's line.
fn without_kernel(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(at) = rest.find('[') {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        let stamp = from.split_once("] ").is_some_and(|(stamp, _)| {
            stamp.len() > 8 && stamp.chars().skip(1).all(|c| c == ' ' || c == '.' || c.is_ascii_digit())
        });
        let end = if stamp { from.find('\n').map_or(from.len(), |end| end.saturating_add(1)) } else { 1 };
        if !stamp {
            kept.push('[');
        }
        rest = from.get(end..).unwrap_or_default();
    }
    kept.push_str(rest);
    kept
}

/// Starts it from a stick, whose writes are kept as those of the other disks are; with what the console said.
///
/// # Errors
/// It does not come up.
pub fn start(stick: &Path, others: &[&Path]) -> Result<(Guest, String), Box<dyn Error>> {
    start_on(Disk::new(stick, Bus::Usb).id("stick").keep(Keep::Write), others)
}

/// The same where something else becomes of what is written to the stick.
///
/// # Errors
/// As [`start`].
pub fn start_on(disk: Disk, others: &[&Path]) -> Result<(Guest, String), Box<dyn Error>> {
    let mut machine = Machine::new("keeper").memory(Bytes::mib(1024)).disk(disk);
    for (n, other) in others.iter().enumerate() {
        machine = machine.disk(Disk::new(*other, Bus::Virtio).id(format!("other{n}")).keep(Keep::Write));
    }
    let guest = machine.start()?;
    let console = ready(&guest, Mark::default())?;
    Ok((guest, console))
}

/// Ends it.
///
/// # Errors
/// It does not end.
pub fn off(guest: Guest) -> Result<(), Box<dyn Error>> {
    guest.console().send("sync; poweroff -f\n")?;
    guest.wait_end(LIMIT)?;
    Ok(())
}

/// All mails of this boot. The daemon looks again and again; what was told is not told again.
///
/// # Errors
/// The shell does not answer.
pub fn mails(guest: &Guest) -> Result<Vec<String>, Box<dyn Error>> {
    let text = ask(guest, "for i in 1 2 3; do esos-monitor run >/dev/null 2>&1; done; cat /tmp/mails")?;
    // Lines of a mail end softly where they would be too long.
    let text = text.replace("=\n", "");
    Ok(text.split("MAIL-END").map(str::trim).filter(|m| !m.is_empty()).map(str::to_owned).collect())
}

/// Changes something and syncs; the generation.
///
/// # Errors
/// The sync fails.
pub fn sync(guest: &Guest, change: &str) -> Result<u64, Box<dyn Error>> {
    let (_, done) = ask_json(guest, &format!("{change}; esos-conf sync"))?;
    Ok(done["data"]["generation"].as_u64().ok_or_else(|| done.to_string())?)
}

/// The report of its boot.
///
/// # Errors
/// The shell does not answer, or what it shows is no document.
pub fn boot_report(guest: &Guest) -> Result<BootReport, Box<dyn Error>> {
    let text = without_kernel(&ask(guest, "cat /run/esos/boot.json")?);
    Ok(BootReport::from_json(&text)?)
}
