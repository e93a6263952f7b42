//! What a slot is, and who says so.
//!
//! A slot carries a description: its version and the hash of each of its files. A signature covers the
//! description, so parts of two signed systems cannot be mixed. Signatures are minisign's (Ed25519,
//! prehashed): `minisign -Vm description.json -p esos.pub` checks them without us.
//!
//! ```
//! use esos_bootimg::disk::description::{Signer, TrustedKeys, Verdict};
//!
//! let signer = Signer::generate()?;
//! let signature = signer.sign(b"{}", 1_790_000_000)?;
//! let mut keys = TrustedKeys::default();
//! assert!(matches!(keys.check(b"{}", Some(&signature)), Verdict::Untrusted { .. }));
//! keys.add("esos.pub", &signer.public_key())?;
//! assert!(matches!(keys.check(b"{}", Some(&signature)), Verdict::Good { .. }));
//! assert!(matches!(keys.check(b"{ }", Some(&signature)), Verdict::Wrong { .. }));
//! assert!(matches!(keys.check(b"{}", None), Verdict::Unsigned));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod keys;
mod text;

pub use keys::{KeyError, Signer, TrustedKeys, Verdict};
pub use text::{Description, DescriptionError};
