//! The seam to the file: positioned reads.
use esos_hostfs::{FileError, Stream};
use std::io;

/// Something whose bytes can be read at any place, by several threads at a time.
///
/// `/proc/vmcore`, a core file and a dump file are such; so is a byte slice, for tests.
pub trait ReadAt: Sync {
    /// Reads up to `buffer.len()` bytes at `at` and says how many; 0 only at the end.
    ///
    /// # Errors
    /// What the medium says.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// The length in bytes.
    fn size(&self) -> u64;

    /// Where, from `at` on, the file has bytes on its medium: what lies before is a hole and reads as zeros.
    /// `None` where nothing follows; `at` itself where it is not known.
    fn next_data(&self, at: u64) -> Option<u64> {
        Some(at)
    }
}

impl ReadAt for Stream {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        Self::read_at(self, buffer, at).map_err(io_error)
    }

    fn size(&self) -> u64 {
        Self::size(self).unwrap_or(0)
    }

    fn next_data(&self, at: u64) -> Option<u64> {
        Self::next_data(self, at).unwrap_or(Some(at))
    }
}

/// Its kind stays, "no space" above all; its text names the file.
pub(crate) fn io_error(e: FileError) -> io::Error {
    io::Error::new(if e.is_full() { io::ErrorKind::StorageFull } else { io::ErrorKind::Other }, e)
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(n)
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, at)
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Box<T> {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        (**self).read_at(buffer, at)
    }

    fn size(&self) -> u64 {
        (**self).size()
    }

    fn next_data(&self, at: u64) -> Option<u64> {
        (**self).next_data(at)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        (**self).read_at(buffer, at)
    }

    fn size(&self) -> u64 {
        (**self).size()
    }

    fn next_data(&self, at: u64) -> Option<u64> {
        (**self).next_data(at)
    }
}

/// Fills `buffer` from `at` as far as the source has bytes; says how many were read.
pub(crate) fn fill(source: &(impl ReadAt + ?Sized), buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match source.read_at(rest, at.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
