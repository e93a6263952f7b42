//! `esos-crash convert`.
use crate::args::{Convert, Format};
use crate::logs;
use crate::report::{discard, taken};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_crashdump::{
    Core, ElfView, FLAT_SIGNATURE, KdumpFile, Level, MANIFEST_ENDING, PART_ENDING, PanicScan, ReadAt,
    SaveOptions, Vm, copy, dmesg, flatten, save_dump, unflatten,
};
use esos_hostfs::{NewFile, Stream};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

#[derive(Serialize)]
struct Converted {
    format: &'static str,
    size_bytes: u64,
    pages: Option<u64>,
}

pub(crate) fn run(args: &Convert, ui: &mut Ui) -> Result<Exit, Failure> {
    let (file, _store) = logs::file_or_name(&args.file, ui);
    let about = || format!("cannot use {}", file.display());
    let stdout = args.out == Path::new("-");
    if let Some(path) = taken(&args.out, &[MANIFEST_ENDING, PART_ENDING]).filter(|_| !stdout) {
        return Err(Failure::new(Exit::Refused, format!("{} exists already", path.display())));
    }
    let mut input = Stream::open(&file)?;
    let mut head = [0; FLAT_SIGNATURE.len()];
    let is_flat = input.read_at(&mut head, 0)? == head.len() && head == *FLAT_SIGNATURE;
    if is_flat {
        if args.format != Format::Kdump || stdout {
            let text = "a flattened dump becomes a plain one first: --format kdump --out FILE";
            return Err(Failure::new(Exit::Usage, text));
        }
        let out = NewFile::create(&args.out, 0o600)?;
        let size_bytes = unflatten(&mut input, out.stream()?).or_exit(Exit::Invalid).context(about())?;
        out.commit()?;
        return tell(ui, &Converted { format: "kdump", size_bytes, pages: None });
    }
    let is_core = Core::open(&input).is_ok();
    let dump =
        KdumpFile::open(input).or_exit(Exit::Invalid).context(about()).map_err(|failure| match is_core {
            true => failure.help("this is a core: `esos-crash save` makes a dump of it"),
            false => failure,
        })?;
    let pages = Some(dump.pages());
    match args.format {
        Format::Flat => {
            let raw = Stream::open(&file)?;
            let size_bytes =
                to(&args.out, stdout, &mut |out| flatten(&raw, out).map(|()| ReadAt::size(&raw)))?;
            tell_unless(stdout, ui, &Converted { format: "flat", size_bytes, pages })
        }
        Format::Elf => {
            let view = ElfView::new(dump)?;
            let size_bytes = to(&args.out, stdout, &mut |out| copy(&view, out))?;
            tell_unless(stdout, ui, &Converted { format: "elf", size_bytes, pages })
        }
        Format::Kdump if stdout => {
            Err(Failure::new(Exit::Usage, "a dump is written in any order and needs a file")
                .help("--format flat"))
        }
        Format::Kdump => again(args, dump, ui),
    }
}

/// Filters and packs anew.
fn again(args: &Convert, dump: KdumpFile<Stream>, ui: &mut Ui) -> Result<Exit, Failure> {
    let before = u8::try_from(dump.level()).unwrap_or(31) & 31;
    let asked = args.level.map_or(before, Level::get);
    // What was left out does not come back.
    let level = Level::new(before | asked)?;
    if level.get() != asked {
        ui.warn(format!("the dump was made at level {before}: the new one has level {level}"));
    }
    let core = Core::open(ElfView::new(dump)?)?;
    let options = SaveOptions { level, codec: args.compress, workers: esos_hostfs::cpus(), max_size: None };
    let mut scan = PanicScan::default();
    let _unknown = Vm::new(&core).map(|vm| dmesg(&vm, &mut scan));
    let made = save_dump(&core, &args.out, &options, scan.finish(), &mut |_| ());
    let made = made.inspect_err(|_| {
        discard(&args.out, &[PART_ENDING]);
    })?;
    tell(ui, &Converted { format: "kdump", size_bytes: made.size_bytes, pages: Some(made.pages) })
}

fn to(
    path: &Path,
    stdout: bool,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<u64>,
) -> Result<u64, Failure> {
    if stdout {
        return Ok(write(&mut io::stdout().lock())?);
    }
    let mut file = NewFile::create(path, 0o600)?;
    let size = write(&mut file).map_err(|e| file.write_error(e))?;
    file.commit()?;
    Ok(size)
}

fn tell_unless(stdout: bool, ui: &mut Ui, made: &Converted) -> Result<Exit, Failure> {
    if stdout { Ok(Exit::Done) } else { tell(ui, made) }
}

fn tell(ui: &mut Ui, made: &Converted) -> Result<Exit, Failure> {
    ui.emit("esos.crash.convert/1", made, |human| {
        human.line(format!("{} bytes in the form {}", made.size_bytes, made.format));
    })?;
    Ok(Exit::Done)
}
