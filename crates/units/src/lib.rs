//! Numbers and identities of block storage that more than one ESOS crate speaks of.
//!
//! A bare `u64` does not say whether it counts bytes or sectors, and a bare `u32` may hold a LUN that
//! SCST cannot have. The types here say it, check it once when they are made, and print as operators
//! expect. `Display` and `FromStr` are exact inverses for every type; with feature `serde` (default)
//! identities are serialised in that text form and sizes as integers.
//!
//! ```
//! use esos_units::{Bytes, Lun, ScsiAddress};
//!
//! let size: Bytes = "931.5 GiB".parse()?;
//! assert_eq!(size.to_string(), "931.5 GiB");
//! assert!(Lun::new(16384).is_err(), "SCST's LUNs end at 16383");
//! let addr: ScsiAddress = "2:0:1:7".parse()?;
//! assert_eq!(addr.lun, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod bytes;
mod devno;
mod lun;
mod percent;
mod scsi;
mod secret;
mod words;
mod wwn;

pub use bytes::{Bytes, ParseBytesError, Sectors};
pub use devno::{DevNo, ParseDevNoError};
pub use lun::{Lun, LunError};
pub use percent::{Percent, PercentError};
pub use scsi::{ParseScsiAddressError, ScsiAddress};
pub use secret::Secret;
pub use wwn::{ParseWwnError, Wwn};

/// Serialises a type through `Display` and `FromStr`.
#[cfg(feature = "serde")]
macro_rules! serde_as_text {
    ($t:ty) => {
        impl serde::Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
#[cfg(feature = "serde")]
pub(crate) use serde_as_text;
