//! A kernel that is ready to be booted: its modules chosen, its initramfs and that of the crash kernel packed.
use super::BuildError;
use super::kernels::{self, Kernel};
use super::run::Build;
use crate::kernel::{Initramfs, Selection, Tables};
use crate::root::{Cache, Prepared};
use std::collections::BTreeMap;

/// A kernel with everything that its initramfs is made of.
pub(super) struct Ready {
    pub(super) kernel: Kernel,
    tables: Tables,
    pub(super) chosen: Selection,
    pub(super) image: Vec<u8>,
    taken: kernels::Taken,
}

pub(super) fn with_tables(
    kernel: Kernel,
    build: &Build<'_>,
    prepared: &mut Prepared<'_>,
    frames: &dyn Cache,
) -> Result<Ready, BuildError> {
    let tables = kernel.tables(prepared, frames, build.threads)?;
    let chosen = tables.choose(&build.manifest.initramfs);
    let chosen = chosen.map_err(|source| BuildError::Choose { release: kernel.release.clone(), source })?;
    prepared.own(kernel.own(&tables)?);
    let image = prepared.file(&format!("boot/vmlinuz-{}", kernel.release)).unwrap_or_default().to_vec();
    Ok(Ready { kernel, tables, chosen, image, taken: kernels::Taken::default() })
}

impl Ready {
    pub(super) fn take(&mut self, prepared: &Prepared<'_>, cache: &dyn Cache) -> Result<(), BuildError> {
        self.taken = self.kernel.take(prepared, cache, &self.tables, &self.chosen)?;
        Ok(())
    }

    pub(super) fn initramfs(
        &self,
        build: &Build<'_>,
        index: &str,
        mtime: u32,
    ) -> Result<Vec<u8>, BuildError> {
        let initramfs = Initramfs {
            release: &self.kernel.release,
            init: &build.init.bytes,
            root_index: index,
            version: &build.version,
            selection: &self.chosen,
            modules: &self.taken.modules,
            builtin: &self.taken.builtin,
            firmware: &self.taken.firmware,
            mtime,
            level: build.level,
        };
        Ok(initramfs.write(Vec::new())?)
    }

    /// The initramfs of the crash kernel; none where the manifest names nothing for it.
    pub(super) fn capture(&self, build: &Build<'_>, mtime: u32) -> Result<Option<Capture>, BuildError> {
        let groups: Vec<_> = build.manifest.initramfs.iter().filter(|g| g.capture).cloned().collect();
        if groups.is_empty() {
            return Ok(None);
        }
        let release = &self.kernel.release;
        let selection = self.tables.choose(&groups);
        let selection =
            selection.map_err(|source| BuildError::Choose { release: release.clone(), source })?;
        let initramfs = Initramfs {
            release,
            init: &build.init.bytes,
            // It never unpacks a root.
            root_index: "",
            version: &build.version,
            selection: &selection,
            modules: &self.taken.modules,
            builtin: &self.taken.builtin,
            firmware: &BTreeMap::new(),
            mtime,
            level: build.level,
        };
        let unpacked = initramfs.unpacked()?;
        Ok(Some(Capture { packed: initramfs.write(Vec::new())?, unpacked }))
    }
}

/// The initramfs of the crash kernel.
pub(super) struct Capture {
    pub(super) packed: Vec<u8>,
    /// Bytes that it takes of the reserved memory once it is unpacked.
    unpacked: u64,
}

impl Capture {
    pub(super) fn note(&self) -> String {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        format!(
            "the crash kernel's initramfs takes {} MiB unpacked ({} MiB packed); reserved: {}",
            mib(self.unpacked),
            mib(self.packed.len() as u64),
            esos_layout::crash::argument()
        )
    }
}
