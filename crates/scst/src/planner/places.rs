//! Where each device is shown, so that no question about one device looks at all LUNs.
use super::luns::Place;
use crate::live::Live;
use crate::name::{DeviceName, DriverName, GroupName, TargetName};
use esos_units::Lun;
use std::collections::{BTreeMap, BTreeSet};

/// One LUN: driver, target, group (none for the target's own) and number.
pub(super) type Spot = (DriverName, TargetName, Option<GroupName>, Lun);

/// The LUNs that show each device; copy_manager's, which come and go by themselves, are none.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<DeviceName, BTreeSet<Spot>>);

impl Places {
    pub(super) fn of(live: &Live) -> Self {
        let mut all = Self::default();
        for (driver, d) in live.drivers.iter().filter(|(d, _)| d.as_str() != "copy_manager") {
            for (target, t) in &d.targets {
                for (lun, l) in &t.luns {
                    all.add(Place { driver, target, group: None }, *lun, &l.device);
                }
                for (group, g) in &t.groups {
                    for (lun, l) in &g.luns {
                        all.add(Place { driver, target, group: Some(group) }, *lun, &l.device);
                    }
                }
            }
        }
        all
    }

    pub(super) fn add(&mut self, at: Place<'_>, lun: Lun, device: &DeviceName) {
        if at.driver.as_str() != "copy_manager" {
            self.0.entry(device.clone()).or_default().insert(spot(at, lun));
        }
    }

    pub(super) fn remove(&mut self, at: Place<'_>, lun: Lun, device: &DeviceName) {
        if let Some(spots) = self.0.get_mut(device) {
            spots.remove(&spot(at, lun));
        }
    }

    /// The LUNs that show a device, in order.
    pub(super) fn spots(&self, device: &DeviceName) -> impl Iterator<Item = &Spot> {
        self.0.get(device).into_iter().flatten()
    }
}

fn spot(at: Place<'_>, lun: Lun) -> Spot {
    (at.driver.clone(), at.target.clone(), at.group.cloned(), lun)
}
