//! What SCST does, as cases that hold for the simulator and for a kernel alike.
//!
//! A case is a few writes with the results that SCST 3.11 gives, and looks at the tree between them. It
//! makes objects of its own (their names begin with `conf`) and takes them away, so the suite may run on a
//! machine that serves. The same cases run on [`Sim`](crate::Sim) in this crate's tests and on
//! `/sys/kernel/scst_tgt` in a virtual machine.
//!
//! ```
//! use esos_scst_sim::{Environment, Sim, conformance};
//!
//! let sim = Sim::new(Environment::default().file("/f", 1 << 24).block("/b", 1 << 24));
//! let case = conformance::cases("/f", "/b").into_iter().find(|c| c.name.starts_with("nullio")).expect("one");
//! assert_eq!(conformance::run(&sim, &case, &mut || true), Ok(()));
//! ```
use esos_sysfs::AttrTree;

/// One step of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A write, and the name of its errno; empty where it succeeds.
    Write { file: String, value: String, errno: String },
    /// An attribute's lines, joined by `|`.
    Is { file: String, text: String },
    /// A path is there.
    Has(String),
    /// A path is not there.
    Lacks(String),
    /// A write that cleans up, whatever comes of it.
    Undo { file: String, value: String },
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// Whether it needs the iSCSI driver with its daemon.
    pub iscsi: bool,
    steps: Vec<Step>,
}

const TEXT: &str = include_str!("conformance.txt");

/// All cases; `file` is a regular file of 16 MiB, `block` a block device that nobody uses.
#[must_use]
pub fn cases(file: &str, block: &str) -> Vec<Case> {
    let text = TEXT.replace("{file}", file).replace("{block}", block);
    let mut all: Vec<Case> = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            let iscsi = rest.starts_with("iscsi");
            all.push(Case { name: rest.to_owned(), iscsi, steps: Vec::new() });
            continue;
        }
        let Some(case) = all.last_mut() else { continue };
        let (file, value) = rest.split_once(" <- ").unwrap_or((rest, ""));
        let (file, value) = (place(file), value.replace("{nl}", "\n"));
        case.steps.extend(match word {
            "ok" => Some(Step::Write { file, value, errno: String::new() }),
            "is" => rest.split_once(" = ").map(|(f, t)| Step::Is { file: place(f), text: t.to_owned() }),
            "has" => Some(Step::Has(file)),
            "lacks" => Some(Step::Lacks(file)),
            "undo" => Some(Step::Undo { file, value }),
            errno if errno.starts_with('E') => Some(Step::Write { file, value, errno: errno.to_owned() }),
            _ => None,
        });
    }
    all
}

/// Short names of the places that cases write to most.
fn place(file: &str) -> String {
    const SHORT: &[(&str, &str)] = &[
        ("null", "handlers/vdisk_nullio/mgmt"),
        ("fileio", "handlers/vdisk_fileio/mgmt"),
        ("blockio", "handlers/vdisk_blockio/mgmt"),
        ("iscsi", "targets/iscsi/mgmt"),
        ("groups", "device_groups/mgmt"),
    ];
    if let Some((_, long)) = SHORT.iter().find(|(short, _)| *short == file) {
        return (*long).to_owned();
    }
    match file.strip_prefix("@/") {
        Some(rest) => format!("targets/iscsi/iqn.2026-11.org.example:conf/{rest}"),
        None if file == "@" => "targets/iscsi/iqn.2026-11.org.example:conf".to_owned(),
        None => file.to_owned(),
    }
}

/// Runs a case; `wait` is called between two looks at a queued command's result, and says whether to go on.
///
/// # Errors
/// What was expected, and what came instead.
pub fn run(tree: &dyn AttrTree, case: &Case, wait: &mut dyn FnMut() -> bool) -> Result<(), String> {
    let result = case.steps.iter().try_for_each(|step| one(tree, step, wait));
    if result.is_err() {
        for step in &case.steps {
            if let Step::Undo { file, value } = step {
                let _whatever = write(tree, file, value, wait);
            }
        }
    }
    result
}

fn one(tree: &dyn AttrTree, step: &Step, wait: &mut dyn FnMut() -> bool) -> Result<(), String> {
    match step {
        Step::Write { file, value, errno } => {
            let got = write(tree, file, value, wait)?;
            if got == *errno {
                Ok(())
            } else {
                Err(format!("{file} <- {value}: expected {}, got {}", name(errno), name(&got)))
            }
        }
        Step::Undo { file, value } => write(tree, file, value, wait).map(drop),
        Step::Is { file, text } => {
            let mut read = tree.read(file);
            while read.as_ref().is_err_and(|e| e.errno_name() == "EAGAIN") && wait() {
                read = tree.read(file);
            }
            let got = read.map_err(|e| e.to_string())?;
            let lines: Vec<&str> = got.lines().filter(|l| !l.is_empty()).collect();
            let got = lines.join("|");
            if got == *text { Ok(()) } else { Err(format!("{file}: expected `{text}`, got `{got}`")) }
        }
        Step::Has(path) if there(tree, path) => Ok(()),
        Step::Has(path) => Err(format!("{path} is not there")),
        Step::Lacks(path) if there(tree, path) => Err(format!("{path} is there")),
        Step::Lacks(_) => Ok(()),
    }
}

fn name(errno: &str) -> &str {
    if errno.is_empty() { "success" } else { errno }
}

fn there(tree: &dyn AttrTree, path: &str) -> bool {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    tree.list(dir).is_ok_and(|entries| entries.iter().any(|e| e.name == name))
}

/// The name of the errno that a write comes to; empty for success.
fn write(
    tree: &dyn AttrTree,
    file: &str,
    value: &str,
    wait: &mut dyn FnMut() -> bool,
) -> Result<String, String> {
    let Err(error) = tree.write(file, value) else { return Ok(String::new()) };
    if error.errno_name() != "EAGAIN" {
        return Ok(error.errno_name().to_owned());
    }
    loop {
        if !wait() {
            return Err(format!("{file} <- {value}: no result in time"));
        }
        let text = tree.read("last_sysfs_mgmt_res").map_err(|e| e.to_string())?;
        match text.trim().parse::<i32>() {
            Ok(-11) => {}
            Ok(0) => return Ok(String::new()),
            Ok(other) => return Ok(errno(other.unsigned_abs())),
            Err(_) => return Err(format!("last_sysfs_mgmt_res is `{}`", text.trim())),
        }
    }
}

fn errno(number: u32) -> String {
    let known = [
        (1, "EPERM"),
        (2, "ENOENT"),
        (14, "EFAULT"),
        (15, "ENOTBLK"),
        (16, "EBUSY"),
        (17, "EEXIST"),
        (22, "EINVAL"),
        (34, "ERANGE"),
    ];
    known
        .iter()
        .find(|(n, _)| *n == number)
        .map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}
