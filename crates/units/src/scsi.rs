//! SCSI addresses of the initiator side.
use std::fmt;
use std::str::FromStr;

/// Linux' address of a SCSI device, `host:channel:target:lun`, as `lsscsi` and `/sys/class/scsi_device`
/// print it. The LUN is the initiator's 64-bit one, not SCST's [`Lun`](crate::Lun).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScsiAddress {
    /// The host adapter's number.
    pub host: u32,
    /// The channel of the adapter.
    pub channel: u32,
    /// The target on the channel.
    pub target: u32,
    /// The logical unit of the target.
    pub lun: u64,
}

#[cfg(feature = "serde")]
crate::serde_as_text!(ScsiAddress);

/// The text is not `host:channel:target:lun`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a SCSI address `host:channel:target:lun`, found `{text}`")]
pub struct ParseScsiAddressError {
    /// What stood there.
    pub text: String,
}

impl fmt::Display for ScsiAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.host, self.channel, self.target, self.lun)
    }
}

impl FromStr for ScsiAddress {
    type Err = ParseScsiAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text
                .trim()
                .split(':')
                .map(|p| p.bytes().all(|b| b.is_ascii_digit()).then(|| p.parse::<u64>().ok()).flatten());
            let mut next = || parts.next().flatten();
            let narrow = |n: u64| u32::try_from(n).ok();
            let address = Self {
                host: narrow(next()?)?,
                channel: narrow(next()?)?,
                target: narrow(next()?)?,
                lun: next()?,
            };
            parts.next().is_none().then_some(address)
        };
        parse().ok_or_else(|| ParseScsiAddressError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(host in any::<u32>(), channel in any::<u32>(), target in any::<u32>(), lun in any::<u64>()) {
            let a = ScsiAddress { host, channel, target, lun };
            prop_assert_eq!(a.to_string().parse(), Ok(a));
        }
        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = text.parse::<ScsiAddress>();
        }
    }

    #[test]
    fn five_numbers_are_no_address() {
        assert!("1:2:3:4:5".parse::<ScsiAddress>().is_err());
        assert!("1:2:3".parse::<ScsiAddress>().is_err());
    }
}
