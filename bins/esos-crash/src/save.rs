//! `esos-crash save`.
use crate::args::Save;
use crate::files::{Input, LOG, MANIFEST, Output, beside};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_crashdump::{Core, Manifest, Panic, PanicScan, SaveOptions, Vm, dmesg, save};
use esos_hostfs::NewFile;
use std::io::{self, Write};
use std::path::Path;

/// Writes the log, then the dump, then the manifest; each is whole and on the medium before the next begins.
pub(crate) fn run(args: &Save, ui: &mut Ui) -> Result<Exit, Failure> {
    let (log, manifest) = (beside(&args.out, LOG), beside(&args.out, MANIFEST));
    for path in [&args.out, &log, &manifest] {
        if path.symlink_metadata().is_ok() {
            let message = format!("{} exists already; no dump is overwritten", path.display());
            return Err(Failure::new(Exit::Refused, message).help("choose another name for --out"));
        }
    }
    let core = Core::open(Input::open(&args.vmcore)?)
        .or_exit(Exit::Invalid)
        .context(format!("cannot use {}", args.vmcore.display()))?;
    if core.missing() > 0 {
        ui.warn(format!("{} was cut: {} bytes are missing", args.vmcore.display(), core.missing()));
    }
    // A log that cannot be found is no reason to lose the dump.
    let panic = save_log(&core, &log).unwrap_or_else(|e| {
        ui.warn(format!("no log: {}", e.message()));
        Panic::default()
    });
    let options = SaveOptions {
        level: args.level,
        codec: args.compress,
        workers: args.workers.map_or_else(esos_hostfs::cpus, usize::from),
        max_size: args.max_size,
    };
    let file = NewFile::create(&args.out, 0o600)?;
    let output = Output(file.stream()?);
    let saved = save(&core, &options, &output)?;
    let described = Manifest::new(&core, &options, &saved, panic, &output)?;
    file.commit()?;
    let mut text = serde_json::to_vec_pretty(&described)?;
    text.push(b'\n');
    write(&manifest, &text)?;
    for unknown in &described.unknown {
        ui.warn(unknown);
    }
    if saved.dropped > 0 {
        ui.warn(format!("no room for {} of {} pages", saved.dropped, saved.dropped + saved.pages));
    }
    ui.emit("esos.crash.save/1", &described, |human| {
        let m = &described;
        let reason = m.panic.reason.as_deref().unwrap_or("unknown");
        human.line(format!(
            "{}: {} bytes, {} of {} pages",
            args.out.display(),
            m.size_bytes,
            m.pages,
            m.present_pages
        ));
        human.line(format!("kernel {}, panic: {reason}", m.kernel.as_deref().unwrap_or("unknown")));
    })?;
    Ok(Exit::Done)
}

fn save_log(core: &Core<Input>, path: &Path) -> Result<Panic, Failure> {
    /// Writes to both.
    struct Tee<'a>(PanicScan, &'a mut dyn Write);
    impl Write for Tee<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write_all(bytes)?;
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.1.flush()
        }
    }
    let mut file = NewFile::create(path, 0o600)?;
    let mut out = io::BufWriter::new(&mut file);
    let mut tee = Tee(PanicScan::default(), &mut out);
    let result = dmesg(&Vm::new(core)?, &mut tee);
    let panic = tee.0.finish();
    out.flush()?;
    drop(out);
    // Half a log is better than none.
    file.commit()?;
    result?;
    Ok(panic)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = NewFile::create(path, 0o600)?;
    file.write_all(bytes).map_err(|e| file.write_error(e))?;
    Ok(file.commit()?)
}
