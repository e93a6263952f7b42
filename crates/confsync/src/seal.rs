//! One file encrypted with a passphrase, in the format of age (<https://age-encryption.org/v1>): every age program opens
//! it, and what such a program made with a passphrase is opened here. The primitives are those of RustCrypto.
use base64ct::{Base64Unpadded, Encoding};
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::io::{self, BufRead, Read, Write};

const VERSION: &str = "age-encryption.org/v1";
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
/// 2^18 blocks of 1 KiB: 256 MiB and about a second, as age itself takes.
const WORK: u8 = 18;
/// More than that is not a passphrase's protection, it is an attack on this box's memory.
const MOST_WORK: u8 = 20;

/// Why it cannot be opened or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is no such file.
    #[error("not encrypted with a passphrase: {0}")]
    Format(&'static str),
    /// The passphrase does not open it.
    #[error("the passphrase does not open it")]
    Passphrase,
    /// The header was changed.
    #[error("its header does not match its key")]
    Header,
    /// Reading or writing.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
}

fn wrap_key(passphrase: &str, salt: &[u8], work: u8) -> Result<Key, SealError> {
    let salt = [format!("{VERSION}/scrypt").as_bytes(), salt].concat();
    let params = scrypt::Params::new(work, 8, 1).map_err(|_e| SealError::Format("work factor"))?;
    let mut key = [0; 32];
    scrypt::scrypt(passphrase.as_bytes(), &salt, &params, &mut key)
        .map_err(|_e| SealError::Format("key length"))?;
    Ok(key.into())
}

fn derive(secret: &[u8], salt: Option<&[u8]>, info: &str) -> Result<[u8; 32], SealError> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(salt, secret)
        .expand(info.as_bytes(), &mut key)
        .map_err(|_e| SealError::Format("key length"))?;
    Ok(key)
}

fn header_mac(file_key: &[u8], header: &str) -> Result<Hmac<Sha256>, SealError> {
    let key = derive(file_key, None, "header")?;
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).map_err(|_e| SealError::Header)?;
    mac.update(header.as_bytes());
    Ok(mac)
}

fn nonce(count: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    let (head, _) = bytes.split_at_mut(11);
    if let Some(tail) = head.last_chunk_mut::<8>() {
        *tail = count.to_be_bytes();
    }
    if let Some(flag) = bytes.last_mut() {
        *flag = u8::from(last);
    }
    bytes.into()
}

/// Encrypts what is written to it. [`Sealer::finish`] writes the end; without it the file cannot be opened.
pub struct Sealer<W: Write> {
    out: W,
    cipher: ChaCha20Poly1305,
    count: u64,
    buffer: Vec<u8>,
}

impl<W: Write> std::fmt::Debug for Sealer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl<W: Write> Sealer<W> {
    /// Begins a file. `random` must come from the kernel and be used once.
    ///
    /// # Errors
    /// The header cannot be written.
    pub fn new(out: W, passphrase: &str, random: &[u8; 48]) -> Result<Self, SealError> {
        Self::with_work(out, passphrase, random, WORK)
    }

    fn with_work(mut out: W, passphrase: &str, random: &[u8; 48], work: u8) -> Result<Self, SealError> {
        let (salt, rest) = random.split_at(16);
        let (file_key, stream) = rest.split_at(16);
        let wrap = ChaCha20Poly1305::new(&wrap_key(passphrase, salt, work)?);
        let wrapped = wrap.encrypt(&Nonce::default(), file_key).map_err(|_e| SealError::Header)?;
        let b64 = Base64Unpadded::encode_string;
        let header = format!("{VERSION}\n-> scrypt {} {work}\n{}\n---", b64(salt), b64(&wrapped));
        let mac = header_mac(file_key, &header)?.finalize().into_bytes();
        out.write_all(format!("{header} {}\n", b64(&mac)).as_bytes())?;
        out.write_all(stream)?;
        let cipher = ChaCha20Poly1305::new(&derive(file_key, Some(stream), "payload")?.into());
        Ok(Self { out, cipher, count: 0, buffer: Vec::with_capacity(CHUNK) })
    }

    fn chunk(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.cipher.encrypt(&nonce(self.count, last), self.buffer.as_slice());
        self.out.write_all(&sealed.map_err(|_e| io::Error::other("cannot encrypt"))?)?;
        self.count = self.count.saturating_add(1);
        self.buffer.clear();
        Ok(())
    }

    /// Writes the end and gives the stream back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<W, SealError> {
        self.chunk(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits: it may be the last.
        if self.buffer.len() == CHUNK {
            self.chunk(false)?;
        }
        let room = CHUNK.saturating_sub(self.buffer.len()).min(bytes.len());
        self.buffer.extend_from_slice(bytes.get(..room).unwrap_or_default());
        Ok(room)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts what is read from it. Nothing comes out that was not checked, and an end that is missing is an error.
pub struct Opener<R: BufRead> {
    from: R,
    cipher: ChaCha20Poly1305,
    count: u64,
    plain: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl<R: BufRead> std::fmt::Debug for Opener<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener")
    }
}

/// Whether a file begins as one of age does.
#[must_use]
pub fn is_sealed(start: &[u8]) -> bool {
    start.starts_with(b"age-encryption.org/")
}

impl<R: BufRead> Opener<R> {
    /// Reads the header and opens it.
    ///
    /// # Errors
    /// It is no such file, or the passphrase is wrong.
    pub fn new(mut from: R, passphrase: &str) -> Result<Self, SealError> {
        let mut line = || -> Result<String, SealError> {
            let mut text = Vec::new();
            Read::take(&mut from, 4096).read_until(b'\n', &mut text)?;
            let text = String::from_utf8(text).map_err(|_e| SealError::Format("its header is no text"))?;
            text.strip_suffix('\n').map(str::to_owned).ok_or(SealError::Format("its header is cut off"))
        };
        let (version, stanza, wrapped, end) = (line()?, line()?, line()?, line()?);
        let words: Vec<&str> = stanza.split(' ').collect();
        let (["->", "scrypt", salt, work], true) = (words.as_slice(), version == VERSION) else {
            return Err(SealError::Format("it is for a key, or of another version"));
        };
        let bytes =
            |text: &str| Base64Unpadded::decode_vec(text).map_err(|_e| SealError::Format("its header"));
        let work: u8 = work.parse().map_err(|_e| SealError::Format("its work factor"))?;
        if work > MOST_WORK {
            return Err(SealError::Format("its work factor is above 20"));
        }
        let wrap = ChaCha20Poly1305::new(&wrap_key(passphrase, &bytes(salt)?, work)?);
        let file_key = wrap
            .decrypt(&Nonce::default(), bytes(&wrapped)?.as_slice())
            .map_err(|_e| SealError::Passphrase)?;
        let mac = end.strip_prefix("--- ").ok_or(SealError::Format("its header has no end"))?;
        let header = format!("{version}\n{stanza}\n{wrapped}\n---");
        header_mac(&file_key, &header)?.verify_slice(&bytes(mac)?).map_err(|_e| SealError::Header)?;
        let mut stream = [0; 16];
        from.read_exact(&mut stream)?;
        let cipher = ChaCha20Poly1305::new(&derive(&file_key, Some(&stream), "payload")?.into());
        Ok(Self { from, cipher, count: 0, plain: io::Cursor::default(), ended: false })
    }

    fn chunk(&mut self) -> io::Result<()> {
        let mut sealed = Vec::new();
        Read::take(&mut self.from, CHUNK.saturating_add(TAG) as u64).read_to_end(&mut sealed)?;
        let last = self.from.fill_buf()?.is_empty();
        let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "it is damaged or cut off");
        let plain = self.cipher.decrypt(&nonce(self.count, last), sealed.as_slice()).map_err(damaged)?;
        self.count = self.count.saturating_add(1);
        self.ended = last;
        self.plain = io::Cursor::new(plain);
        Ok(())
    }
}

impl<R: BufRead> Read for Opener<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.plain.read(buffer)?;
            if got > 0 || self.ended || buffer.is_empty() {
                return Ok(got);
            }
            self.chunk()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(plain: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::with_work(Vec::new(), "correct horse", &[7; 48], 4).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn open(sealed: &[u8], passphrase: &str) -> Result<Vec<u8>, SealError> {
        let mut plain = Vec::new();
        Opener::new(sealed, passphrase)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn there_and_back_at_every_boundary() {
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 200_000] {
            let plain: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
            assert_eq!(open(&seal(&plain), "correct horse").unwrap(), plain, "{len}");
        }
    }

    #[test]
    fn what_was_changed_or_cut_is_not_opened() {
        let sealed = seal(&[9; 100_000]);
        assert!(matches!(open(&sealed, "wrong"), Err(SealError::Passphrase)));
        for at in (0..sealed.len()).step_by(997).chain(0..250) {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&changed, "correct horse").is_err(), "byte {at}");
        }
        for len in (0..sealed.len()).step_by(997) {
            assert!(open(&sealed[..len], "correct horse").is_err(), "{len} bytes");
        }
    }
}
