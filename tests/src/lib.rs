//! Tests of the whole house, and the harness that boots it in QEMU.
