//! `esos TOOL ARGS…` runs `esos-TOOL ARGS…`, found beside this program.
#![expect(clippy::print_stderr, reason = "a binary talks on standard error")]
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(tool) = args.next() else {
        eprintln!("usage: esos TOOL [ARGS]...");
        return ExitCode::from(2);
    };
    let name = format!("esos-{}", tool.to_string_lossy());
    let program =
        std::env::current_exe().map(|me| me.with_file_name(&name)).unwrap_or_else(|_| name.clone().into());
    let error = Command::new(&program).args(args).exec();
    eprintln!("esos: cannot run {}: {error}", program.display());
    ExitCode::from(2)
}
