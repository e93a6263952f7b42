//! Keys of Corosync 3.1: `corosync.conf(5)`, `votequorum(5)`.

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// Its section, with dots: `totem.interface`.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub value: Value,
}

impl Value {
    /// What would fit, where this does not.
    pub(crate) fn refuses(self, text: &str) -> Option<String> {
        match self {
            Self::Text => text.is_empty().then(|| "a value".to_owned()),
            Self::Word(words) => (!words.contains(&text)).then(|| format!("one of {}", words.join(", "))),
            Self::Number(min, max) => {
                let fits = text.parse::<u64>().is_ok_and(|n| (min..=max).contains(&n));
                (!fits).then(|| format!("a number from {min} to {max}"))
            }
        }
    }
}

/// The key of that name in that section. `ringN_addr` is one for each link from 0 to 7.
#[must_use]
pub fn key(section: &str, name: &str) -> Option<&'static Key> {
    let ring = name.strip_prefix("ring").and_then(|n| n.strip_suffix("_addr"));
    let name =
        if ring.is_some_and(|n| n.len() == 1 && ("0".."8").contains(&n)) { "ring0_addr" } else { name };
    KEYS.iter().find(|k| k.section == section && k.name == name)
}

pub(crate) fn is_section(parent: &str, name: &str) -> bool {
    matches!(
        (parent, name),
        (
            "",
            "totem"
                | "logging"
                | "quorum"
                | "nodelist"
                | "system"
                | "resources"
                | "nozzle"
                | "uidgid"
                | "qb"
                | "aisexec"
                | "service"
        ) | ("totem", "interface")
            | ("logging", "logger_subsys")
            | ("quorum", "device")
            | ("device", "net" | "heuristics" | "disk")
            | ("nodelist", "node")
            | ("resources", "system" | "watchdog")
            | ("system", "load_15min" | "memory_used")
            | ("watchdog", _)
    )
}

/// The key that was probably meant.
pub(crate) fn near(section: &str, name: &str) -> Option<&'static str> {
    let plain = |s: &str| s.replace(['_', '-'], "").to_lowercase();
    let wanted = plain(name);
    let close = |k: &&Key| {
        let own = plain(k.name);
        own == wanted || own.starts_with(&wanted) || wanted.starts_with(&own) || differ(&own, &wanted) <= 1
    };
    KEYS.iter().filter(|k| k.section == section).find(close).map(|k| k.name)
}

/// One letter changed, lost or doubled.
fn differ(a: &str, b: &str) -> usize {
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let tail = a.chars().rev().zip(b.chars().rev()).take_while(|(x, y)| x == y).count();
    a.chars().count().max(b.chars().count()).saturating_sub(same.saturating_add(tail))
}

const fn k(section: &'static str, name: &'static str, value: Value) -> Key {
    Key { section, name, value }
}

const U32: Value = Value::Number(0, 4_294_967_295);
const YES: Value = Value::Word(&["yes", "no"]);
const ON: Value = Value::Word(&["on", "off"]);
const BIT: Value = Value::Number(0, 1);
const PRIORITY: Value = Value::Word(&["alert", "crit", "debug", "emerg", "err", "info", "notice", "warning"]);

/// Every key.
pub const KEYS: &[Key] = &[
    k("totem", "version", Value::Number(2, 2)),
    k("totem", "cluster_name", Value::Text),
    k("totem", "config_version", Value::Number(0, u64::MAX)),
    k("totem", "transport", Value::Word(&["knet", "udp", "udpu"])),
    k("totem", "crypto_model", Value::Word(&["nss", "openssl"])),
    k("totem", "crypto_cipher", Value::Word(&["none", "aes256", "aes192", "aes128"])),
    k("totem", "crypto_hash", Value::Word(&["none", "md5", "sha1", "sha256", "sha384", "sha512"])),
    k("totem", "keyfile", Value::Text),
    k("totem", "key", Value::Text),
    k("totem", "secauth", ON),
    k("totem", "link_mode", Value::Word(&["passive", "active", "rr"])),
    k("totem", "rrp_mode", Value::Word(&["none", "passive", "active"])),
    k("totem", "ip_version", Value::Word(&["ipv4", "ipv6", "ipv4-6", "ipv6-4"])),
    k("totem", "interface", Value::Text),
    k("totem", "token", U32),
    k("totem", "token_warning", Value::Number(0, 100)),
    k("totem", "token_coefficient", U32),
    k("totem", "token_retransmit", U32),
    k("totem", "token_retransmits_before_loss_const", U32),
    k("totem", "hold", U32),
    k("totem", "consensus", U32),
    k("totem", "join", U32),
    k("totem", "send_join", U32),
    k("totem", "merge", U32),
    k("totem", "downcheck", U32),
    k("totem", "fail_recv_const", U32),
    k("totem", "seqno_unchanged_const", U32),
    k("totem", "heartbeat_failures_allowed", U32),
    k("totem", "max_network_delay", U32),
    k("totem", "window_size", U32),
    k("totem", "max_messages", U32),
    k("totem", "miss_count_const", U32),
    k("totem", "netmtu", U32),
    k("totem", "nodeid", U32),
    k("totem", "clear_node_high_bit", YES),
    k("totem", "vsftype", Value::Word(&["none", "ykd"])),
    k("totem", "knet_pmtud_interval", U32),
    k("totem", "knet_mtu", Value::Number(0, 65_535)),
    k("totem", "knet_compression_model", Value::Text),
    k("totem", "knet_compression_threshold", U32),
    k("totem", "knet_compression_level", U32),
    k("totem", "block_unlisted_ips", YES),
    k("totem", "cancel_token_hold_on_retransmit", YES),
    k("totem.interface", "linknumber", Value::Number(0, 7)),
    k("totem.interface", "ringnumber", Value::Number(0, 7)),
    k("totem.interface", "bindnetaddr", Value::Text),
    k("totem.interface", "mcastaddr", Value::Text),
    k("totem.interface", "mcastport", Value::Number(1, 65_535)),
    k("totem.interface", "broadcast", YES),
    k("totem.interface", "ttl", Value::Number(0, 255)),
    k("totem.interface", "knet_link_priority", Value::Number(0, 255)),
    k("totem.interface", "knet_ping_interval", U32),
    k("totem.interface", "knet_ping_timeout", U32),
    k("totem.interface", "knet_ping_precision", U32),
    k("totem.interface", "knet_pong_count", U32),
    k("totem.interface", "knet_transport", Value::Word(&["udp", "sctp"])),
    k("logging", "to_logfile", YES),
    k("logging", "to_syslog", YES),
    k("logging", "to_stderr", YES),
    k("logging", "logfile", Value::Text),
    k("logging", "logfile_priority", PRIORITY),
    k("logging", "syslog_facility", Value::Text),
    k("logging", "syslog_priority", PRIORITY),
    k("logging", "timestamp", Value::Word(&["on", "off", "hires"])),
    k("logging", "fileline", ON),
    k("logging", "function_name", ON),
    k("logging", "blackbox", ON),
    k("logging", "debug", Value::Word(&["on", "off", "trace"])),
    k("logging.logger_subsys", "subsys", Value::Text),
    k("logging.logger_subsys", "debug", Value::Word(&["on", "off", "trace"])),
    k("logging.logger_subsys", "to_logfile", YES),
    k("logging.logger_subsys", "to_syslog", YES),
    k("logging.logger_subsys", "logfile", Value::Text),
    k("quorum", "provider", Value::Word(&["corosync_votequorum"])),
    k("quorum", "two_node", BIT),
    k("quorum", "wait_for_all", BIT),
    k("quorum", "last_man_standing", BIT),
    k("quorum", "last_man_standing_window", U32),
    k("quorum", "auto_tie_breaker", BIT),
    k("quorum", "auto_tie_breaker_node", Value::Text),
    k("quorum", "allow_downscale", BIT),
    k("quorum", "expected_votes", U32),
    k("quorum", "expected_votes_tracking", BIT),
    k("quorum", "votes", U32),
    k("quorum.device", "model", Value::Word(&["net"])),
    k("quorum.device", "timeout", U32),
    k("quorum.device", "sync_timeout", U32),
    k("quorum.device", "votes", U32),
    k("quorum.device.net", "host", Value::Text),
    k("quorum.device.net", "port", Value::Number(1, 65_535)),
    k("quorum.device.net", "tls", Value::Word(&["on", "off", "required"])),
    k("quorum.device.net", "algorithm", Value::Word(&["ffsplit", "lms", "2nodelms", "test"])),
    k("quorum.device.net", "tie_breaker", Value::Text),
    k("quorum.device.net", "connect_timeout", U32),
    k("quorum.device.net", "force_ip_version", Value::Number(0, 6)),
    k("quorum.device.net", "keep_active_partition_tie_breaker", ON),
    k("quorum.device.heuristics", "mode", Value::Word(&["on", "off", "sync"])),
    k("quorum.device.heuristics", "interval", U32),
    k("quorum.device.heuristics", "timeout", U32),
    k("nodelist.node", "name", Value::Text),
    k("nodelist.node", "nodeid", Value::Number(1, 4_294_967_295)),
    k("nodelist.node", "ring0_addr", Value::Text),
    k("nodelist.node", "quorum_votes", U32),
    k("system", "qb_ipc_type", Value::Word(&["native", "shm", "socket"])),
    k("system", "sched_rr", YES),
    k("system", "priority", Value::Text),
    k("system", "move_to_root_cgroup", Value::Word(&["yes", "no", "auto"])),
    k("system", "allow_knet_handle_fallback", YES),
    k("system", "state_dir", Value::Text),
];

/// Whether a key of a section that we never write (`corosync.conf(5)` of 3.1): it has no value to be judged here.
pub(super) fn is_documented(path: &str, key: &str) -> bool {
    let keys: &[&str] = match path {
        "nozzle" => &["name", "ipaddr", "ipprefix"],
        p if p.starts_with("resources.") => &[
            "recovery",
            "max",
            "current",
            "last_updated",
            "state",
            "poll_period",
            "watchdog_device",
            "watchdog_timeout",
        ],
        _ => &[],
    };
    keys.contains(&key)
}
