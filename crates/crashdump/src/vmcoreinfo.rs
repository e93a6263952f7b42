//! The kernel's own description of its layout: `KEY=value` lines in an ELF note.
use crate::CoreError;
use crate::bytes::u32_at;
use std::collections::BTreeMap;
use std::ops::Range;

/// VMCOREINFO, as [Documentation/admin-guide/kdump/vmcoreinfo.rst] in the kernel describes it.
///
/// [Documentation/admin-guide/kdump/vmcoreinfo.rst]: https://docs.kernel.org/admin-guide/kdump/vmcoreinfo.html
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vmcoreinfo(BTreeMap<String, String>);

impl Vmcoreinfo {
    /// Reads the lines. What is not `KEY=value` is passed over; of a key given twice the last counts, as the
    /// kernel appends.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        Self(
            text.lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.trim().to_owned(), value.trim_matches(['\0', ' ']).to_owned()))
                .collect(),
        )
    }

    /// A value as it stands, such as that of `OSRELEASE`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Address of a symbol: `SYMBOL(name)`.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.get(&format!("SYMBOL({name})"))?, 16).ok()
    }

    /// All symbols and their addresses.
    pub fn symbols(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix("SYMBOL(")?.strip_suffix(')')?;
            Some((name, u64::from_str_radix(value, 16).ok()?))
        })
    }

    /// Offset of a member in bytes: `OFFSET(struct.member)`.
    #[must_use]
    pub fn offset(&self, member: &str) -> Option<usize> {
        self.get(&format!("OFFSET({member})"))?.parse().ok()
    }

    /// Size of a structure in bytes: `SIZE(struct)`.
    #[must_use]
    pub fn size(&self, name: &str) -> Option<usize> {
        self.get(&format!("SIZE({name})"))?.parse().ok()
    }

    /// Elements of an array: `LENGTH(array)`.
    #[must_use]
    pub fn length(&self, name: &str) -> Option<u64> {
        self.get(&format!("LENGTH({name})"))?.parse().ok()
    }

    /// `NUMBER(name)`: signed decimal, or hexadecimal with `0x`.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        let value = self.get(&format!("NUMBER({name})"))?;
        match value.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
            None => value.parse().ok(),
        }
    }

    /// [`Vmcoreinfo::symbol`], or an error that says what it is needed for.
    pub(crate) fn need_symbol(&self, name: &str, purpose: &'static str) -> Result<u64, CoreError> {
        self.symbol(name).ok_or_else(|| CoreError::NoKey { key: format!("SYMBOL({name})"), purpose })
    }

    /// [`Vmcoreinfo::offset`], or an error that says what it is needed for.
    pub(crate) fn need_offset(&self, name: &str, purpose: &'static str) -> Result<usize, CoreError> {
        self.offset(name).ok_or_else(|| CoreError::NoKey { key: format!("OFFSET({name})"), purpose })
    }

    /// [`Vmcoreinfo::size`] within `1..=limit`, or an error that says what it is needed for.
    pub(crate) fn need_size(
        &self,
        name: &str,
        limit: usize,
        purpose: &'static str,
    ) -> Result<usize, CoreError> {
        let size =
            self.size(name).ok_or_else(|| CoreError::NoKey { key: format!("SIZE({name})"), purpose })?;
        if size == 0 || size > limit {
            let (what, expected) = ("a size in VMCOREINFO", "the size of a small structure");
            return Err(CoreError::Odd { what, found: size as u64, expected });
        }
        Ok(size)
    }
}

/// An ELF note: owner, type, and where its contents lie in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    pub(crate) owner: &'a [u8],
    pub(crate) kind: u32,
    pub(crate) contents: Range<usize>,
}

/// The notes of a buffer; ends at the first that is not whole.
pub(crate) fn notes(buffer: &[u8]) -> impl Iterator<Item = Note<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let name = u32_at(buffer, at)? as usize;
        let contents = u32_at(buffer, at + 4)? as usize;
        let kind = u32_at(buffer, at + 8)?;
        let owner = buffer.get(at + 12..(at + 12).checked_add(name)?)?;
        let start = (at + 12).checked_add(name.checked_next_multiple_of(4)?)?;
        let end = start.checked_add(contents)?;
        buffer.get(start..end)?;
        at = end.checked_next_multiple_of(4)?;
        let owner = owner.strip_suffix(b"\0").unwrap_or(owner);
        Some(Note { owner, kind, contents: start..end })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_their_spellings() {
        let info = Vmcoreinfo::parse(
            b"OSRELEASE=6.1.0\nNUMBER(phys_base)=-1048576\nNUMBER(V)=0xffff888000000000\nSYMBOL(prb)=ffffffff9265c380\nodd\nSIZE(page)=x\n",
        );
        assert_eq!(info.get("OSRELEASE"), Some("6.1.0"));
        assert_eq!(info.number("phys_base"), Some(-1_048_576));
        assert_eq!(info.number("V").map(i64::cast_unsigned), Some(0xffff_8880_0000_0000));
        assert_eq!(info.symbol("prb"), Some(0xffff_ffff_9265_c380));
        assert_eq!(info.size("page"), None);
        assert!(info.need_size("page", 256, "a test").unwrap_err().to_string().contains("SIZE(page)"));
    }
}
