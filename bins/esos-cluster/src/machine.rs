//! Recorded states, and this machine's tools.
use crate::args::From;
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_cluster::{Cluster, MonitorError, ToolFailure, monitor};
use esos_exec::{Cmd, ExecError, HostRunner, Output, Runner};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// The text of a file, whatever its bytes are; `-` is standard input.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.context(format!("cannot read {}", path.display()))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// A recorded state, or this machine's.
pub(crate) fn cluster(from: &From, ui: &mut Ui) -> Result<Cluster, Failure> {
    match &from.from {
        Some(path) => recorded(from, path, ui),
        None if !ui.global().is_live() => {
            Err(Failure::new(Exit::Unavailable, "the cluster of another root cannot be asked")
                .help("give a recorded state with --from"))
        }
        None => {
            let out = run("/usr/sbin/crm_mon", &["--one-shot", "--inactive", "--output-as=xml"])?;
            told("crm_mon", &String::from_utf8_lossy(&out.stdout), ui)
        }
    }
}

/// A tool that failed said so on its error stream, which a recording may have beside it.
fn recorded(from: &From, path: &Path, ui: &mut Ui) -> Result<Cluster, Failure> {
    let text = text(path)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".stderr");
    let said = std::fs::read(&beside).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    let state = text.contains("<nodes") || text.contains("<summary") || text.contains("<status code");
    if !state && (from.rc.is_some_and(|rc| rc != 0) || !said.trim().is_empty()) {
        return Err(failure(&ToolFailure::of(from.rc, &said)));
    }
    told(&path.display().to_string(), &text, ui)
}

fn told(origin: &str, text: &str, ui: &mut Ui) -> Result<Cluster, Failure> {
    match monitor(origin, text) {
        Ok(seen) => {
            seen.warnings.iter().for_each(|w| ui.warn(w.clone()));
            Ok(seen.cluster)
        }
        Err(MonitorError::Tool(f)) => Err(failure(&f)),
        Err(MonitorError::Parse(e)) => {
            Err(Failure::findings(vec![e.diagnostic("cluster::unreadable")], text)
                .help("record it with `crm_mon --one-shot --inactive --output-as=xml`"))
        }
        Err(other) => Err(Failure::from(other)),
    }
}

pub(crate) fn failure(f: &ToolFailure) -> Failure {
    let code =
        serde_json::to_value(f.kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let exit = if f.kind == esos_cluster::FailureKind::NotRunning { Exit::Unavailable } else { Exit::Failed };
    let number = f.exit.map(|e| format!(" (exit code {e})")).unwrap_or_default();
    Failure::new(exit, format!("{}{number}", f.what)).code(format!("cluster::{code}")).help(f.advice.clone())
}

pub(crate) fn run(program: &str, args: &[&str]) -> Result<Output, Failure> {
    let mut cmd = Cmd::new(program).limit(Duration::from_secs(180));
    for arg in args {
        cmd = cmd.arg(*arg);
    }
    HostRunner.run(&cmd).map_err(|e| match e {
        ExecError::NotFound { .. } => Failure::new(Exit::Unavailable, format!("{program} is not installed"))
            .help("the option set `cluster` of the image brings it"),
        other => Failure::from(other),
    })
}

/// Runs a tool that must succeed.
pub(crate) fn must(program: &str, args: &[&str]) -> Result<Output, Failure> {
    let out = run(program, args)?;
    if out.status.success() {
        return Ok(out);
    }
    let code = match out.status {
        esos_exec::Exit::Code(code) => Some(code),
        esos_exec::Exit::Signal(_) => None,
    };
    let said = format!("{}{}", String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
    Err(failure(&ToolFailure::of(code, &said)).context(format!("{program} {}", args.join(" "))))
}

pub(crate) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "here".to_owned(), |n| n.trim().to_owned())
}
