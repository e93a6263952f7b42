//! `esos-crash save`.
use crate::args::Save;
use crate::report::{discard, taken};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_crashdump::{
    Core, KdumpFile, LOG_ENDING, MANIFEST_ENDING, PART_ENDING, Panic, SaveOptions, beside, save_dump,
    save_log,
};
use esos_hostfs::Stream;

/// Writes the log, then the dump, then the manifest; each is whole and on the medium before the next begins.
pub(crate) fn run(args: &Save, ui: &mut Ui) -> Result<Exit, Failure> {
    if let Some(path) = taken(&args.out, &[LOG_ENDING, MANIFEST_ENDING, PART_ENDING]) {
        let message = format!("{} exists already; no dump is overwritten", path.display());
        return Err(Failure::new(Exit::Refused, message).help("choose another name for --out"));
    }
    let input = Stream::open(&args.vmcore)?;
    let is_dump = KdumpFile::probe(&input);
    let core = Core::open(input)
        .or_exit(Exit::Invalid)
        .context(format!("cannot use {}", args.vmcore.display()))
        .map_err(|failure| match is_dump {
            true => failure.help("this is a dump: `esos-crash convert` filters and packs it anew"),
            false => failure,
        })?;
    if core.missing() > 0 {
        ui.warn(format!("{} was cut: {} bytes are missing", args.vmcore.display(), core.missing()));
    }
    // A log that cannot be found is no reason to lose the dump.
    let panic = match save_log(&core, &beside(&args.out, LOG_ENDING)) {
        Ok((panic, problem)) => {
            problem.iter().for_each(|p| ui.warn(format!("the log is not whole: {p}")));
            panic
        }
        Err(e) => {
            ui.warn(format!("no log: {}", Failure::from(e).message()));
            Panic::default()
        }
    };
    let options = SaveOptions {
        level: args.level,
        codec: args.compress,
        workers: args.workers.map_or_else(esos_hostfs::cpus, usize::from),
        max_size: args.max_size,
    };
    let bar = ui.progress("dump", None);
    let described = save_dump(&core, &args.out, &options, panic, &mut |p| bar.set(p.bytes));
    bar.finish();
    let described = match described {
        Ok(described) => described,
        Err(e) => {
            // Nobody comes back for it here, unlike after a crash.
            discard(&args.out, &[PART_ENDING, LOG_ENDING]);
            return Err(e.into());
        }
    };
    for unknown in &described.unknown {
        ui.warn(unknown);
    }
    if described.dropped_pages > 0 {
        let all = described.dropped_pages + described.pages;
        ui.warn(format!("no room for {} of {all} pages", described.dropped_pages));
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
