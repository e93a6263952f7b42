//! Names that SCST accepts, checked before they reach the kernel.
use std::fmt;
use std::str::FromStr;

/// A name that must not reach the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing.
    #[error("the name of {what} is empty")]
    Empty {
        /// What is to be named.
        what: &'static str,
    },
    /// A character that breaks the command, the tree or the file.
    #[error("`{character}` must not occur in the name of {what}: {why}")]
    Character {
        /// What is to be named.
        what: &'static str,
        /// The character, escaped if it cannot be printed.
        character: String,
        /// What it would do.
        why: &'static str,
    },
    /// Too many bytes.
    #[error("the name of {what} has {len} bytes; at most {max} are possible")]
    TooLong {
        /// What is to be named.
        what: &'static str,
        /// How many it has.
        len: usize,
        /// How many it may have.
        max: usize,
    },
}

fn check(
    what: &'static str,
    text: &str,
    max: usize,
    slash: &'static str,
    dot: bool,
) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    let bad = |c: char, why| Err(NameError::Character { what, character: c.escape_debug().to_string(), why });
    for c in text.chars() {
        match c {
            '/' => return bad(c, slash),
            '.' if dot => return bad(c, "the kernel refuses it (EINVAL)"),
            c if c.is_whitespace() => return bad(c, "SCST's commands end a name at white space"),
            c if c.is_control() => return bad(c, "it cannot be printed"),
            _ => {}
        }
    }
    if text.len() > max {
        return Err(NameError::TooLong { what, len: text.len(), max });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $slash:literal, $dot:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// A checked name.
            ///
            /// # Errors
            /// [`NameError`] for a name that the kernel refuses or that would break something.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check($what, &text, $max, $slash, $dot)?;
                Ok(Self(text))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(d)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// A device of a handler: 1 to 64 bytes without `.`, `/` and white space; the kernel takes anything
    /// else, `null6;` too. Pass-through devices are named by their SCSI address, `2:0:0:1`.
    DeviceName, "a device", 64, "the kernel refuses it (EINVAL)", true
);
name!(
    /// A device handler such as `vdisk_blockio`.
    HandlerName, "a handler", 64, "it separates directories", false
);
name!(
    /// A target driver such as `iscsi` or `qla2x00t`.
    DriverName, "a target driver", 64, "it separates directories", false
);
name!(
    /// A target: an IQN, a WWN, or any name that its driver takes. At most 255 bytes, the length of a
    /// directory entry.
    TargetName, "a target", 255, "SCST shows it as `!`, so the target could not be found again", false
);
name!(
    /// A group of initiators (`ini_groups`).
    GroupName, "a group", 255, "SCST shows it as `!`, so the group could not be found again", false
);
name!(
    /// An initiator of a group; may hold the wildcards `*`, `?` and a leading `!`. The kernel takes 300
    /// bytes; a `/` would make the directory listing stop at this entry, so it is never written.
    InitiatorName, "an initiator", 255, "the kernel's listing of the group would stop at this entry", false
);
name!(
    /// A device group or a target group of ALUA.
    AluaGroupName, "an ALUA group", 255, "it separates directories", false
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_breaks_the_kernel_is_refused_with_a_reason() {
        assert!(DeviceName::new("disk1").is_ok());
        assert!(DeviceName::new("2:0:0:1").is_ok());
        for bad in ["", "a b", "a/b", "a.b", "a\n"] {
            assert!(DeviceName::new(bad).is_err(), "{bad:?}");
        }
        assert!(DeviceName::new("x".repeat(65)).is_err());
        let error = InitiatorName::new("a/b").unwrap_err().to_string();
        assert!(error.contains("listing"), "{error}");
        assert!(InitiatorName::new("iqn.2026-01.org.esos:w*").is_ok());
        assert!(TargetName::new("21:00:00:24:ff:57:76:95").is_ok());
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer_and_good_names_print_back(text in ".{0,80}") {
            if let Ok(name) = DeviceName::new(text.clone()) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
