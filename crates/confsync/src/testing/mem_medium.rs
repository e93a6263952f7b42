//! A medium in memory that notes what is done to it.
use crate::seam::{Medium, NewPack, ReadPack};
use crate::testing::cut::{Op, Ops};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    ops: Vec<Op>,
    serial: u64,
    room: Option<u64>,
    read_only: bool,
}

/// A medium in memory that notes every write, flush and rename, so that the power can be cut at each of them
/// ([`MemMedium::ops`]). It can be full, or only for reading.
#[derive(Debug, Default)]
pub struct MemMedium {
    state: RefCell<State>,
}

impl MemMedium {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With these files.
    #[must_use]
    pub fn with(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { state: RefCell::new(State { files, ..State::default() }) }
    }

    /// What was done to it so far.
    #[must_use]
    pub fn ops(&self) -> Ops {
        Ops(self.state.borrow().ops.clone())
    }

    /// All files.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.borrow().files.clone()
    }

    /// Changes one file behind the store's back.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(bytes) = self.state.borrow_mut().files.get_mut(name) {
            change(bytes);
        }
    }

    /// Takes only so many more bytes.
    pub fn room(&self, bytes: Option<u64>) {
        self.state.borrow_mut().room = bytes;
    }

    /// Can only be read.
    pub fn read_only(&self, yes: bool) {
        self.state.borrow_mut().read_only = yes;
    }
}

struct File(Vec<u8>);
impl ReadPack for File {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let start = usize::try_from(at).map_err(|_big| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

struct New<'m> {
    medium: &'m MemMedium,
    temp: String,
    name: String,
}

impl Write for New<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.medium.state.borrow_mut();
        if let Some(room) = state.room {
            let left = room.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::StorageFull)?;
            state.room = Some(left);
        }
        state.ops.push(Op::Write(self.temp.clone(), bytes.to_vec()));
        state.files.entry(self.temp.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewPack for New<'_> {
    fn commit(self: Box<Self>) -> io::Result<()> {
        let mut state = self.medium.state.borrow_mut();
        state.ops.push(Op::Sync(self.temp.clone()));
        drop(state);
        self.medium.rename(&self.temp, &self.name)
    }
}

impl Drop for New<'_> {
    fn drop(&mut self) {
        let mut state = self.medium.state.borrow_mut();
        if state.files.remove(&self.temp).is_some() {
            state.ops.push(Op::Remove(self.temp.clone()));
        }
    }
}

impl MemMedium {
    fn writable(&self) -> io::Result<()> {
        if self.state.borrow().read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }
}

impl Medium for MemMedium {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state.borrow().files.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadPack + '_>> {
        let state = self.state.borrow();
        Ok(Box::new(File(state.files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn NewPack + '_>> {
        self.writable()?;
        let mut state = self.state.borrow_mut();
        state.serial = state.serial.saturating_add(1);
        let temp = format!(".{name}.{}.tmp", state.serial);
        state.ops.push(Op::Create(temp.clone()));
        state.files.insert(temp.clone(), Vec::new());
        drop(state);
        Ok(Box::new(New { medium: self, temp, name: name.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        let mut state = self.state.borrow_mut();
        let bytes = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), bytes);
        state.ops.push(Op::Rename(from.to_owned(), to.to_owned()));
        state.ops.push(Op::SyncDir);
        Ok(())
    }

    fn note(&self, before: Option<&str>, name: &str) -> io::Result<()> {
        self.writable()?;
        let mut state = self.state.borrow_mut();
        let op = match before {
            Some(before) => {
                state.files.remove(before).ok_or(io::ErrorKind::NotFound)?;
                Op::Rename(before.to_owned(), name.to_owned())
            }
            None => Op::Create(name.to_owned()),
        };
        state.ops.push(op);
        state.files.insert(name.to_owned(), Vec::new());
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        let mut state = self.state.borrow_mut();
        state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.ops.push(Op::Remove(name.to_owned()));
        Ok(())
    }
}
