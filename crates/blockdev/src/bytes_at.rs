//! Numbers and texts in a superblock; nothing is there where the bytes end.

/// Bytes of a device from one place on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'b>(pub &'b [u8]);

impl<'b> At<'b> {
    pub(crate) fn slice(self, at: usize, len: usize) -> Option<&'b [u8]> {
        self.0.get(at..at.checked_add(len)?)
    }
    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.slice(at, N)?.try_into().ok()
    }
    pub(crate) fn is(self, at: usize, magic: &[u8]) -> bool {
        self.slice(at, magic.len()) == Some(magic)
    }
    pub(crate) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }
    pub(crate) fn le16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }
    pub(crate) fn le32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }
    pub(crate) fn le64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }
    pub(crate) fn be16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }
    pub(crate) fn be32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    /// A text that ends at the first NUL; spaces at its end do not count.
    pub(crate) fn text(self, at: usize, len: usize) -> String {
        let bytes = self.slice(at, len).unwrap_or_default();
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).trim_end().to_owned()
    }

    /// A UUID of 16 bytes in text order; empty where all are zero.
    pub(crate) fn uuid(self, at: usize) -> String {
        self.array::<16>(at).map_or_else(String::new, uuid)
    }

    /// A GUID as GPT stores it: the first three groups little-endian.
    pub(crate) fn guid(self, at: usize) -> String {
        let Some([a, b, c, d, e, f, g, h, rest @ ..]) = self.array::<16>(at) else { return String::new() };
        let mut bytes = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.iter_mut().skip(8).zip(rest).for_each(|(to, from)| *to = from);
        uuid(bytes)
    }
}

fn uuid(bytes: [u8; 16]) -> String {
    if bytes == [0; 16] {
        return String::new();
    }
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
