//! `esos-conf export`: one file, tar in zstd in age.
use crate::case::{Case, id, told};
use crate::secret::passphrase;
use esos_cli::{Exit, Failure, Ui};
use esos_confsync::{BoxPath, Node, NodeKind, Sealer, Snapshot, Store, StoreError};
use esos_hostfs::NewFile;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

pub(crate) fn run(
    store: Option<&Path>,
    file: &Path,
    what: Option<&str>,
    secret: Option<&Path>,
    plain: bool,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let secret = passphrase(secret)?;
    if secret.is_none() && !plain {
        return Err(Failure::new(Exit::Refused, "an export holds passwords and keys; it needs a passphrase")
            .code("conf::passphrase")
            .help(
                "--passphrase-file FILE (`-` is standard input), or --plain for one that everybody can read",
            ));
    }
    let case = Case::open(store, false, ui)?;
    let store = case.store()?;
    let generation = match what.and_then(id).transpose()? {
        Some(id) => store.generation(id).map_err(told)?.clone(),
        None => store.generations().next_back().cloned().ok_or_else(|| told(StoreError::Empty))?,
    };
    store.verify(&generation).map_err(told)?;
    let snapshot = store.snapshot(&generation).map_err(told)?;
    let out = NewFile::create(file, 0o600)?;
    let out = match secret {
        None => write(zstd::stream::write::Encoder::new(out, 9)?, &store, &snapshot)?.finish()?,
        Some(secret) => {
            let mut random = [0; 48];
            std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
            let seal = Sealer::new(out, secret.expose(), &random)?;
            write(zstd::stream::write::Encoder::new(seal, 9)?, &store, &snapshot)?.finish()?.finish()?
        }
    };
    out.commit()?;
    let data = serde_json::json!({ "file": file, "generation": generation, "encrypted": !plain });
    ui.emit("esos.conf.export/1", &data, |human| {
        human.line(format!("{}: @{}, {} files", file.display(), generation.id, generation.files));
    })?;
    Ok(Exit::Done)
}

/// Opened by `age -d X | zstd -d | tar x` anywhere.
fn write<W: Write>(out: W, store: &Store<'_>, snapshot: &Snapshot) -> Result<W, Failure> {
    let mut tar = tar::Builder::new(out);
    let mut groups: BTreeMap<u64, BoxPath> = BTreeMap::new();
    for (path, node) in snapshot.iter() {
        let mut header = tar::Header::new_gnu();
        header.set_mode(node.mode);
        header.set_uid(node.uid.into());
        header.set_gid(node.gid.into());
        header.set_mtime(u64::try_from(node.mtime.0).unwrap_or(0));
        header.set_size(0);
        let name = os(path.as_bytes());
        match &node.kind {
            NodeKind::Dir => {
                header.set_entry_type(tar::EntryType::Directory);
                tar.append_data(&mut header, name, io::empty())?;
            }
            NodeKind::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                tar.append_link(&mut header, name, os_link(target))?;
            }
            NodeKind::File { group, .. } if groups.contains_key(group) => {
                header.set_entry_type(tar::EntryType::Link);
                let first = groups.get(group).cloned().unwrap_or_default();
                tar.append_link(&mut header, name, os(first.as_bytes()))?;
            }
            NodeKind::File { len, chunks, group } => {
                if *group > 0 {
                    groups.insert(*group, path.clone());
                }
                nanos(&mut tar, node)?;
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(*len);
                let mut rest = chunks.iter();
                let mut piece = io::Cursor::new(Vec::new());
                let mut content = From(|buffer: &mut [u8]| {
                    loop {
                        let got = piece.read(buffer)?;
                        if got > 0 {
                            return Ok(got);
                        }
                        let Some(id) = rest.next() else { return Ok(0) };
                        piece = io::Cursor::new(store.content(&[*id]).map_err(io::Error::other)?);
                    }
                });
                tar.append_data(&mut header, name, &mut content)?;
            }
        }
    }
    Ok(tar.into_inner()?)
}

fn os(path: &[u8]) -> &Path {
    os_link(path.strip_prefix(b"/").unwrap_or(path))
}

fn os_link(path: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(path))
}

fn nanos<W: Write>(tar: &mut tar::Builder<W>, node: &Node) -> Result<(), Failure> {
    if node.mtime.1 > 0 {
        let text = format!("{}.{:09}", node.mtime.0, node.mtime.1);
        tar.append_pax_extensions([("mtime", text.as_bytes())])?;
    }
    Ok(())
}

/// A reader that is a function.
struct From<F>(F);
impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for From<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.0)(buffer)
    }
}
