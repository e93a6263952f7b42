//! Who keeps a device-mapper device.
use crate::Device;

/// What made a device-mapper device, by the beginning of its identity, which each of its makers has for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "by", content = "name", rename_all = "lowercase")
)]
#[non_exhaustive]
pub enum Mapping {
    /// A logical volume, or a part of one, of that volume group.
    Lvm(String),
    /// A multipath device.
    Multipath,
    /// An opened dm-crypt device.
    Crypt,
}

impl Device {
    /// Who keeps it, where it is a device-mapper device whose maker is known here.
    #[must_use]
    pub fn mapping(&self) -> Option<Mapping> {
        let (maker, _) = self.dm_uuid.as_deref()?.split_once('-')?;
        match maker {
            "LVM" => volume_group(self.dm_name.as_deref()?).map(Mapping::Lvm),
            "mpath" => Some(Mapping::Multipath),
            "CRYPT" => Some(Mapping::Crypt),
            _ => None,
        }
    }
}

/// The volume group in the name of one of its devices: `vg-lv`, in which a hyphen of either name is doubled (lvm2,
/// `libdm/libdm-string.c`).
fn volume_group(dm_name: &str) -> Option<String> {
    let mut group = String::new();
    let mut rest = dm_name.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '-' && rest.next_if_eq(&'-').is_none() {
            return (!group.is_empty() && rest.peek().is_some()).then_some(group);
        }
        group.push(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_volume_groups() {
        for (name, group) in [
            ("vg0-vol01", Some("vg0")),
            ("vg0-vol--01", Some("vg0")),
            ("my--vg-lv", Some("my-vg")),
            ("my----vg-lv_rmeta_0", Some("my--vg")),
            ("a---b", Some("a-")),
            ("vg0", None),
            ("-lv", None),
            ("vg0-", None),
        ] {
            assert_eq!(volume_group(name).as_deref(), group, "{name}");
        }
    }
}
