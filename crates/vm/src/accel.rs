//! KVM or software emulation.
//!
//! An open `/dev/kvm` proves little: under nested virtualisation it may open while every guest that
//! enters long mode hangs. So a probe guest decides: a boot sector that enters long mode, counts to
//! twenty million and leaves through QEMU's `isa-debug-exit`. It takes 0.1 s under KVM and under
//! emulation alike; a KVM that needs more than [`LIMIT`] is none. The answer is kept until the next boot.
use nix::unistd::getuid;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// How a guest's instructions are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// By the processor.
    Kvm,
    /// By QEMU's translator, 10 to 30 times slower.
    Tcg,
}

impl Accel {
    pub(crate) fn args(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Tcg => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// How long the probe guest may take under KVM.
pub const LIMIT: Duration = Duration::from_secs(5);

/// What the probe guest writes to `isa-debug-exit`; QEMU ends with twice that and one.
const DONE: i32 = 0x2a * 2 + 1;

/// The probe guest: real mode to long mode with one 2 MiB page, `mov $20000000,%ecx`, `dec`/`jnz`,
/// `out %al,$0xf4` with 0x2a, `hlt`.
const PROBE: [u8; 150] = [
    0xfa, 0xea, 0x06, 0x7c, 0x00, 0x00, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x66, 0xbf, 0x00,
    0x10, 0x00, 0x00, 0x66, 0xb9, 0x00, 0x0c, 0x00, 0x00, 0x66, 0x31, 0xc0, 0xfc, 0x66, 0xf3, 0xab, 0x66,
    0xc7, 0x06, 0x00, 0x10, 0x03, 0x20, 0x00, 0x00, 0x66, 0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, 0x00, 0x00,
    0x66, 0xc7, 0x06, 0x00, 0x30, 0x83, 0x00, 0x00, 0x00, 0x66, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22,
    0xd8, 0x0f, 0x20, 0xe0, 0x0c, 0x20, 0x0f, 0x22, 0xe0, 0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32,
    0x80, 0xcc, 0x01, 0x0f, 0x30, 0x0f, 0x20, 0xc0, 0x66, 0x0d, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0,
    0x0f, 0x01, 0x16, 0x90, 0x7c, 0xea, 0x70, 0x7c, 0x08, 0x00, 0xb9, 0x00, 0x2d, 0x31, 0x01, 0xff, 0xc9,
    0x75, 0xfc, 0xb0, 0x2a, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x9a, 0x20, 0x00, 0x0f, 0x00, 0x80, 0x7c, 0x00, 0x00,
];

/// What guests of this machine run under, probed once a boot.
#[must_use]
pub fn usable() -> Accel {
    static ANSWER: OnceLock<Accel> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        if std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
            return Accel::Tcg;
        }
        let note = note();
        match note.as_deref().and_then(|path| std::fs::read_to_string(path).ok()).as_deref() {
            Some("kvm\n") => return Accel::Kvm,
            Some("tcg\n") => return Accel::Tcg,
            _ => {}
        }
        let answer = if runs(Accel::Kvm, LIMIT) { Accel::Kvm } else { Accel::Tcg };
        if let Some(path) = note {
            // Not kept means probed again, no more.
            let _kept = std::fs::write(path, format!("{answer}\n"));
        }
        answer
    })
}

/// Where the answer is kept: named after the boot, in a directory of the user's own.
fn note() -> Option<PathBuf> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let known = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_dir());
    let dir = known("XDG_RUNTIME_DIR").or_else(|| {
        if getuid().is_root() {
            return Some(PathBuf::from("/run"));
        }
        let cache = known("HOME")?.join(".cache");
        std::fs::create_dir_all(&cache).ok().map(|()| cache)
    })?;
    Some(dir.join(format!("esos-vm-accel-{}", boot.trim())))
}

/// Whether the probe guest ends well within the limit.
#[must_use]
pub fn runs(accel: Accel, limit: Duration) -> bool {
    let Ok(disk) = boot_sector() else { return false };
    probe(accel, disk.path(), limit).unwrap_or(false)
}

fn boot_sector() -> std::io::Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::with_prefix("esos-vm-probe")?;
    let mut sector = PROBE.to_vec();
    sector.resize(510, 0);
    sector.extend_from_slice(&[0x55, 0xaa]);
    std::fs::write(file.path(), sector)?;
    Ok(file)
}

fn probe(accel: Accel, disk: &Path, limit: Duration) -> std::io::Result<bool> {
    let deadline = Instant::now() + limit;
    let mut drive = std::ffi::OsString::from("if=ide,format=raw,snapshot=on,file=");
    drive.push(disk);
    let mut child = Command::new(crate::machine::QEMU)
        .args(accel.args())
        .args(["-machine", "pc", "-nodefaults", "-no-user-config", "-display", "none", "-m", "16"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive"])
        .arg(drive)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code() == Some(DONE));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_guest_runs_under_emulation() {
        if !Path::new(crate::machine::QEMU).exists() {
            println!("skipped: {} is not installed", crate::machine::QEMU);
            return;
        }
        assert!(runs(Accel::Tcg, Duration::from_secs(60)));
    }

    #[test]
    fn no_time_no_answer() {
        assert!(!runs(Accel::Tcg, Duration::ZERO));
    }
}
