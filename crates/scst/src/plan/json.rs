//! A plan as JSON; secrets as `***`.
use super::{Action, Class, Operation, Plan, Write};
use serde::ser::{Serialize, SerializeStruct, Serializer};

#[derive(serde::Serialize)]
struct Summary {
    add: usize,
    change: usize,
    remove: usize,
    disruptive: usize,
    destructive: usize,
    blocked: usize,
    pending: usize,
    unmanaged: usize,
    writes: usize,
}

/// An operation with its place in the order, from 1.
struct Numbered<'p>(usize, &'p Operation);

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let class = |class| self.operations.iter().filter(|o| o.class == class).count();
        let summary = Summary {
            add: self.count(Action::Add),
            change: self.count(Action::Change),
            remove: self.count(Action::Remove),
            disruptive: class(Class::Disruptive),
            destructive: class(Class::Destructive),
            blocked: class(Class::Blocked),
            pending: self.pending.len(),
            unmanaged: self.unmanaged.len(),
            writes: self.steps().count(),
        };
        let ops: Vec<_> = (1..).zip(&self.operations).map(|(n, op)| Numbered(n, op)).collect();
        let mut out = s.serialize_struct("Plan", 6)?;
        out.serialize_field("base", &format!("sha256:{}", self.base))?;
        out.serialize_field("class", &self.class())?;
        out.serialize_field("summary", &summary)?;
        out.serialize_field("ops", &ops)?;
        out.serialize_field("pending", &self.pending)?;
        out.serialize_field("unmanaged", &self.unmanaged)?;
        out.end()
    }
}

impl Serialize for Numbered<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self(n, op) = self;
        let writes: Vec<&Write> = op.steps.iter().map(|step| &step.write).collect();
        // The way back begins with what was done last.
        let undo: Vec<&Write> = op.steps.iter().rev().flat_map(|step| &step.undo).collect();
        let mut out = s.serialize_struct("Operation", 10)?;
        out.serialize_field("n", n)?;
        out.serialize_field("path", &op.path)?;
        out.serialize_field("action", &op.action)?;
        for (name, value) in [("attr", &op.attribute), ("from", &op.from), ("to", &op.to), ("why", &op.why)] {
            match value {
                Some(value) => out.serialize_field(name, value)?,
                None => out.skip_field(name)?,
            }
        }
        out.serialize_field("class", &op.class)?;
        out.serialize_field("writes", &writes)?;
        out.serialize_field("undo", &undo)?;
        out.end()
    }
}

impl Serialize for Write {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("Write", 2)?;
        out.serialize_field("file", &self.file)?;
        out.serialize_field("value", &self.shown)?;
        out.end()
    }
}
