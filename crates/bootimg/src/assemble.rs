//! The whole way from a manifest to the products of a build.
//!
//! [`build`] goes through the [`Step`]s in order and tells a [`Watch`] how far it is. Everything is
//! written beside its final name and put in place when all of it is whole, so a build that fails leaves
//! the output directory as it was. The clock is only asked how long steps took and whether signed lists
//! have expired; every time in an image is the source date ([`epoch`]).
mod binary;
mod boot_loader;
mod debug_kernel;
mod epoch;
mod error;
mod kernels;
mod output;
mod packages;
mod papers;
mod ready;
mod root_files;
mod run;
mod step;
mod tools;

pub use binary::{Binary, BinaryError, Needs, glibc_of_package};
pub use epoch::epoch;
pub use error::BuildError;
pub use packages::{Wanted, lock, request};
pub use papers::{Papers, SizeRow};
pub use root_files::AddFile;
pub use run::{Build, Built, Doors, Product, SECURE_BOOT, SIGNED_FILES, build};
pub use step::{Quiet, Step, StepTime, Watch};
