//! The kernel's news of devices.
use std::collections::BTreeMap;

/// One message of `NETLINK_KOBJECT_UEVENT`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind`, …
    pub action: String,
    /// Its place below `/sys`, with a leading `/`.
    pub path: String,
    /// The variables: `SUBSYSTEM`, `MODALIAS`, `DEVNAME`, …
    pub variables: BTreeMap<String, String>,
}

impl Uevent {
    /// Reads a message: `add@/devices/…`, then NUL-terminated `KEY=value`. `None` for what is not the
    /// kernel's (udevd's own messages begin with `libudev`).
    ///
    /// ```
    /// use esos_initramfs::Uevent;
    ///
    /// let event = Uevent::parse(b"add@/devices/x\0ACTION=add\0SUBSYSTEM=usb\0MODALIAS=usb:v0781\0").unwrap();
    /// assert_eq!((event.action.as_str(), event.modalias()), ("add", Some("usb:v0781")));
    /// ```
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut parts = message.split(|b| *b == 0).filter(|p| !p.is_empty()).map(String::from_utf8_lossy);
        let first = parts.next()?;
        let (action, path) = first.split_once('@')?;
        let variables =
            parts.filter_map(|p| p.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))).collect();
        Some(Self { action: action.to_owned(), path: path.to_owned(), variables })
    }

    /// The device's alias, by which its driver is found; only of a device that came.
    #[must_use]
    pub fn modalias(&self) -> Option<&str> {
        self.variables.get("MODALIAS").filter(|_| self.action != "remove").map(String::as_str)
    }

    /// Whether it is about a disk or partition.
    #[must_use]
    pub fn is_block(&self) -> bool {
        self.variables.get("SUBSYSTEM").is_some_and(|s| s == "block")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_told_apart() {
        let event = Uevent::parse(b"remove@/devices/y\0SUBSYSTEM=block\0MODALIAS=x\0DEVNAME=sda\0").unwrap();
        assert!(event.is_block() && event.modalias().is_none());
        assert_eq!(Uevent::parse(b"libudev\0\xfe\xed"), None);
        assert_eq!(Uevent::parse(b""), None);
    }

    proptest! {
        #[test]
        fn any_message_gives_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _answer = Uevent::parse(&bytes);
        }
    }
}
