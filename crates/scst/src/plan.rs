//! Steps from what is to what is wanted, before anything is written.
#[cfg(feature = "serde")]
mod json;

use crate::name::DeviceName;
use std::fmt;

/// One `write(2)` to one attribute below `/sys/kernel/scst_tgt`.
#[derive(Clone, PartialEq, Eq)]
pub struct Write {
    /// The attribute's path in the tree.
    pub file: String,
    value: String,
    shown: String,
}

impl Write {
    /// A write without a secret.
    #[must_use]
    pub fn new(file: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        Self { file: file.into(), shown: value.clone(), value }
    }

    /// A `mgmt` command; a CHAP secret in it is not shown.
    #[must_use]
    pub fn command(file: impl Into<String>, command: &crate::Command) -> Self {
        Self { file: file.into(), value: command.expose(), shown: command.to_string() }
    }

    pub(crate) fn masked(file: String, value: String, shown: String) -> Self {
        Self { file, value, shown }
    }

    /// The bytes to write, secrets included.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The value with secrets as `***`.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <- {}", self.file, self.shown.trim_end())
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Write({self})")
    }
}

/// One write with what takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The write.
    pub write: Write,
    /// Writes that restore what was, in this order.
    pub undo: Vec<Write>,
}

/// What an operation does to those who use the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Class {
    /// Nobody notices.
    Safe,
    /// Service is interrupted, or initiators see something else than before.
    Disruptive,
    /// Something that initiators use now is taken away.
    Destructive,
    /// Cannot or must not be done; the reason says why.
    Blocked,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Safe => "safe",
            Self::Disruptive => "disruptive",
            Self::Destructive => "destructive",
            Self::Blocked => "blocked",
        })
    }
}

/// What an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Action {
    /// Makes an object.
    Add,
    /// Changes an attribute or a mapping.
    Change,
    /// Takes an object away.
    Remove,
}

impl Action {
    /// `+`, `~` or `-`.
    #[must_use]
    pub const fn mark(self) -> char {
        match self {
            Self::Add => '+',
            Self::Change => '~',
            Self::Remove => '-',
        }
    }
}

/// One visible change of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The object: `dev/vdisk_blockio/vol1`, `iscsi/iqn…:a/group/esx/lun/0`, `dgrp/dg1/tgrp/local`.
    pub path: String,
    /// What happens to it.
    pub action: Action,
    /// The attribute that changes, if it is one.
    pub attribute: Option<String>,
    /// What is there now: the attribute's value, the device of a LUN. Secrets masked.
    pub from: Option<String>,
    /// What will be there. Secrets masked.
    pub to: Option<String>,
    /// What it does to those who use the storage.
    pub class: Class,
    /// Why it has that class, or why SCST does it by itself.
    pub why: Option<String>,
    /// Its writes, in order; none where it is blocked, or where SCST does it by itself.
    pub steps: Vec<Step>,
}

/// Something wanted that cannot be there now; it stays wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Pending {
    /// The object.
    pub path: String,
    /// What is missing.
    pub why: String,
    /// The device whose absence is the cause, if it is one.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub device: Option<DeviceName>,
}

/// All that would be done, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Fingerprint of the state that the plan was made for.
    pub base: String,
    /// Operations in the order of their application.
    pub operations: Vec<Operation>,
    /// What is wanted and cannot be there now.
    pub pending: Vec<Pending>,
    /// Live objects that the file does not name; they are left alone.
    pub unmanaged: Vec<String>,
}

impl Plan {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The worst class of all operations; `Safe` for an empty plan.
    #[must_use]
    pub fn class(&self) -> Class {
        self.operations.iter().map(|o| o.class).max().unwrap_or(Class::Safe)
    }

    /// How many operations do that.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.operations.iter().filter(|o| o.action == action).count()
    }

    /// All steps in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.operations.iter().flat_map(|o| &o.steps)
    }
}

/// A value in one line; none at all as `""`.
fn shown(value: &str) -> String {
    if value.is_empty() { "\"\"".to_owned() } else { value.replace('\n', " ") }
}

/// For people: one line an operation, then what is pending and left alone.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for op in &self.operations {
            let mark = match op.class {
                Class::Safe => ' ',
                Class::Disruptive => '!',
                Class::Destructive => 'x',
                Class::Blocked => '#',
            };
            write!(f, "  {} {mark} {}", op.action.mark(), op.path)?;
            if let Some(attribute) = &op.attribute {
                write!(f, " {attribute}")?;
            }
            match (&op.from, &op.to) {
                (Some(from), Some(to)) => write!(f, ": {} -> {}", shown(from), shown(to))?,
                (None, Some(to)) if op.attribute.is_some() => write!(f, ": {}", shown(to))?,
                (None, Some(to)) => write!(f, " -> {}", shown(to))?,
                _ => {}
            }
            match &op.why {
                Some(why) if op.class == Class::Safe => write!(f, "  ({why})")?,
                Some(why) => write!(f, "  ({}: {why})", op.class)?,
                None => {}
            }
            writeln!(f)?;
        }
        for p in &self.pending {
            writeln!(f, "  . {}  (pending: {})", p.path, p.why)?;
        }
        let count = |class| self.operations.iter().filter(|o| o.class == class).count();
        write!(
            f,
            "Plan: {} to add, {} to change, {} to remove; {} disruptive, {} destructive, {} blocked, {} pending.",
            self.count(Action::Add),
            self.count(Action::Change),
            self.count(Action::Remove),
            count(Class::Disruptive),
            count(Class::Destructive),
            count(Class::Blocked),
            self.pending.len()
        )?;
        if !self.unmanaged.is_empty() {
            write!(
                f,
                "\n{} live objects are not in the file and stay; --prune removes them.",
                self.unmanaged.len()
            )?;
        }
        Ok(())
    }
}
