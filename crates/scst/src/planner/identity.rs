//! The identity that SCST makes up for a device. It depends on `setup_id` at the moment when the device is made,
//! so a device that is made again later, in a roll-back or anew, would be another disk to initiators.
use super::attrs::text;
use crate::live::{LiveAttrs, LiveDevice};
use crate::name::DeviceName;

/// What a device is called when it is made now: attribute and value (`vdev_create` of SCST 3.11).
fn made_up(name: &DeviceName, setup: u64) -> [(&'static str, String); 3] {
    let crc = name.as_str().bytes().chain([0]).fold(0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    });
    let serial = format!("{:x}", setup << 32 | u64::from(crc));
    let id = format!("{serial}-{name}");
    // A name may have characters of several bytes; the kernel cuts bytes, and prints what is left.
    let id = String::from_utf8_lossy(id.as_bytes().get(..25).unwrap_or(id.as_bytes())).into_owned();
    [("t10_dev_id", id.clone()), ("usn", serial), ("vend_specific_id", id)]
}

/// The made-up values that a device would not get again if it were made now.
pub(super) fn lost(name: &DeviceName, live: &LiveDevice, core: &LiveAttrs) -> Vec<(&'static str, String)> {
    let setup = crate::conf::number(text(core, "setup_id")).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let now = made_up(name, setup & 0xffff_ffff);
    let differs = |(attribute, made): (&'static str, String)| {
        let attr = live.attributes.get(attribute).filter(|a| !a.key && a.writable)?;
        let value = attr.value.as_ref()?.expose();
        (value != made && !value.is_empty()).then(|| (attribute, value.to_owned()))
    };
    now.into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_the_kernels() {
        let name = DeviceName::new("f1").expect("a name");
        // Of a recording: a device f1 on a box without a setup_id.
        let [id, serial, _] = made_up(&name, 0);
        assert_eq!((id.1.as_str(), serial.1.as_str()), ("a47c072e-f1", "a47c072e"));
        assert_eq!(made_up(&name, 0x12)[1].1, "12a47c072e");
    }
}
