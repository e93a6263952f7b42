//! SHA-256.
use sha2::Digest;
use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

/// A SHA-256, printed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// A text that is no SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a SHA-256 (64 hexadecimal digits), found `{0}`")]
pub struct ParseSha256Error(String);

impl Sha256 {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The hash and length of all that a reader gives.
    ///
    /// # Errors
    /// What the reader says.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut writer = Sha256Writer::new(io::sink());
        let size = copy(&mut reader, &mut writer)?;
        Ok((writer.finish(), size))
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

// `io::copy` has an 8 KiB buffer, which costs a fifth of the speed here.
fn copy(reader: &mut impl Read, writer: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0u64;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(n) => {
                writer.write_all(buffer.get(..n).unwrap_or_default())?;
                total = total.saturating_add(n as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = ParseSha256Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseSha256Error(text.chars().take(80).collect());
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(error());
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |at: usize| pair.get(at).and_then(|d| char::from(*d).to_digit(16));
            match (digit(0), digit(1)) {
                (Some(high), Some(low)) => *byte = u8::try_from(high << 4 | low).map_err(|_e| error())?,
                _ => return Err(error()),
            }
        }
        Ok(Self(bytes))
    }
}

/// Passes bytes on and hashes them.
#[derive(Debug)]
pub struct Sha256Writer<W> {
    inner: W,
    hash: sha2::Sha256,
}

impl<W: Write> Sha256Writer<W> {
    /// Before the first byte.
    pub fn new(inner: W) -> Self {
        Self { inner, hash: sha2::Sha256::new() }
    }

    /// The hash of all that passed.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        Sha256(self.hash.finalize().into())
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..n).unwrap_or_default());
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_known_hash() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(b"abc").to_string(), text);
        assert_eq!(Sha256::of_reader(&b"abc"[..]).unwrap(), (text.parse().unwrap(), 3));
    }

    proptest! {
        #[test]
        fn text_and_back(bytes: [u8; 32]) {
            let hash = Sha256(bytes);
            prop_assert_eq!(hash.to_string().parse::<Sha256>().unwrap(), hash);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,70}") {
            let read = text.parse::<Sha256>();
            prop_assert_eq!(read.is_ok(), text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
