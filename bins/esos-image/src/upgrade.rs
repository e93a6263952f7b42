//! `upgrade`.
use std::path::PathBuf;

use esos_bootimg::disk::description::{TrustedKeys, Verdict};
use esos_bootimg::upgrade::{Incoming, InstallError, Plan, Progress, Refusal, Running, Wishes, plan};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_hostfs::{Files, HostFiles};
use esos_layout::run;
use esos_units::Bytes;
use serde_json::json;

use crate::args::UpgradeArgs;
use crate::bring::bring;
use crate::medium::How;
use crate::source::read;
use crate::stick::Meant;

/// `upgrade`.
pub(crate) fn run(args: &UpgradeArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let keys = keys(args, ui)?;
    let how = if args.dry_run { How::Read } else { How::Write };
    let meant = Meant::open(args.target.as_deref(), how, ui.root())?;
    if meant.booted.is_some() && !args.despite_resync {
        quiet_arrays(ui)?;
    }
    let mut stick = meant.stick()?;
    let running = Running::of(&stick, meant.running(&stick)?);
    let brought = bring(&args.image, &std::env::temp_dir(), ui)?;
    if brought.path == meant.path {
        return Err(Failure::new(
            Exit::Usage,
            "the new system and the stick to be written are one and the same",
        ));
    }
    let mut incoming = Incoming::open(brought.image, &keys).or_exit(Exit::Invalid)?;
    let progress = ui.progress("checking", Some(incoming.bytes()));
    incoming.check(&mut |bytes| progress.set(bytes)).or_exit(Exit::Invalid)?;
    progress.finish();

    let version = incoming.description().version.clone();
    let mut wishes = Wishes { downgrade: args.downgrade, unsigned: false };
    let mut made = plan(&stick, &incoming, &running, wishes);
    if let Err(Refusal::Unsigned { .. } | Refusal::Untrusted { .. }) = &made {
        let by = match incoming.verdict() {
            Verdict::Untrusted { key } => format!("is signed with key {key}, which nobody here trusts"),
            _ => "is not signed".to_owned(),
        };
        let action = format!("put version {version} into {}, which {by}", running.slot.other());
        let question = Confirm::new(action).typed(version.clone());
        ui.confirm_name(&question, args.accept_unsigned.as_deref(), "--accept-unsigned")?;
        wishes.unsigned = true;
        made = plan(&stick, &incoming, &running, wishes);
    }
    let made = made.map_err(refused)?;
    if args.dry_run {
        ui.emit("esos.image.upgrade/1", &json!({ "plan": made, "done": null }), |human| {
            lines(&made).iter().for_each(|line| human.line(line));
        })?;
        return Ok(Exit::Done);
    }
    lines(&made).iter().for_each(|line| ui.say(line));
    let writing = ui.progress("writing", Some(made.bytes));
    let reading = std::cell::OnceCell::new();
    let done = made.apply(&mut stick, &mut incoming, &mut |progress| match progress {
        Progress::Written(bytes) => writing.set(bytes),
        Progress::ReadBack(bytes) => {
            reading.get_or_init(|| ui.progress("reading back", Some(made.bytes))).set(bytes);
        }
    });
    writing.finish();
    if let Some(reading) = reading.into_inner() {
        reading.finish();
    }
    let done = done.map_err(|e| {
        let exit = if matches!(e, InstallError::Changed) { Exit::Busy } else { Exit::Failed };
        let help = format!("{} stays as it is and is started; try again, or take another stick", made.keeps);
        Failure::from(e).with_exit(exit).help(help)
    })?;
    ui.emit("esos.image.upgrade/1", &json!({ "plan": made, "done": done }), |human| {
        let (written, kept) = (Bytes::new(done.written_bytes), Bytes::new(done.kept_bytes));
        human.line(format!(
            "{} has version {} now ({written} written, {kept} were there already, all read back)",
            made.slot, made.to
        ));
        human.line("the next boot tries it; it is kept once it reports good");
    })?;
    Ok(Exit::Done)
}

fn lines(plan: &Plan) -> Vec<String> {
    let from = plan.from.as_deref().unwrap_or("unknown");
    vec![
        format!("{} keeps version {from} and stays preferred until the end", plan.keeps),
        format!("mark {} empty (one sector)", plan.slot),
        format!("write version {} into it, {}, and read it back", plan.to, Bytes::new(plan.bytes)),
        format!("mark {} for trial (one sector): three tries", plan.slot),
    ]
}

/// Keys of the box and those that were named.
fn keys(args: &UpgradeArgs, ui: &Ui) -> Result<TrustedKeys, Failure> {
    let mut keys = TrustedKeys::default();
    let files = HostFiles::new(ui.root());
    let names = match files.list(run::TRUSTED_KEYS) {
        Ok(names) => names,
        Err(e) if e.is_not_found() => Vec::new(),
        Err(e) => return Err(e.into()),
    };
    for name in names.iter().filter(|n| n.ends_with(".pub")) {
        let path = format!("{}/{name}", run::TRUSTED_KEYS);
        keys.add(&path, &String::from_utf8_lossy(&files.read(&path)?)).or_exit(Exit::Invalid)?;
    }
    let named: &[PathBuf] = &args.keys;
    for path in named {
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        keys.add(&path.to_string_lossy(), &text).or_exit(Exit::Invalid)?;
    }
    Ok(keys)
}

fn refused(refusal: Refusal) -> Failure {
    let (exit, help) = match &refusal {
        Refusal::Lost => (Exit::Refused, "mark the running slot good first: esos-image mark-good"),
        Refusal::NotGood { .. } => {
            (Exit::Refused, "wait until it has reported good, or say so: esos-image mark-good")
        }
        Refusal::TooLarge { .. } => (Exit::Refused, "write a new stick with larger slots: esos-image write"),
        Refusal::Older { .. } => (Exit::Refused, "give --downgrade to take it all the same"),
        Refusal::Incomparable { .. } => (Exit::Refused, "give --downgrade if it is meant"),
        Refusal::BelowMinimum { .. } => {
            (Exit::Refused, "a new stick can be written with it: esos-image write")
        }
        Refusal::WrongSignature { .. } => (Exit::Invalid, "fetch it again; it is not what was signed"),
        _ => (Exit::Failed, ""),
    };
    let failure = Failure::from(refusal).with_exit(exit);
    if help.is_empty() { failure } else { failure.help(help) }
}

/// No array may be rebuilding: its disks are as busy as they are fragile, and the reboot comes next.
fn quiet_arrays(ui: &Ui) -> Result<(), Failure> {
    let files = HostFiles::new(ui.root());
    let Ok(text) = files.read("/proc/mdstat") else { return Ok(()) };
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut array = "";
    for line in text.lines() {
        if let Some((name, _)) = line.split_once(" : ") {
            array = name;
        }
        let words: Vec<&str> = line.split([' ', '=']).collect();
        if words.iter().any(|w| ["resync", "recovery", "reshape"].contains(w)) && line.contains('%') {
            let busy = Failure::new(Exit::Busy, format!("{array} is being rebuilt: {}", line.trim()));
            return Err(busy.help("wait for its end, or give --despite-resync"));
        }
    }
    Ok(())
}
