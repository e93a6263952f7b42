//! Names and values, as SCST and its file have them.
use std::collections::BTreeMap;
use std::fmt;

/// Whether an attribute's value holds a CHAP secret (`IncomingUser`, `OutgoingUser`, any instance).
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(base, "IncomingUser" | "OutgoingUser")
}

/// The text of one value. `Debug`, `Display` and serialisation of a CHAP pair print `name ***`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value {
    text: String,
    secret: bool,
}

impl Value {
    /// The value of an attribute of that name.
    #[must_use]
    pub fn of(name: &str, text: impl Into<String>) -> Self {
        Self { text: text.into(), secret: is_secret(name) }
    }

    /// The value itself, for the one place that must write it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether it holds a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret {
            match self.text.split_once(char::is_whitespace) {
                Some((user, _)) => write!(f, "{user} ***"),
                None => f.write_str("***"),
            }
        } else {
            f.write_str(&self.text)
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Attributes by name. Most have one value; `IncomingUser`, `OutgoingUser` and `allowed_portal` may
/// have several, which the kernel numbers and whose order means nothing, so they are kept sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Attributes {
    values: BTreeMap<String, Vec<Value>>,
}

impl Attributes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value beside those that are there; an equal one is kept once.
    pub fn add(&mut self, name: &str, text: impl Into<String>) {
        let value = Value::of(name, text);
        let values = self.values.entry(name.to_owned()).or_default();
        if let Err(at) = values.binary_search(&value) {
            values.insert(at, value);
        }
    }

    /// Replaces all values of a name by one.
    pub fn set(&mut self, name: &str, text: impl Into<String>) {
        self.values.insert(name.to_owned(), vec![Value::of(name, text)]);
    }

    /// Removes a name; tells whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        self.values.remove(name).is_some()
    }

    /// The only or first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).and_then(|v| v.first())
    }

    /// All values of a name.
    #[must_use]
    pub fn all(&self, name: &str) -> &[Value] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Names with their values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.values.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chap_secret_is_never_printed() {
        let mut a = Attributes::new();
        a.add("IncomingUser", "joe 12charpasswd");
        a.add("IncomingUser1", "noblank");
        a.add("comment", "hello");
        let printed = format!("{a:?}");
        assert!(!printed.contains("12char") && !printed.contains("noblank"), "{printed}");
        assert!(printed.contains("joe ***") && printed.contains("hello"), "{printed}");
        assert_eq!(a.get("IncomingUser").map(Value::expose), Some("joe 12charpasswd"));
    }

    #[test]
    fn order_of_several_values_means_nothing() {
        let (mut a, mut b) = (Attributes::new(), Attributes::new());
        for v in ["10.*", "127.0.0.1", "10.*"] {
            a.add("allowed_portal", v);
        }
        for v in ["127.0.0.1", "10.*"] {
            b.add("allowed_portal", v);
        }
        assert_eq!(a, b);
    }
}
