//! With a root on the stick (`esos_persist`): what handing over a mail needs stays in the kernel's memory. The program
//! that mails has to be run when the stick has failed, and lies on it.
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, real_path};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// What is read again so often is not what the kernel gives up first.
const EVERY: Duration = Duration::from_secs(60);

/// The program that mails.
pub(crate) const SENDMAIL: &str = "/usr/sbin/sendmail";
/// The loader of programs with libraries; it lists them without running the program.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
/// What programs that mail look at besides.
const ALSO: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/aliases",
    "/etc/msmtprc",
    "/etc/ssl/certs/ca-certificates.crt",
];

/// Keeps files warm.
#[derive(Default)]
pub(crate) struct Warm {
    paths: BTreeSet<String>,
    last: Option<Duration>,
}

impl Warm {
    /// Reads them where it is time. What cannot be read now is tried the next time.
    pub(crate) fn keep(&mut self, files: &HostFiles) {
        let now = HostClock.monotonic();
        if self.last.is_some_and(|last| now.saturating_sub(last) < EVERY) {
            return;
        }
        self.last = Some(now);
        // Once it is known, it is known: the one who lists them may not answer any more.
        if self.paths.is_empty() {
            self.paths = needed(files, SENDMAIL, &|program| listed(program));
        }
        for path in ALSO.iter().copied().chain(self.paths.iter().map(String::as_str)) {
            let _warm = files.read(path);
        }
    }
}

/// A program, its interpreter, and the libraries of both.
fn needed(files: &HostFiles, program: &str, libraries: &dyn Fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = Some(program.to_owned());
    // A script of a script of a script is none.
    for _ in 0..3 {
        let Some(program) = next.take() else { break };
        let Ok(bytes) = files.read(&program) else { break };
        found.insert(program.clone());
        match bytes.strip_prefix(b"#!") {
            Some(rest) => {
                let line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
                let line = String::from_utf8_lossy(line).into_owned();
                next = line.split_whitespace().next().map(str::to_owned);
            }
            None => found.extend(libraries(&program)),
        }
    }
    found
}

fn listed(program: &str) -> Vec<String> {
    let program = real_path(Path::new(program)).unwrap_or_else(|_| program.into());
    let cmd = Cmd::new(LOADER).arg("--list").arg(program).limit(Duration::from_secs(20));
    HostRunner.run(&cmd).map(|out| paths(&out.text())).unwrap_or_default()
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f…)`.
fn paths(text: &str) -> Vec<String> {
    text.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_needs_its_interpreter_and_that_its_libraries() {
        let dir = esos_hostfs::TempDir::new("warm").unwrap();
        let files = HostFiles::new(dir.path());
        files.make_dir("/bin").unwrap();
        files.replace("/bin/mail", b"#!/bin/shell -e\ncat\n", 0o755).unwrap();
        files.replace("/bin/shell", b"\x7fELF", 0o755).unwrap();
        let libraries = |program: &str| vec![format!("{program}.so")];
        let found = needed(&files, "/bin/mail", &libraries);
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            ["/bin/mail", "/bin/shell", "/bin/shell.so"]
        );
        assert!(needed(&files, "/bin/none", &libraries).is_empty());
        files.replace("/bin/round", b"#!/bin/round\n", 0o755).unwrap();
        assert_eq!(needed(&files, "/bin/round", &libraries).len(), 1);
    }

    #[test]
    fn libraries_as_the_loader_lists_them() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f57)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f58)\n";
        assert_eq!(paths(text), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
