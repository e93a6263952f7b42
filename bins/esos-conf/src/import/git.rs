//! `/etc` of the original: the newest commit of a bare repository, read by git.
use crate::import::Taken;
use esos_confsync::{BoxPath, Node, NodeKind};
use esos_exec::{Cmd, Runner};
use std::path::{Path, PathBuf};
use std::time::Duration;

type Error = Box<dyn std::error::Error>;

const PROGRAMS: &[&str] = &["/usr/bin/git", "/usr/local/bin/git", "/bin/git"];

struct Git<'g> {
    program: PathBuf,
    repository: &'g Path,
    runner: &'g dyn Runner,
}

impl Git<'_> {
    /// The output of a command. Hooks, other people's settings and the network have no part in it.
    fn run(&self, args: &[&str]) -> Result<Vec<u8>, Error> {
        let cmd = Cmd::new(&self.program)
            .args([
                "-c",
                "safe.directory=*",
                "-c",
                "core.fsmonitor=false",
                "--no-replace-objects",
                "--git-dir",
            ])
            .arg(self.repository)
            .args(args.iter().copied())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .limit(Duration::from_secs(120));
        let output = self.runner.run(&cmd)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = output.error_text().lines().next().unwrap_or("it says nothing").to_owned();
        Err(format!("git: {}: {said}", output.status).into())
    }
}

/// Takes the newest commit in. What of it is damaged is told, and the rest is taken.
pub(crate) fn take(repository: &Path, runner: &dyn Runner, taken: &mut Taken<'_, '_>) -> Result<(), Error> {
    let program = PROGRAMS.iter().map(PathBuf::from).find(|p| p.exists());
    let program = program
        .ok_or("git is not installed; import on a machine that has it, and take its export from there")?;
    let git = Git { program, repository, runner };
    let id = git.run(&["rev-parse", "--verify", "HEAD^{tree}"])?;
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    // git keeps no times; that of the commit stands for all.
    let time = git.run(&["log", "-1", "--format=%ct", "HEAD"]).unwrap_or_default();
    let time = String::from_utf8_lossy(&time).trim().parse().unwrap_or(0);
    walk(&git, &id, &BoxPath::new("/etc").unwrap_or_default(), time, taken)
}

/// A damaged listing costs what is in it, and nothing else.
fn walk(git: &Git<'_>, tree: &str, dir: &BoxPath, time: i64, taken: &mut Taken<'_, '_>) -> Result<(), Error> {
    let listing = match git.run(&["ls-tree", "-z", tree]) {
        Ok(listing) => listing,
        Err(e) => {
            taken.missing.push(format!("{dir}/ with all that is in it: {e}"));
            return Ok(());
        }
    };
    taken.add(dir, dir_node());
    for line in listing.split(|b| *b == 0).filter(|l| !l.is_empty()) {
        let mut halves = line.splitn(2, |b| *b == b'\t');
        let head = String::from_utf8_lossy(halves.next().unwrap_or_default()).into_owned();
        let path = dir.join(halves.next().unwrap_or_default());
        let words: Vec<&str> = head.split(' ').collect();
        let [mode, kind, id] = words.as_slice() else {
            return Err(format!("git lists `{head}`").into());
        };
        match *kind {
            "tree" => walk(git, id, &path, time, taken)?,
            "blob" => match git.run(&["cat-file", "blob", id]) {
                Err(e) => taken.missing.push(format!("{path}: {e}")),
                Ok(data) if *mode == "120000" => {
                    taken.add(&path, Node { kind: NodeKind::Link(data), mode: 0o777, ..dir_node() });
                }
                Ok(data) => {
                    let node =
                        Node { mode: permissions(&path, *mode == "100755"), mtime: (time, 0), ..dir_node() };
                    taken.file(&path, &node, &mut &data[..]).map_err(|e| e.message().to_owned())?;
                    taken.learn(&path, &data);
                }
            },
            other => taken.missing.push(format!("{path}: a {other} in the repository")),
        }
    }
    Ok(())
}

fn dir_node() -> Node {
    Node { kind: NodeKind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: (0, 0) }
}

/// git keeps only whether a file can be run. What holds secrets is closed, whatever it was.
fn permissions(path: &BoxPath, run: bool) -> u32 {
    let text = path.to_string();
    let secret =
        ["shadow", "_key", "authkey", "keyring", "ssmtp", "msmtprc", "secret", "scst.conf", "iscsid.conf"];
    let closed = !text.ends_with(".pub") && secret.iter().any(|s| text.contains(s));
    match (closed, run) {
        (true, _) => 0o600,
        (false, true) => 0o755,
        (false, false) => 0o644,
    }
}
