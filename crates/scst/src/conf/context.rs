//! Which section may stand where.

/// The kind of block that a statement stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Context {
    Root,
    Handler,
    Device,
    Driver,
    Target,
    Lun,
    Group,
    Initiator,
    DeviceGroup,
    GroupDevice,
    TargetGroup,
    GroupTarget,
    Alua,
    /// Inside something that is not known.
    Unknown,
}

use Context as C;

/// All keywords of sections.
pub(crate) const KEYWORDS: [&str; 11] = [
    "HANDLER",
    "DEVICE",
    "TARGET_DRIVER",
    "TARGET",
    "HW_TARGET",
    "LUN",
    "GROUP",
    "INITIATOR",
    "DEVICE_GROUP",
    "TARGET_GROUP",
    "ALUA",
];

impl Context {
    /// What a section of that keyword is here; `None` where it may not stand.
    pub(crate) fn child(self, keyword: &str) -> Option<Self> {
        Some(match (self, keyword) {
            (C::Root, "HANDLER") => C::Handler,
            (C::Root, "TARGET_DRIVER") => C::Driver,
            (C::Root, "DEVICE_GROUP") => C::DeviceGroup,
            (C::Root, "ALUA") => C::Alua,
            (C::Handler, "DEVICE") => C::Device,
            (C::Driver, "TARGET") => C::Target,
            (C::Target, "GROUP") => C::Group,
            (C::Target | C::Group, "LUN") => C::Lun,
            (C::Target, "HW_TARGET") => C::Lun,
            (C::Group, "INITIATOR") => C::Initiator,
            (C::DeviceGroup, "DEVICE") => C::GroupDevice,
            (C::DeviceGroup, "TARGET_GROUP") => C::TargetGroup,
            (C::TargetGroup, "TARGET") => C::GroupTarget,
            (C::Unknown, _) => C::Unknown,
            _ => return None,
        })
    }

    /// How many words a section of that keyword has.
    pub(crate) fn words(keyword: &str) -> usize {
        match keyword {
            "LUN" => 3,
            "HW_TARGET" | "ALUA" => 1,
            _ => 2,
        }
    }

    /// Keywords of sections that may stand here.
    pub(crate) fn children(self) -> impl Iterator<Item = &'static str> {
        KEYWORDS.into_iter().filter(move |k| self != C::Unknown && self.child(k).is_some())
    }

    /// How people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            C::Root => "the top level",
            C::Handler => "a HANDLER",
            C::Device => "a DEVICE",
            C::Driver => "a TARGET_DRIVER",
            C::Target => "a TARGET",
            C::Lun => "a LUN",
            C::Group => "a GROUP",
            C::Initiator => "an INITIATOR",
            C::DeviceGroup => "a DEVICE_GROUP",
            C::GroupDevice => "a DEVICE of a DEVICE_GROUP",
            C::TargetGroup => "a TARGET_GROUP",
            C::GroupTarget => "a TARGET of a TARGET_GROUP",
            C::Alua => "ALUA",
            C::Unknown => "an unknown section",
        }
    }
}

/// Attributes of which a block may have several; the kernel numbers them (`IncomingUser1`).
pub(crate) fn is_multiple(name: &str) -> bool {
    matches!(name, "IncomingUser" | "OutgoingUser" | "allowed_portal")
}

/// `IncomingUser` for `IncomingUser1`; `None` where the name is no numbered instance of a multiple one.
pub(crate) fn numbered(name: &str) -> Option<&str> {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (base.len() < name.len() && is_multiple(base)).then_some(base)
}
