//! Fields of batteries, enclosures and controllers.
use crate::Facts;
use crate::model::put;
use crate::text::{filled, number, yes_no};

pub(super) fn battery_field(key: &str, value: &str, facts: &mut Facts) {
    let Some(battery) = facts.bbu.last_mut() else { return };
    let details = &mut battery.details;
    match key {
        "voltage" | "temperature" => {
            if let Some(n) = number(value) {
                put(details, if key == "voltage" { "voltage_mv" } else { "temperature_c" }, n);
            }
        }
        "battery state" => battery.state_raw = Some(value.to_owned()),
        "charging status" => put(details, "charging", value),
        "battery pack missing" => {
            if let Some(yes) = yes_no(value) {
                put(details, "pack_missing", yes);
            }
        }
        "battery replacement required" => battery.replace_required = yes_no(value),
        "learn cycle active" => {
            if let Some(yes) = yes_no(value) {
                put(details, "learn_active", yes);
            }
        }
        "remaining capacity low" => {
            if let Some(yes) = yes_no(value) {
                put(details, "remaining_capacity_low", yes);
            }
        }
        "relative state of charge" => {
            if let Some(n) = number(value) {
                put(details, "charge_relative_pct", n);
            }
        }
        "absolute state of charge" => {
            if let Some(n) = number(value) {
                put(details, "charge_absolute_pct", n);
            }
        }
        _ => {}
    }
}

pub(super) fn enclosure_field(key: &str, value: &str, facts: &mut Facts) {
    let Some(enclosure) = facts.enclosures.last_mut() else { return };
    let count = number(value);
    let details = &mut enclosure.details;
    match key {
        "device id" => put(details, "device_id", value),
        "number of slots" => {
            if let Some(n) = count {
                put(details, "slots", n);
            }
        }
        "number of physical drives" => {
            if let Some(n) = count {
                put(details, "drives", n);
            }
        }
        "status" => enclosure.status_raw = Some(value.to_owned()),
        "enclosure type" => put(details, "type", value),
        _ => {}
    }
}

pub(super) fn controller_field(key: &str, value: &str, facts: &mut Facts) {
    let Some(controller) = facts.controllers.last_mut() else { return };
    let name = match key {
        "product name" => {
            controller.model = filled(value);
            return;
        }
        "serial no" => {
            controller.serial = Some(value.to_owned());
            return;
        }
        "fw version" => {
            controller.firmware = filled(value);
            return;
        }
        "fw package build" => return put(&mut controller.details, "firmware_package", value),
        "memory" | "memory size" => return put(&mut controller.details, "memory", value),
        "bbu" => return put(&mut controller.details, "bbu_raw", value),
        "virtual drives" => "vd_total",
        "degraded" => "vd_degraded",
        "offline" => "vd_offline",
        "physical devices" => "pd_total",
        "disks" => "disks",
        "critical disks" => "pd_critical",
        "failed disks" => "pd_failed",
        _ => return,
    };
    if let Some(n) = number(value) {
        put(&mut controller.details, name, n);
    }
}
