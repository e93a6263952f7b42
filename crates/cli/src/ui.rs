//! What a tool talks through.
use crate::envelope::Origin;
use crate::{Confirm, Console, Exit, Failure, Global, Human, Paint, Progress, clean, render};
use esos_diag::{Diagnostic, LineIndex, Severity};
use serde::Serialize;
use std::io::{self, ErrorKind};
use std::path::Path;

/// How many findings are printed for people; the rest is counted.
const SHOWN: usize = 20;

/// What a tool talks through: data on standard output, talk on standard error, one JSON document where
/// `--json` was given.
#[derive(Debug)]
pub struct Ui {
    console: Console,
    global: Global,
    origin: Origin,
    warnings: Vec<String>,
    emitted: bool,
}

impl Ui {
    pub(crate) fn new(console: Console, global: Global, generator: String) -> Self {
        let origin = Origin::new(generator, &global);
        Self { console, global, origin, warnings: Vec::new(), emitted: false }
    }

    /// Takes the flags as clap understood them, once it has.
    pub(crate) fn set_global(&mut self, global: Global) {
        self.origin = Origin::new(std::mem::take(&mut self.origin.generator), &global);
        self.global = global;
    }

    /// Help as clap styles it, with or without colour.
    pub(crate) fn styled(&self, text: &clap::builder::StyledStr) -> String {
        let facts = self.console.facts;
        if self.global.color.decide(facts.color, facts.stdout_tty) {
            text.ansi().to_string()
        } else {
            text.to_string()
        }
    }

    /// The flags that every tool has.
    #[must_use]
    pub fn global(&self) -> &Global {
        &self.global
    }

    /// The tree to work on; `/` is this machine.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.global.root
    }

    /// Whether one JSON document is wanted.
    #[must_use]
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// The result: one JSON document with that schema (`esos.scst.plan/1`), or the text that `human`
    /// writes. Once per run.
    ///
    /// # Errors
    /// The data cannot be written, or a second document was about to be.
    pub fn emit(
        &mut self,
        schema: &str,
        data: &impl Serialize,
        human: impl FnOnce(&mut Human),
    ) -> Result<(), Failure> {
        if self.global.json {
            if self.emitted {
                return Err(Failure::new(Exit::Failed, format!("a second document, `{schema}`, in one run")));
            }
            self.emitted = true;
            let mut text = self.origin.data(schema, data, &self.warnings)?;
            text.push('\n');
            return self.raw(text.as_bytes());
        }
        let facts = self.console.facts;
        let paint = Paint { on: self.global.color.decide(facts.color, facts.stdout_tty) };
        let mut text = Human::new(paint, facts.columns);
        human(&mut text);
        self.raw(text.text.as_bytes())
    }

    /// Bytes on standard output, whatever the flags say: a configuration file, a completion script.
    ///
    /// # Errors
    /// They cannot be written. A reader that closed its end (`| head`) is no error.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.console.out.write_all(bytes).and_then(|()| self.console.out.flush());
        match written {
            Err(e) if e.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::from(e).context("cannot write to standard output"))
            }
            _ => Ok(()),
        }
    }

    /// A line of talk; not with `--quiet`.
    pub fn say(&mut self, line: impl AsRef<str>) {
        if !self.global.quiet {
            self.err_line(line.as_ref());
        }
    }

    /// A line of talk that only `--verbose` prints.
    pub fn detail(&mut self, line: impl AsRef<str>) {
        if self.global.verbose > 0 {
            self.err_line(line.as_ref());
        }
    }

    /// A warning: printed, and kept for the JSON document that follows.
    pub fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        let paint = self.err_paint();
        self.say(format!("{} {}", paint.warn("warning:"), clean(&warning)));
        self.warnings.push(warning);
    }

    /// Findings that do not end the run (warnings, notes), printed as rustc does.
    pub fn diagnostics(&mut self, diagnostics: &[Diagnostic], text: &str) {
        let index = LineIndex::new(text);
        for diagnostic in diagnostics.iter().filter(|d| d.severity >= Severity::Warning) {
            let at = diagnostic.span().map(|s| format!(":{}", index.position(text, s.start)));
            let at = at.unwrap_or_default();
            self.warnings.push(format!("{}{at}: {}", diagnostic.origin, diagnostic.message));
        }
        if !self.global.quiet {
            self.rendered(diagnostics, text);
        }
    }

    /// The first of many findings for people; errors go before warnings where not all are shown.
    fn rendered(&mut self, diagnostics: &[Diagnostic], text: &str) {
        let mut shown: Vec<&Diagnostic> = diagnostics.iter().collect();
        if shown.len() > SHOWN {
            shown.sort_by_key(|d| std::cmp::Reverse(d.severity));
        }
        shown.iter().take(SHOWN).for_each(|d| self.diagnostic(d, text));
        let more = shown.len().saturating_sub(SHOWN);
        if more > 0 {
            self.err_line(&format!("... and {more} more findings; --json has all of them"));
        }
    }

    fn diagnostic(&mut self, diagnostic: &Diagnostic, text: &str) {
        let rendered = render(diagnostic, text, self.console.facts.columns, self.err_paint().on);
        self.err_text(&rendered);
    }

    /// Asks before something is lost. `--yes` agrees; without a terminal, or with `--json`, nobody can
    /// be asked, so it is refused at once.
    ///
    /// # Errors
    /// A failure with [`Exit::Refused`].
    pub fn confirm(&mut self, question: &Confirm) -> Result<(), Failure> {
        if self.global.yes {
            return Ok(());
        }
        self.ask(question, "run it again with --yes, or on a terminal, to agree")
    }

    /// Asks for the name of what would be lost. `--yes` does not agree: only the name does, given on the
    /// command line or typed.
    ///
    /// # Errors
    /// A failure with [`Exit::Refused`].
    pub fn confirm_name(
        &mut self,
        question: &Confirm,
        given: Option<&str>,
        option: &str,
    ) -> Result<(), Failure> {
        let word = question.word().to_owned();
        match given {
            Some(given) if given == word => Ok(()),
            Some(given) => {
                let text = format!("not confirmed: {option} names `{given}`, this would {}", question.action);
                Err(Failure::new(Exit::Refused, text).help(format!("what it must name is `{word}`")))
            }
            None => self.ask(question, &format!("run it on a terminal, or give {option} `{word}`, to agree")),
        }
    }

    fn ask(&mut self, question: &Confirm, help: &str) -> Result<(), Failure> {
        let facts = self.console.facts;
        if self.global.json || !facts.stdin_tty || !facts.stderr_tty {
            return Err(Failure::new(Exit::Refused, format!("this would {}", question.action)).help(help));
        }
        let word = question.word();
        self.err_line(&format!("This will {}.", clean(&question.action)));
        self.err_text(&format!("Type `{word}` to go on: "));
        let mut answer = String::new();
        // A failure to read is no agreement.
        let read = self.console.input.read_line(&mut answer);
        if read.is_ok() && answer.trim() == word {
            return Ok(());
        }
        Err(Failure::new(Exit::Refused, format!("not confirmed: `{word}` was not typed")))
    }

    /// Shows how far a long step is; `total` in bytes where it is known.
    #[must_use]
    pub fn progress(&self, title: &str, total: Option<u64>) -> Progress {
        let facts = self.console.facts;
        let talk = !self.global.quiet;
        Progress::new(title, total, talk, facts.stderr_tty && !facts.color.dumb)
    }

    /// Prints why the run failed.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if self.global.json && !self.emitted {
            self.emitted = true;
            let document = self.origin.error(failure, &self.warnings);
            // Nobody is left to be told where this goes wrong too.
            let _told = self.raw(format!("{document}\n").as_bytes());
            if self.global.quiet {
                return;
            }
        }
        self.rendered(failure.diagnostics(), failure.text());
        let paint = self.err_paint();
        if failure.diagnostics().is_empty() {
            for (i, line) in failure.lines().iter().enumerate() {
                match line.strip_prefix("error:") {
                    Some(rest) if i == 0 => self.err_line(&format!("{}{rest}", paint.bad("error:"))),
                    _ => self.err_line(line),
                }
            }
        } else if let Some(help) = failure.help_text() {
            self.err_line(&format!("help: {}", clean(help)));
        }
    }

    fn err_paint(&self) -> Paint {
        let facts = self.console.facts;
        Paint { on: self.global.color.decide(facts.color, facts.stderr_tty) }
    }

    fn err_line(&mut self, line: &str) {
        self.err_text(&format!("{line}\n"));
    }

    fn err_text(&mut self, text: &str) {
        // Where standard error is closed, nobody listens.
        let _closed: io::Result<()> = self.console.err.write_all(text.as_bytes());
        let _closed = self.console.err.flush();
    }
}
