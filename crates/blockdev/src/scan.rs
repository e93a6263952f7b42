//! One device out of sysfs. Relations come from directories and links, never from cutting names.
use crate::{Device, DeviceKind, InventoryError, Transport};
use esos_sysfs::{AttrTree, Entry, Kind};
use esos_units::{ScsiAddress, Sectors};

/// Joins a link's target to the directory that the link lies in; `..` above the root stays at the root.
fn resolve(dir: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { dir.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn base(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

struct Dir<'t, T> {
    sys: &'t T,
    path: String,
}

impl<T: AttrTree> Dir<'_, T> {
    fn text(&self, attribute: &str) -> Option<String> {
        let text = self.sys.read(&format!("{}/{attribute}", self.path)).ok()?;
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn flag(&self, attribute: &str) -> Option<bool> {
        self.text(attribute).map(|t| t != "0")
    }

    fn list(&self, dir: &str) -> Vec<String> {
        let entries = self.sys.list(&format!("{}/{dir}", self.path)).unwrap_or_default();
        entries.into_iter().map(|e| e.name).collect()
    }

    fn follow(&self, link: &str) -> Option<Self> {
        let target = self.sys.read_link(&format!("{}/{link}", self.path)).ok()?;
        Some(Self { sys: self.sys, path: resolve(&self.path, &target) })
    }
}

/// Reads what stands under `class/block/NAME`.
pub(crate) fn device(sys: &impl AttrTree, entry: &Entry) -> Result<Device, InventoryError> {
    let name = entry.name.clone();
    let read = |source| InventoryError::Read { device: name.clone(), source };
    let class = format!("class/block/{name}");
    let path = match entry.kind {
        Kind::Link => resolve("class/block", &sys.read_link(&class).map_err(read)?),
        _ => class,
    };
    let dir = Dir { sys, path: path.clone() };
    let wrong = |attribute, value: &str, expected| InventoryError::Attribute {
        device: name.clone(),
        attribute,
        value: value.trim().to_owned(),
        expected,
    };
    let number = sys.read(&format!("{path}/dev")).map_err(read)?;
    let dev = number.parse().map_err(|_not| wrong("dev", &number, "`major:minor`"))?;
    let size = sys.read(&format!("{path}/size")).map_err(read)?;
    let sectors: Sectors = size.parse().map_err(|_not| wrong("size", &size, "a number of sectors"))?;
    let bytes = sectors.bytes().ok_or_else(|| wrong("size", &size, "less than 16 EiB"))?;
    let partition = dir.text("partition").and_then(|t| t.parse().ok());
    let start: Option<Sectors> = dir.text("start").and_then(|t| t.parse().ok());
    let uevent = dir.text("uevent").unwrap_or_default();
    let said = |key: &str| {
        let lines = uevent.lines().filter_map(|l| l.split_once('='));
        lines.filter(|(k, v)| *k == key && !v.is_empty()).map(|(_, v)| v.to_owned()).next()
    };
    let hardware = dir.follow("device");
    let mut device = Device {
        dev,
        kind: kind(&dir, partition),
        transport: transport(&path),
        size: bytes,
        read_only: dir.flag("ro").unwrap_or(false),
        removable: dir.flag("removable").unwrap_or(false),
        rotational: dir.flag("queue/rotational"),
        logical_block: dir.text("queue/logical_block_size").and_then(|t| t.parse().ok()).unwrap_or(512),
        disk: partition.map(|_| base(parent(&path)).to_owned()),
        partition,
        start: start.and_then(Sectors::bytes),
        part_name: said("PARTNAME"),
        part_uuid: said("PARTUUID"),
        holders: dir.list("holders"),
        slaves: dir.list("slaves"),
        dm_name: dir.text("dm/name"),
        dm_uuid: dir.text("dm/uuid"),
        md_level: dir.text("md/level"),
        backing_file: dir.text("loop/backing_file"),
        vendor: None,
        model: None,
        serial: dir.text("serial"),
        wwid: dir.text("wwid"),
        scsi: None,
        links: Vec::new(),
        name,
        path,
    };
    if let Some(hardware) = hardware.filter(|_| partition.is_none()) {
        identify(&mut device, &hardware);
    }
    Ok(device)
}

fn kind<T: AttrTree>(dir: &Dir<'_, T>, partition: Option<u32>) -> DeviceKind {
    let has = |sub: &str| dir.sys.list(&format!("{}/{sub}", dir.path)).is_ok();
    let name = base(&dir.path);
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    if partition.is_some() {
        return DeviceKind::Partition;
    }
    // The kind is told by the driver's own directory where it makes one; the rest by the driver's fixed
    // names, which the kernel's `Documentation/admin-guide/devices.txt` assigns.
    match () {
        () if has("dm") => DeviceKind::Dm,
        () if has("md") => DeviceKind::Md,
        () if has("loop") || numbered("loop") => DeviceKind::Loop,
        () if numbered("drbd") => DeviceKind::Drbd,
        () if numbered("nbd") => DeviceKind::Nbd,
        () if numbered("sr") => DeviceKind::Optical,
        () if numbered("zram") || numbered("ram") || numbered("pmem") => DeviceKind::Memory,
        () => DeviceKind::Disk,
    }
}

fn transport(path: &str) -> Transport {
    let numbered = |part: &str, prefix: &str| {
        part.strip_prefix(prefix).is_some_and(|n| n.bytes().next().is_some_and(|b| b.is_ascii_digit()))
    };
    let any = |prefix: &str| path.split('/').any(|part| numbered(part, prefix));
    match () {
        () if path.starts_with("devices/virtual/block/") => Transport::Virtual,
        () if any("usb") => Transport::Usb,
        () if any("ata") => Transport::Ata,
        () if any("nvme") => Transport::Nvme,
        () if any("mmc") => Transport::Mmc,
        // Behind virtio there may be a SCSI host of its own.
        () if any("host") => Transport::Scsi,
        () if any("virtio") => Transport::Virtio,
        () => Transport::Other,
    }
}

/// Names of the hardware: of the SCSI device, the NVMe controller, or the USB device above.
fn identify<T: AttrTree>(device: &mut Device, hardware: &Dir<'_, T>) {
    device.vendor = hardware.text("vendor").filter(|v| !v.starts_with("0x"));
    device.model = hardware.text("model");
    device.scsi = base(&hardware.path).parse::<ScsiAddress>().ok();
    device.wwid = device.wwid.take().or_else(|| hardware.text("wwid"));
    device.serial = device.serial.take().or_else(|| hardware.text("serial")).or_else(|| vpd_serial(hardware));
    if device.transport == Transport::Usb {
        let mut path = hardware.path.as_str();
        while !path.is_empty() {
            let usb = Dir { sys: hardware.sys, path: path.to_owned() };
            if usb.text("idVendor").is_some() {
                // The stick's own words; the SCSI inquiry cuts them to 8 and 16 characters.
                device.serial = usb.text("serial").or(device.serial.take());
                device.model = usb.text("product").or(device.model.take());
                device.vendor = usb.text("manufacturer").or(device.vendor.take());
                break;
            }
            path = parent(path);
        }
    }
}

/// The unit serial number: SCSI's vital product data page 0x80, 4 bytes before the text. The page comes
/// as text with what is no UTF-8 replaced, so characters are skipped, not bytes.
fn vpd_serial<T: AttrTree>(hardware: &Dir<'_, T>) -> Option<String> {
    let page = hardware.sys.read(&format!("{}/vpd_pg80", hardware.path)).ok()?;
    let text: String = page.chars().skip(4).take_while(|c| *c != '\0').collect();
    let text = text.trim();
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// What a partition has from its disk.
pub(crate) fn inherit(partition: &mut Device, disk: &Device) {
    partition.transport = disk.transport.clone();
    partition.removable = disk.removable;
    partition.rotational = disk.rotational;
    partition.logical_block = disk.logical_block;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn links_resolve_as_directories_do() {
        assert_eq!(resolve("class/block", "../../devices/x/block/sda"), "devices/x/block/sda");
        assert_eq!(resolve("a/b", "../../../../c"), "c");
        assert_eq!(resolve("devices/x/block/nvme0n1", "../../nvme0"), "devices/x/nvme0");
    }

    proptest! {
        #[test]
        fn no_link_leaves_the_tree(dir in "[a-z/.]{0,20}", target in "[a-z/.]{0,30}") {
            let path = resolve(&dir, &target);
            prop_assert!(target.split('/').all(|p| p != "..") || !path.ends_with("/.."));
        }
    }
}
