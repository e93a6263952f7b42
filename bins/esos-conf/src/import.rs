//! `esos-conf import`.
mod archive;
mod etckeeper;
mod git;

use crate::case::{Case, told};
use crate::host::{HostBox, flush};
use crate::restore::bring;
use crate::secret::passphrase;
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_confsync::{
    BoxPath, Intake, IntakeError, Kind, Node, NodeKind, Request, Stat, Tracked, Tree, confirm,
};
use esos_hostfs::{Clock, Files, HostClock};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// What was taken in so far, and what could not be.
pub(crate) struct Taken<'i, 'm> {
    intake: &'i mut Intake<'m>,
    pub(crate) missing: Vec<String>,
    /// Whether it is the original's.
    original: bool,
    /// Files that say what others are: `.etckeeper`, passwd, group.
    texts: BTreeMap<String, String>,
}

impl Taken<'_, '_> {
    pub(crate) fn add(&mut self, path: &BoxPath, node: Node) {
        self.intake.add(path, node);
    }

    /// Keeps the text of a file that says what others are.
    pub(crate) fn learn(&mut self, path: &BoxPath, data: &[u8]) {
        let path = path.to_string();
        if ["/etc/.etckeeper", "/etc/passwd", "/etc/group"].contains(&path.as_str()) {
            self.texts.insert(path, String::from_utf8_lossy(data).into_owned());
        }
    }

    /// A file; one that cannot be read is missing, a store that cannot be written ends it.
    pub(crate) fn file(
        &mut self,
        path: &BoxPath,
        node: &Node,
        content: &mut dyn Read,
    ) -> Result<(), Failure> {
        match self.intake.file(path, node, content) {
            Err(IntakeError::Source(e)) => self.missing.push(format!("{path}: {e}")),
            Err(IntakeError::Store(e)) => return Err(told(e)),
            Err(e) => return Err(e.into()),
            Ok(()) => {}
        }
        Ok(())
    }
}

pub(crate) fn run(
    store: Option<&Path>,
    source: Option<&Path>,
    secret: Option<&Path>,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let case = Case::open(store, true, ui)?;
    let locks = case.lock()?;
    let mut intake = Intake::new(&case.medium).map_err(told)?;
    let source = source.unwrap_or(&case.store_dir).to_owned();
    let mut taken =
        Taken { intake: &mut intake, missing: Vec::new(), original: false, texts: BTreeMap::new() };
    if source.is_dir() {
        stick(&source, &mut taken)?;
    } else {
        archive::take(&source, passphrase(secret)?, &mut taken)?;
    }
    let (mut missing, original) = (taken.missing, taken.original);
    missing.sort();
    missing.dedup();
    if intake.snapshot().iter().next().is_none() {
        let what = format!("there is nothing to import in {}", source.display());
        let why = if missing.is_empty() {
            "neither etckeeper.git nor rsync_dirs is there".to_owned()
        } else {
            missing.join("; ")
        };
        return Err(Failure::new(Exit::Invalid, what).code("conf::no-import").help(why));
    }
    extras(&case, &mut intake)?;
    let request =
        Request::new(&case.host, &case.version, "import", HostClock.now().as_secs()).missing(missing);
    let generation = intake.finish(&request).map_err(told)?;
    flush(&case.store_dir)?;
    if !case.mounts() {
        confirm(&case.medium, generation.id).map_err(told)?;
        return bring(&case, &generation, original, ui);
    }
    // The box is not made like something that the stick does not have.
    drop(locks);
    drop(case);
    crate::stick::read_back(generation.id)?;
    let case = Case::open(store, true, ui)?;
    let _locks = case.lock()?;
    bring(&case, &generation, original, ui)
}

/// A stick of the original: `/etc` in git, the rest as files.
fn stick(dir: &Path, taken: &mut Taken<'_, '_>) -> Result<(), Failure> {
    let git = dir.join("etckeeper.git");
    let files = dir.join("rsync_dirs");
    if !git.is_dir() && !files.is_dir() {
        return Ok(());
    }
    taken.original = true;
    if git.is_dir() {
        if let Err(e) = git::take(&git, taken) {
            taken.missing.push(format!("/etc with all that is in it: {e}"));
        }
        etckeeper::apply(taken)?;
    } else {
        taken.missing.push("/etc: there is no etckeeper.git".to_owned());
    }
    if files.is_dir() {
        tree(&HostBox::new(&files), taken)?;
        for expected in ["/var/lib", "/opt", "/root/.ssh"] {
            let path = BoxPath::new(expected).unwrap_or_default();
            if taken.intake.snapshot().get(&path).is_none() {
                taken.missing.push(format!("{expected}: it was never copied"));
            }
        }
    } else {
        taken.missing.push("/var/lib, /opt, /root/.ssh: there is no rsync_dirs".to_owned());
    }
    Ok(())
}

fn node(stat: &Stat, kind: NodeKind) -> Node {
    let mtime = if stat.kind == Kind::File { stat.mtime } else { (0, 0) };
    Node { kind, mode: stat.mode, uid: stat.uid, gid: stat.gid, mtime }
}

/// A whole tree of files.
fn tree(tree: &HostBox, taken: &mut Taken<'_, '_>) -> Result<(), Failure> {
    let mut first: BTreeMap<(u64, u64), BoxPath> = BTreeMap::new();
    let mut dirs = vec![BoxPath::default()];
    while let Some(dir) = dirs.pop() {
        let mut names = match tree.list(&dir) {
            Ok(names) => names,
            Err(e) => {
                taken.missing.push(format!("{dir}: {e}"));
                continue;
            }
        };
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, stat) in names {
            let path = dir.join(&name);
            if let Some(whole) = cut_off(&name) {
                taken.missing.push(format!("{}: its copy was cut off", dir.join(whole)));
                continue;
            }
            match stat.kind {
                Kind::Dir => {
                    taken.add(&path, node(&stat, NodeKind::Dir));
                    dirs.push(path);
                }
                Kind::Link => match tree.link(&path) {
                    Ok(target) => {
                        taken.add(&path, Node { mode: 0o777, ..node(&stat, NodeKind::Link(target)) });
                    }
                    Err(e) => taken.missing.push(format!("{path}: {e}")),
                },
                Kind::Other => taken.missing.push(format!("{path}: a device, socket or pipe")),
                Kind::File => {
                    if stat.links > 1
                        && let Some(first) = first.get(&stat.inode)
                        && taken.intake.same(&path, first)
                    {
                        continue;
                    }
                    match tree.open(&path) {
                        Ok(mut content) => taken.file(&path, &node(&stat, NodeKind::Dir), &mut *content)?,
                        Err(e) => taken.missing.push(format!("{path}: {e}")),
                    }
                    first.entry(stat.inode).or_insert(path);
                }
            }
        }
    }
    Ok(())
}

/// What rsync calls a file until it is whole: `.NAME.` and six letters or digits.
fn cut_off(name: &[u8]) -> Option<&[u8]> {
    let rest = name.strip_prefix(b".")?;
    let at = rest.len().checked_sub(7)?;
    let (whole, end) = rest.split_at_checked(at)?;
    let random = end.strip_prefix(b".")?;
    let fits = !whole.is_empty() && random.iter().all(u8::is_ascii_alphanumeric);
    // `.profile.backup` is a name; rsync's ending has at least two kinds of characters.
    let mixed = random.iter().any(u8::is_ascii_uppercase) || random.iter().any(u8::is_ascii_digit);
    (fits && mixed).then_some(whole)
}

/// What came in and is not kept by itself is kept from now on.
fn extras(case: &Case, intake: &mut Intake<'_>) -> Result<(), Failure> {
    let mut more: Vec<String> = Vec::new();
    for (path, node) in intake.snapshot().iter() {
        let text = path.to_string();
        let covered = case.tracked.covers(&path) || Tracked::default().leaves_out(&path);
        if node.kind == NodeKind::Dir || covered || more.iter().any(|m| text.starts_with(&format!("{m}/"))) {
            continue;
        }
        // The directory below /var/lib and its like, or else the file itself.
        let parts: Vec<&str> = text.split('/').skip(1).collect();
        let depth = if text.starts_with("/var/lib/") { 3 } else { parts.len() };
        let place = format!("/{}", parts.get(..depth.min(parts.len())).unwrap_or_default().join("/"));
        if !more.contains(&place) {
            more.push(place);
        }
    }
    if more.is_empty() {
        return Ok(());
    }
    let path = BoxPath::new(esos_confsync::EXTRAS).unwrap_or_default();
    let old = case.files.read(esos_confsync::EXTRAS).unwrap_or_else(|_| b"{}".to_vec());
    let mut document: serde_json::Value = serde_json::from_slice(&old).or_exit(Exit::Invalid)?;
    let mut list: Vec<serde_json::Value> = document["include"].as_array().cloned().unwrap_or_default();
    list.extend(more.into_iter().map(Into::into));
    document["include"] = list.into();
    let text = serde_json::to_vec_pretty(&document)?;
    let node = Node { kind: NodeKind::Dir, mode: 0o644, uid: 0, gid: 0, mtime: (0, 0) };
    intake.file(&path, &node, &mut &text[..])?;
    Ok(())
}
