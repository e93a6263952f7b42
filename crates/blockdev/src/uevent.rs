//! What the kernel tells about devices that come and go.
use std::collections::BTreeMap;
use std::fmt;

/// What happened to a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// It came.
    Add,
    /// It went.
    Remove,
    /// Something about it is different: a medium, a size, a partition table.
    Change,
    /// It has another name.
    Move,
    /// It works again.
    Online,
    /// It stopped working.
    Offline,
    /// A driver took it.
    Bind,
    /// A driver let it go.
    Unbind,
    /// A word that we do not know.
    Other(String),
}

impl From<&str> for Action {
    fn from(word: &str) -> Self {
        match word {
            "add" => Self::Add,
            "remove" => Self::Remove,
            "change" => Self::Change,
            "move" => Self::Move,
            "online" => Self::Online,
            "offline" => Self::Offline,
            "bind" => Self::Bind,
            "unbind" => Self::Unbind,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Change => "change",
            Self::Move => "move",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Bind => "bind",
            Self::Unbind => "unbind",
            Self::Other(word) => word,
        })
    }
}

/// One message of the kernel (`lib/kobject_uevent.c`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// What happened.
    pub action: Action,
    /// The device's directory below `/sys`, with a leading `/`.
    pub devpath: String,
    /// Everything else: `SUBSYSTEM`, `DEVNAME`, `DEVTYPE`, `PARTNAME`, `MODALIAS`, …
    pub fields: BTreeMap<String, String>,
}

/// The bytes are no message of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `action@/devices/…` and fields, found `{found}`")]
pub struct UeventError {
    /// The first part, with what is no UTF-8 replaced.
    pub found: String,
}

impl Uevent {
    /// Reads a message.
    ///
    /// ```
    /// use esos_blockdev::{Action, Uevent};
    ///
    /// let bytes = b"add@/devices/x/block/sdb/sdb2\0ACTION=add\0DEVPATH=/devices/x/block/sdb/sdb2\0SUBSYSTEM=block\0DEVNAME=sdb2\0PARTNAME=ESOS_BOOT\0";
    /// let event = Uevent::parse(bytes)?;
    /// assert_eq!((event.action, event.fields["PARTNAME"].as_str()), (Action::Add, "ESOS_BOOT"));
    /// # Ok::<(), esos_blockdev::UeventError>(())
    /// ```
    ///
    /// # Errors
    /// It does not start with `action@path`.
    pub fn parse(bytes: &[u8]) -> Result<Self, UeventError> {
        let text = String::from_utf8_lossy(bytes);
        let mut parts = text.split('\0').filter(|p| !p.is_empty());
        let first = parts.next().unwrap_or("");
        let Some((action, devpath)) =
            first.split_once('@').filter(|(a, p)| !a.is_empty() && p.starts_with('/'))
        else {
            return Err(UeventError { found: first.chars().take(80).collect() });
        };
        let fields = parts.filter_map(|p| p.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
        Ok(Self { action: action.into(), devpath: devpath.to_owned(), fields: fields.collect() })
    }

    /// The subsystem, such as `block`.
    #[must_use]
    pub fn subsystem(&self) -> &str {
        self.fields.get("SUBSYSTEM").map_or("", String::as_str)
    }

    /// The kernel's name of the device: the last part of its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.devpath.rsplit('/').next().unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn udevs_own_messages_are_refused() {
        assert!(Uevent::parse(b"libudev\0\xfe\xed\xca\xfe").is_err());
        assert!(Uevent::parse(b"").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _answer = Uevent::parse(&bytes);
        }

        #[test]
        fn words_print_as_they_came(word in "[a-z]{1,10}") {
            prop_assert_eq!(Action::from(word.as_str()).to_string(), word);
        }
    }
}
