//! What all ESOS binaries share.
//!
//! A binary defines its arguments with clap and flattens [`Global`] into them, implements [`Tool`], and
//! hands one function to [`main`]. That function opens the doors, calls one library function and
//! renders through [`Ui`]; everything else is here: exit codes ([`Exit`]), the `--json` envelope, errors
//! with their causes ([`Failure`]), diagnostics as rustc prints them, confirmation that never hangs,
//! progress, tables, colour, `completion` and `man`, and the status [`Section`] that `esos status`
//! gathers.
//!
//! ```
//! use clap::Parser;
//! use esos_cli::{Captured, Exit, Failure, Global, Tool, Ui};
//!
//! /// Counts things.
//! #[derive(Parser)]
//! #[command(name = "esos-count", version)]
//! struct Args {
//!     #[command(flatten)]
//!     global: Global,
//!     /// How far.
//!     upto: u32,
//! }
//!
//! impl Tool for Args {
//!     fn global(&self) -> &Global {
//!         &self.global
//!     }
//! }
//!
//! fn count(args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
//!     ui.emit("esos.count/1", &args.upto, |human| human.line(format!("up to {}", args.upto)))?;
//!     Ok(Exit::Done)
//! }
//!
//! // In a binary: `fn main() -> ExitCode { esos_cli::main(count) }`
//! let run = Captured::run(["esos-count", "7"], count);
//! assert_eq!((run.exit, run.stdout.as_str()), (Exit::Done, "up to 7\n"));
//! assert_eq!(Captured::run(["esos-count", "x"], count).exit, Exit::Usage);
//! let run = Captured::run(["esos-count", "7", "--json"], count);
//! assert!(run.stdout.contains(r#""schema": "esos.count/1""#) && run.stdout.contains(r#""data": 7"#));
//! ```
mod captured;
mod clean;
mod color;
mod confirm;
mod console;
mod envelope;
mod exit;
mod failure;
mod generate;
mod global;
mod human;
mod late;
mod progress;
mod render;
mod run;
mod section;
mod table;
mod ui;

pub use captured::Captured;
pub use clean::clean;
pub use color::{ColorChoice, Paint};
pub use confirm::Confirm;
pub use console::{Console, Facts};
pub use exit::Exit;
pub use failure::{Failure, OrExit, diagnostics_json};
pub use global::Global;
pub use human::Human;
pub use late::Late;
pub use progress::Progress;
pub use render::render;
pub use run::{Tool, main, run};
pub use section::{Finding, Health, Section};
pub use table::Table;
pub use ui::Ui;
