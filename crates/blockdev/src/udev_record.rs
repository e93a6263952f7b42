//! What udev remembers about a device, in `/run/udev/data/bMAJOR:MINOR`.
use std::collections::BTreeMap;

/// One record of udev's database: links under `/dev` and properties.
///
/// ```
/// use esos_blockdev::UdevRecord;
///
/// let record = UdevRecord::parse("S:disk/by-id/wwn-0x5000c500a1b2c3d4\nI:1234\nE:ID_SERIAL_SHORT=ZA1\nG:systemd\n");
/// assert_eq!(record.links, ["disk/by-id/wwn-0x5000c500a1b2c3d4"]);
/// assert_eq!(record.properties["ID_SERIAL_SHORT"], "ZA1");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UdevRecord {
    /// Links, without `/dev/`, sorted.
    pub links: Vec<String>,
    /// Properties.
    pub properties: BTreeMap<String, String>,
}

impl UdevRecord {
    /// Reads a record. The format is udev's own and may grow; lines that are not known are left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines() {
            match line.split_once(':') {
                Some(("S", link)) => record.links.push(link.to_owned()),
                Some(("E", property)) => {
                    if let Some((name, value)) = property.split_once('=') {
                        record.properties.insert(name.to_owned(), value.to_owned());
                    }
                }
                _ => {}
            }
        }
        record.links.sort();
        record
    }
}
