//! A box and a medium in memory, and a medium whose power is cut.
mod cut;
mod mem_box;
mod mem_medium;

pub use cut::{Cut, Ops};
pub use mem_box::MemBox;
pub use mem_medium::MemMedium;
