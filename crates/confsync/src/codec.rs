//! Numbers and byte strings in a row: what trees, packs and the index are written in.

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// They end too early.
    #[error("cut off at byte {0}")]
    Truncated(usize),
    /// A number, a kind or a length that cannot be.
    #[error("nonsense at byte {0}")]
    Nonsense(usize),
}

/// Appends a number, seven bits a byte.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The mask keeps it below 256.
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

/// Appends a number that may be negative.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    let bits = (number << 1) ^ (number >> 63);
    put_number(out, u64::from_ne_bytes(bits.to_ne_bytes()));
}

/// Appends bytes after their count.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes them off again.
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn nonsense(&self) -> CodecError {
        CodecError::Nonsense(self.at)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'b [u8], CodecError> {
        let end = self.at.checked_add(count).ok_or(CodecError::Nonsense(self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(CodecError::Truncated(self.at))?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, CodecError> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    pub(crate) fn number(&mut self) -> Result<u64, CodecError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.nonsense());
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.nonsense())
    }

    pub(crate) fn small(&mut self) -> Result<u32, CodecError> {
        u32::try_from(self.number()?).map_err(|_big| self.nonsense())
    }

    pub(crate) fn signed(&mut self) -> Result<i64, CodecError> {
        let bits = self.number()?;
        let half = i64::from_ne_bytes((bits >> 1).to_ne_bytes());
        Ok(if bits & 1 == 1 { !half } else { half })
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], CodecError> {
        let count = usize::try_from(self.number()?).map_err(|_big| self.nonsense())?;
        self.take(count)
    }

    /// A count of things that take at least a byte each: never more than there are bytes left.
    pub(crate) fn count(&mut self) -> Result<usize, CodecError> {
        let count = usize::try_from(self.number()?).map_err(|_big| self.nonsense())?;
        if count > self.bytes.len().saturating_sub(self.at) { Err(self.nonsense()) } else { Ok(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn there_and_back(number: u64, signed: i64, text: Vec<u8>) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_signed(&mut out, signed);
            put_bytes(&mut out, &text);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.number(), Ok(number));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.bytes(), Ok(text.as_slice()));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.number().is_ok() && reader.bytes().is_ok() {}
        }
    }
}
