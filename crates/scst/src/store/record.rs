//! A plan under way, as it lies on disk.
use super::generation::Generation;
use crate::mgmt::Command;
use crate::plan::{Plan, Write};
use serde::{Deserialize, Serialize};

/// What it takes to take a plan back, or to finish what follows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Fingerprint of the state before.
    pub(crate) base: String,
    /// Whether SCST may have been suspended for it.
    pub(crate) suspend: bool,
    /// Ways back of its steps: file and value of each write.
    pub(crate) undo: Vec<Vec<(String, String)>>,
    /// The configuration to keep when it has succeeded.
    pub(crate) generation: Option<Generation>,
}

impl Record {
    pub(crate) fn new(planned: &Plan, suspend: bool, generation: Option<Generation>) -> Self {
        let writes = |undo: &[Write]| undo.iter().map(|w| (w.file.clone(), w.expose().to_owned())).collect();
        Self {
            base: planned.base.clone(),
            suspend,
            undo: planned.steps().map(|s| writes(&s.undo)).collect(),
            generation,
        }
    }

    /// Ways back of the first so many steps.
    pub(crate) fn writes(&self, steps: usize) -> Vec<Vec<Write>> {
        let write = |(file, value): &(String, String)| match value.parse::<Command>() {
            Ok(command) if file.ends_with("/mgmt") => Write::command(file, &command),
            _ => {
                let name = file.rsplit('/').next().unwrap_or_default();
                Write::masked(file.clone(), value.clone(), crate::Value::of(name, value.as_str()).to_string())
            }
        };
        self.undo.iter().take(steps).map(|undo| undo.iter().map(write).collect()).collect()
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was written but perhaps `suspend`.
    Begun,
    /// That step, from 0, is being written or was.
    Step(usize),
    /// That step is being taken back or was.
    Undo(usize),
    /// All is written and verified.
    Applied,
}

impl Stage {
    pub(crate) fn line(self) -> String {
        match self {
            Self::Begun => String::new(),
            Self::Step(n) => format!("+{n}\n"),
            Self::Undo(n) => format!("-{n}\n"),
            Self::Applied => "=\n".to_owned(),
        }
    }

    /// The last whole line counts; one that was cut off was not followed by its write.
    pub(crate) fn last(text: &str) -> Self {
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let line = whole.rsplit('\n').next().unwrap_or("");
        let number = || line.get(1..).and_then(|n| n.parse().ok());
        match (line.get(..1), number()) {
            (Some("="), _) => Self::Applied,
            (Some("+"), Some(n)) => Self::Step(n),
            (Some("-"), Some(n)) => Self::Undo(n),
            _ => Self::Begun,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_line_counts() {
        assert_eq!(Stage::last(""), Stage::Begun);
        assert_eq!(Stage::last("+0\n+1\n+1"), Stage::Step(1));
        assert_eq!(Stage::last("+0\n-0\n"), Stage::Undo(0));
        assert_eq!(Stage::last("+0\n=\n"), Stage::Applied);
        assert_eq!(Stage::last("+x\n"), Stage::Begun);
        for stage in [Stage::Step(7), Stage::Undo(3), Stage::Applied] {
            assert_eq!(Stage::last(&stage.line()), stage);
        }
    }
}
