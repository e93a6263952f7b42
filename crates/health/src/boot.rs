//! How the box came up.
use crate::check::{Told, over};
use crate::machine::one;
use crate::{Before, Fact, Facts, Status};
use serde_json::Value;

pub(crate) fn check(facts: &Facts, _: &Before) -> Told {
    over(&facts.boot, |text| {
        let Ok(report) = serde_json::from_str::<Value>(text) else {
            return Fact::Unknown("/run/esos/boot.json makes no sense".to_owned());
        };
        let warnings = report["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        // Of the configuration another check tells.
        let warnings: Vec<&str> =
            warnings.filter(|w| !w.starts_with("the configuration was not restored")).collect();
        let status = if warnings.is_empty() { Status::Ok } else { Status::Warn };
        Fact::Known(one(
            "boot",
            "boot",
            "warnings",
            status,
            warnings.join("; "),
            "esos status; esos-image slots",
        ))
    })
}
