//! An address with the length of its network's prefix.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 address with a prefix length (0..=32 or 0..=128), written `192.0.2.10/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    addr: IpAddr,
    prefix: u8,
}

/// The text is no address with a prefix length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseCidrError {
    /// No `/` in it.
    #[error("`{text}` has no prefix length; write it as 192.0.2.10/24 or 2001:db8::10/64")]
    NoPrefix {
        /// What stood there.
        text: String,
    },
    /// The part before the `/` is no address.
    #[error("`{text}` is no IPv4 or IPv6 address")]
    Address {
        /// What stood there.
        text: String,
    },
    /// The part behind the `/` is no number in range.
    #[error("`{text}` is no prefix length from 0 to {max}")]
    Prefix {
        /// What stood there.
        text: String,
        /// The longest prefix of this family.
        max: u8,
    },
    /// A netmask with holes, or none at all.
    #[error("`{text}` is no netmask")]
    Netmask {
        /// What stood there.
        text: String,
    },
}

impl Cidr {
    /// An address and its prefix length.
    ///
    /// # Errors
    /// [`ParseCidrError::Prefix`] where it is longer than the address.
    pub fn new(addr: IpAddr, prefix: u8) -> Result<Self, ParseCidrError> {
        let max = bits(addr);
        if prefix > max {
            return Err(ParseCidrError::Prefix { text: prefix.to_string(), max });
        }
        Ok(Self { addr, prefix })
    }

    /// The address.
    #[must_use]
    pub const fn addr(self) -> IpAddr {
        self.addr
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is IPv6.
    #[must_use]
    pub const fn is_v6(self) -> bool {
        self.addr.is_ipv6()
    }

    /// The first address of its network.
    #[must_use]
    pub fn network(self) -> IpAddr {
        match self.addr {
            IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask4(self.prefix))),
            IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask6(self.prefix))),
        }
    }

    /// Whether an address lies in its network.
    #[must_use]
    pub fn contains(self, other: IpAddr) -> bool {
        Self::new(other, self.prefix)
            .is_ok_and(|o| o.is_v6() == self.is_v6() && o.network() == self.network())
    }
}

fn bits(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

fn mask4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128u32.saturating_sub(prefix.into())).unwrap_or(0)
}

/// The prefix length that a dotted netmask such as `255.255.255.0` stands for; a plain number is
/// taken as the length itself.
///
/// # Errors
/// [`ParseCidrError::Netmask`] where the ones are not in front, [`ParseCidrError::Prefix`] for a number
/// above 32.
pub fn prefix_of_netmask(text: &str) -> Result<u8, ParseCidrError> {
    if let Ok(number) = text.parse::<u8>() {
        return Cidr::new(Ipv4Addr::UNSPECIFIED.into(), number).map(Cidr::prefix);
    }
    let error = || ParseCidrError::Netmask { text: text.to_owned() };
    let mask = text.parse::<Ipv4Addr>().map_or_else(|_| Err(error()), |a| Ok(a.to_bits()))?;
    let ones = u8::try_from(mask.leading_ones()).unwrap_or(32);
    if mask == mask4(ones) { Ok(ones) } else { Err(error()) }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = ParseCidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((addr, prefix)) = text.split_once('/') else {
            return Err(ParseCidrError::NoPrefix { text: text.to_owned() });
        };
        let Ok(addr) = addr.parse::<IpAddr>() else {
            return Err(ParseCidrError::Address { text: addr.to_owned() });
        };
        let max = bits(addr);
        let number = Some(prefix)
            .filter(|p| p.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|p| p.parse::<u8>().ok())
            .filter(|n| *n <= max);
        match number {
            Some(prefix) => Ok(Self { addr, prefix }),
            None => Err(ParseCidrError::Prefix { text: prefix.to_owned(), max }),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Cidr {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn netmasks() {
        assert_eq!(prefix_of_netmask("255.255.255.0"), Ok(24));
        assert_eq!(prefix_of_netmask("0.0.0.0"), Ok(0));
        assert_eq!(prefix_of_netmask("255.255.255.255"), Ok(32));
        assert_eq!(prefix_of_netmask("23"), Ok(23));
        assert!(prefix_of_netmask("255.0.255.0").is_err());
        assert!(prefix_of_netmask("33").is_err());
    }

    #[test]
    fn what_lies_in_a_network() {
        let net: Cidr = "192.0.2.10/24".parse().unwrap();
        assert!(net.contains("192.0.2.1".parse().unwrap()));
        assert!(!net.contains("192.0.3.1".parse().unwrap()));
        assert!(!net.contains("::1".parse().unwrap()));
        assert_eq!(net.network().to_string(), "192.0.2.0");
        let all: Cidr = "::/0".parse().unwrap();
        assert!(all.contains("2001:db8::1".parse().unwrap()));
        for bad in ["192.0.2.10", "192.0.2.10/33", "192.0.2.10/+2", "x/24", "2001:db8::1/129", "/"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(addr in any::<IpAddr>(), prefix in 0u8..=128) {
            if let Ok(cidr) = Cidr::new(addr, prefix) {
                prop_assert_eq!(cidr.to_string().parse(), Ok(cidr));
                prop_assert!(cidr.contains(cidr.network()));
            }
        }
    }
}
