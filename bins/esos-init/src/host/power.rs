//! Time and power.
use esos_initramfs::Clock;
use rustix::system::RebootCommand;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The kernel's clock of time since boot.
pub(crate) struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Reboots. Should the kernel refuse, ending process 1 makes it panic, and `panic=` reboots.
pub(crate) fn reboot() -> ! {
    rustix::fs::sync();
    let _refused = rustix::system::reboot(RebootCommand::Restart);
    std::process::exit(1)
}
