//! Kinds of values that several objects have.
use crate::errno::{EINVAL, EOVERFLOW, Outcome};
use crate::sim::State;
use crate::template::{TRACE, TRACE_DEFAULT};
use crate::words::{lexeme, signed, strim, unsigned};

/// `v\n`, with `[key]` behind what is not the default.
pub(crate) fn keyed(value: impl std::fmt::Display, default: impl std::fmt::Display) -> String {
    let (value, default) = (value.to_string(), default.to_string());
    if value == default { format!("{value}\n") } else { format!("{value}\n[key]\n") }
}

/// The first line of what was written.
pub(crate) fn line(value: &str) -> &str {
    value.split('\n').next().unwrap_or("")
}

/// A number of which only zero or not counts.
pub(crate) fn flag(value: &str) -> Result<u64, i32> {
    signed(strim(value)).map(|n| u64::from(n != 0))
}

/// Exactly `0` or `1`.
pub(crate) fn zero_or_one(value: &str) -> Result<u64, i32> {
    match strim(value) {
        "0" => Ok(0),
        "1" => Ok(1),
        _ => Err(EINVAL),
    }
}

/// `PERIPHERAL`, `FLAT` or `LUN` in any case.
pub(crate) fn addr_method(value: &str) -> Result<String, i32> {
    let upper = strim(value).to_ascii_uppercase();
    if ["PERIPHERAL", "FLAT", "LUN"].contains(&upper.as_str()) {
        Ok(keyed(upper, "PERIPHERAL"))
    } else {
        Err(EINVAL)
    }
}

/// `auto`, `this_group_only`, `never` or a number above 0.
pub(crate) fn io_grouping(value: &str) -> Result<String, i32> {
    let value = strim(value);
    let lower = value.to_ascii_lowercase();
    if ["auto", "this_group_only", "never"].contains(&lower.as_str()) {
        return Ok(keyed(lower, "auto"));
    }
    match unsigned(value) {
        Ok(n) if n > 0 => Ok(keyed(n, "auto")),
        _ => Err(EINVAL),
    }
}

/// A hexadecimal bitmap of CPUs.
pub(crate) fn cpu_mask(value: &str, all: &str) -> Result<String, i32> {
    let value = strim(value);
    if value.is_empty() || !value.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(EINVAL);
    }
    let parse = |t| u128::from_str_radix(t, 16);
    let (Ok(mask), Ok(most)) = (parse(value), parse(all)) else { return Err(EOVERFLOW) };
    match mask {
        0 => Err(EINVAL),
        m if m > most => Err(EOVERFLOW),
        m => Ok(keyed(format!("{m:x}"), all)),
    }
}

/// 0 to 4.
pub(crate) fn black_hole(value: &str) -> Result<String, i32> {
    match strim(value) {
        v @ ("0" | "1" | "2" | "3" | "4") => Ok(format!("{v}\n")),
        _ => Err(EINVAL),
    }
}

impl State {
    /// A number of threads, at least `least`.
    pub(crate) fn thread_count(value: &str, least: u64) -> Result<u64, i32> {
        let n = signed(strim(value))?;
        u64::try_from(n).ok().filter(|n| *n >= least && *n <= 1 << 20).ok_or(EINVAL)
    }

    /// `trace_level`: actions on a set of tokens; the help text behind the tokens stays.
    pub(crate) fn trace_level(&mut self, path: &str, value: &str) -> Outcome {
        let text = self.tree.text(path).to_owned();
        let (tokens, help) = text.split_once('\n').unwrap_or((&text, ""));
        let bit = |token: &str| TRACE.iter().find(|(t, _)| *t == token).map(|(_, b)| *b);
        let now = tokens.split('|').filter_map(|t| bit(t.trim())).fold(0, |all, b| all | b);
        let (action, rest) = lexeme(value);
        let level = match action.to_ascii_lowercase().as_str() {
            "all" => u32::MAX,
            "none" => 0,
            "default" => TRACE_DEFAULT,
            "value" => u32::try_from(unsigned(rest)?).map_err(|_wide| EINVAL)?,
            "add" => now | bit(rest).ok_or(EINVAL)?,
            "del" => now & !bit(rest).ok_or(EINVAL)?,
            _ => return Err(EINVAL),
        };
        let names: Vec<&str> = TRACE.iter().filter(|(_, b)| level & b != 0).map(|(t, _)| *t).collect();
        self.tree.set(path, format!("{}\n{help}", names.join(" | ")));
        Ok(())
    }

    /// Attributes that targets and groups share; `None` where it is none of them.
    pub(crate) fn shared_attribute(&mut self, dir: &str, name: &str, value: &str) -> Option<Outcome> {
        let text = match name {
            "addr_method" => addr_method(value),
            "io_grouping_type" => io_grouping(value),
            "cpu_mask" => cpu_mask(value, &self.env.all_cpus()),
            "black_hole" => black_hole(value),
            "per_sess_dedicated_tgt_threads" => flag(value).map(|n| keyed(n, 0)),
            _ => return None,
        };
        Some(text.map(|text| self.tree.set(&format!("{dir}/{name}"), text)))
    }
}
