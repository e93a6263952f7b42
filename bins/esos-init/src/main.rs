//! `/init` of the initramfs. Opens the doors, lets `esos_initramfs::boot` decide and act, and carries
//! out the ending: another root, a reboot, or the shell that `rescue` asked for.
//!
//! Started with `chroot-run ROOT PROGRAM` it is the little helper that runs a program inside the new
//! root. It does nothing else unless it is process 1.
mod host;

use esos_hostfs::HostFiles;
use esos_initramfs::{Console, Ending, World, boot};
use esos_sysfs::HostTree;
use host::{HostClock, HostConsole, HostCrash, HostDevices, HostKernel, HostMounts, HostRoot, power, switch};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|a| a == "chroot-run") {
        return switch::chroot_run(arguments);
    }
    if std::process::id() != 1 {
        use std::io::Write;
        // Nobody is left to tell if this fails.
        let _unsaid = std::io::stderr()
            .write_all(b"esos-init is /init of an initramfs and does nothing unless it is process 1\n");
        return ExitCode::from(2);
    }
    let console = HostConsole::default();
    let kernel = HostKernel::new(console.clone());
    let devices = HostDevices::new();
    let world = World {
        console: &console,
        clock: &HostClock,
        sys: &HostTree::new("/sys"),
        files: &HostFiles::new("/"),
        mounts: &HostMounts,
        kernel: &kernel,
        devices: &devices,
        root: &HostRoot,
        crash: &HostCrash,
    };
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    match boot(world, &release) {
        Ending::SwitchRoot { root, arguments } => {
            kernel.done();
            drop(devices);
            // Comes back only if there is nothing to switch to.
            let error = switch::switch_root(&root, &arguments);
            console.warn(&format!("cannot start /sbin/init of the root: {error}; rebooting in 10 s"));
            std::thread::sleep(esos_initramfs::REBOOT_AFTER);
        }
        Ending::Shell { root } => {
            kernel.done();
            if let Err(e) = switch::shell(root.as_deref()) {
                console.warn(&format!("no shell: {e}; rebooting in 10 s"));
                std::thread::sleep(esos_initramfs::REBOOT_AFTER);
            }
        }
        Ending::Reboot => {}
    }
    power::reboot()
}
