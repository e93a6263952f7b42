//! First lines: of a controller, an array, a logical drive, and of what belongs to none of them.
use crate::Controller;
use crate::model::put;
use crate::text::filled;

/// `Smart Array P410i in Slot 0 (Embedded)  (sn: ...)` or `MSA1500 CS in MY STORAGE`.
pub(super) fn controller(line: &str, body: bool) -> Option<Controller> {
    let noise = line.starts_with(['#', '[', '$']) || line.contains('@');
    if noise {
        return None;
    }
    if let Some((model, rest)) = line.split_once(" in Slot ") {
        let (slot, flags) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let mut controller =
            Controller { id: slot.to_owned(), model: filled(model), ..Controller::default() };
        put(&mut controller.details, "slot", slot);
        put(&mut controller.details, "embedded", flags.contains("(Embedded)"));
        for flag in flags.split('(').filter_map(|part| part.split_once(')')).map(|(flag, _)| flag.trim()) {
            if flag.ends_with("Mode") {
                controller.mode = filled(flag);
            } else if let Some(serial) = flag.strip_prefix("sn:") {
                controller.serial = Some(serial.trim().to_owned());
            }
        }
        return Some(controller);
    }
    let (model, chassis) = line.split_once(" in ")?;
    if !body || line.contains([':', '.', '/', ',']) || "Slot".starts_with(chassis.trim()) {
        return None;
    }
    let mut controller = Controller {
        id: format!("chassis:{}", chassis.trim()),
        model: filled(model),
        ..Controller::default()
    };
    put(&mut controller.details, "chassis", chassis.trim());
    Some(controller)
}

/// The number of `Logical Drive: 1`.
pub(super) fn logical_drive(line: &str) -> Option<&str> {
    let (key, id) = line.split_at_checked("logical drive".len())?;
    let id = id.strip_prefix(':')?;
    key.eq_ignore_ascii_case("logical drive").then(|| id.trim())
}

/// The letter of `array A`, `array A (Failed)` or `Array: A`.
pub(super) fn array_letter(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("array ")
        .or_else(|| line.strip_prefix("Array:"))
        .or_else(|| line.strip_prefix("Array "))?;
    let letter = rest.split_whitespace().next()?;
    (letter.len() <= 2 && letter.bytes().all(|b| b.is_ascii_uppercase())).then_some(letter)
}

/// Shelves, expanders, ports: their `Serial Number` is not the controller's.
pub(super) fn other_section(line: &str) -> bool {
    [
        "Port Name:",
        "Expander ",
        "Enclosure SEP",
        "SEP ",
        "Internal Drive Cage",
        "External Drive Cage",
        "Sensor ID:",
    ]
    .iter()
    .any(|word| line.starts_with(word))
        || (line.contains(" at Port ") && line.contains(", Box "))
}
