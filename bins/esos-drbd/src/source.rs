//! Where a state comes from: a recorded output, or this machine.
use crate::args::From;
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_drbd::{Kind, Report, ToolFailure, read};
use esos_exec::{Cmd, ExecError, HostRunner, Output, Runner};
use std::io::Read;
use std::path::{Path, PathBuf};
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

/// What a recorded output says; a command that failed is a failure with its advice.
pub(crate) fn recorded(from: &From, path: &Path, ui: &mut Ui) -> Result<Report, Failure> {
    let text = text(path)?;
    let stderr = match &from.stderr {
        Some(path) => self::text(path)?,
        None => {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".stderr");
            let beside = PathBuf::from(beside);
            if beside.is_file() { self::text(&beside)? } else { String::new() }
        }
    };
    let kind: Option<Kind> = from.kind.as_deref().map(str::parse).transpose().or_exit(Exit::Usage)?;
    let failed = from.rc.is_some_and(|rc| rc != 0);
    let nothing = matches!(Kind::recognise(&text), Some(Kind::Empty | Kind::Message));
    if failed || (nothing && Kind::recognise(&stderr) == Some(Kind::Error)) {
        let said = if stderr.trim().is_empty() { &text } else { &stderr };
        return Err(failure(&ToolFailure::of(from.rc, said)));
    }
    told(kind, &path.display().to_string(), &text, ui)
}

/// Reads a text, and passes on what is odd about it.
pub(crate) fn told(kind: Option<Kind>, origin: &str, text: &str, ui: &mut Ui) -> Result<Report, Failure> {
    let report = read(kind, origin, text).map_err(|e| {
        let failure = Failure::findings(vec![e.diagnostic("drbd::unreadable")], text);
        if kind.is_none() { failure.help("`--kind` says what printed it") } else { failure }
    })?;
    if let Some(f) = &report.failure {
        return Err(failure(f));
    }
    report.warnings.iter().for_each(|w| ui.warn(w.clone()));
    Ok(report)
}

pub(crate) fn failure(f: &ToolFailure) -> Failure {
    let exit = f.exit.map(|e| format!(" (exit code {e})")).unwrap_or_default();
    let code =
        serde_json::to_value(&f.kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    Failure::new(Exit::Failed, format!("{}{exit}", f.what))
        .code(format!("drbd::{code}"))
        .help(f.advice.clone())
}

/// The state of this machine, or of a copied tree's `/proc/drbd`.
pub(crate) fn live(ui: &mut Ui) -> Result<Report, Failure> {
    let proc = ui.root().join("proc/drbd");
    let Ok(text) = std::fs::read_to_string(&proc) else {
        return Err(Failure::new(Exit::Unavailable, "DRBD is not loaded")
            .help("load it with `modprobe drbd`, or give --from"));
    };
    if !ui.global().is_live() {
        return told(Some(Kind::Proc), &proc.display().to_string(), &text, ui);
    }
    let version = read(Some(Kind::Proc), "/proc/drbd", &text).ok().and_then(|r| r.status.version);
    // Both generations have this stream; 8.4 has no JSON.
    let out = run("/usr/sbin/drbdsetup", &["events2", "--now", "--statistics"])?;
    if !out.status.success() {
        return Err(failed(&out));
    }
    let mut report =
        told(Some(Kind::Events2), "drbdsetup events2", &String::from_utf8_lossy(&out.stdout), ui)?;
    report.status.version = version;
    Ok(report)
}

/// A recorded state where one is given, this machine's else.
pub(crate) fn any(from: &From, ui: &mut Ui) -> Result<Report, Failure> {
    match &from.from {
        Some(path) => recorded(from, path, ui),
        None => live(ui),
    }
}

pub(crate) fn run(program: &str, args: &[&str]) -> Result<Output, Failure> {
    let mut cmd = Cmd::new(program).limit(Duration::from_secs(120));
    for arg in args {
        cmd = cmd.arg(*arg);
    }
    HostRunner.run(&cmd).map_err(|e| match e {
        ExecError::NotFound { .. } => {
            Failure::new(Exit::Unavailable, format!("{program} is not installed")).help("install drbd-utils")
        }
        other => Failure::from(other),
    })
}

/// A command that failed, with its advice.
pub(crate) fn failed(out: &Output) -> Failure {
    failure(&said(out))
}

/// What a command that failed said.
pub(crate) fn said(out: &Output) -> ToolFailure {
    let code = match out.status {
        esos_exec::Exit::Code(code) => Some(code),
        _ => None,
    };
    ToolFailure::of(code, &String::from_utf8_lossy(&out.stderr))
}
