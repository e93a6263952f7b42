//! Single values that the kernel refuses, or that it would read as another one.
use super::context::Context;

/// What is wrong with a value, and what was meant where that is certain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) fix: Option<String>,
}

fn fault(what: impl Into<String>) -> Fault {
    Fault { what: what.into(), fix: None }
}

/// A number as the kernel reads it: decimal, `0x…`, or octal with a leading 0.
pub(crate) fn number(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |t| (-1, t));
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i128::from_str_radix(hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => i128::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    // A second sign is none of the kernel's grammar.
    let plain = digits.starts_with(|c: char| c.is_ascii_digit());
    number.ok().filter(|_| plain)?.checked_mul(sign)
}

/// Attributes of devices that are on or off.
const FLAGS: [&str; 14] = [
    "active",
    "async",
    "bind_alua_state",
    "cluster_mode",
    "dummy",
    "expl_alua",
    "nv_cache",
    "o_direct",
    "read_only",
    "read_zero",
    "removable",
    "rotational",
    "thin_provisioned",
    "write_through",
];

/// Greatest lengths in bytes of texts that tell initiators which disk they see (SCST 3.11).
const TEXTS: [(&str, usize); 8] = [
    ("inq_vend_specific", 112),
    ("prod_id", 16),
    ("prod_rev_lvl", 4),
    ("scsi_device_name", 256),
    ("t10_dev_id", 24),
    ("t10_vend_id", 8),
    ("usn", 20),
    ("vend_specific_id", 32),
];

/// What the kernel would make of a value that cannot be meant; `None` where it takes the value as it is.
pub(crate) fn check(context: Context, name: &str, value: &str) -> Option<Fault> {
    match (context, name) {
        (Context::Device, _) => device(name, value),
        (Context::Lun, "read_only")
        | (Context::Driver | Context::Target, "enabled")
        | (Context::Target, "per_portal_acl")
        | (Context::TargetGroup, "preferred") => flag(name, value),
        (Context::Target, "rel_tgt_id")
        | (Context::GroupTarget, "rel_tgt_id")
        | (Context::TargetGroup, "group_id") => range(name, value, 0, 65535),
        (Context::Target | Context::Group, "black_hole") => range(name, value, 0, 4),
        (Context::Target | Context::Group, "addr_method") => {
            words(name, value, &["PERIPHERAL", "FLAT", "LUN"], true)
        }
        (Context::Target | Context::Group, "io_grouping_type") => {
            let kind = words(name, value, &["auto", "this_group_only", "never"], true)?;
            number(value).is_none_or(|n| n < 1).then(|| Fault {
                what: format!(
                    "{} or a number from 1 on",
                    kind.what.replace(", found", " or a group number, found")
                ),
                ..kind
            })
        }
        (Context::Target | Context::Group, "cpu_mask") => {
            let mask = !value.is_empty() && value.chars().all(|c| c.is_ascii_hexdigit() || c == ',');
            (!mask).then(|| fault(format!("`{name}` is a mask of CPUs in hex digits, found `{value}`")))
        }
        (Context::TargetGroup, "state") => words(
            name,
            value,
            &["active", "nonoptimized", "standby", "unavailable", "offline", "transitioning"],
            false,
        ),
        (Context::Root, "threads" | "setup_id" | "max_tasklet_cmd" | "poll_us") => {
            range(name, value, 0, i128::from(u32::MAX))
        }
        _ => None,
    }
}

fn device(name: &str, value: &str) -> Option<Fault> {
    if FLAGS.contains(&name) {
        return flag(name, value);
    }
    if let Some((_, most)) = TEXTS.iter().find(|(n, _)| *n == name) {
        let long = value.len() > *most;
        return long.then(|| fault(format!("`{name}` has {} bytes; SCST takes {most}", value.len())));
    }
    match name {
        "filename" | "dif_filename" if !value.starts_with('/') => {
            Some(fault(format!("`{value}` is no absolute path")))
        }
        "filename" | "dif_filename"
            if value.contains(|c: char| c.is_whitespace() || c == ';' || c == '=') =>
        {
            Some(fault("SCST takes no file name with blanks, `;` or `=`"))
        }
        "blocksize" => {
            let shift = number(value).filter(|n| *n >= 512 && n.count_ones() == 1);
            shift.is_none().then(|| fault(format!("`{name}` is a power of two from 512 on, found `{value}`")))
        }
        "numa_node_id" => range(name, value, -1, i128::from(i32::MAX)),
        "threads_num" => range(name, value, 0, i128::from(i32::MAX)),
        "size" | "size_mb" => range(name, value, 0, i128::from(i64::MAX)),
        "tst" => range(name, value, 0, 1),
        "dif_type" => range(name, value, 0, 3),
        "threads_pool_type" => words(name, value, &["per_initiator", "shared"], false),
        "dif_mode" => {
            let known = ["tgt", "scst", "dev_check", "dev_store"];
            let bad =
                value.split('|').map(str::trim).find(|m| !known.iter().any(|k| k.eq_ignore_ascii_case(m)))?;
            Some(fault(format!(
                "`{name}` is some of tgt, scst, dev_check and dev_store with `|`, found `{bad}`"
            )))
        }
        "naa_id" => {
            let digits = value.strip_prefix("0x").unwrap_or(value);
            let fits = match digits.as_bytes().first() {
                None => true,
                Some(b'2' | b'3' | b'5') => digits.len() == 16,
                Some(b'6') => digits.len() == 32,
                Some(_) => false,
            };
            let hex = digits.chars().all(|c| c.is_ascii_hexdigit());
            (!fits || !hex).then(|| {
                fault("`naa_id` is 16 hex digits that begin with 2, 3 or 5, or 32 that begin with 6")
            })
        }
        "eui64_id" => {
            let digits = value.strip_prefix("0x").unwrap_or(value);
            let fits =
                matches!(digits.len(), 0 | 16 | 24 | 32) && digits.chars().all(|c| c.is_ascii_hexdigit());
            (!fits).then(|| fault("`eui64_id` is 16, 24 or 32 hex digits"))
        }
        _ => None,
    }
}

fn flag(name: &str, value: &str) -> Option<Fault> {
    let fix = match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some("1".to_owned()),
        "no" | "false" | "off" => Some("0".to_owned()),
        _ if matches!(number(value), Some(0 | 1)) => return None,
        _ => None,
    };
    Some(Fault { what: format!("`{name}` is 0 or 1, found `{value}`"), fix })
}

fn range(name: &str, value: &str, least: i128, most: i128) -> Option<Fault> {
    if number(value).is_some_and(|n| (least..=most).contains(&n)) {
        return None;
    }
    let what = if most > 65535 {
        format!("`{name}` is a number from {least} on, found `{value}`")
    } else {
        format!("`{name}` is a number from {least} to {most}, found `{value}`")
    };
    Some(fault(what))
}

fn words(name: &str, value: &str, known: &[&str], any_case: bool) -> Option<Fault> {
    let equal = |k: &&&str| if any_case { k.eq_ignore_ascii_case(value) } else { **k == value };
    if known.iter().any(|k| equal(&k)) {
        return None;
    }
    let (last, others) = known.split_last()?;
    let what = format!("`{name}` is {} or {last}, found `{value}`", others.join(", "));
    let lower = known.iter().find(|k| k.eq_ignore_ascii_case(value)).copied();
    let meant = lower.or_else(|| super::near::near(value, known.iter().copied()));
    Some(Fault { what, fix: meant.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_kernel_reads_them() {
        assert_eq!(number("0x10"), Some(16));
        assert_eq!(number("010"), Some(8));
        assert_eq!((number("-1"), number("--1"), number("+1"), number("")), (Some(-1), None, None, None));
        let device = |name, value| check(Context::Device, name, value);
        for (name, value) in [
            ("read_only", "1"),
            ("nv_cache", "0x1"),
            ("blocksize", "4096"),
            ("naa_id", "0x60014051234567890000000000000000"),
            ("naa_id", "5000000000000001"),
            ("naa_id", ""),
            ("dif_mode", "tgt|scst"),
            ("numa_node_id", "-1"),
            ("prod_id", "sixteen letters!"),
            ("anything", "at all"),
            ("filename", "/srv/x"),
        ] {
            assert_eq!(device(name, value), None, "{name} {value}");
        }
        for (name, value) in [
            ("read_only", "7"),
            ("nv_cache", "yes"),
            ("blocksize", "513"),
            ("blocksize", "256"),
            ("naa_id", "0x1000000000000001"),
            ("dif_mode", "tgt|all"),
            ("numa_node_id", "-2"),
            ("prod_id", "seventeen letters"),
            ("filename", "x"),
            ("filename", "/srv/a b"),
            ("tst", "2"),
            ("threads_pool_type", "shraed"),
        ] {
            assert!(device(name, value).is_some(), "{name} {value}");
        }
        assert_eq!(device("nv_cache", "yes").and_then(|f| f.fix).as_deref(), Some("1"));
        assert_eq!(device("threads_pool_type", "shraed").and_then(|f| f.fix).as_deref(), Some("shared"));
        let group = |name, value| check(Context::Group, name, value);
        assert!(group("io_grouping_type", "3").is_none() && group("io_grouping_type", "0").is_some());
        assert!(group("addr_method", "flat").is_none() && group("cpu_mask", "ff,00000001").is_none());
        assert!(check(Context::TargetGroup, "state", "sleepy").is_some());
        assert!(check(Context::Target, "rel_tgt_id", "65536").is_some());
    }
}
