//! What only one tool prints, by name.
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::borrow::Cow;

/// What only one tool prints, by name. There are few names, so they are kept in one piece of memory.
#[derive(Debug, Clone, Default)]
pub struct Details(Vec<(Cow<'static, str>, Value)>);

impl Details {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// None yet, with room for so many.
    pub(crate) fn with_room(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Whether there is a value of that name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Sets a value.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = value,
            None => {
                // Vec begins with room for four; most records have one or two.
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(self.0.len().max(1));
                }
                self.0.push((name, value));
            }
        }
    }

    /// The value of a name, which is set first where it is missing.
    pub(crate) fn get_or(&mut self, name: &'static str, value: impl FnOnce() -> Value) -> Option<&mut Value> {
        if !self.contains_key(name) {
            self.insert(name, value());
        }
        self.0.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// The order does not count.
impl PartialEq for Details {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl FromIterator<(String, Value)> for Details {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(all: I) -> Self {
        let mut details = Self::new();
        all.into_iter().for_each(|(name, value)| details.insert(name, value));
        details
    }
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
