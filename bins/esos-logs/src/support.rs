//! `esos-logs support`.
use crate::archive::name;
use crate::gather::{Left, Part, commands, files, learn};
use crate::place::Place;
use esos_cli::{Exit, Failure, Ui};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, NewFile};
use esos_logarchive::Redactor;
use serde::Serialize;
use std::io::{BufWriter, Write};
use std::path::Path;

#[derive(Serialize)]
struct File<'p> {
    name: &'p str,
    size_bytes: usize,
    cut: bool,
}

#[derive(Serialize)]
struct Manifest<'p> {
    host: String,
    version: String,
    made: u64,
    secrets_known: usize,
    files: Vec<File<'p>>,
    left_out: &'p [Left],
}

pub(crate) fn run(store: Option<&Path>, out: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let box_files = HostFiles::new(ui.root());
    let place = match (store, out) {
        (Some(_), _) => Some(Place::open(store, true, ui)?),
        _ => None,
    };
    let path = match (out, &place) {
        (Some(out), _) => out.to_owned(),
        (None, Some(place)) => place.dir.join(name(&place.dir, "support", "tar.gz", &box_files)),
        (None, None) => Path::new("/tmp").join(name(Path::new("/tmp"), "support", "tar.gz", &box_files)),
    };
    let mut redactor = Redactor::new();
    learn(ui.root(), &mut redactor);
    let (mut parts, mut left) = files(ui.root(), &redactor);
    if let Some(place) = &place {
        let entries = place.entries()?;
        let text = entries
            .iter()
            .map(|e| format!("{:?} {} {} {}\n", e.class, e.size, e.time, e.name))
            .collect::<String>();
        parts.push(Part { name: "store.txt".to_owned(), text: redactor.scrub(&text), cut: false });
    }
    if ui.global().is_live() {
        let (more, missing) = commands(&redactor)?;
        parts.extend(more);
        left.extend(missing);
    }
    let text = |path: &str| {
        let bytes = box_files.read(path).unwrap_or_default();
        redactor.scrub(String::from_utf8_lossy(&bytes).trim())
    };
    let manifest = Manifest {
        host: text("/etc/hostname"),
        version: text("/etc/esos-release"),
        made: HostClock.now().as_secs(),
        secrets_known: redactor.count(),
        files: parts.iter().map(|p| File { name: &p.name, size_bytes: p.text.len(), cut: p.cut }).collect(),
        left_out: &left,
    };
    write(&path, &parts, &manifest)?;
    let data = serde_json::json!({ "bundle": path, "manifest": manifest });
    ui.emit("esos.logs.support/1", &data, |human| {
        human.line(format!(
            "{}: {} files, {} left out (MANIFEST.json says why)",
            path.display(),
            parts.len(),
            left.len()
        ));
    })?;
    Ok(Exit::Done)
}

/// Opened by `tar xzf` anywhere.
fn write(path: &Path, parts: &[Part], manifest: &Manifest<'_>) -> Result<(), Failure> {
    let file = NewFile::create(path, 0o600)?;
    let gzip = flate2::write::GzEncoder::new(BufWriter::new(file), flate2::Compression::default());
    let mut tar = tar::Builder::new(gzip);
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(manifest.made);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, format!("support/{name}"), bytes)
    };
    add("MANIFEST.json", &serde_json::to_vec_pretty(manifest)?)?;
    for part in parts {
        add(&part.name, part.text.as_bytes())?;
    }
    let mut out = tar.into_inner()?.finish()?;
    out.flush()?;
    Ok(out.into_inner().map_err(std::io::IntoInnerError::into_error)?.commit()?)
}
