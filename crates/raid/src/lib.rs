//! One model over the output of every RAID vendor's tool, and of Linux md.
//!
//! A [`Capture`] is one run of a tool: its command line and what it printed. [`parse`] turns the
//! captures of one case into [`Facts`]: controllers, groups, arrays, drives, batteries, tasks and
//! what went wrong. Parsers are total: a truncated, empty or refused output is a [`Problem`] beside
//! whatever was readable, and words that nobody has seen before survive as `Other(word)`.
//!
//! ```
//! use esos_raid::{Capture, Tool, parse};
//! let text = "Personalities : [raid1]\nmd0 : active raid1 sdb[1](F) sda[0]\n      \
//!             64512 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";
//! let facts = parse(Tool::Mdstat, &[Capture::new("mdstat", "cat /proc/mdstat", text)]);
//! let array = &facts.arrays[0];
//! assert_eq!(array.state.as_ref().map(|s| s.as_str()), Some("degraded"));
//! assert!(facts.error.is_none());
//! ```
//!
//! [`survey`] asks an installed tool about everything that it sees, through a [`Runner`](esos_exec::Runner):
//!
//! ```
//! use esos_exec::ScriptedRunner;
//! use esos_raid::{Tool, health, survey};
//! # let list = "Personalities : [raid1]\nmd0 : active raid1 sdb[1](F) sda[0]\n      64512 blocks [2/1] [U_]\n\nunused devices: <none>\n";
//! # let runner = ScriptedRunner::new().on("/bin/cat /proc/mdstat", 0, list);
//! let answer = survey(Tool::Mdstat, "", &runner)?;
//! assert_eq!(health(&answer.facts)[0].message, "is degraded");
//! # Ok::<(), esos_exec::ExecError>(())
//! ```
//!
//! A [`Change`] becomes a [`Plan`] with [`plan`], which refuses what is in use, and [`apply`] carries it out
//! and looks whether it is seen; [`commands`] gives the exact command lines alone.
//!
//! To add a vendor:
//! 1. a word in [`Tool`], its programs and questions in `survey.rs`;
//! 2. a module under `parse` that fills [`Facts`], and what its parts say about one another in `parse/checks.rs`;
//! 3. a module under `change` with its command lines, its ids in `change/check.rs`, its yes in `answer.rs`;
//! 4. how its arrays are found among block devices in `matching.rs`;
//! 5. captures of the real tool, rows in `tests/table`, and a row in `docs/raid-tools.md`.
mod answer;
mod apply;
mod capture;
mod change;
mod details;
mod facts;
mod health;
mod matching;
mod model;
mod parse;
mod plan;
mod problem;
mod replace;
mod shape;
mod size;
mod survey;
mod text;
mod tool;
mod verify;
mod words;

pub use answer::{Verdict, judge, words};
pub use apply::{ApplyError, Done, Doubt, apply, run};
pub use capture::Capture;
pub use change::{Change, ChangeError, NewArray, Place, commands, shown};
pub use details::Details;
pub use facts::{Difference, compare, render};
pub use health::{Finding, Severity, health};
pub use matching::{MatchedBy, array_of, device_of, device_of_drive, is_of, unmatched};
pub use model::{Array, Battery, Completed, Controller, Drive, Enclosure, Facts, Group, Member, Task};
pub use parse::parse;
pub use plan::{Plan, PlanError, Surroundings, array_of_drive, plan};
pub use problem::{Problem, ProblemKind};
pub use replace::{Next, Walk, next};
pub use shape::{ShapeError, data_drives, distinct, natural_spans};
pub use size::{Size, Unit};
pub use survey::{Answer, survey, survey_at};
pub use tool::{Tool, UnknownTool};
pub use verify::verify;
pub use words::{ArrayState, DriveState, Level, Spare, TaskKind};
