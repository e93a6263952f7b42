//! How far a build is, on standard error.
use std::sync::{Mutex, PoisonError};

use esos_bootimg::assemble::{Step, StepTime, Watch};
use esos_cli::{Progress, Ui};
use esos_fetch::Event;

/// Tells of steps as they go on; keeps notes for the end.
pub(crate) struct Talk<'u> {
    ui: Mutex<&'u mut Ui>,
    current: Mutex<Option<Progress>>,
}

impl<'u> Talk<'u> {
    pub(crate) fn new(ui: &'u mut Ui) -> Self {
        Self { ui: Mutex::new(ui), current: Mutex::new(None) }
    }

    fn show(&self, title: &str, total: Option<u64>) {
        let progress = lock(&self.ui).progress(title, total);
        if let Some(old) = lock(&self.current).replace(progress) {
            old.finish();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch for Talk<'_> {
    fn begin(&self, step: Step) {
        if !matches!(step, Step::Packages | Step::Papers) {
            self.show(step.title(), None);
        }
    }

    fn advance(&self, _step: Step, done: u64, _of: Option<u64>, _what: &str) {
        if let Some(progress) = lock(&self.current).as_ref() {
            progress.set(done);
        }
    }

    fn fetch(&self, event: Event<'_>) {
        match event {
            Event::Total { files, bytes } if files > 0 => {
                self.show(&format!("fetching {files} packages"), Some(bytes));
            }
            Event::Bytes(bytes) => {
                if let Some(progress) = lock(&self.current).as_ref() {
                    progress.add(bytes);
                }
            }
            Event::Retry { name, attempt, reason } => {
                lock(&self.ui).say(format!("{name}: {reason}; try {attempt}"));
            }
            _ => {}
        }
    }

    fn end(&self, time: StepTime) {
        if let Some(old) = lock(&self.current).take() {
            old.finish();
        }
        lock(&self.ui).say(format!("{:8.2} s  {}", time.took.as_secs_f64(), time.step));
    }

    fn note(&self, text: &str) {
        lock(&self.ui).warn(text);
    }
}
