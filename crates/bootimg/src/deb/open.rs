//! Opening a package and streaming its files.
use super::ar::Ar;
use super::compress::Decoder;
use super::tar::Reader;
use super::{Control, DebError, Entry, Fault};
use std::io::{self, Read};

/// How much of a package is read before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Unpacked bytes of `control.tar`.
    pub control: u64,
    /// Unpacked bytes of `data.tar`, all files and headers together.
    pub data: u64,
    /// Entries of either tar.
    pub entries: u64,
    /// Memory of a decoder, in bytes: `xz -9` needs 65 MiB, `zstd --ultra` 128 MiB.
    pub decoder: u64,
}

impl Default for Limits {
    /// 64 MiB of control data, 8 GiB of files, a million entries, 256 MiB for the decoder.
    fn default() -> Self {
        Self { control: 64 << 20, data: 8 << 30, entries: 1_000_000, decoder: 256 << 20 }
    }
}

/// A package of which the control data has been read; [`Deb::entries`] streams its files.
#[derive(Debug)]
pub struct Deb<R> {
    origin: String,
    ar: Ar<R>,
    limits: Limits,
    control: Control,
    checks: bool,
}

impl<R: Read> Deb<R> {
    /// Reads as far as the control data goes. `origin` is what errors call the package.
    ///
    /// # Errors
    /// [`DebError`] with any [`Fault`].
    pub fn open(origin: &str, reader: R, limits: Limits) -> Result<Self, DebError> {
        let at_ar = |fault: Fault| fault.at(origin, "ar");
        let mut ar = Ar::open(reader).map_err(at_ar)?;
        let first = ar.next_member().map_err(at_ar)?;
        if first.as_ref().is_none_or(|m| m.name != "debian-binary" || m.size > 1024) {
            return Err(at_ar(Fault::NotADeb("its first member is not `debian-binary`")));
        }
        let mut format = String::new();
        ar.read_to_string(&mut format).map_err(|e| at_ar(Fault::io(e)))?;
        if !format.starts_with("2.") {
            return Err(at_ar(Fault::NotADeb("its format is not 2.x")));
        }
        let (name, suffix) = find(&mut ar, "control.tar").map_err(at_ar)?;
        let at = |fault: Fault| fault.at(origin, name.as_str());
        let decoder = Decoder::new(&suffix, ar, limits.decoder, true).map_err(at)?;
        let mut tar = Reader::new(origin, &name, decoder, limits.entries, limits.control);
        let control = Control::read(&mut tar)?;
        Ok(Self {
            origin: origin.to_owned(),
            ar: tar.into_inner().into_inner(),
            limits,
            control,
            checks: true,
        })
    }

    /// What the package says of itself.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Passes over the checksums inside its compressed files: for who hashes the whole package, and throws away what
    /// came of it where the hash is another one.
    #[must_use]
    pub(crate) fn hashed_elsewhere(mut self) -> Self {
        self.checks = false;
        self
    }

    /// Its files.
    ///
    /// # Errors
    /// [`DebError`] if there is no `data.tar` in a known compression.
    pub fn entries(mut self) -> Result<Entries<R>, DebError> {
        let (name, suffix) = find(&mut self.ar, "data.tar").map_err(|f| f.at(&self.origin, "ar"))?;
        let decoder = Decoder::new(&suffix, self.ar, self.limits.decoder, self.checks)
            .map_err(|fault| fault.at(&self.origin, name.as_str()))?;
        let tar = Reader::new(&self.origin, &name, decoder, self.limits.entries, self.limits.data);
        Ok(Entries { tar, origin: self.origin })
    }
}

/// The next member of that name; members that begin with `_` are for others (`deb(5)`).
fn find<R: Read>(ar: &mut Ar<R>, stem: &'static str) -> Result<(String, String), Fault> {
    loop {
        let missing = if stem == "data.tar" { "it has no `data.tar`" } else { "it has no `control.tar`" };
        let member = ar.next_member()?.ok_or(Fault::NotADeb(missing))?;
        if let Some(suffix) = member.name.strip_prefix(stem) {
            return Ok((member.name.clone(), suffix.to_owned()));
        }
        if !member.name.starts_with('_') {
            return Err(Fault::NotADeb(missing));
        }
    }
}

/// The files of a package, in the order of its tar. As a [`Read`] it gives the current one's content.
#[derive(Debug)]
pub struct Entries<R: Read> {
    tar: Reader<Decoder<Ar<R>>>,
    origin: String,
}

impl<R: Read> Entries<R> {
    /// The next entry; `None` behind the last one, when the compressed stream was read to its end and
    /// its checksum compared.
    ///
    /// # Errors
    /// [`DebError`] with any [`Fault`].
    pub fn next_entry(&mut self) -> Result<Option<Entry>, DebError> {
        self.tar.next_entry()
    }

    /// The whole content of the current entry.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] above `limit` bytes, and as [`Self::next_entry`].
    pub fn read_content(&mut self, limit: u64) -> Result<Vec<u8>, DebError> {
        self.tar.read_content(limit)
    }

    /// An error that names the package and the current entry.
    #[must_use]
    pub fn error(&self, fault: Fault) -> DebError {
        self.tar.error(fault)
    }

    /// Reads what is left of the package and gives the reader back, so that whoever hashes it has seen
    /// every byte.
    ///
    /// # Errors
    /// As [`Self::next_entry`].
    pub fn finish(mut self) -> Result<R, DebError> {
        while self.tar.next_entry()?.is_some() {}
        let at = |fault: Fault| fault.at(&self.origin, "ar");
        let mut ar = self.tar.into_inner().into_inner();
        while ar.next_member().map_err(at)?.is_some() {}
        let mut reader = ar.into_inner();
        io::copy(&mut reader, &mut io::sink()).map_err(|e| at(Fault::io(e)))?;
        Ok(reader)
    }
}

impl<R: Read> Read for Entries<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tar.read(buf)
    }
}
