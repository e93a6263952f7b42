//! Writing an image onto a medium.
//!
//! [`plan()`] says what the medium will be like, or why it cannot be; [`WritePlan::apply`] does it: marks
//! all over the medium find one that lies about its size, the beginning comes last, everything is read
//! back past the caches. `esos_logs` becomes as large as there is room, a large medium gets `esos_data`,
//! RAID tools come onto the boot partition, where no upgrade touches them.
mod apply;
mod esp;
mod marks;
mod pieces;
mod plan;
mod total;

pub use apply::{WriteError, WriteProgress, Written};
pub use plan::{Facts, PlanWriteError, WritePlan, plan};
