//! Time as an argument.
use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Whoever knows the time and can wait. Logic takes the time as a value; loops that wait take this.
pub trait Clock {
    /// The time of day, since 1970 (UTC).
    fn now(&self) -> Duration;

    /// A time that only goes forward, since some fixed moment (on this machine: since boot).
    fn monotonic(&self) -> Duration;

    /// Waits that long.
    fn sleep(&self, pause: Duration);
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Duration {
        (**self).now()
    }
    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
    fn sleep(&self, pause: Duration) {
        (**self).sleep(pause);
    }
}

/// This machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        use nix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_or_else(|_old| fallback(), Duration::from)
    }

    fn sleep(&self, pause: Duration) {
        thread::sleep(pause);
    }
}

/// Kernels before 2.6.39 have no `CLOCK_BOOTTIME`.
fn fallback() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// A clock for tests: it stands still but for [`Clock::sleep`], which moves it at once.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    start: Duration,
    passed: Cell<Duration>,
}

impl ManualClock {
    /// A clock that shows that time of day and 0 since boot.
    #[must_use]
    pub fn at(now: Duration) -> Self {
        Self { start: now, passed: Cell::new(Duration::ZERO) }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.start.saturating_add(self.passed.get())
    }
    fn monotonic(&self) -> Duration {
        self.passed.get()
    }
    fn sleep(&self, pause: Duration) {
        self.passed.set(self.passed.get().saturating_add(pause));
    }
}

/// A moment after which nobody waits any longer.
///
/// ```
/// use esos_hostfs::{Clock, Deadline, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let deadline = Deadline::after(&clock, Duration::from_secs(30));
/// let mut tries = 0;
/// while !deadline.passed(&clock) {
///     tries += 1;
///     deadline.pause(&clock, Duration::from_secs(20));
/// }
/// assert_eq!((tries, clock.monotonic().as_secs()), (2, 30), "the last pause ends with the deadline");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Duration);

impl Deadline {
    /// That long from now.
    #[must_use]
    pub fn after(clock: &impl Clock, limit: Duration) -> Self {
        Self(clock.monotonic().saturating_add(limit))
    }

    /// What is left; zero once it has passed.
    #[must_use]
    pub fn left(self, clock: &impl Clock) -> Duration {
        self.0.saturating_sub(clock.monotonic())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self, clock: &impl Clock) -> bool {
        self.left(clock).is_zero()
    }

    /// Waits, but never past the deadline.
    pub fn pause(self, clock: &impl Clock, pause: Duration) {
        clock.sleep(pause.min(self.left(clock)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_goes_forward() {
        let before = HostClock.monotonic();
        HostClock.sleep(Duration::from_millis(2));
        assert!(HostClock.monotonic() > before);
        assert!(HostClock.now().as_secs() > 1_700_000_000);
    }
}
