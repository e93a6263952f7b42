//! What getty runs.
use crate::banner::banner;
use crate::machine::{carry_out, needs_setup, seen, text};
use esos_cli::{Exit, Failure, Ui};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_firstboot::{Answers, Dialogue, prompt};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, LockError, lock};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LOGIN: &str = "/bin/login";

/// Never returns where all is well: login(1) takes this process's place.
pub(crate) fn login(ui: &mut Ui, name: &str) -> Result<Exit, Failure> {
    // A box whose shadow file cannot be read is login's to judge.
    if name != "root" || !needs_setup("/".as_ref()).unwrap_or(false) {
        return become_login(&["-p", "--", name]);
    }
    let files = HostFiles::new("/");
    files.make_dir("/run/esos")?;
    let guard = match lock(Path::new("/run/esos/setup.lock"), Duration::ZERO) {
        Ok(guard) => guard,
        Err(LockError::Busy { .. }) => {
            println(&format!("{}the first login is going on at another console", prompt::WRONG))?;
            HostClock.sleep(Duration::from_secs(5));
            return Ok(Exit::Busy);
        }
        Err(e) => return Err(e.into()),
    };
    if !needs_setup("/".as_ref())? {
        return become_login(&["-p", "--", name]);
    }
    let Some(answers) = ask(&files)? else {
        println("")?;
        return Ok(Exit::Refused);
    };
    carry_out(&answers, "first login")?;
    restart_readers(&answers, &files, ui);
    network(ui);
    if let Err(why) = banner(ui) {
        ui.detail(format!("{why:?}"));
    }
    println(prompt::DONE)?;
    drop(guard);
    // Whoever has just given root its password needs not type it a third time.
    become_login(&["-p", "-f", "root"])
}

/// The dialogue on this terminal; `None` at the end of input.
fn ask(files: &HostFiles) -> Result<Option<Answers>, Failure> {
    println(prompt::GREETING)?;
    let host = text(files, "/etc/hostname").trim().parse().or_else(|_| "esos".parse())?;
    let mut wired: Vec<_> = seen().into_iter().filter(|s| s.link(false).wired).collect();
    wired.sort_by_key(|s| !s.carrier);
    let mut dialogue = Dialogue::new(host, wired.into_iter().map(|s| s.name).collect());
    let zone = |z: &str| files.stat(&format!("/usr/share/zoneinfo/{z}")).is_ok();
    loop {
        if let Some(answers) = dialogue.finish() {
            return Ok(Some(answers));
        }
        let question = dialogue.prompt();
        let Some(line) = read_answer(&question.text, question.hidden)? else { return Ok(None) };
        if let Some(said) = dialogue.answer(&line, &zone) {
            println(&said)?;
        }
    }
}

/// Puts a question and reads a line; `None` at the end of input.
fn read_answer(question: &str, hidden: bool) -> Result<Option<String>, Failure> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).ok();
    if let (true, Some(before)) = (hidden, &before) {
        // Before the question is put: whoever answers at once is not echoed either.
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSADRAIN, &silent)?;
    }
    let mut out = io::stdout();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    let mut bytes = Vec::new();
    let read = stdin.lock().read_until(b'\n', &mut bytes);
    if let (true, Some(before)) = (hidden, &before) {
        tcsetattr(&stdin, SetArg::TCSADRAIN, before)?;
        println("")?;
    }
    if read? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()))
}

/// Brings up the network that was told. A failure is shown, and the login goes on: the console is where
/// it can be mended.
fn network(ui: &mut Ui) {
    let cmd = Cmd::new("/usr/sbin/esos-net").args(["up", "--wait", "10"]).limit(Duration::from_secs(90));
    match HostRunner.run(&cmd) {
        Ok(output) if output.status.success() => {}
        Ok(output) => ui.say(format!("{}{}", prompt::WRONG, output.error_text().trim())),
        Err(why) => ui.say(format!("{}{why}", prompt::WRONG)),
    }
}

/// Daemons that read the host's name and the time zone only when they start.
const READERS: [&str; 2] = ["/etc/init.d/rsyslog", "/etc/init.d/cron"];

/// Starts them again, so that the log carries the new name and the new time. A failure ends no login.
fn restart_readers(answers: &Answers, files: &HostFiles, ui: &mut Ui) {
    if answers.hostname.is_none() && answers.timezone.is_none() {
        return;
    }
    for script in READERS.into_iter().filter(|script| files.stat(script).is_ok()) {
        match HostRunner.run(&Cmd::new(script).arg("restart").limit(Duration::from_secs(60))) {
            Ok(output) if output.status.success() => {}
            Ok(output) => ui.detail(format!("{script} restart: {}", output.status)),
            Err(why) => ui.detail(why.to_string()),
        }
    }
}

fn println(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()?;
    Ok(())
}

fn become_login(args: &[&str]) -> Result<Exit, Failure> {
    let error = Command::new(LOGIN).args(args).exec();
    Err(Failure::from(error).context(format!("cannot run {LOGIN}")))
}
