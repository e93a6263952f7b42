//! The fields of a logical drive and of a physical drive.
use super::Place;
use super::state::{placed, set_state};
use crate::model::put;
use crate::text::{filled, number, plain};
use crate::{Drive, DriveState, Facts, Level, Size, Spare};

/// `port 1I:box 3:bay 1, SAS, 146 GB, OK, spare`
pub(super) fn listed(inner: &str, drive: &mut Drive) -> bool {
    let mut parts = inner.split(',').map(str::trim);
    let Some(place) = parts.next().filter(|p| p.contains("bay ") || p.contains("id ")) else { return false };
    if let Some(box_) = place.split_once("box ").and_then(|(_, rest)| number(rest)) {
        put(&mut drive.details, "box", box_.to_string());
    }
    if let Some(bay) = place.split_once("bay ").and_then(|(_, rest)| number(rest)) {
        put(&mut drive.details, "bay", bay.to_string());
    }
    let Some(mut next) = parts.next() else { return false };
    // `show status` has no interface.
    if Size::decimal(next).is_none() {
        drive.interface = filled(next);
        next = parts.next().unwrap_or_default();
    }
    drive.size = Size::decimal(next);
    let Some(state) = parts.next() else { return false };
    drive.state_raw = filled(state);
    if parts.clone().any(|part| part.contains("spare")) {
        let rest = parts.collect::<Vec<_>>().join(", ");
        drive.spare = Some(if rest.contains("active") { Spare::Active } else { Spare::Dedicated });
        put(&mut drive.details, "spare_raw", rest);
    }
    drive.size.is_some()
}

pub(super) fn array_field(key: &str, value: &str, facts: &mut Facts) {
    let Some(array) = facts.arrays.last_mut() else { return };
    match key {
        "Size" => array.size = Size::binary(value),
        "Fault Tolerance" => {
            array.level = Some(Level::of(value));
            array.level_raw = Some(value.to_owned());
        }
        "Status" => set_state(value, array),
        "Strip Size" => array.stripe = filled(value),
        "Caching" => put(&mut array.cache, "write_raw", value),
        "Unique Identifier" => put(&mut array.details, "uid", value),
        "Parity Initialization Status" => put(&mut array.details, "parity_init_raw", value),
        "Disk Name" => array.os_device = value.split_whitespace().next().and_then(filled),
        _ if value.is_empty() && (key.starts_with("Mirror Group ") || key.starts_with("Parity Group ")) => {
            array.members.get_or_insert_default();
        }
        _ => {}
    }
}

pub(super) fn drive_field(key: &str, value: &str, place: Place, drive: &mut Drive) {
    match key {
        "Status" => {
            drive.state_raw = filled(value);
            placed(place, drive);
        }
        "Drive Type" => {
            put(&mut drive.details, "drive_type_raw", value);
            match plain(value).as_ref() {
                "HBA Mode Drive" => drive.state = Some(DriveState::Jbod),
                "Spare Drive" | "Dedicated Spare Drive" => {
                    drive.spare.get_or_insert(Spare::Dedicated);
                }
                _ => {}
            }
            placed(place, drive);
        }
        "Interface Type" if drive.interface.is_none() => drive.interface = filled(value),
        "Size" if drive.size.is_none() => drive.size = Size::decimal(value),
        "Firmware Revision" => drive.firmware = filled(value),
        "Serial Number" => drive.serial = Some(value.to_owned()),
        "Model" => drive.model = filled(&plain(value)),
        _ => {}
    }
}
