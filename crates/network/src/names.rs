//! Names of interfaces and hosts.
use std::fmt;
use std::str::FromStr;

/// The name of a network interface as the kernel takes it (`dev_valid_name`, net/core/dev.c): 1 to 15
/// bytes, no `/`, no `:`, no white space, not `.` or `..`. Any such name will do; there is no list of
/// prefixes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct InterfaceName(String);

/// The text is no interface name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no interface name: 1 to 15 characters without `/`, `:` and blanks")]
pub struct ParseInterfaceNameError {
    /// What stood there.
    pub text: String,
}

impl InterfaceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For a name of the form `eth0.42`: the interface below and the VLAN number (1..=4094). A name
    /// that merely contains a dot is none.
    #[must_use]
    pub fn vlan(&self) -> Option<(Self, u16)> {
        let (parent, id) = self.0.rsplit_once('.')?;
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let id = plain.then(|| id.parse::<u16>().ok()).flatten().filter(|id| (1..=4094).contains(id))?;
        Some((parent.parse().ok()?, id))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for InterfaceName {
    type Err = ParseInterfaceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |b: u8| b.is_ascii_graphic() && b != b'/' && b != b':';
        // A leading `-` would be an option of `ip`.
        let valid = (1..=15).contains(&text.len())
            && text.bytes().all(good)
            && !text.starts_with('-')
            && text != "."
            && text != "..";
        if valid { Ok(Self(text.to_owned())) } else { Err(ParseInterfaceNameError { text: text.to_owned() }) }
    }
}

/// A host name after RFC 1123: labels of 1 to 63 letters, digits and hyphens, joined by dots, at most
/// 253 bytes. A label neither starts nor ends with a hyphen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct HostName(String);

/// The text is no host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no host name: letters, digits and hyphens, 1 to 63 between two dots")]
pub struct ParseHostNameError {
    /// What stood there.
    pub text: String,
}

impl HostName {
    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first dot.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or("")
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for HostName {
    type Err = ParseHostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        let all_digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if text.len() <= 253 && text.split('.').all(label) && !all_digits {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseHostNameError { text: text.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_interface_name_that_the_kernel_takes() {
        for good in ["eth0", "enP2p1s0f0np0", "em1", "enx0050b6aabbcc", "ib0", "my_port", "a", "eth0.42"] {
            assert!(good.parse::<InterfaceName>().is_ok(), "{good}");
        }
        for bad in ["", "0123456789abcdef", "a b", "a/b", "eth0:1", ".", "..", "-x", "ä"] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn vlan_names() {
        let vlan = |s: &str| s.parse::<InterfaceName>().unwrap().vlan().map(|(p, id)| (p.to_string(), id));
        assert_eq!(vlan("eth0.42"), Some(("eth0".into(), 42)));
        assert_eq!(vlan("bond0.100.7"), Some(("bond0.100".into(), 7)));
        assert_eq!(vlan("eth0.0"), None);
        assert_eq!(vlan("eth0.4095"), None);
        assert_eq!(vlan("eth0.x1"), None);
        assert_eq!(vlan("eth0"), None);
    }

    #[test]
    fn host_names() {
        assert_eq!("san1.example.org".parse::<HostName>().unwrap().short(), "san1");
        for bad in ["", "-a", "a-", "a..b", "a_b", "10.0.0.1", "a b", &"x".repeat(64)] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in ".{0,20}") {
            if let Ok(name) = text.parse::<InterfaceName>() {
                prop_assert_eq!(name.to_string(), text.clone());
            }
            if let Ok(name) = text.parse::<HostName>() {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
