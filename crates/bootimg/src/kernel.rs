//! Kernel modules and the initramfs: depmod's tables, choice of modules, the cpio.
