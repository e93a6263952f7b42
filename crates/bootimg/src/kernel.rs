//! Kernel modules and the initramfs: depmod's tables, choice of modules, the cpio.
mod depmod;
mod elf;
mod module;
mod trie;

pub use depmod::{CycleError, KernelFiles, Tables};
pub use elf::ElfError;
pub use module::{MAX_MODULE, Module, ModuleError, ModuleFault, decompress, module_name, uncompressed_path};
