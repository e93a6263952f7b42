//! The CIB, Pacemaker's configuration: read, write, compare, check.
mod diff;
mod lint;
mod model;
mod read;
mod write;

pub use diff::{Change, diff_cib};
pub use lint::{CibFinding, lint_cib};
pub use model::{Cib, Constraint, Op, Pairs, Primitive, Res};
pub use read::read_cib;
