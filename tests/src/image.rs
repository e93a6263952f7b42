//! The images that tests boot.
use esos_vm::accel::Accel;
use esos_vm::boot::{self, Boot};
use esos_vm::{Bus, Firmware, Guest, Machine};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a box may take to its login, and a login to its shell.
pub const LIMIT: Duration = Duration::from_secs(2400);

/// One kind of image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is shipped.
    Default,
    /// The same under another version ([`SECOND`]), for the other slot.
    Second,
    /// The same kernel, init and boot loader with few packages, for tests that boot often.
    Small,
}

/// The version of [`Kind::Second`].
pub const SECOND: &str = "9.9.9-second";

/// One image, built once a test run: `ESOS_IMAGE` (`ESOS_SECOND_IMAGE`, `ESOS_SMALL_IMAGE`) names one
/// that is there already.
///
/// # Errors
/// In words: no `esos-image` in the release directory, or what it said when it could not build.
pub fn find(kind: Kind) -> Result<PathBuf, String> {
    static DEFAULT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static SECOND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static SMALL: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let (cell, name) = match kind {
        Kind::Default => (&DEFAULT, "ESOS_IMAGE"),
        Kind::Second => (&SECOND, "ESOS_SECOND_IMAGE"),
        Kind::Small => (&SMALL, "ESOS_SMALL_IMAGE"),
    };
    cell.get_or_init(|| match std::env::var_os(name) {
        Some(path) => Ok(PathBuf::from(path)),
        None => build(kind),
    })
    .clone()
}

/// The default image for that test: the one that `ESOS_IMAGE` names, else built; `None` where there is no tool to build
/// it with, which is told.
///
/// # Panics
/// Where it cannot be built.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn shipped(test: &str) -> Option<PathBuf> {
    if std::env::var_os("ESOS_IMAGE").is_none()
        && let Err(why) = release("esos-image")
    {
        crate::skip(test, &why);
        return None;
    }
    Some(find(Kind::Default).unwrap())
}

/// The directory that cargo builds into.
///
/// # Errors
/// Where this program does not lie in one.
pub fn target_dir() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let dir = program.ancestors().nth(3).map(Path::to_path_buf);
    dir.ok_or_else(|| format!("{} lies in no target directory", program.display()))
}

/// A program of ours, from the release directory.
///
/// # Errors
/// Where it was not built.
pub fn release(program: &str) -> Result<PathBuf, String> {
    let path = target_dir()?.join("release").join(program);
    if path.exists() { Ok(path) } else { Err(format!("{program} is not built: run make build")) }
}

/// A small image with further packages, built for this run out of [`Kind::Small`]'s manifest, changed by
/// `change`; `variable` names one that is there already.
///
/// # Errors
/// In words: no `esos-image`, or what it said when it could not build.
pub fn small_with(
    variable: &str,
    name: &str,
    packages: &[&str],
    change: impl FnOnce(String) -> String,
    debs: Option<&Path>,
) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let out = target_dir()?.join(format!("test-image-{name}"));
    std::fs::create_dir_all(&out)?;
    let more = format!("include = [{}", packages.iter().map(|p| format!("\"{p}\", ")).collect::<String>());
    let text = std::fs::read_to_string(small_manifest())?.replacen("include = [", &more, 1);
    let manifest = out.join(format!("{name}.toml"));
    std::fs::write(&manifest, change(text))?;
    let mut command = Command::new(release("esos-image")?);
    command
        .arg("build")
        .arg("--no-compress")
        .arg("--out")
        .arg(out.join("out"))
        .arg("--manifest")
        .arg(manifest);
    if let Some(debs) = debs {
        command.arg("--extra-debs").arg(debs);
    }
    let said = command.output()?;
    if said.status.success() {
        Ok(out.join("out/esos.img"))
    } else {
        Err(String::from_utf8_lossy(&said.stderr).into_owned().into())
    }
}

fn small_manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/small.toml")
}

fn build(kind: Kind) -> Result<PathBuf, String> {
    let dir = target_dir()?.join(match kind {
        Kind::Default => "test-image",
        Kind::Second => "test-image-second",
        Kind::Small => "test-image-small",
    });
    let tool = release("esos-image")?;
    let image = dir.join("esos.img");
    let modified = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let newest = ["esos-image", "esos-init", "esos"].iter().filter_map(|p| release(p).ok());
    let newest = newest.filter_map(|path| modified(&path)).max();
    if modified(&image) > newest {
        return Ok(image);
    }
    let mut command = Command::new(tool);
    command.args(["build".as_ref(), "--out".as_ref(), dir.as_os_str()]);

    match kind {
        Kind::Default => &mut command,
        Kind::Second => command.args(["--image-version", SECOND, "--no-compress"]),
        Kind::Small => command.arg("--manifest").arg(small_manifest()),
    };
    let out = command.output().map_err(|error| error.to_string())?;
    if out.status.success() {
        return Ok(image);
    }
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(format!("esos-image build ended with {}:\n{words}", out.status))
}

/// Machines of images take gigabytes and processors: one test at a time boots them.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An image as it hangs in a machine.
#[must_use]
pub fn boot(image: &Path, firmware: Firmware, bus: Bus) -> Boot {
    Boot { firmware, bus, limit: LIMIT, ..Boot::new(image) }
}

/// What a kernel says that met a breakpoint of its own that is not there any more. While it patches its code, QEMU's
/// emulation with several processors may run what was translated before: a fault of the emulator, not of the image.
const STALE: &str = "Oops: int3";

/// Starts a machine, waits for its login prompt, logs in, and opens its command channel. A boot that the emulator
/// spoils (`STALE`) is begun again, once.
///
/// # Errors
/// In words, with the tail of the console.
#[expect(clippy::print_stdout, reason = "a test tells that it tried twice")]
pub fn up(machine: Machine, boot: &Boot) -> Result<Guest, Box<dyn Error>> {
    let guest = machine.start()?;
    if let Err(dead) = boot::until_login(&guest, boot.limit) {
        if guest.accel() != Accel::Tcg || !guest.console().text().contains(STALE) {
            return Err(dead.into());
        }
        println!("{}: `{STALE}` under emulation, reset and booted again", guest.name());
        let mark = guest.console().mark();
        guest.reset()?;
        guest.console().wait_for(mark, " login:", boot.limit)?;
    }
    guest.log_in(&boot.person, boot.limit)?;
    Ok(guest)
}

/// Asks until the answer is yes.
///
/// # Errors
/// What was asked for, where it is not so in time.
pub fn eventually(what: &str, limit: Duration, mut asks: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    while !asks() {
        if Instant::now() > deadline {
            return Err(format!("not within {limit:?}: {what}"));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}
