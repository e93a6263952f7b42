//! Assembles bootable appliance images from Debian packages: no root, no loop devices, no maintainer
//! scripts, and byte for byte the same result wherever it is built.
//!
//! A build goes through the modules in this order: [`manifest`] says what is wanted, [`archive`] finds
//! and checks packages, [`deb`] reads them, [`root`] makes one root image of them, [`kernel`] makes the
//! initramfs, [`disk`] makes slots, partitions and the disk; [`assemble`] is the whole way.
pub mod archive;
pub mod assemble;
pub mod deb;
pub mod disk;
pub mod kernel;
pub mod manifest;
pub mod overlay;
pub mod root;
