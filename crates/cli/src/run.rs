//! From arguments to an exit code.
use crate::{ColorChoice, Console, Exit, Failure, Global, Section, Ui, generate};
use clap::Parser;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

/// The arguments of one tool.
pub trait Tool: Parser {
    /// The flags that every tool has.
    fn global(&self) -> &Global;

    /// This tool's part of `esos status`, or `None` where it has none. It must be quick (two seconds at
    /// most), change nothing, and need no arguments.
    #[must_use]
    fn section(global: &Global) -> Option<Section> {
        let _ = global;
        None
    }
}

/// Runs a tool with the arguments and streams of this process: what `main` of every binary is.
pub fn main<T: Tool>(tool: impl FnOnce(T, &mut Ui) -> Result<Exit, Failure>) -> ExitCode {
    run(std::env::args_os().collect(), Console::process(), tool).into()
}

/// Runs a tool with these arguments (the program's name first) on these streams.
pub fn run<T: Tool>(
    args: Vec<OsString>,
    console: Console,
    tool: impl FnOnce(T, &mut Ui) -> Result<Exit, Failure>,
) -> Exit {
    let early = early(&args);
    let whole = || generate::complete(T::command()).color(early.color.clap());
    let mut command = whole();
    let generator =
        format!("{} {}", command.get_name(), command.get_version().unwrap_or(env!("CARGO_PKG_VERSION")));
    let matches = command.try_get_matches_from_mut(args);
    // The process ends soon: taking a definition's thousands of pieces apart would be a part of its start.
    let mut command = ManuallyDrop::new(command);
    let matches = match matches {
        Ok(matches) => matches,
        Err(error) => return usage(&error, Ui::new(console, early, generator)),
    };
    let own = |ui: &mut Ui| match matches.subcommand() {
        Some((generate::COMPLETION, m)) => Some(generate::completion(whole(), m, ui)),
        Some((generate::MAN, m)) => Some(generate::man(whole(), m, ui)),
        Some((generate::SECTION, _)) => Some(section::<T>(ui)),
        _ => None,
    };
    let mut ui = Ui::new(console, early.clone(), generator.clone());
    let result = match own(&mut ui) {
        Some(result) => result,
        None => match T::from_arg_matches(&matches) {
            Ok(args) => {
                ui.set_global(args.global().clone());
                tool(args, &mut ui)
            }
            Err(error) => {
                return usage(&error.format(&mut command), ui);
            }
        },
    };
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            ui.fail(&failure);
            failure.exit()
        }
    }
}

fn section<T: Tool>(ui: &mut Ui) -> Result<Exit, Failure> {
    let section = T::section(ui.global());
    ui.emit("esos.section/1", &section, |human| {
        let Some(section) = &section else { return };
        section.lines.iter().for_each(|line| human.line(line));
        section.findings.iter().for_each(|f| human.line(format!("! {}", f.message)));
    })?;
    Ok(Exit::Done)
}

/// Help and version are answers; everything else that clap says is a usage error.
fn usage(error: &clap::Error, mut ui: Ui) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody is left to be told where this goes wrong.
            let _told = ui.raw(ui.styled(&error.render()).as_bytes());
            Exit::Done
        }
        _ => {
            let text = error.render().to_string();
            let message = text.trim_start_matches("error: ").trim_end();
            ui.fail(&Failure::new(Exit::Usage, message));
            Exit::Usage
        }
    }
}

/// What must be known before the arguments are understood: an error about them is told as they ask.
fn early(args: &[OsString]) -> Global {
    let mut global = Global::default();
    let words = || args.iter().skip(1).take_while(|a| *a != "--").filter_map(|a| a.to_str());
    global.json = words().any(|a| a == "--json");
    global.quiet = words().any(|a| a == "-q" || a == "--quiet");
    let color = |word: &str| match word {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    for (word, next) in words().zip(words().skip(1).map(Some).chain([None])) {
        if let Some(value) = word.strip_prefix("--color=").or(next.filter(|_| word == "--color")) {
            global.color = color(value);
        }
        if let Some(value) = word.strip_prefix("--root=").or(next.filter(|_| word == "--root")) {
            global.root = value.into();
        }
    }
    global
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Captured, Confirm, Facts, Health, Late};
    use clap::Subcommand;

    /// A tool for tests.
    #[derive(Debug, Parser)]
    #[command(name = "esos-test", version = "1.2.3")]
    struct Args {
        #[command(flatten)]
        global: Global,
        #[command(subcommand)]
        verb: Verb,
    }

    #[derive(Debug, Subcommand)]
    enum Verb {
        /// Show a number
        Show,
        /// Lose everything
        Lose,
        /// Warn, then fail
        Fail,
        /// Say a word
        Say(Late<Say>),
    }

    /// What `say` takes.
    #[derive(Debug, clap::Args)]
    struct Say {
        /// Which word
        word: String,
        /// Say it louder
        #[arg(long, conflicts_with = "word")]
        loud: bool,
    }

    impl Tool for Args {
        fn global(&self) -> &Global {
            &self.global
        }
        fn section(_: &Global) -> Option<Section> {
            Some(Section::new("test").line("one").finding(Health::Warn, "two", None))
        }
    }

    fn tool(args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
        match args.verb {
            Verb::Show => ui.emit("esos.test/1", &7, |h| h.line("seven"))?,
            Verb::Lose => ui.confirm(&Confirm::new("erase sdb").typed("sdb"))?,
            Verb::Say(Late(say)) => ui.emit("esos.test/1", &say.loud, |h| h.line(&say.word))?,
            Verb::Fail => {
                ui.warn("odd");
                Err(std::io::Error::other("gone"))?;
            }
        }
        Ok(Exit::Done)
    }

    fn json(text: &str) -> serde_json::Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn one_document_on_every_path() {
        let run = Captured::run(["esos-test", "show", "--json"], tool);
        let document = json(&run.stdout);
        assert_eq!(document["schema"], "esos.test/1");
        assert_eq!(document["data"], 7);
        assert_eq!(document["generator"], "esos-test 1.2.3");
        let run = Captured::run(["esos-test", "fail", "--json"], tool);
        let document = json(&run.stdout);
        assert_eq!((&document["schema"], &document["exit"]), (&"esos.error/1".into(), &1.into()));
        assert_eq!(document["error"]["message"], "gone");
        assert_eq!(document["warnings"][0], "odd");
        assert!(run.stderr.contains("warning: odd") && run.stderr.contains("error: gone"), "{}", run.stderr);
        let run = Captured::run(["esos-test", "--json", "sho"], tool);
        assert_eq!((run.exit, &json(&run.stdout)["exit"]), (Exit::Usage, &2.into()));
        assert!(run.stderr.contains("'show'"), "did you mean: {}", run.stderr);
    }

    #[test]
    fn late_arguments_are_there_wherever_they_are_asked_for() {
        let run = Captured::run(["esos-test", "say", "yes"], tool);
        assert_eq!((run.exit, run.stdout.as_str()), (Exit::Done, "yes\n"));
        assert_eq!(Captured::run(["esos-test", "say"], tool).exit, Exit::Usage);
        assert_eq!(Captured::run(["esos-test", "say", "yes", "--loud"], tool).exit, Exit::Usage);
        let document = json(&Captured::run(["esos-test", "say", "yes", "--json"], tool).stdout);
        assert_eq!(document["data"], false, "flags of all verbs are this one's, too");
        for args in [&["esos-test", "say", "--help"][..], &["esos-test", "completion", "bash"]] {
            let run = Captured::run(args.iter().copied(), tool);
            assert!(run.stdout.contains("--loud") && run.stdout.contains("--json"), "{}", run.stdout);
            assert!(!run.stdout.contains("takes"), "{}", run.stdout);
        }
        let dir = esos_hostfs::TempDir::new("late").unwrap();
        assert_eq!(Captured::run(["esos-test", "man", dir.path().to_str().unwrap()], tool).exit, Exit::Done);
        let page = std::fs::read_to_string(dir.path().join("esos-test-say.1")).unwrap();
        assert!(page.contains("Say it louder"), "{page}");
    }

    #[test]
    fn nobody_there_to_ask_is_a_refusal_and_not_a_wait() {
        let run = Captured::run(["esos-test", "lose"], tool);
        assert_eq!(run.exit, Exit::Refused);
        assert!(run.stderr.contains("--yes"), "{}", run.stderr);
        assert_eq!(Captured::run(["esos-test", "lose", "-y"], tool).exit, Exit::Done);
        let tty = Facts { stdin_tty: true, stderr_tty: true, ..Facts::pipes() };
        assert_eq!(Captured::run_on(["esos-test", "lose"], tty, "sdb\n", tool).exit, Exit::Done);
        assert_eq!(Captured::run_on(["esos-test", "lose"], tty, "y\n", tool).exit, Exit::Refused);
        assert_eq!(Captured::run_on(["esos-test", "lose"], tty, "", tool).exit, Exit::Refused);
    }

    #[test]
    fn no_escape_byte_into_a_pipe_unless_asked_for() {
        for verb in ["show", "fail", "none", "--help"] {
            let run = Captured::run(["esos-test", verb], tool);
            assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{verb}: {run:?}");
        }
        let run = Captured::run(["esos-test", "fail", "--color", "always"], tool);
        assert!(run.stderr.contains('\u{1b}'), "{run:?}");
    }

    #[test]
    fn help_completions_and_manual_come_from_one_definition() {
        let run = Captured::run(["esos-test", "--help"], tool);
        assert_eq!(run.exit, Exit::Done);
        assert!(
            run.stdout.contains("Lose everything") && run.stdout.contains("  5  refused"),
            "{}",
            run.stdout
        );
        assert!(!run.stdout.contains("__section"));
        for shell in ["bash", "zsh", "fish"] {
            let run = Captured::run(["esos-test", "completion", shell], tool);
            assert!(run.stdout.contains("lose"), "{shell}");
        }
        assert!(Captured::run(["esos-test", "man"], tool).stdout.contains(".TH esos-test 1"));
        let dir = esos_hostfs::TempDir::new("man").unwrap();
        let path = dir.path().to_str().unwrap();
        assert_eq!(Captured::run(["esos-test", "man", path], tool).exit, Exit::Done);
        assert!(dir.path().join("esos-test-lose.1").exists());
    }

    /// A tool without verbs.
    #[derive(Debug, Parser)]
    #[command(name = "esos-plain", version = "1.2.3")]
    struct Plain {
        #[command(flatten)]
        global: Global,
    }

    impl Tool for Plain {
        fn global(&self) -> &Global {
            &self.global
        }
        fn section(_: &Global) -> Option<Section> {
            Some(Section::new("plain").line("one"))
        }
    }

    #[test]
    fn a_tool_without_verbs_tells_its_section_too() {
        let plain = |_: Plain, ui: &mut Ui| -> Result<Exit, Failure> {
            ui.emit("esos.plain/1", &7, |h| h.line("seven"))?;
            Ok(Exit::Done)
        };
        let run = Captured::run(["esos-plain", "__section", "--json"], plain);
        assert_eq!(json(&run.stdout)["data"]["lines"][0], "one", "{}", run.stderr);
        assert_eq!(Captured::run(["esos-plain"], plain).stdout, "seven\n");
    }

    #[test]
    fn the_section_is_a_document() {
        let run = Captured::run(["esos-test", "__section", "--json"], tool);
        let section: Section = serde_json::from_value(json(&run.stdout)["data"].clone()).unwrap();
        assert_eq!((section.health, section.lines), (Health::Warn, vec!["one".to_owned()]));
    }
}
