//! What makes a medium itself.
use std::fmt;

/// What makes a medium itself, as far as it can be read. Two sticks written from one image share the GUID
/// of the table, and the identity until their first boot has made one; the serial number tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The GUID of the partition table.
    pub disk_guid: Option<String>,
    /// The identity in `esos/state/stick` of the boot partition, 32 hex digits.
    pub stick: Option<String>,
    /// The serial number of the hardware.
    pub serial: Option<String>,
    /// Vendor and model of the hardware.
    pub model: Option<String>,
    /// Bytes of the medium; 0 where it is not known.
    pub size_bytes: u64,
}

impl Identity {
    /// Why `found` cannot be this medium, or `None` where nothing that both know differs. A stick that had
    /// no identity at boot may have been given one since.
    #[must_use]
    pub fn difference(&self, found: &Self) -> Option<String> {
        let pairs = [
            ("serial number", &self.serial, &found.serial),
            ("identity", &self.stick, &found.stick),
            ("partition table", &self.disk_guid, &found.disk_guid),
            ("model", &self.model, &found.model),
        ];
        for (what, mine, theirs) in pairs {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) if !mine.eq_ignore_ascii_case(theirs) => {
                    return Some(format!("its {what} is {theirs}, not {mine}"));
                }
                // An identity is never taken away from a stick; nor does a table lose its GUID.
                (Some(mine), None) if what == "identity" || what == "partition table" => {
                    return Some(format!("it has no {what}, and the one that was booted has {mine}"));
                }
                _ => {}
            }
        }
        (self.size_bytes != 0 && found.size_bytes != 0 && self.size_bytes != found.size_bytes)
            .then(|| format!("it has {} bytes, not {}", found.size_bytes, self.size_bytes))
    }

    /// Takes over what was not known before.
    pub(crate) fn learn(&mut self, found: &Self) {
        let fill = |mine: &mut Option<String>, theirs: &Option<String>| {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        };
        fill(&mut self.disk_guid, &found.disk_guid);
        fill(&mut self.stick, &found.stick);
        fill(&mut self.serial, &found.serial);
        fill(&mut self.model, &found.model);
        if self.size_bytes == 0 {
            self.size_bytes = found.size_bytes;
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serial = self.serial.as_ref().map(|s| format!("serial {s}"));
        let stick = self.stick.as_ref().map(|s| format!("identity {}", s.get(..8).unwrap_or(s)));
        let parts: Vec<String> = [self.model.clone(), serial, stick].into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "unknown medium" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(guid: &str, stick: &str, serial: &str) -> Identity {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        Identity { disk_guid: some(guid), stick: some(stick), serial: some(serial), ..Identity::default() }
    }

    #[test]
    fn what_differs_is_named() {
        assert_eq!(id("g", "", "").difference(&id("g", "new", "s")), None);
        assert_eq!(id("g", "i", "s").difference(&id("G", "I", "s")), None);
        let said = |a: Identity, b: Identity| a.difference(&b).unwrap();
        assert_eq!(said(id("g", "", "s"), id("g", "", "t")), "its serial number is t, not s");
        assert_eq!(said(id("g", "i", ""), id("g", "j", "")), "its identity is j, not i");
        assert_eq!(
            said(id("g", "i", ""), id("g", "", "")),
            "it has no identity, and the one that was booted has i"
        );
        let size = |n| Identity { size_bytes: n, ..Identity::default() };
        assert_eq!(said(size(8), size(16)), "it has 16 bytes, not 8");
    }
}
