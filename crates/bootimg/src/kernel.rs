//! Kernel modules and the initramfs: depmod's tables, choice of modules, the cpio.
mod choose;
mod cpio;
mod depmod;
pub(crate) mod elf;
mod initramfs;
mod module;
mod trie;

pub use choose::{ChooseError, Selection};
pub use cpio::Cpio;
pub use depmod::{CycleError, KernelFiles, Tables};
pub use elf::ElfError;
pub use initramfs::{Initramfs, InitramfsError};
pub use module::{MAX_MODULE, Module, ModuleError, ModuleFault, decompress, module_name, uncompressed_path};
