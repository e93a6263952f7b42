//! Whether the medium has kept what it said it has written.
use crate::pack::{Pack, PackError};
use crate::seam::Medium;
use crate::store::{StoreError, chain, gen_name};
use std::io;

/// Reads the file of a generation back, index, record and every object, and checks it against its sums. A medium that lies takes a
/// write and a flush, says that both are done, and has dropped them: only what is read from it again tells. The caller
/// sees to it that this is read from the medium and not from the kernel's memory: by mounting it anew.
///
/// # Errors
/// [`StoreError::Lost`] where the generation is not there or not as it was written; [`StoreError::Io`] where the medium
/// cannot be read.
pub fn confirm(medium: &dyn Medium, generation: u64) -> Result<(), StoreError> {
    let name = gen_name(generation);
    let lost = |what: String| StoreError::Lost { generation, what };
    let unlike = |e: PackError| match e {
        PackError::Io(e) => StoreError::Io("read back", e),
        other => lost(format!("{name}: {}", chain(&other))),
    };
    let file = medium.open(&name).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => lost(format!("{name} is not there")),
        _ => StoreError::Io("read back", e),
    })?;
    let pack = Pack::open(&*file).map_err(unlike)?;
    for id in pack.objects.keys() {
        pack.read(&*file, id).map_err(unlike)?;
    }
    Ok(())
}
