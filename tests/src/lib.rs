//! What tests of the whole house share: tiny guests for trying the harness itself, real images, and
//! the rule by which a test that cannot run here says so.
//!
//! Tests that boot a machine run where `ESOS_VM` allows it ([`Level`]); each that does not run prints
//! one line `skipped: <test>: <why>`, which the summary of `make test` counts.
//!
//! ```
//! use esos_tests::Level;
//!
//! assert!("all".parse::<Level>().unwrap() > "ci".parse().unwrap());
//! ```
pub mod apt;
pub mod busybox;
pub mod cores;
pub mod cpio;
pub mod damage;
pub mod disk;
pub mod fencing;
pub mod ha;
pub mod image;
pub mod init_box;
pub mod keeper;
pub mod kernel;
mod level;
pub mod many_slots;
pub mod many_states;
pub mod module;
pub mod packages;
pub mod pair;
pub mod peer;
pub mod scst;
pub mod scst_conf;
pub mod slots;
pub mod smtp;
pub mod ssh;
pub mod stick;
pub mod tiny;
pub mod write_log;

pub use level::{Level, ParseLevelError, allowed, skip};
