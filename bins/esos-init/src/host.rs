//! The machine behind the seams of `esos_initramfs::World`.
mod console;
mod copy;
mod crash;
mod devices;
mod kernel;
mod mounts;
pub(crate) mod power;
mod root;
pub(crate) mod switch;
mod tree;
#[cfg(test)]
mod tree_tests;

pub(crate) use console::HostConsole;
pub(crate) use crash::HostCrash;
pub(crate) use devices::HostDevices;
pub(crate) use kernel::HostKernel;
pub(crate) use mounts::HostMounts;
pub(crate) use power::HostClock;
pub(crate) use root::HostRoot;
