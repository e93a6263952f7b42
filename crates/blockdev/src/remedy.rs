//! How a device that is in use becomes free.
use crate::{DeviceKind, Inventory, Mapping, Reason, Use};

impl Use {
    /// The command that ends this use, where there is one.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let node = format!("/dev/{}", self.device.replace('!', "/"));
        Some(match &self.reason {
            Reason::Mounted { target } => format!("umount {target}"),
            Reason::Swap => format!("swapoff {node}"),
            Reason::Member { of, kind: DeviceKind::Md, .. } => format!("mdadm --stop /dev/{of}"),
            Reason::Member { name, kind: DeviceKind::Dm, mapping, .. } => match mapping {
                Some(Mapping::Lvm(group)) => format!("vgchange -an {group}"),
                Some(Mapping::Multipath) => format!("multipath -f {name}"),
                Some(Mapping::Crypt) => format!("cryptsetup close {name}"),
                None => format!("dmsetup remove {name}"),
            },
            Reason::Exported { device, .. } => format!("esos scst rm dev/{device}"),
            Reason::LoopFile { device, .. } => format!("losetup -d /dev/{device}"),
            Reason::Member { .. } | Reason::Claimed { .. } | Reason::BootStick | Reason::StickTwin { .. } => {
                return None;
            }
        })
    }

    /// Of the uses of one device, which ends first: what is handed out before what it lies on.
    fn turn(&self) -> u8 {
        match self.reason {
            Reason::Exported { .. } => 0,
            Reason::LoopFile { .. } => 1,
            Reason::Mounted { .. } | Reason::Swap => 2,
            _ => 3,
        }
    }
}

impl Inventory {
    /// The commands that end these uses, each once, in an order in which they work: what lies on top goes first.
    #[must_use]
    pub fn remedies<'u>(&self, uses: impl IntoIterator<Item = &'u Use>) -> Vec<String> {
        let mut uses: Vec<&Use> = uses.into_iter().collect();
        uses.sort_by_cached_key(|used| (self.above(&used.device).len(), used.turn(), (*used).clone()));
        let mut commands: Vec<String> = Vec::new();
        for command in uses.into_iter().filter_map(Use::remedy) {
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        commands
    }
}
