//! Enums of a foreign tool's words.

/// Makes an enum of the words that a kernel or a tool prints: each variant with its word and, after `|`, older
/// spellings; a word that is not known is kept in `Other`. With `ALL`, `from_word`, `as_str`, `is_known`,
/// `Display` and `serde::Serialize` (the crate that calls it depends on serde).
///
/// ```
/// esos_units::words! {
///     /// A role.
///     Role {
///         /// May write.
///         Promoted = "Promoted" | "Master",
///     }
/// }
/// assert_eq!(Role::from_word("Master").as_str(), "Promoted");
/// assert_eq!(Role::from_word("Boss").to_string(), "Boss");
/// ```
#[macro_export]
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
                    other => Self::Other(::std::string::String::from(other)),
                }
            }

            /// The word in the newest spelling.
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

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, s: S) -> ::std::result::Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
    };
}
