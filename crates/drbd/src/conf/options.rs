//! The options that drbd-utils 9.22 knows: names, sections, values (`drbdsetup xml-help`).

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `yes`, `no`, or nothing for yes.
    Yes,
    /// A word without a value; `drbdadm dump` prints `yes` behind it all the same.
    Flag,
    /// A number with a suffix `k`, `M`, `G`, `s` (sectors) where the unit is bytes.
    Number {
        /// The smallest, in the default unit.
        min: i64,
        /// The largest, in the default unit.
        max: i64,
        /// The unit of a bare number: `1`, `k` (1024) or `s` (512).
        prefix: char,
    },
    /// A number, or one of these words.
    NumberOr {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
        /// The words.
        words: &'static [&'static str],
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionKind {
    /// Its name.
    pub name: &'static str,
    /// The sections in which it may stand.
    pub sections: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// The first generation of DRBD that has it: 8 or 9.
    pub since: u8,
    /// The last generation of DRBD that has it there: 8 or 9.
    pub until: u8,
}

/// Whether a value fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepts {
    /// It does.
    Yes,
    /// It does not; what would.
    No(String),
}

const fn o(name: &'static str, sections: &'static [&'static str], kind: Kind, since: u8) -> OptionKind {
    OptionKind { name, sections, kind, since, until: 9 }
}

/// 8.4's place of an option that moved.
const fn old(name: &'static str, sections: &'static [&'static str], kind: Kind) -> OptionKind {
    OptionKind { name, sections, kind, since: 8, until: 8 }
}

/// The option of that name in that section. `syncer`, 8.3's section, takes those of `disk` and `net`.
#[must_use]
pub fn option(section: &str, name: &str) -> Option<&'static OptionKind> {
    let name = if section == "syncer" && name == "rate" { "resync-rate" } else { name };
    let fits = |o: &&OptionKind| {
        o.name == name
            && (o.sections.contains(&section)
                || section == "syncer" && o.sections.iter().any(|s| *s == "disk" || *s == "net"))
    };
    OPTIONS.iter().find(fits)
}

impl OptionKind {
    /// Whether it takes this value.
    #[must_use]
    pub fn accepts(&self, value: Option<&str>) -> Accepts {
        let fine = match (self.kind, value) {
            (Kind::Yes, None | Some("yes" | "no"))
            | (Kind::Text, Some(_))
            | (Kind::Flag, None | Some("yes")) => true,
            (Kind::Word(words), Some(v)) => words.contains(&v),
            (Kind::Number { min, max, prefix }, Some(v)) => {
                number(v, prefix).is_some_and(|n| (i128::from(min)..=i128::from(max)).contains(&n))
            }
            (Kind::NumberOr { min, max, words }, Some(v)) => {
                words.contains(&v) || v.parse::<i64>().is_ok_and(|n| (min..=max).contains(&n))
            }
            _ => false,
        };
        if fine { Accepts::Yes } else { Accepts::No(self.expected()) }
    }

    fn expected(&self) -> String {
        match self.kind {
            Kind::Yes => "yes or no".to_owned(),
            Kind::Flag => "no value".to_owned(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Number { min, max, prefix: '1' } => format!("a number from {min} to {max}"),
            Kind::Number { min, max, prefix } => format!("a number from {min}{prefix} to {max}{prefix}"),
            Kind::NumberOr { min, max, words } => {
                format!("a number from {min} to {max}, or {}", words.join(", "))
            }
            Kind::Text => "a text".to_owned(),
        }
    }
}

/// In units of `prefix`.
fn number(text: &str, prefix: char) -> Option<i128> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n = digits.parse::<i64>().ok().map(i128::from)?;
    let unit = |c: char| {
        Some(match c {
            '1' => 1,
            's' => 512,
            'k' | 'K' => 1 << 10,
            'm' | 'M' => 1 << 20,
            'g' | 'G' => 1 << 30,
            't' | 'T' => 1i128 << 40,
            _ => return None,
        })
    };
    let suffix = text.get(digits.len()..)?;
    let mut chars = suffix.chars();
    let factor = match (chars.next(), chars.next()) {
        (None, _) => unit(prefix)?,
        (Some(c), None) => unit(c)?,
        _ => return None,
    };
    n.checked_mul(factor)?.checked_div(unit(prefix)?)
}

/// Every option.
pub const OPTIONS: &[OptionKind] = &[
    o("protocol", &["net"], Kind::Word(&["A", "B", "C"]), 8),
    o("timeout", &["net"], Kind::Number { min: 1, max: 600, prefix: '1' }, 8),
    o("max-epoch-size", &["net"], Kind::Number { min: 1, max: 20000, prefix: '1' }, 8),
    o("connect-int", &["net"], Kind::Number { min: 1, max: 120, prefix: '1' }, 8),
    o("ping-int", &["net"], Kind::Number { min: 1, max: 120, prefix: '1' }, 8),
    o("sndbuf-size", &["net"], Kind::Number { min: 0, max: 10485760, prefix: '1' }, 8),
    o("rcvbuf-size", &["net"], Kind::Number { min: 0, max: 10485760, prefix: '1' }, 8),
    o("ko-count", &["net"], Kind::Number { min: 0, max: 200, prefix: '1' }, 8),
    o("allow-two-primaries", &["net"], Kind::Yes, 8),
    o("cram-hmac-alg", &["net"], Kind::Text, 8),
    o("shared-secret", &["net"], Kind::Text, 8),
    o(
        "after-sb-0pri",
        &["net"],
        Kind::Word(&[
            "disconnect",
            "discard-younger-primary",
            "discard-older-primary",
            "discard-zero-changes",
            "discard-least-changes",
            "discard-local",
            "discard-remote",
        ]),
        8,
    ),
    o(
        "after-sb-1pri",
        &["net"],
        Kind::Word(&[
            "disconnect",
            "consensus",
            "discard-secondary",
            "call-pri-lost-after-sb",
            "violently-as0p",
        ]),
        8,
    ),
    o("after-sb-2pri", &["net"], Kind::Word(&["disconnect", "call-pri-lost-after-sb", "violently-as0p"]), 8),
    o("always-asbp", &["net"], Kind::Yes, 8),
    o(
        "rr-conflict",
        &["net"],
        Kind::Word(&["disconnect", "call-pri-lost", "violently", "retry-connect", "auto-discard"]),
        8,
    ),
    o("ping-timeout", &["net"], Kind::Number { min: 1, max: 300, prefix: '1' }, 8),
    o("data-integrity-alg", &["net"], Kind::Text, 8),
    o("tcp-cork", &["net"], Kind::Yes, 8),
    o("on-congestion", &["net"], Kind::Word(&["block", "pull-ahead", "disconnect"]), 8),
    o("congestion-fill", &["net"], Kind::Number { min: 0, max: 20971520, prefix: 's' }, 8),
    o("congestion-extents", &["net"], Kind::Number { min: 67, max: 65534, prefix: '1' }, 8),
    o("csums-alg", &["net"], Kind::Text, 8),
    o("csums-after-crash-only", &["net"], Kind::Yes, 8),
    o("verify-alg", &["net"], Kind::Text, 8),
    o("use-rle", &["net"], Kind::Yes, 8),
    o("socket-check-timeout", &["net"], Kind::Number { min: 0, max: 300, prefix: '1' }, 8),
    o("fencing", &["net"], Kind::Word(&["dont-care", "resource-only", "resource-and-stonith"]), 8),
    o("max-buffers", &["net"], Kind::Number { min: 32, max: 131072, prefix: '1' }, 8),
    o("allow-remote-read", &["net"], Kind::Yes, 9),
    o("resync-rate", &["disk"], Kind::Number { min: 1, max: 8388608, prefix: 'k' }, 8),
    o("c-plan-ahead", &["disk"], Kind::Number { min: 0, max: 300, prefix: '1' }, 8),
    o("c-delay-target", &["disk"], Kind::Number { min: 1, max: 100, prefix: '1' }, 8),
    o("c-fill-target", &["disk"], Kind::Number { min: 0, max: 1048576, prefix: 's' }, 8),
    o("c-max-rate", &["disk"], Kind::Number { min: 0, max: 4194304, prefix: 'k' }, 8),
    o("c-min-rate", &["disk"], Kind::Number { min: 0, max: 4194304, prefix: 'k' }, 8),
    o("bitmap", &["disk"], Kind::Yes, 9),
    o("on-io-error", &["disk"], Kind::Word(&["pass_on", "call-local-io-error", "detach"]), 8),
    o("disk-barrier", &["disk"], Kind::Yes, 8),
    o("disk-flushes", &["disk"], Kind::Yes, 8),
    o("disk-drain", &["disk"], Kind::Yes, 8),
    o("md-flushes", &["disk"], Kind::Yes, 8),
    o("resync-after", &["disk"], Kind::Text, 8),
    o("al-extents", &["disk"], Kind::Number { min: 67, max: 65534, prefix: '1' }, 8),
    o("al-updates", &["disk"], Kind::Yes, 8),
    o("discard-zeroes-if-aligned", &["disk"], Kind::Yes, 8),
    o("disable-write-same", &["disk"], Kind::Yes, 8),
    o("disk-timeout", &["disk"], Kind::Number { min: 0, max: 6000, prefix: '1' }, 8),
    o(
        "read-balancing",
        &["disk"],
        Kind::Word(&[
            "prefer-local",
            "prefer-remote",
            "round-robin",
            "least-pending",
            "when-congested-remote",
            "32K-striping",
            "64K-striping",
            "128K-striping",
            "256K-striping",
            "512K-striping",
            "1M-striping",
        ]),
        8,
    ),
    o("rs-discard-granularity", &["disk"], Kind::Number { min: 0, max: 1048576, prefix: '1' }, 8),
    o("cpu-mask", &["options"], Kind::Text, 8),
    o("on-no-data-accessible", &["options"], Kind::Word(&["io-error", "suspend-io"]), 8),
    o("auto-promote", &["options"], Kind::Yes, 9),
    o("peer-ack-window", &["options"], Kind::Number { min: 2048, max: 204800, prefix: 's' }, 9),
    o("peer-ack-delay", &["options"], Kind::Number { min: 1, max: 10000, prefix: '1' }, 9),
    o("twopc-timeout", &["options"], Kind::Number { min: 50, max: 600, prefix: '1' }, 9),
    o("twopc-retry-timeout", &["options"], Kind::Number { min: 1, max: 50, prefix: '1' }, 9),
    o("auto-promote-timeout", &["options"], Kind::Number { min: 0, max: 600, prefix: '1' }, 9),
    o("max-io-depth", &["options"], Kind::Number { min: 4, max: 4294967295, prefix: '1' }, 9),
    o("quorum", &["options"], Kind::NumberOr { min: 1, max: 32, words: &["off", "majority", "all"] }, 9),
    o("on-no-quorum", &["options"], Kind::Word(&["io-error", "suspend-io"]), 9),
    o(
        "quorum-minimum-redundancy",
        &["options"],
        Kind::NumberOr { min: 1, max: 32, words: &["off", "majority", "all"] },
        9,
    ),
    o("on-suspended-primary-outdated", &["options"], Kind::Word(&["disconnect", "force-secondary"]), 9),
    o("transport", &["net"], Kind::Text, 9),
    o("pri-on-incon-degr", &["handlers"], Kind::Text, 8),
    o("pri-lost-after-sb", &["handlers"], Kind::Text, 8),
    o("pri-lost", &["handlers"], Kind::Text, 8),
    o("fence-peer", &["handlers"], Kind::Text, 8),
    o("unfence-peer", &["handlers"], Kind::Text, 9),
    o("local-io-error", &["handlers"], Kind::Text, 8),
    o("initial-split-brain", &["handlers"], Kind::Text, 8),
    o("split-brain", &["handlers"], Kind::Text, 8),
    o("before-resync-target", &["handlers"], Kind::Text, 8),
    o("after-resync-target", &["handlers"], Kind::Text, 8),
    o("before-resync-source", &["handlers"], Kind::Text, 8),
    o("out-of-sync", &["handlers"], Kind::Text, 8),
    o("quorum-lost", &["handlers"], Kind::Text, 9),
    o("disconnected", &["handlers"], Kind::Text, 9),
    o("outdate-peer", &["handlers"], Kind::Text, 8),
    o("size", &["disk"], Kind::Number { min: 0, max: 2_199_023_255_552, prefix: 's' }, 8),
    old("fencing", &["disk"], Kind::Word(&["dont-care", "resource-only", "resource-and-stonith"])),
    o("wfc-timeout", &["startup"], Kind::Number { min: 0, max: 36000, prefix: '1' }, 8),
    o("degr-wfc-timeout", &["startup"], Kind::Number { min: 0, max: 36000, prefix: '1' }, 8),
    o("outdated-wfc-timeout", &["startup"], Kind::Number { min: 0, max: 36000, prefix: '1' }, 8),
    o("wait-after-sb", &["startup"], Kind::Flag, 8),
    o("stacked-timeouts", &["startup"], Kind::Flag, 8),
    o("become-primary-on", &["startup"], Kind::Text, 8),
    o("usage-count", &["global"], Kind::Word(&["yes", "no", "ask"]), 8),
    o("minor-count", &["global"], Kind::Number { min: 1, max: 255, prefix: '1' }, 8),
    o("dialog-refresh", &["global"], Kind::Number { min: 0, max: 600, prefix: '1' }, 8),
    o("disable-ip-verification", &["global"], Kind::Flag, 8),
    o("cmd-timeout-short", &["global"], Kind::Number { min: 0, max: 900, prefix: '1' }, 8),
    o("cmd-timeout-medium", &["global"], Kind::Number { min: 0, max: 900, prefix: '1' }, 8),
    o("cmd-timeout-long", &["global"], Kind::Number { min: 0, max: 900, prefix: '1' }, 8),
    o("udev-always-use-vnr", &["global"], Kind::Flag, 8),
];
