//! Finding the ISO that was booted from, as a disc or written to a stick.
use crate::{ReadAt, StickReport, World};
use esos_layout::part::ISO_LABEL;

/// ECMA-119: the primary volume descriptor is sector 16 of 2048 bytes.
const DESCRIPTOR_AT: u64 = 16 * 2048;

/// The volume id of an ISO 9660 medium; `None` for any other.
pub(crate) fn label(disk: &dyn ReadAt) -> Option<String> {
    let mut descriptor = [0; 128];
    disk.read_at(DESCRIPTOR_AT, &mut descriptor).ok()?;
    (descriptor.get(..6)? == b"\x01CD001").then_some(())?;
    Some(String::from_utf8_lossy(descriptor.get(40..72)?).trim_end().to_owned())
}

/// The first medium, by name, that is an ISO of ours.
pub(crate) fn find(world: World<'_>) -> Option<StickReport> {
    let all = world.sys.list("block").unwrap_or_default().into_iter().map(|e| e.name);
    let mut real =
        all.filter(|name| !["loop", "ram", "zram", "dm-", "fd"].iter().any(|p| name.starts_with(p)));
    real.find_map(|name| {
        let disk = world.devices.open(&format!("/dev/{name}")).ok()?;
        let whole: &dyn ReadAt = &*disk;
        (label(whole)? == ISO_LABEL).then(|| StickReport {
            device: format!("/dev/{name}"),
            size_bytes: whole.len(),
            chosen_by: format!("the volume id {ISO_LABEL}"),
            ..StickReport::default()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_id_is_read() {
        let mut disc = vec![0; 40_000];
        assert_eq!(label(&disc), None);
        disc[32_768..32_774].copy_from_slice(b"\x01CD001");
        disc[32_808..32_840].fill(b' ');
        disc[32_808..32_816].copy_from_slice(b"ESOS_ISO");
        assert_eq!(label(&disc).as_deref(), Some(ISO_LABEL));
        disc.truncate(32_800);
        assert_eq!(label(&disc), None);
    }
}
