//! GUIDs, and identities derived from a seed.
use sha2::{Digest, Sha256};
use std::fmt;

/// A GUID as GPT keeps it (the first three fields little-endian).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// An unused entry.
    pub const ZERO: Self = Self([0; 16]);
    /// BIOS boot partition, `21686148-6449-6E6F-744E-656564454649`.
    pub const BIOS_BOOT: Self = Self(*b"Hah!IdontNeedEFI");
    /// EFI system partition, `C12A7328-F81F-11D2-BA4B-00A0C93EC93B`.
    pub const ESP: Self = Self([
        0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
    ]);
    /// Linux file system data, `0FC63DAF-8483-4772-8E79-3D69D8477DE4`.
    pub const LINUX: Self = Self([
        0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
    ]);

    /// A version 4 GUID made of the first bytes of a digest.
    #[must_use]
    pub fn from_digest(digest: [u8; 16]) -> Self {
        let mut bytes = digest;
        bytes[7] = (bytes[7] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        write!(f, "{d:02x}{c:02x}{b:02x}{a:02x}-{g:02x}{e:02x}-{i:02x}{h:02x}-")?;
        for (n, byte) in rest.iter().enumerate() {
            write!(f, "{}{byte:02x}", if n == 2 { "-" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where all random-looking identities of an image come from: the same seed gives the same image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// A seed that depends on every byte of a text, such as the package lock and the version.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Sixteen bytes for one purpose, unlike those of any other.
    #[must_use]
    pub fn bytes(&self, purpose: &str) -> [u8; 16] {
        let digest: [u8; 32] =
            Sha256::new().chain_update(self.0).chain_update(purpose.as_bytes()).finalize().into();
        let [a @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest;
        a
    }

    /// A GUID for one purpose.
    #[must_use]
    pub fn guid(&self, purpose: &str) -> Guid {
        Guid::from_digest(self.bytes(purpose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_print_as_the_specification_spells_them() {
        assert_eq!(Guid::BIOS_BOOT.to_string(), "21686148-6449-6e6f-744e-656564454649");
        assert_eq!(Guid::ESP.to_string(), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
        assert_eq!(Guid::LINUX.to_string(), "0fc63daf-8483-4772-8e79-3d69d8477de4");
    }

    #[test]
    fn derived_guids_are_version_4_and_differ() {
        let seed = Seed::from_text("a");
        let (a, b) = (seed.guid("disk"), seed.guid("esp"));
        assert_ne!(a, b);
        assert_eq!(&a.to_string()[14..15], "4");
        assert_eq!(seed.guid("disk"), a);
    }
}
