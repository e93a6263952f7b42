//! `esos-crash arm` and `disarm`.
use crate::args::Arm;
use crate::check;
use crate::logs::{Mounted, boot_report};
use crate::status::observe;
use esos_alert::Inbox;
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_crashdump::{SETTINGS, arguments};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::{
    Clock, FileError, Files, HostClock, HostFiles, MountFlags, Stream, load_crash_kernel, unload_crash_kernel,
};
use esos_layout::{Slot, crash, slot};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Debian's program, for kernels without kexec_file_load.
const KEXEC: [&str; 2] = ["/usr/sbin/kexec", "/sbin/kexec"];
const ENOSYS: i32 = 38;

#[derive(Serialize)]
struct Armed {
    slot: Option<Slot>,
    version: Option<String>,
    kernel: PathBuf,
    initramfs: PathBuf,
    initramfs_bytes: u64,
    reserved_bytes: u64,
    call: &'static str,
    arguments: String,
    level: u8,
}

pub(crate) fn arm(args: &Arm, ui: &mut Ui) -> Result<Exit, Failure> {
    only_here(ui)?;
    let before = observe(ui.root());
    let files = HostFiles::new("/");
    // Settings first: a panic that reboots is better than one that stands, captured or not.
    if !args.keep_settings {
        set(&files, ui);
    }
    if before.reserved_bytes == 0 {
        let why = before.troubles.first().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::new(Exit::Unavailable, why).help(format!(
            "boot with {}; what the machine has room for depends on its memory below 4 GiB",
            crash::argument()
        )));
    }
    let line = String::from_utf8_lossy(&files.read("/proc/cmdline")?).trim().to_owned();
    let arguments = arguments(&line, args.level.get());
    let (found, _mounted) = sources(args, ui)?;
    let (kernel, initramfs) = (Stream::open(&found.kernel)?, Stream::open(&found.initramfs)?);
    let call = match load_crash_kernel(&kernel, &initramfs, &arguments) {
        Ok(()) => "kexec_file_load",
        Err(e) if e.errno == ENOSYS => by_program(&found, &arguments)?,
        Err(e) => return Err(refused(&e, before.reserved_bytes)),
    };
    let after = observe(ui.root());
    if let Some(trouble) = after.troubles.first() {
        return Err(Failure::new(Exit::Unavailable, trouble.to_string())
            .help(format!("{call} said that it loaded the kernel; dmesg may tell more")));
    }
    let armed = Armed {
        slot: found.slot,
        version: found.version,
        initramfs_bytes: initramfs.size()?,
        kernel: found.shown_kernel,
        initramfs: found.shown_initramfs,
        reserved_bytes: after.reserved_bytes,
        call,
        arguments,
        level: args.level.get(),
    };
    files.make_dir(esos_layout::run::DIR)?;
    files.replace(crash::ARMED, &serde_json::to_vec_pretty(&armed)?, 0o644)?;
    // What the check after the boot has told is over, whether or not `esos-health` has seen it meanwhile.
    if let Err(e) = Inbox::new(&files).put(&check::capture(None), HostClock.now()) {
        ui.warn(format!("that it is armed cannot be reported: {e}"));
    }
    if after.wanted_bytes.is_some_and(|w| w > after.reserved_bytes) {
        ui.warn(format!(
            "{} MiB are reserved, the table for a machine of this size has {} MiB",
            after.reserved_bytes >> 20,
            after.wanted_bytes.unwrap_or(0) >> 20
        ));
    }
    ui.emit("esos.crash.arm/1", &armed, |human| {
        human.line(format!(
            "armed by {call}: {} MiB reserved, initramfs of {} MiB",
            armed.reserved_bytes >> 20,
            armed.initramfs_bytes.div_ceil(1 << 20)
        ));
    })?;
    Ok(Exit::Done)
}

pub(crate) fn disarm(ui: &mut Ui) -> Result<Exit, Failure> {
    only_here(ui)?;
    match unload_crash_kernel() {
        Err(e) if e.errno == ENOSYS => {
            run(Cmd::new(kexec()?).args(["-p", "-u"]))?;
        }
        other => other?,
    }
    ui.emit("esos.crash.disarm/1", &serde_json::json!({}), |human| {
        human.line("no crash kernel is loaded; a panic is not captured any more");
    })?;
    Ok(Exit::Done)
}

fn only_here(ui: &Ui) -> Result<(), Failure> {
    if ui.global().is_live() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "a crash kernel is loaded into this machine, not into a copied tree"))
}

fn set(files: &HostFiles, ui: &mut Ui) {
    for setting in SETTINGS {
        let path = format!("/proc/sys/kernel/{}", setting.name);
        if files.stat(&path).is_err() {
            continue;
        }
        // Not `replace`: /proc takes a write, no new file.
        if let Err(e) = std::fs::write(&path, setting.value) {
            ui.warn(format!("{path} is not set to {} ({}): {e}", setting.value, setting.reason));
        }
    }
}

struct Sources {
    kernel: PathBuf,
    initramfs: PathBuf,
    shown_kernel: PathBuf,
    shown_initramfs: PathBuf,
    slot: Option<Slot>,
    version: Option<String>,
}

fn sources(args: &Arm, ui: &Ui) -> Result<(Sources, Option<Mounted>), Failure> {
    if let (Some(kernel), Some(initramfs)) = (&args.kernel, &args.initramfs) {
        let found = Sources {
            shown_kernel: kernel.clone(),
            shown_initramfs: initramfs.clone(),
            kernel: kernel.clone(),
            initramfs: initramfs.clone(),
            slot: None,
            version: None,
        };
        return Ok((found, None));
    }
    let report = boot_report(ui.root())?;
    let (Some(slot), Some(stick)) = (report.slot, report.stick) else {
        return Err(Failure::new(Exit::Unavailable, "this box was not booted from a slot")
            .help("name the crash kernel with --kernel and --initramfs"));
    };
    let name = slot.partition();
    let device = stick.partitions.get(name).map(|p| p.device.clone());
    let device = device.ok_or_else(|| {
        Failure::new(Exit::Unavailable, format!("the stick {} has no partition {name}", stick.device))
    })?;
    let mounted = Mounted::new(&device, "crash-slot", "squashfs", MountFlags::READ_ONLY)
        .or_exit(Exit::Unavailable)
        .context(format!("cannot read the slot {slot} on {device}"))?;
    let version = HostFiles::new(mounted.path()).read(slot::VERSION);
    let version = version.ok().map(|v| String::from_utf8_lossy(&v).trim().to_owned());
    if version.as_deref().is_some_and(|v| v != report.version) {
        // An upgrade wrote the slot anew; its kernel and initramfs belong together all the same.
        let (now, then) = (version.as_deref().unwrap_or_default(), &report.version);
        let text = format!("the slot {slot} holds {now}, this box runs {then}");
        return Err(Failure::new(Exit::Busy, text).help("reboot, then arm"));
    }
    let inside = |file: &str| mounted.path().join(file);
    let shown = |file: &str| PathBuf::from(format!("{name}:{file}"));
    let found = Sources {
        kernel: inside(slot::KERNEL),
        initramfs: inside(slot::CAPTURE),
        shown_kernel: shown(slot::KERNEL),
        shown_initramfs: shown(slot::CAPTURE),
        slot: Some(slot),
        version,
    };
    if !found.initramfs.is_file() {
        let text = format!("the slot {slot} has no {}", slot::CAPTURE);
        return Err(Failure::new(Exit::Unavailable, text).help("its image was built without one"));
    }
    Ok((found, Some(mounted)))
}

fn refused(e: &FileError, reserved: u64) -> Failure {
    let failure = Failure::new(Exit::Unavailable, e.to_string());
    match e.errno {
        1 => failure
            .help("root may load a crash kernel, unless the kernel is locked down and the file unsigned"),
        12 | 99 => failure.help(format!(
            "{} MiB are reserved, too few for this kernel and initramfs: boot with {}",
            reserved >> 20,
            crash::argument()
        )),
        _ => failure,
    }
}

fn kexec() -> Result<&'static str, Failure> {
    let found = KEXEC.into_iter().find(|p| Path::new(p).exists());
    found.ok_or_else(|| {
        let text = "this kernel has no kexec_file_load, and there is no program kexec";
        Failure::new(Exit::Unavailable, text).help("Debian: package kexec-tools")
    })
}

fn by_program(found: &Sources, arguments: &str) -> Result<&'static str, Failure> {
    let cmd = Cmd::new(kexec()?).args(["-c", "-p"]).arg(&found.kernel);
    run(cmd.arg(format!("--initrd={}", found.initramfs.display())).arg(format!("--append={arguments}")))?;
    Ok("kexec_load")
}

fn run(cmd: Cmd) -> Result<(), Failure> {
    let cmd = cmd.env("LC_ALL", "C").limit(Duration::from_secs(120));
    let out = HostRunner.run(&cmd).or_exit(Exit::Unavailable)?;
    if out.status.success() {
        return Ok(());
    }
    let said = out.error_text();
    let text = format!("{} failed: {}", cmd.program().display(), said.trim());
    Err(Failure::new(Exit::Unavailable, text))
}
