//! How far a long step is.
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between two plain lines.
const PLAIN: Duration = Duration::from_secs(10);

/// How far a long step is: a bar on a terminal, a plain line each 10 seconds otherwise, nothing with
/// `--quiet` or `--json`. Always on standard error. Several threads may report at a time.
#[derive(Debug)]
pub struct Progress {
    title: String,
    total: Option<u64>,
    done: AtomicU64,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines(Mutex<Instant>),
}

impl Progress {
    pub(crate) fn new(title: &str, total: Option<u64>, talk: bool, tty: bool) -> Self {
        let shown = match (talk, tty) {
            (false, _) => Shown::Nothing,
            (true, true) => Shown::Bar(bar(title, total)),
            (true, false) => Shown::Lines(Mutex::new(Instant::now())),
        };
        Self { title: title.to_owned(), total, done: AtomicU64::new(0), shown }
    }

    /// One that shows nothing, for tests and callers without a terminal.
    #[must_use]
    pub fn silent() -> Self {
        Self::new("", None, false, false)
    }

    /// That many bytes more are done.
    pub fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.show(done);
    }

    /// So many bytes are done altogether.
    pub fn set(&self, bytes: u64) {
        self.done.store(bytes, Ordering::Relaxed);
        self.show(bytes);
    }

    fn show(&self, done: u64) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_position(done),
            Shown::Lines(last) => {
                // A poisoned lock only means that another thread ended badly while it printed.
                let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if last.elapsed() >= PLAIN {
                    *last = Instant::now();
                    let _closed = writeln!(std::io::stderr(), "{}", plain(&self.title, done, self.total));
                }
            }
        }
    }

    /// Takes the bar away; whoever has something to say then says it.
    pub fn finish(self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(title: &str, total: Option<u64>) -> ProgressBar {
    // Nothing is drawn for steps that are over in half a second.
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(8));
    let template = match total {
        Some(_) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{msg} {bytes} {bytes_per_sec} {elapsed}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(title.to_owned());
    bar
}

fn plain(title: &str, done: u64, total: Option<u64>) -> String {
    let mib = |bytes: u64| bytes >> 20;
    match total.filter(|t| *t > 0) {
        Some(total) => {
            let percent = u128::from(done).saturating_mul(100) / u128::from(total);
            format!("{title}: {} of {} MiB ({percent} %)", mib(done), mib(total))
        }
        None => format!("{title}: {} MiB", mib(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_it_is() {
        assert_eq!(plain("unpacking", 3 << 20, Some(12 << 20)), "unpacking: 3 of 12 MiB (25 %)");
        assert_eq!(plain("reading", 5 << 20, None), "reading: 5 MiB");
        assert_eq!(plain("x", u64::MAX, Some(0)), "x: 17592186044415 MiB");
    }

    #[test]
    fn threads_add_up() {
        let progress = Progress::silent();
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..100).for_each(|_| progress.add(1)));
            }
        });
        assert_eq!(progress.done.load(Ordering::Relaxed), 400);
        progress.finish();
    }
}
