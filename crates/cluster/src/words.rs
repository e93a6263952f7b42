//! Words of Pacemaker.
use std::fmt;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal $(| $alias:literal)*,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A word that this crate does not know, as printed.
            Other(String),
        }

        impl $name {
            /// All known words, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Reads a word; one that is not known is kept.
            #[must_use]
            pub fn from_word(word: &str) -> Self {
                match word {
                    $($word $(| $alias)* => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The word as DRBD 9 spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }

            /// Whether this crate knows the word.
            #[must_use]
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a resource is doing on a node. Pacemaker 2.0 said `Master` and `Slave`.
    Role {
        /// Not running.
        Stopped = "Stopped",
        /// Running.
        Started = "Started",
        /// Running, and the other instances wait for it.
        Promoted = "Promoted" | "Master",
        /// Running, and waits.
        Unpromoted = "Unpromoted" | "Slave",
        /// A start is running.
        Starting = "Starting",
        /// A stop is running.
        Stopping = "Stopping",
        /// A promotion is running.
        Promoting = "Promoting",
        /// A demotion is running.
        Demoting = "Demoting",
        /// Moves without a stop.
        Migrating = "Migrating",
        /// Not told.
        Unknown = "Unknown",
    }
}

words! {
    /// How far a fencing action is.
    Fencing {
        /// Nobody has answered yet.
        Pending = "pending",
        /// It did not work.
        Failed = "failed",
        /// The node is off.
        Success = "success",
    }
}
