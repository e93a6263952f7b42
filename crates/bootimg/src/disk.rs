//! Partitions, file systems, GRUB and slots; writing, inspecting and verifying a disk image.
