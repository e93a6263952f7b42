//! Into the new root.
use super::root::empty_initramfs;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// Makes the mount at `root` the root, frees the initramfs and becomes `/sbin/init`. Returns only the
/// error.
pub(crate) fn switch_root(root: &str, arguments: &[String]) -> io::Error {
    let switched = (|| {
        rustix::process::chdir(root)?;
        empty_initramfs();
        rustix::mount::mount_move(".", "/")?;
        rustix::process::chroot(".")?;
        rustix::process::chdir("/")
    })();
    match switched {
        Ok(()) => on_console("", Command::new("/sbin/init").args(arguments)).exec(),
        Err(e) => e.into(),
    }
}

/// Runs a shell and waits for its end.
pub(crate) fn shell(root: Option<&str>) -> io::Result<()> {
    let mut command = Command::new("/init");
    match root {
        Some(root) => command.args(["chroot-run", root, "/bin/sh"]),
        None => {
            command = Command::new("/bin/sh");
            &mut command
        }
    };
    on_console(root.unwrap_or_default(), &mut command)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .status()
        .map(drop)
}

/// `/dev/console` for all three streams; before the kernel's own, which it may not have opened. `/dev` is
/// below `root`.
fn on_console<'a>(root: &str, command: &'a mut Command) -> &'a mut Command {
    if let Ok(console) = OpenOptions::new().read(true).write(true).open(format!("{root}/dev/console"))
        && let (Ok(out), Ok(error)) = (console.try_clone(), console.try_clone())
    {
        command.stdin(console).stdout(out).stderr(error);
    } else {
        command.stdin(Stdio::inherit());
    }
    command
}

/// `chroot-run ROOT PROGRAM [ARGUMENT]...`: enters the root and becomes the program.
pub(crate) fn chroot_run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    use std::io::Write;
    let (Some(root), Some(program)) = (arguments.next(), arguments.next()) else { return ExitCode::from(2) };
    let entered = rustix::process::chroot(&root).and_then(|()| rustix::process::chdir("/"));
    let error: io::Error = match entered {
        Ok(()) => Command::new(&program).args(arguments).exec(),
        Err(e) => e.into(),
    };
    let text = format!("cannot run {} in {}: {error}\n", program.to_string_lossy(), root.to_string_lossy());
    // The status tells it too.
    let _unsaid = io::stderr().write_all(text.as_bytes());
    ExitCode::from(127)
}
