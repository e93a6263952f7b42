//! A disk in memory, sparse, that records what is done to it and can fail.
use esos_bootimg::disk::Medium;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;

const PAGE: u64 = 4096;

/// Pages that are not zero.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Pages {
    pub(crate) fn read(&self, mut buffer: &mut [u8], mut at: u64) {
        while !buffer.is_empty() {
            let inside = (at % PAGE) as usize;
            let n = buffer.len().min(PAGE as usize - inside);
            match self.pages.get(&(at / PAGE)) {
                Some(page) => buffer[..n].copy_from_slice(&page[inside..inside + n]),
                None => buffer[..n].fill(0),
            }
            buffer = &mut buffer[n..];
            at += n as u64;
        }
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8], mut at: u64) {
        while !bytes.is_empty() {
            let inside = (at % PAGE) as usize;
            let n = bytes.len().min(PAGE as usize - inside);
            let page = self.pages.entry(at / PAGE).or_insert_with(|| vec![0; PAGE as usize]);
            page[inside..inside + n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            at += n as u64;
        }
    }
}

/// What was done.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    Write { at: u64, bytes: Vec<u8> },
    Flush,
}

/// A disk.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) len: u64,
    pub(crate) sector: u64,
    pub(crate) pages: RefCell<Pages>,
    pub(crate) log: RefCell<Vec<Done>>,
    /// Fails from that operation on.
    pub(crate) fails_at: Cell<Option<usize>>,
    /// Takes writes and forgets them.
    pub(crate) deaf: Cell<bool>,
    /// Writes of that page come out with a flipped bit.
    pub(crate) rots: Cell<Option<u64>>,
}

impl Disk {
    pub(crate) fn new(len: u64, pages: Pages) -> Self {
        Self {
            len,
            sector: 512,
            pages: RefCell::new(pages),
            log: RefCell::default(),
            fails_at: Cell::new(None),
            deaf: Cell::new(false),
            rots: Cell::new(None),
        }
    }

    /// The same content, nothing done yet.
    pub(crate) fn again(&self) -> Self {
        Self { sector: self.sector, ..Self::new(self.len, self.pages.borrow().clone()) }
    }

    pub(crate) fn writes(&self) -> usize {
        self.log.borrow().iter().filter(|d| matches!(d, Done::Write { .. })).count()
    }

    fn may(&self) -> io::Result<()> {
        match self.fails_at.get() {
            Some(n) if self.log.borrow().len() >= n => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        }
    }
}

impl Medium for Disk {
    fn len(&self) -> u64 {
        self.len
    }

    fn sector(&self) -> u64 {
        self.sector
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        if at + buffer.len() as u64 > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pages.borrow().read(buffer, at);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        assert!(
            at.is_multiple_of(self.sector) && (bytes.len() as u64).is_multiple_of(self.sector),
            "{at} + {}",
            bytes.len()
        );
        assert!(at + bytes.len() as u64 <= self.len);
        self.may()?;
        self.log.borrow_mut().push(Done::Write { at, bytes: bytes.to_vec() });
        if self.deaf.get() {
            return Ok(());
        }
        let mut bytes = bytes.to_vec();
        if let Some(page) = self.rots.get().filter(|p| *p >= at && *p < at + bytes.len() as u64) {
            bytes[(page - at) as usize] ^= 4;
        }
        self.pages.borrow_mut().write(&bytes, at);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.may()?;
        self.log.borrow_mut().push(Done::Flush);
        Ok(())
    }
}
