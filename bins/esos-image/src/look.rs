//! `inspect` and `verify`.
use std::io::BufReader;
use std::path::Path;

use esos_bootimg::disk::inspect::{self, Inspection};
use esos_bootimg::disk::verify;
use esos_cli::{Exit, Failure, OrExit, Table, Ui};
use esos_hostfs::Stream;
use esos_units::Bytes;

/// `inspect`.
pub(crate) fn inspect(image: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut disk = BufReader::with_capacity(1 << 16, Stream::open(image)?);
    let found = inspect::inspect(&mut disk).or_exit(Exit::Invalid)?;
    for problem in &found.problems {
        ui.warn(problem.clone());
    }
    ui.emit("esos.image.inspect/1", &found, |human| {
        human.table(&partitions(&found));
        for slot in &found.slots {
            human.line("");
            let version = slot.version.as_deref().unwrap_or("empty");
            human.line(format!("{}: {version}, {} used", slot.slot, Bytes::new(slot.used_bytes)));
            if let Some(problem) = &slot.problem {
                human.line(format!("  cannot be read: {problem}"));
            }
            if slot.files.is_empty() {
                continue;
            }
            let mut files = Table::new(["FILE", "SIZE", "SHA-256"]).right(1);
            for file in &slot.files {
                files.row([file.name.clone(), Bytes::new(file.bytes).to_string(), file.sha256.clone()]);
            }
            human.table(&files);
            human.line(format!("{} packages (all of them with --json)", slot.packages.len()));
        }
    })?;
    Ok(Exit::Done)
}

fn partitions(found: &Inspection) -> Table {
    let mut table = Table::new(["NUMBER", "PARTITION", "START", "SIZE"]).right(0).right(2).right(3);
    for p in &found.partitions {
        let (start, size) = (Bytes::new(p.start_bytes), Bytes::new(p.size_bytes));
        table.row([p.number.to_string(), p.name.clone(), start.to_string(), size.to_string()]);
    }
    table
}

/// `verify`.
pub(crate) fn verify(image: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut disk = BufReader::with_capacity(1 << 20, Stream::open(image)?);
    let progress = ui.progress("verifying", None);
    let found = verify::verify(&mut disk, &mut |bytes| progress.set(bytes)).or_exit(Exit::Invalid)?;
    progress.finish();
    ui.emit("esos.image.verify/1", &found, |human| {
        for finding in &found.findings {
            human.line(finding.to_string());
        }
        let verdict = if found.findings.is_empty() { "sound" } else { "damaged" };
        let hashed = Bytes::new(found.hashed_bytes);
        let (files, frames) = (found.files, found.frames);
        human.line(format!(
            "{}: {verdict} ({files} files, {frames} frames, {hashed} hashed)",
            image.display()
        ));
    })?;
    Ok(if found.findings.is_empty() { Exit::Done } else { Exit::Invalid })
}
