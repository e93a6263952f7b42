//! Signatures, after minisign.
use minisign::{KeyPair, PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};
use std::fmt;
use std::io::Cursor;

/// A key or a signature cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is no key of minisign.
    #[error("{origin} is no {what} of minisign: {why}")]
    NoKey {
        /// Where it came from.
        origin: String,
        /// What it should be.
        what: &'static str,
        /// What minisign says.
        why: String,
    },
    /// It is encrypted and no password, or a wrong one, was given.
    #[error("{origin} cannot be decrypted: {why}")]
    Password {
        /// Where it came from.
        origin: String,
        /// What minisign says.
        why: String,
    },
    /// Signing fails.
    #[error("cannot sign: {why}")]
    Sign {
        /// What minisign says.
        why: String,
    },
}

/// Who signs.
pub struct Signer {
    secret: SecretKey,
    public: PublicKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer {{ key: {} }}", id(&self.public))
    }
}

impl Signer {
    /// With a secret key in minisign's format, and its password where it has one.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(origin: &str, key: &str, password: Option<&str>) -> Result<Self, KeyError> {
        let no = |e: minisign::PError| KeyError::NoKey {
            origin: origin.to_owned(),
            what: "secret key",
            why: e.to_string(),
        };
        let open = |e: minisign::PError| KeyError::Password { origin: origin.to_owned(), why: e.to_string() };
        let secret = match (password, unencrypted(key)) {
            (None, Some(secret)) => secret,
            (None, None) => {
                let key = SecretKeyBox::from_string(key).map_err(no)?;
                key.into_unencrypted_secret_key().map_err(open)?
            }
            (Some(password), _) => {
                let key = SecretKeyBox::from_string(key).map_err(no)?;
                key.into_secret_key(Some(password.to_owned())).map_err(open)?
            }
        };
        let public = PublicKey::from_secret_key(&secret).map_err(no)?;
        Ok(Self { secret, public })
    }

    /// With a new key that is kept nowhere.
    ///
    /// # Errors
    /// [`KeyError::Sign`] without random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate_unencrypted_keypair();
        let pair = pair.map_err(|e| KeyError::Sign { why: e.to_string() })?;
        Ok(Self { secret: pair.sk, public: pair.pk })
    }

    /// The key that checks what this one signs, as minisign prints it.
    #[must_use]
    pub fn public_key(&self) -> String {
        let key = self.public.to_base64();
        format!("untrusted comment: minisign public key {}\n{key}\n", id(&self.public))
    }

    /// The signature of a text. Minisign mixes in noise: two signatures of one text differ, and both
    /// are good.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign(&self, text: &[u8], time: u32) -> Result<String, KeyError> {
        let trusted = format!("timestamp:{time}\tfile:{}\thashed", esos_layout::slot::DESCRIPTION);
        let comment = Some("signature by ESOS's image tool");
        minisign::sign(Some(&self.public), &self.secret, Cursor::new(text), Some(&trusted), comment)
            .map(|signature| signature.to_string())
            .map_err(|e| KeyError::Sign { why: e.to_string() })
    }
}

/// A secret key without a password, as `minisign -G -W` writes it: it leaves out the checksum that the
/// library wants. Whether the key is whole shows when it signs.
fn unencrypted(text: &str) -> Option<SecretKey> {
    let bytes = base64(text.lines().nth(1)?)?;
    let (head, checksum) = bytes.split_at_checked(126)?;
    let plain = head.get(..4)? == b"Ed\0\0" && checksum == [0; 32];
    if plain { SecretKey::from_bytes(&bytes).ok() } else { None }
}

/// RFC 4648, section 4; `None` for anything else.
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in text.trim_end().trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|a| *a == byte)?;
        held = (held << 6 | u32::try_from(value).ok()?) & 0xffff;
        bits = bits.saturating_add(6);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            out.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(out)
}

/// What is to be thought of a signature.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "signature")]
#[non_exhaustive]
pub enum Verdict {
    /// There is none.
    Unsigned,
    /// It is good, and by that key.
    Good {
        /// The key: 16 hex digits.
        key: String,
        /// The file that it was read from.
        from: String,
    },
    /// It is by none of the keys that are trusted.
    Untrusted {
        /// The key, where the signature can be read.
        key: String,
    },
    /// It is by a trusted key, but not of this text, or it is no signature.
    Wrong {
        /// What minisign says.
        why: String,
    },
}

/// Keys whose signatures count.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys(Vec<(String, PublicKey)>);

impl TrustedKeys {
    /// Adds a public key in minisign's format: two lines, or the second of them.
    ///
    /// # Errors
    /// [`KeyError::NoKey`].
    pub fn add(&mut self, origin: &str, text: &str) -> Result<(), KeyError> {
        let no = |e: minisign::PError| KeyError::NoKey {
            origin: origin.to_owned(),
            what: "public key",
            why: e.to_string(),
        };
        let key = if text.trim().lines().count() > 1 {
            PublicKeyBox::from_string(text).and_then(PublicKeyBox::into_public_key)
        } else {
            PublicKey::from_base64(text.trim())
        };
        self.0.push((origin.to_owned(), key.map_err(no)?));
        Ok(())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a signature of a text.
    #[must_use]
    pub fn check(&self, text: &[u8], signature: Option<&str>) -> Verdict {
        let Some(signature) = signature else { return Verdict::Unsigned };
        let signature = match SignatureBox::from_string(signature) {
            Ok(signature) => signature,
            Err(e) => return Verdict::Wrong { why: e.to_string() },
        };
        let by = |key: &PublicKey| key.keynum() == signature.keynum();
        let Some((from, key)) = self.0.iter().find(|(_, key)| by(key)) else {
            return Verdict::Untrusted { key: number(signature.keynum()) };
        };
        // Only what was hashed first: older signatures sign the text itself.
        match minisign::verify(key, &signature, Cursor::new(text), true, false, false) {
            Ok(()) => Verdict::Good { key: id(key), from: from.clone() },
            Err(e) => Verdict::Wrong { why: e.to_string() },
        }
    }
}

fn id(key: &PublicKey) -> String {
    number(key.keynum())
}

/// A key's number as minisign prints it.
fn number(bytes: &[u8]) -> String {
    bytes.iter().rev().map(|b| format!("{b:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for this test by `minisign -G -W` (0.11, Debian 12); nothing is signed with it.
    const KEY: &str = "untrusted comment: minisign encrypted secret key\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAnVz7k2mf+v/0CrdG4gxLHWJYleqKSOZxKWpgFhRYN+szAV89pFe6lh9ckZNA9QtAqGA+fjzLcA0cd4XQKk5CIQtViQs2x2teAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    #[test]
    fn a_key_of_the_tool_itself_signs() {
        let signer = Signer::new("k.key", KEY, None).unwrap();
        let mut keys = TrustedKeys::default();
        keys.add("k.pub", &signer.public_key()).unwrap();
        let signature = signer.sign(b"text", 7).unwrap();
        assert!(matches!(keys.check(b"text", Some(&signature)), Verdict::Good { .. }));
        assert!(matches!(keys.check(b"text", Some("")), Verdict::Wrong { .. }));
    }

    #[test]
    fn what_is_no_key_is_told() {
        for text in ["", "one line", "untrusted comment: x\nAAAA\n"] {
            assert!(Signer::new("k", text, None).is_err(), "{text}");
            assert!(TrustedKeys::default().add("k", text).is_err(), "{text}");
        }
    }
}
