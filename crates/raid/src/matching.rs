//! Which block device is which array, and back.
use crate::{Array, Drive, Facts, Tool};
use esos_blockdev::{Device, DeviceKind, Inventory};
use serde_json::Value;
use std::collections::BTreeSet;

/// How it is known that a block device is an array or a drive; the first is the surest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MatchedBy {
    /// Both tell the same world wide name (NAA).
    Wwn,
    /// The tool prints the device's name.
    Name,
    /// The SCSI address: the controller's host, and the number that its driver gives the array.
    Address,
    /// The maker's words in the SCSI inquiry, and the array's name or serial number.
    VendorId,
}

/// Whether a disk is one that controllers of this tool show: by the maker in its inquiry, which is 8
/// characters long.
#[must_use]
pub fn is_of(tool: Tool, device: &Device) -> bool {
    let vendor = device.vendor.as_deref().unwrap_or_default().trim().to_ascii_uppercase();
    let model = device.model.as_deref().unwrap_or_default().trim().to_ascii_uppercase();
    let vendor_is = |words: &[&str]| words.iter().any(|word| vendor.starts_with(word));
    let megaraid =
        ["LSI", "AVAGO", "BROADCOM", "DELL", "IBM", "INTEL", "LENOVO", "FTS", "SMC", "CISCO", "HUAWEI"];
    match tool {
        Tool::Megacli | Tool::Storcli | Tool::Storcli2 | Tool::Perccli => {
            vendor_is(&megaraid) && !model.contains("DISK")
        }
        Tool::Arcconf => vendor_is(&["ADAPTEC", "ASR", "SERVERA", "MSCC", "ICP", "MICROCHI", "SUN"]),
        Tool::Hpacucli | Tool::Ssacli => vendor_is(&["HP", "COMPAQ"]) && model.contains("LOGICAL"),
        Tool::Areca => vendor_is(&["ARECA"]),
        Tool::TwCli => vendor_is(&["AMCC", "3WARE"]) || (vendor_is(&["LSI"]) && model.contains("DISK")),
        Tool::Mdadm | Tool::Mdstat => device.kind == DeviceKind::Md,
    }
}

/// The block device of an array, where that is certain.
#[must_use]
pub fn device_of<'i>(
    tool: Tool,
    array: &Array,
    facts: &Facts,
    inventory: &'i Inventory,
) -> Option<(&'i Device, MatchedBy)> {
    if matches!(tool, Tool::Mdadm | Tool::Mdstat) {
        return inventory.get(&array.id).map(|device| (device, MatchedBy::Name));
    }
    let text = |name: &str| array.details.get(name).and_then(Value::as_str);
    let naa = text("naa").or_else(|| text("uid")).map(hex).filter(|id| matches!(id.len(), 16 | 32));
    let whole = || inventory.devices().filter(|d| d.kind == DeviceKind::Disk && d.disk.is_none());
    if let Some(naa) = &naa
        && let Some(device) = whole().find(|d| d.wwn().is_some_and(|wwn| wwn.hex() == *naa))
    {
        return Some((device, MatchedBy::Wwn));
    }
    // Another name of the same device contradicts what the tool prints: names move.
    let agrees = |device: &Device| {
        let other = naa.as_ref().zip(device.wwn()).is_some_and(|(naa, wwn)| wwn.hex() != **naa);
        !other && sizes_agree(array, device)
    };
    let named = array.os_device.as_deref().and_then(|path| inventory.by_path(path));
    if let Some(device) = named.filter(|d| agrees(d)) {
        return Some((device, MatchedBy::Name));
    }
    let address = address(tool, array);
    let host = host(tool, array.controller.as_deref(), facts, inventory);
    if let (Some((channel, target, lun)), Some(host)) = (address, host) {
        let here = whole().find(|d| {
            d.scsi.is_some_and(|a| {
                a.host == host && channel.contains(&a.channel) && a.target == target && a.lun == lun
            })
        });
        if let Some(device) = here.filter(|d| is_of(tool, d) && agrees(d)) {
            return Some((device, MatchedBy::Address));
        }
    }
    // The drivers of Areca and of old Adaptecs put the array's name where others put the model.
    let name = array.name.as_deref().map(str::trim).filter(|name| !name.is_empty())?;
    let same =
        |model: &str| model.trim() == name || (model.trim().len() == 16 && name.starts_with(model.trim()));
    let mut all = whole().filter(|d| is_of(tool, d) && d.model.as_deref().is_some_and(same) && agrees(d));
    let first = all.next()?;
    all.next().is_none().then_some((first, MatchedBy::VendorId))
}

/// The array that a block device, or a partition of it, is: its place in the list.
#[must_use]
pub fn array_of(
    tool: Tool,
    device: &str,
    facts: &Facts,
    inventory: &Inventory,
) -> Option<(usize, MatchedBy)> {
    let whole = inventory.whole(device)?;
    facts.arrays.iter().enumerate().find_map(|(at, array)| {
        let (found, by) = device_of(tool, array, facts, inventory)?;
        (found.name == whole.name).then_some((at, by))
    })
}

/// The block device of a drive that the controller passes through, by its serial number.
#[must_use]
pub fn device_of_drive<'i>(
    tool: Tool,
    drive: &Drive,
    inventory: &'i Inventory,
) -> Option<(&'i Device, MatchedBy)> {
    if matches!(tool, Tool::Mdadm | Tool::Mdstat) {
        return inventory.get(&drive.key).map(|device| (device, MatchedBy::Name));
    }
    let serial = drive.serial.as_deref().map(str::trim).filter(|serial| serial.len() >= 6)?;
    let mut all = inventory
        .devices()
        .filter(|d| d.kind == DeviceKind::Disk && d.serial.as_deref().map(str::trim) == Some(serial));
    let first = all.next()?;
    all.next().is_none().then_some((first, MatchedBy::VendorId))
}

/// Disks that may be arrays of this tool and are none that is known: one of them may be any array
/// that could not be matched.
#[must_use]
pub fn unmatched<'i>(tool: Tool, facts: &Facts, inventory: &'i Inventory) -> Vec<&'i Device> {
    let known: BTreeSet<&str> = facts
        .arrays
        .iter()
        .filter_map(|array| device_of(tool, array, facts, inventory))
        .map(|(device, _)| device.name.as_str())
        .collect();
    let whole = |d: &&Device| d.disk.is_none() && is_of(tool, d) && !known.contains(d.name.as_str());
    inventory.devices().filter(whole).collect()
}

/// Channel, target and LUN that the driver gives an array.
fn address(tool: Tool, array: &Array) -> Option<(&'static [u32], u32, u64)> {
    let text = |name: &str| array.details.get(name).and_then(Value::as_str);
    Some(match tool {
        // megaraid_sas: channels 0 and 1 are drives, 2 and 3 are arrays.
        Tool::Megacli => (&[2, 3], text("target").unwrap_or(&array.id).parse().ok()?, 0),
        Tool::Storcli | Tool::Perccli => (&[2, 3], array.id.parse().ok()?, 0),
        // aacraid: channel 0 are arrays.
        Tool::Arcconf => (&[0], array.id.parse().ok()?, 0),
        // 3w-9xxx and 3w-sas: the unit is the target.
        Tool::TwCli => (&[0], array.id.strip_prefix('u')?.parse().ok()?, 0),
        // `0/0/1` and `00/00/01`: channel, target, LUN.
        Tool::Areca => {
            let mut parts = text("lun")?.split('/');
            let channel: u32 = parts.next()?.parse().ok()?;
            let (target, lun) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            (if channel == 0 { &[0] } else { &[1] }, target, lun)
        }
        _ => return None,
    })
}

/// The kernel's host of a controller: by its PCI address, or because there is one of each.
fn host(tool: Tool, controller: Option<&str>, facts: &Facts, inventory: &Inventory) -> Option<u32> {
    let ours = || inventory.devices().filter(|d| d.disk.is_none() && is_of(tool, d));
    let about = facts.controllers.iter().find(|c| Some(c.id.as_str()) == controller);
    let pci = about.and_then(|c| c.details.get("pci")).and_then(Value::as_str).and_then(pci);
    if let Some(pci) = pci {
        let on = |d: &&Device| d.path.split('/').rfind(|part| is_pci(part)) == Some(pci.as_str());
        return ours().find(on).and_then(|d| d.scsi).map(|a| a.host);
    }
    let hosts: BTreeSet<u32> = ours().filter_map(|d| d.scsi).map(|a| a.host).collect();
    let alone = hosts.len() == 1 && facts.controllers.len() <= 1;
    hosts.first().copied().filter(|_| alone)
}

fn is_pci(part: &str) -> bool {
    part.len() == 12
        && part.split([':', '.']).count() == 4
        && part.starts_with(|c: char| c.is_ascii_hexdigit())
}

/// `00:3b:00:00`, `0:41:0:0` (decimal, arcconf) or `0000:5C:00.0` as the kernel writes it. The bus of
/// arcconf is decimal: a value is only taken where both readings are the same or a tool is known to
/// print hexadecimal digits, which have two places.
fn pci(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split([':', '.']).collect();
    let [domain, bus, device, function] = parts.as_slice() else { return None };
    let radix = if bus.len() == 2 && device.len() == 2 { 16 } else { 10 };
    let number = |part: &str| u32::from_str_radix(part, radix).ok();
    Some(format!(
        "{:04x}:{:02x}:{:02x}.{:x}",
        number(domain)?,
        number(bus)?,
        number(device)?,
        number(function)?
    ))
}

fn hex(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    lower.trim_start_matches("0x").chars().filter(char::is_ascii_hexdigit).collect()
}

/// Within two parts in a hundred, where both sizes are known: tools round.
fn sizes_agree(array: &Array, device: &Device) -> bool {
    let Some(size) = &array.size else { return true };
    let (ours, theirs) = (size.bytes_exact.unwrap_or(size.bytes), device.size.get());
    theirs == 0 || ours.abs_diff(theirs) <= ours.max(theirs) / 50
}
