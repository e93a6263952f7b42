//! The answer file on the stick.
use crate::machine::{boot_report, carry_out, needs_setup};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_firstboot::{Answers, MARKER};
use esos_hostfs::{Files, HostFiles, MountFlags, mount, unmount};
use esos_layout::part;
use std::path::Path;

pub(crate) fn answers(ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new("/");
    if !needs_setup("/".as_ref())? || files.stat(MARKER).is_ok() {
        ui.detail("this box is set up already");
        return Ok(Exit::Done);
    }
    let Some(device) = boot_partition(&files) else {
        ui.detail("the boot partition is not known");
        return Ok(Exit::Done);
    };
    let Some(bytes) = read_file(&files, &device)? else {
        return Ok(Exit::Done);
    };
    let origin = format!("{} of {device}", part::ANSWERS_FILE);
    let text = String::from_utf8(bytes).map_err(|_no_text| {
        Failure::new(Exit::Invalid, format!("{origin} is no UTF-8 text; nothing of it is applied"))
    })?;
    let answers = Answers::parse(&origin, &text)
        .map_err(|e| Failure::findings(vec![e.diagnostic("answers::line")], &text))
        .map_err(|f| {
            f.help("nothing of the file was applied; log in as root on the console to set up the box")
        })?;
    if let Some(zone) = &answers.timezone
        && files.stat(&format!("/usr/share/zoneinfo/{zone}")).is_err()
    {
        return Err(Failure::new(
            Exit::Invalid,
            format!("{origin}: there is no time zone {zone}; nothing of it is applied"),
        ));
    }
    carry_out(&answers, "esos/answers.conf")?;
    ui.say(format!("applied {origin}"));
    Ok(Exit::Done)
}

/// The boot partition of the stick that booted, by what `esos-init` found. Not by label: another stick may
/// carry the same.
fn boot_partition(files: &HostFiles) -> Option<String> {
    let stick = boot_report(files)?.stick?;
    Some(stick.partitions.get(part::BOOT)?.device.clone())
}

/// The file, with the partition mounted read-only for that moment.
fn read_file(files: &HostFiles, device: &str) -> Result<Option<Vec<u8>>, Failure> {
    let target = Path::new(part::BOOT_MOUNT);
    files.make_dir(part::BOOT_MOUNT)?;
    // mount(2) loads a file system's module by itself, but not its character sets.
    for module in ["vfat", "nls_cp437", "nls_iso8859-1", "nls_ascii"] {
        let _loaded = HostRunner.run(&Cmd::new("/sbin/modprobe").args(["-q", module]));
    }
    let flags = MountFlags::READ_ONLY | MountFlags::NO_DEV | MountFlags::NO_SUID | MountFlags::NO_EXEC;
    mount(device, target, "vfat", flags, "").context(format!("cannot read {device}, the boot partition"))?;
    let read = files.read(&format!("{}/{}", part::BOOT_MOUNT, part::ANSWERS_FILE));
    let gone = unmount(target, false);
    let bytes = match read {
        Err(e) if e.is_not_found() => None,
        other => Some(other?),
    };
    gone?;
    Ok(bytes)
}
