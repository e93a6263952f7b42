//! What libudev says about this machine (feature `udev`).
use crate::UdevRecord;
use esos_units::DevNo;

/// The records of all block devices. Where udev does not run, libudev answers from sysfs alone: no links.
pub(crate) fn records() -> Vec<(DevNo, UdevRecord)> {
    let scan = || -> std::io::Result<Vec<udev::Device>> {
        let mut devices = udev::Enumerator::new()?;
        devices.match_subsystem("block")?;
        Ok(devices.scan_devices()?.collect())
    };
    // Names are a convenience: the inventory is whole without them.
    let devices = scan().unwrap_or_default();
    devices.iter().filter_map(|d| Some((number(d)?, record(d)))).collect()
}

fn number(device: &udev::Device) -> Option<DevNo> {
    let number = device.devnum()?;
    let narrow = |n: u64| u32::try_from(n).ok();
    Some(DevNo {
        major: narrow(nix::sys::stat::major(number))?,
        minor: narrow(nix::sys::stat::minor(number))?,
    })
}

fn record(device: &udev::Device) -> UdevRecord {
    let mut record = UdevRecord::default();
    for property in device.properties() {
        let name = property.name().to_string_lossy().into_owned();
        let value = property.value().to_string_lossy().into_owned();
        if name == "DEVLINKS" {
            let links = value.split(' ').filter_map(|l| l.strip_prefix("/dev/"));
            record.links = links.map(str::to_owned).collect();
            record.links.sort();
        }
        record.properties.insert(name, value);
    }
    record
}
