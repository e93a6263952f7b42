//! What a tree of attributes is.
use crate::AttrError;

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A directory.
    Dir,
    /// An attribute.
    Attr,
    /// A symbolic link.
    Link,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Its name, without a `/`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// A tree of attributes. Paths are relative to its root, without a leading `/` or any `..`.
pub trait AttrTree {
    /// The whole value of an attribute as the kernel prints it, line end included.
    ///
    /// # Errors
    /// The errno of opening or reading it.
    fn read(&self, path: &str) -> Result<String, AttrError>;

    /// Writes a value with one `write(2)`. `EAGAIN` is returned as it comes: some subsystems (SCST) use
    /// it to say that the work goes on, and a second write would be a second operation.
    ///
    /// # Errors
    /// The errno of opening or writing it; the error keeps the value that was being written.
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError>;

    /// The entries of a directory, sorted by name.
    ///
    /// # Errors
    /// The errno of reading the directory.
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError>;

    /// Where a symbolic link points, as it is written.
    ///
    /// # Errors
    /// The errno of reading it.
    fn read_link(&self, path: &str) -> Result<String, AttrError>;

    /// The permission bits of an attribute (`0o444`), or `None` where the tree does not know.
    ///
    /// # Errors
    /// The errno of asking.
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        let _unknown = path;
        Ok(None)
    }

    /// The permission bits of an attribute and its value, as [`mode`](Self::mode) and [`read`](Self::read)
    /// have them; what nobody may read has no value. A tree of the machine opens the attribute once for both.
    ///
    /// # Errors
    /// The errno of asking for the bits, or, inside, of reading.
    fn look(&self, path: &str) -> Result<Look, AttrError> {
        let mode = self.mode(path)?;
        let value = if mode.is_none_or(|m| m & 0o444 != 0) { Some(self.read(path)) } else { None };
        Ok(Look { mode, value })
    }

    /// [`look`](Self::look) at several attributes of one directory, in their order. A tree of the machine
    /// walks the path to the directory once.
    ///
    /// # Errors
    /// As [`look`](Self::look), of the first that fails.
    fn look_in(&self, dir: &str, names: &[&str]) -> Result<Vec<Look>, AttrError> {
        names.iter().map(|name| self.look(&join(dir, name))).collect()
    }

    /// [`read`](Self::read) of several attributes of one directory, in their order. A tree of the machine walks the
    /// path to the directory once.
    fn read_in(&self, dir: &str, names: &[&str]) -> Vec<Result<String, AttrError>> {
        names.iter().map(|name| self.read(&join(dir, name))).collect()
    }
}

/// A path below a directory; the root is the empty path.
pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// An attribute's permission bits and value, of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The permission bits (`0o444`), or `None` where the tree does not know.
    pub mode: Option<u32>,
    /// What reading it gave; `None` where the bits let nobody read.
    pub value: Option<Result<String, AttrError>>,
}

impl<T: AttrTree + ?Sized> AttrTree for &T {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        (**self).read(path)
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        (**self).write(path, value)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        (**self).list(path)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        (**self).read_link(path)
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        (**self).mode(path)
    }
    fn look(&self, path: &str) -> Result<Look, AttrError> {
        (**self).look(path)
    }
    fn look_in(&self, dir: &str, names: &[&str]) -> Result<Vec<Look>, AttrError> {
        (**self).look_in(dir, names)
    }
    fn read_in(&self, dir: &str, names: &[&str]) -> Vec<Result<String, AttrError>> {
        (**self).read_in(dir, names)
    }
}
