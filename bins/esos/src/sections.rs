//! What every tool tells about its subject. A tool that is missing or fails is a line, never silence.
use crate::tools::{SHIPPED, Tells, Tools};
use esos_cli::{Global, Health, Section};
use esos_exec::{Cmd, ExecError, Runner};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// A tool must tell its section in that time.
const LIMIT: Duration = Duration::from_secs(3);

/// One tool's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    /// The tool, without `esos-`.
    pub(crate) tool: &'static str,
    /// Its section; none from a tool that has none.
    pub(crate) section: Option<Section>,
    /// Why there is no answer.
    pub(crate) error: Option<String>,
}

impl Told {
    /// The lines that `esos status` shows.
    pub(crate) fn lines(&self) -> &[String] {
        let repeats = SHIPPED.iter().any(|s| s.name == self.tool && s.tells == Tells::Findings);
        self.section.as_ref().filter(|_| !repeats).map_or(&[], |s| s.lines.as_slice())
    }

    /// How it is; without an answer that is not known.
    pub(crate) fn health(&self) -> Health {
        match (&self.section, &self.error) {
            (_, Some(_)) => Health::Unknown,
            (Some(section), None) => section.health,
            (None, None) => Health::Unused,
        }
    }
}

/// Asks all tools at a time.
pub(crate) fn gather<R: Runner + Sync>(tools: &Tools, global: &Global, runner: &R) -> Vec<Told> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = SHIPPED
            .iter()
            .filter(|s| s.tells != Tells::Nothing)
            .map(|s| (s.name, scope.spawn(|| ask(tools.get(s.name).map(|p| p.as_path()), global, runner))))
            .collect();
        asked
            .into_iter()
            .map(|(tool, answer)| {
                let answer = answer.join().unwrap_or_else(|_| Err("asking it went wrong".to_owned()));
                let (section, error) = match answer {
                    Ok(section) => (section, None),
                    Err(error) => (None, Some(error)),
                };
                Told { tool, section, error }
            })
            .collect()
    })
}

#[derive(Deserialize)]
struct Document {
    schema: String,
    data: Option<Section>,
}

fn ask(program: Option<&Path>, global: &Global, runner: &impl Runner) -> Result<Option<Section>, String> {
    let program = program.ok_or("not installed")?;
    let mut cmd = Cmd::new(program).args(["__section", "--json"]).limit(LIMIT);
    if !global.is_live() {
        cmd = cmd.arg("--root").arg(global.root.clone());
    }
    let output = runner.run(&cmd).map_err(|e| match e {
        ExecError::Timeout { .. } => format!("no answer within {} s", LIMIT.as_secs()),
        other => other.to_string(),
    })?;
    if !output.status.success() {
        let said = output.error_text();
        let first = said.lines().next().unwrap_or("it says nothing").trim_start_matches("error: ");
        return Err(format!("{}: {first}", output.status));
    }
    let document: Document =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("its answer makes no sense: {e}"))?;
    match document.schema.as_str() {
        "esos.section/1" => Ok(document.data),
        other => Err(format!("its answer has the schema `{other}`, expected `esos.section/1`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_exec::{Exit, Output, ScriptedRunner};

    fn asked(code: i32, stdout: &str, stderr: &str) -> Result<Option<Section>, String> {
        let output =
            Output { status: Exit::Code(code), stdout: stdout.into(), stderr: stderr.as_bytes().to_vec() };
        let runner = ScriptedRunner::new().answer("/usr/sbin/esos-raid __section --json", Ok(output));
        ask(Some(Path::new("/usr/sbin/esos-raid")), &Global::default(), &runner)
    }

    #[test]
    fn five_results_are_five_results() {
        assert_eq!(ask(None, &Global::default(), &ScriptedRunner::new()), Err("not installed".into()));
        assert_eq!(asked(1, "", "error: no controller\n"), Err("exit status 1: no controller".into()));
        assert!(asked(0, "{\"schema\": \"esos.sec", "").unwrap_err().contains("makes no sense"));
        assert!(asked(0, "{\"schema\": \"x/1\", \"data\": null}", "").unwrap_err().contains("x/1"));
        let good = "{\"schema\": \"esos.section/1\", \"data\": {\"name\": \"raid\", \"health\": \"warn\", \"lines\": [\"md0\"], \"findings\": []}}";
        assert_eq!(asked(0, good, "").unwrap().unwrap().health, Health::Warn);
    }
}
