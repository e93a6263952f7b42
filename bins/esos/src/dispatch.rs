//! Running a tool in place of this program.
use crate::args::Args;
use crate::tools::{self, SHIPPED, Tools};
use clap::CommandFactory;
use esos_cli::{ColorChoice, Exit, Failure, Ui};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The tool takes the place of this program: its exit code, its streams.
pub(crate) fn run(tools: &Tools, words: Vec<OsString>, ui: &Ui) -> Result<Exit, Failure> {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_default().to_string_lossy().into_owned();
    let path = tools.get(&name).ok_or_else(|| unknown(tools, &name))?;
    exec(path, passed_on(ui).into_iter().chain(words))
}

pub(crate) fn help(tools: &Tools, name: &str, ui: &mut Ui) -> Result<Exit, Failure> {
    if let Some(own) = Args::command().find_subcommand_mut(name) {
        let text = own.clone().bin_name(format!("esos {name}")).render_long_help().to_string();
        ui.raw(text.as_bytes())?;
        return Ok(Exit::Done);
    }
    let path = tools.get(name).ok_or_else(|| unknown(tools, name))?;
    exec(path, [OsString::from("--help")].into_iter())
}

/// `esos` and `esos help`: our own help, and the tools that are there.
pub(crate) fn overview(tools: &Tools, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut text = Args::command().render_help().to_string();
    text.push_str("\nTools:\n");
    for (name, path) in tools {
        let about = tools::about(name);
        let what = if about.is_empty() { path.display().to_string() } else { about.to_owned() };
        text.push_str(&format!("  {name:<11} {what}\n"));
    }
    for shipped in SHIPPED.iter().filter(|s| !tools.contains_key(s.name)) {
        text.push_str(&format!("  {:<11} {} (not installed)\n", shipped.name, shipped.about));
    }
    ui.raw(text.as_bytes())?;
    Ok(Exit::Done)
}

fn exec(path: &Path, args: impl Iterator<Item = OsString>) -> Result<Exit, Failure> {
    let error = Command::new(path).args(args).exec();
    Err(Failure::from(error).context(format!("cannot run {}", path.display())))
}

/// Flags that stood before the tool's name.
fn passed_on(ui: &Ui) -> Vec<OsString> {
    let global = ui.global();
    let mut flags: Vec<OsString> = Vec::new();
    let mut flag = |set: bool, text: &str| flags.extend(set.then(|| text.into()));
    flag(global.json, "--json");
    flag(global.yes, "--yes");
    flag(global.quiet, "--quiet");
    (0..global.verbose).for_each(|_| flag(true, "--verbose"));
    flag(global.color == ColorChoice::Always, "--color=always");
    flag(global.color == ColorChoice::Never, "--color=never");
    if !global.is_live() {
        flags.extend(["--root".into(), global.root.clone().into_os_string()]);
    }
    flags
}

fn unknown(tools: &Tools, name: &str) -> Failure {
    if SHIPPED.iter().any(|s| s.name == name) {
        return Failure::new(Exit::Usage, format!("esos-{name} is not installed"))
            .help("`esos tools` lists what is");
    }
    let own = Args::command();
    let verbs = own.get_subcommands().filter(|s| !s.is_hide_set()).map(|s| s.get_name().to_owned());
    let known = tools.keys().cloned().chain(verbs).chain(["help".to_owned()]);
    let near = known
        .map(|k| (strsim::damerau_levenshtein(&k, name), k))
        .filter(|(far, k)| *far <= k.len().max(name.len()) / 3)
        .min();
    let failure = Failure::new(Exit::Usage, format!("there is no tool `{name}`"));
    match near {
        Some((_, near)) => failure.help(format!("did you mean `esos {near}`?")),
        None => failure.help("`esos help` lists what there is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let tools = Tools::from([("raid".to_owned(), "/usr/sbin/esos-raid".into())]);
        let told = |name: &str| format!("{:?}", unknown(&tools, name));
        assert!(told("riad").contains("did you mean `esos raid`?"), "{}", told("riad"));
        assert!(told("staus").contains("did you mean `esos status`?"));
        assert!(told("scst").contains("esos-scst is not installed"));
        assert!(told("xyzzy").contains("esos help"));
    }
}
