//! From text to [`Config`].
use crate::cidr::prefix_of_netmask;
use crate::config::{BootProto, Config, General, Interface, Ip6Proto, Kind, Route};
use crate::ini::{self, Entry, Section};
use crate::{Cidr, InterfaceName};
use esos_diag::{Diagnostic, Severity, Span};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// Collects what is wrong, and remembers whether an error was among it.
pub(crate) struct Findings<'o> {
    pub(crate) origin: &'o str,
    pub(crate) list: Vec<Diagnostic>,
}

impl Findings<'_> {
    pub(crate) fn error(&mut self, code: &str, message: impl Into<String>, span: Span) -> &mut Diagnostic {
        self.push(Severity::Error, code, message.into(), span)
    }

    pub(crate) fn warning(&mut self, code: &str, message: impl Into<String>, span: Span) -> &mut Diagnostic {
        self.push(Severity::Warning, code, message.into(), span)
    }

    fn push(&mut self, severity: Severity, code: &str, message: String, span: Span) -> &mut Diagnostic {
        let code = format!("network::{code}");
        let last = self.list.len();
        self.list.push(Diagnostic::new(severity, code, message, self.origin, span));
        &mut self.list[last]
    }

    fn errors(&self) -> usize {
        self.list.iter().filter(|d| d.severity == Severity::Error).count()
    }
}

/// Reads the text of a network.conf. There is always a [`Config`]: an interface with an error in its
/// section is left out of it (and named in [`Config::broken`]), the others are not touched by that.
/// Relations between interfaces are checked too: members, loops, addresses that stand twice.
#[must_use]
pub fn parse(origin: &str, text: &str) -> (Config, Vec<Diagnostic>) {
    let (sections, list) = ini::sections(origin, text);
    let mut findings = Findings { origin, list };
    let mut config = Config::default();
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for section in &sections {
        if let Some(first) = seen.get(section.name) {
            let d = findings.error("twice", format!("section [{}] stands twice", section.name), section.span);
            d.help = Some("put all its lines into one section".to_owned());
            d.labels.push(esos_diag::Label { span: *first, text: "the first one".to_owned() });
            config.broken.push((section.name.to_owned(), "its section stands twice".to_owned()));
            continue;
        }
        seen.insert(section.name, section.span);
        if section.name.eq_ignore_ascii_case("general") {
            config.general = general(section, &mut findings);
            continue;
        }
        if section.name.is_empty() {
            continue;
        }
        let before = findings.errors();
        let interface = interface(section, &mut findings);
        match interface {
            Some(interface) if findings.errors() == before && !section.broken => {
                config.interfaces.push(interface);
            }
            _ => {
                let first = findings.list.iter().filter(|d| d.severity == Severity::Error).nth(before);
                let why = first.map_or("a line in its section cannot be read", |d| d.message.as_str());
                config.broken.push((section.name.to_owned(), why.to_owned()));
            }
        }
    }
    // A name that stands twice is broken as a whole: nobody knows which one is meant.
    let broken = std::mem::take(&mut config.broken);
    config.interfaces.retain(|i| !broken.iter().any(|(name, _)| name == i.name.as_str()));
    config.broken = broken;
    crate::check::relations(&mut config, &mut findings);
    findings.list.sort_by_key(|d| d.span().map_or(0, |s| s.start));
    (config, findings.list)
}

/// Reads one value; a bad one is a finding.
fn value<T: FromStr<Err: std::fmt::Display>>(entry: &Entry<'_>, findings: &mut Findings<'_>) -> Option<T> {
    match entry.value.parse() {
        Ok(value) => Some(value),
        Err(e) => {
            findings.error("value", format!("{}: {e}", entry.key), entry.value_span);
            None
        }
    }
}

fn address(entry: &Entry<'_>, word: &str, findings: &mut Findings<'_>) -> Option<IpAddr> {
    let parsed = word.parse().ok();
    if parsed.is_none() {
        findings.error(
            "value",
            format!("{}: `{word}` is no IPv4 or IPv6 address", entry.key),
            entry.value_span,
        );
    }
    parsed
}

fn gateway(entry: &Entry<'_>, v6: bool, into: &mut Vec<IpAddr>, findings: &mut Findings<'_>) {
    let Some(addr) = address(entry, entry.value, findings) else { return };
    if addr.is_ipv6() == v6 {
        into.push(addr);
    } else {
        let wanted = if v6 { "an IPv6" } else { "an IPv4" };
        findings.error("value", format!("{} wants {wanted} address", entry.key), entry.value_span);
    }
}

/// `name` for key `name7`: the number behind it, 0 where there is none.
fn numbered(key: &str, name: &str) -> Option<u32> {
    let rest = key.strip_prefix(name)?;
    if rest.is_empty() { Some(0) } else { rest.parse().ok() }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', ',']).filter(|w| !w.is_empty())
}

/// Keys may stand once; the second one is an error.
fn duplicates(section: &Section<'_>, findings: &mut Findings<'_>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for entry in &section.entries {
        if let Some(first) = seen.insert(&entry.key, entry.key_span) {
            let d = findings.error(
                "twice",
                format!("`{}` stands twice in [{}]", entry.key, section.name),
                entry.key_span,
            );
            d.labels.push(esos_diag::Label { span: first, text: "the first one".to_owned() });
        }
    }
}

fn unknown(entry: &Entry<'_>, known: &[&str], findings: &mut Findings<'_>) {
    let d = findings.warning(
        "unknown-key",
        format!("`{}` is not known here and has no effect", entry.key),
        entry.key_span,
    );
    d.help = Some(format!("known: {}", known.join(", ")));
}

const GENERAL: &[&str] =
    &["hostname", "domainname", "defaultgw", "defaultgw6", "nameserver1", "nameserver2", "search"];

fn general(section: &Section<'_>, findings: &mut Findings<'_>) -> General {
    duplicates(section, findings);
    let mut general = General::default();
    let mut servers: BTreeMap<u32, IpAddr> = BTreeMap::new();
    for entry in section.entries.iter().filter(|e| !e.value.is_empty()) {
        match entry.key.as_str() {
            "hostname" => general.hostname = value(entry, findings),
            "domainname" => general.domainname = value(entry, findings),
            "defaultgw" => gateway(entry, false, &mut general.gateways, findings),
            "defaultgw6" => gateway(entry, true, &mut general.gateways, findings),
            "search" => {
                for word in words(entry.value) {
                    match word.parse() {
                        Ok(domain) => general.search.push(domain),
                        Err(e) => _ = findings.error("value", format!("search: {e}"), entry.value_span),
                    }
                }
            }
            key => match numbered(key, "nameserver") {
                Some(number) => servers.extend(address(entry, entry.value, findings).map(|a| (number, a))),
                None => unknown(entry, GENERAL, findings),
            },
        }
    }
    general.name_servers = servers.into_values().collect();
    general
}

const INTERFACE: &[&str] = &[
    "bootproto",
    "ipaddr",
    "netmask",
    "broadcast",
    "mtu",
    "ethtoolopts",
    "bondopts",
    "slaves",
    "brmembers",
    "vlanegressmap",
    "vlandev",
    "vlanid",
    "ip6proto",
    "ip6addr",
    "gateway",
    "gateway6",
    "route1",
];

#[derive(Default)]
struct Raw<'t> {
    netmask: Option<(u8, Span)>,
    bare: Vec<(Ipv4Addr, Span)>,
    bond: Option<(Vec<InterfaceName>, Span)>,
    bond_options: Option<(Vec<(String, String)>, Span)>,
    bridge: Option<(Vec<InterfaceName>, Span)>,
    vlan_dev: Option<(InterfaceName, Span)>,
    vlan_id: Option<(u16, Span)>,
    egress: Option<(Vec<(u32, u8)>, Span)>,
    ip6proto: Option<Ip6Proto>,
    ethtool: Option<&'t str>,
}

fn interface(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Interface> {
    let name: InterfaceName = match section.name.parse() {
        Ok(name) => name,
        Err(e) => {
            let e: crate::ParseInterfaceNameError = e;
            findings.error("name", e.to_string(), section.span);
            return None;
        }
    };
    duplicates(section, findings);
    let mut raw = Raw::default();
    let mut interface = Interface {
        name,
        kind: Kind::Device,
        bootproto: BootProto::None,
        ip6proto: Ip6Proto::Auto,
        addresses: Vec::new(),
        broadcast: None,
        mtu: None,
        gateways: Vec::new(),
        routes: Vec::new(),
        ethtool: Vec::new(),
        span: section.span,
    };
    for entry in section.entries.iter().filter(|e| !e.value.is_empty()) {
        line(entry, &mut interface, &mut raw, findings);
    }
    finish(&mut interface, raw, section, findings);
    Some(interface)
}

fn members(entry: &Entry<'_>, findings: &mut Findings<'_>) -> Vec<InterfaceName> {
    let mut list: Vec<InterfaceName> = Vec::new();
    for word in words(entry.value) {
        match word.parse::<InterfaceName>() {
            Ok(name) if list.contains(&name) => {
                findings.error("twice", format!("{name} stands twice"), entry.value_span);
            }
            Ok(name) => list.push(name),
            Err(e) => _ = findings.error("value", format!("{}: {e}", entry.key), entry.value_span),
        }
    }
    list
}

fn line<'t>(entry: &Entry<'t>, interface: &mut Interface, raw: &mut Raw<'t>, findings: &mut Findings<'_>) {
    let at = entry.value_span;
    match entry.key.as_str() {
        "bootproto" => match entry.value.to_ascii_lowercase().as_str() {
            "static" => interface.bootproto = BootProto::Static,
            "dhcp" => interface.bootproto = BootProto::Dhcp,
            "none" | "disabled" => interface.bootproto = BootProto::None,
            _ => _ = findings.error("value", "bootproto is static, dhcp or none", at),
        },
        "ip6proto" => match entry.value.to_ascii_lowercase().as_str() {
            "static" => raw.ip6proto = Some(Ip6Proto::Static),
            "auto" | "dhcp" => raw.ip6proto = Some(Ip6Proto::Auto),
            "none" | "disabled" => raw.ip6proto = Some(Ip6Proto::None),
            _ => _ = findings.error("value", "ip6proto is static, auto or none", at),
        },
        "ipaddr" => {
            for word in words(entry.value) {
                match (word.parse::<Cidr>(), word.parse::<Ipv4Addr>()) {
                    (_, Ok(bare)) => raw.bare.push((bare, at)),
                    (Ok(cidr), _) if !cidr.is_v6() => interface.addresses.push(cidr),
                    (Ok(_), _) => _ = findings.error("value", "an IPv6 address goes into ip6addr", at),
                    (Err(e), _) => _ = findings.error("value", format!("ipaddr: {e}"), at),
                }
            }
        }
        "ip6addr" => {
            for word in words(entry.value) {
                match word.parse::<Cidr>() {
                    Ok(cidr) if cidr.is_v6() => interface.addresses.push(cidr),
                    Ok(_) => _ = findings.error("value", "an IPv4 address goes into ipaddr", at),
                    Err(e) => _ = findings.error("value", format!("ip6addr: {e}"), at),
                }
            }
        }
        "netmask" => match prefix_of_netmask(entry.value) {
            Ok(prefix) => raw.netmask = Some((prefix, at)),
            Err(e) => _ = findings.error("value", format!("netmask: {e}"), at),
        },
        "broadcast" => interface.broadcast = value(entry, findings),
        "mtu" => match entry.value.parse::<u32>() {
            Ok(mtu) if (68..=65_536).contains(&mtu) => interface.mtu = Some(mtu),
            _ => _ = findings.error("value", "mtu is a number of bytes from 68 to 65536", at),
        },
        "gateway" => gateway(entry, false, &mut interface.gateways, findings),
        "gateway6" => gateway(entry, true, &mut interface.gateways, findings),
        "ethtoolopts" => raw.ethtool = Some(entry.value),
        "slaves" => raw.bond = Some((members(entry, findings), at)),
        "brmembers" => raw.bridge = Some((members(entry, findings), at)),
        "bondopts" => {
            let mut options: Vec<(String, String)> = Vec::new();
            // A comma separates options, or the addresses of arp_ip_target.
            for word in words(entry.value) {
                match (word.split_once('='), options.last_mut()) {
                    (Some((k, v)), _) if plain(k) && plain(v) => options.push((k.to_owned(), v.to_owned())),
                    (None, Some((k, v))) if k.ends_with("_target") && plain(word) => {
                        *v = format!("{v},{word}");
                    }
                    _ => _ = findings.error("value", format!("bondopts: `{word}` is not option=value"), at),
                }
            }
            raw.bond_options = Some((options, at));
        }
        "vlandev" => raw.vlan_dev = value(entry, findings).map(|v| (v, at)),
        "vlanid" => match entry.value.parse::<u16>() {
            Ok(id) if (1..=4094).contains(&id) => raw.vlan_id = Some((id, at)),
            _ => _ = findings.error("value", "vlanid is a number from 1 to 4094", at),
        },
        "vlanegressmap" => {
            let mut map = Vec::new();
            for word in words(entry.value) {
                let pair = word.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                match pair.filter(|(_, tag): &(u32, u8)| *tag <= 7) {
                    Some(pair) => map.push(pair),
                    None => {
                        let text =
                            format!("vlanegressmap: `{word}` is not PRIORITY:TAG with a tag from 0 to 7");
                        findings.error("value", text, at);
                    }
                }
            }
            raw.egress = Some((map, at));
        }
        key => match numbered(key, "route") {
            Some(_) => interface.routes.extend(route(entry, findings)),
            None => unknown(entry, INTERFACE, findings),
        },
    }
}

/// A word that is no option and no path: letters, digits and a few marks.
fn plain(word: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_+.:-".contains(&b);
    !word.is_empty() && !word.starts_with('-') && word.bytes().all(good)
}

/// `10.0.0.0/8 via 192.0.2.254 metric 100`; `default` stands for everything of the next hop's family.
fn route(entry: &Entry<'_>, findings: &mut Findings<'_>) -> Option<Route> {
    let all: Vec<&str> = entry.value.split_whitespace().collect();
    let mut rest = all.iter().skip(1);
    let (mut via, mut metric, mut bad) = (None, None, false);
    while let Some(word) = rest.next() {
        let value = rest.next().copied().unwrap_or("");
        match *word {
            "via" => via = value.parse::<IpAddr>().ok(),
            "metric" => metric = value.parse::<u32>().ok(),
            _ => bad = true,
        }
        bad |= (*word == "via" && via.is_none()) || (*word == "metric" && metric.is_none());
    }
    let to = match all.first().copied().unwrap_or("") {
        "default" => match via {
            Some(IpAddr::V6(_)) => "::/0".parse().ok(),
            Some(IpAddr::V4(_)) => "0.0.0.0/0".parse().ok(),
            None => None,
        },
        text => text.parse::<Cidr>().ok(),
    };
    let same_family = |to: &Cidr| via.is_none_or(|v: IpAddr| v.is_ipv6() == to.is_v6());
    match to.filter(|to| !bad && same_family(to)) {
        Some(to) if to.network() == to.addr() => Some(Route { to, via, metric }),
        Some(to) => {
            let d = findings.error(
                "route",
                format!("{to} is a host in a network, not a network"),
                entry.value_span,
            );
            d.help = Some(format!("write {}/{}", to.network(), to.prefix()));
            None
        }
        None => {
            let d = findings.error("route", "this is no route", entry.value_span);
            d.help =
                Some("write `10.0.0.0/8 via 192.0.2.254`, with `metric 100` behind it if need be".to_owned());
            None
        }
    }
}

fn finish(interface: &mut Interface, mut raw: Raw<'_>, section: &Section<'_>, findings: &mut Findings<'_>) {
    for (addr, at) in std::mem::take(&mut raw.bare) {
        match raw.netmask {
            Some((prefix, _)) => interface.addresses.extend(Cidr::new(addr.into(), prefix)),
            None => {
                let d = findings.error("netmask", format!("{addr} has no netmask"), at);
                d.help = Some(format!("write `ipaddr = {addr}/24`, or add `netmask = 255.255.255.0`"));
            }
        }
    }
    let v6 = interface.addresses.iter().any(|a| a.is_v6());
    interface.ip6proto = raw.ip6proto.unwrap_or(if v6 { Ip6Proto::Static } else { Ip6Proto::Auto });
    interface.kind = kind(interface, &mut raw, section, findings);
    if let Some(text) = raw.ethtool {
        interface.ethtool = ethtool(text, &interface.name);
    }
    let v4 = interface.addresses.iter().any(|a| !a.is_v6());
    if interface.bootproto == BootProto::Static && !v4 && !v6 {
        let d = findings.error(
            "no-address",
            format!("[{}] is static and has no address", section.name),
            section.span,
        );
        d.help = Some("add `ipaddr = 192.0.2.10/24`, or `bootproto = dhcp`".to_owned());
    }
    if interface.bootproto != BootProto::Static && v4 {
        let text = format!("ipaddr has no effect: bootproto of [{}] is not static", section.name);
        findings.warning("unused", text, section.span);
        interface.addresses.retain(|a| a.is_v6());
    }
    if interface.ip6proto == Ip6Proto::Static && !v6 {
        findings.error(
            "no-address",
            format!("[{}] has ip6proto = static and no ip6addr", section.name),
            section.span,
        );
    }
    if interface.ip6proto != Ip6Proto::Static && v6 {
        let text = format!("ip6addr has no effect: ip6proto of [{}] is not static", section.name);
        findings.warning("unused", text, section.span);
        interface.addresses.retain(|a| !a.is_v6());
    }
    if interface.mtu.is_some_and(|mtu| mtu < 1280) && interface.ip6proto != Ip6Proto::None {
        let d = findings.warning("mtu", "IPv6 needs an mtu of 1280 or more", section.span);
        d.help = Some("set `ip6proto = none`, or a larger mtu".to_owned());
    }
    if let Some(broadcast) = interface.broadcast
        && !interface.addresses.iter().any(|a| a.contains(broadcast.into()))
    {
        findings.error(
            "broadcast",
            format!("{broadcast} is in no network of [{}]", section.name),
            section.span,
        );
    }
}

fn kind(
    interface: &Interface,
    raw: &mut Raw<'_>,
    section: &Section<'_>,
    findings: &mut Findings<'_>,
) -> Kind {
    let by_name = interface.name.vlan();
    let vlan = match (raw.vlan_dev.take(), raw.vlan_id.take(), by_name) {
        (Some((parent, _)), Some((id, _)), _) => Some((parent, id)),
        (None, None, by_name) => by_name,
        (dev, id, _) => {
            let at = dev.map(|d| d.1).or(id.map(|i| i.1)).unwrap_or(section.span);
            findings.error("vlan", "vlandev and vlanid belong together", at);
            None
        }
    };
    if let Some((_, at)) = &raw.egress
        && vlan.is_none()
    {
        findings.error(
            "vlan",
            format!("[{}] is no VLAN: vlanegressmap has no meaning here", section.name),
            *at,
        );
    }
    let options = raw.bond_options.take();
    match (raw.bond.take(), raw.bridge.take(), vlan) {
        (Some((members, at)), None, None) => {
            if members.is_empty() {
                findings.error("bond", "a bond without members never has a carrier", at);
            }
            Kind::Bond { members, options: options.map(|o| o.0).unwrap_or_default() }
        }
        (None, Some((members, _)), None) if options.is_none() => Kind::Bridge { members },
        (None, None, Some((parent, id))) if options.is_none() => {
            Kind::Vlan { parent, id, egress: raw.egress.take().map(|e| e.0).unwrap_or_default() }
        }
        (None, None, None) if options.is_none() => Kind::Device,
        (None, _, _) => {
            let at = options.map_or(section.span, |o| o.1);
            findings.error("bond", "bondopts without slaves", at);
            Kind::Device
        }
        _ => {
            let text = format!("[{}] can be one of a bond, a bridge and a VLAN only", section.name);
            findings.error("kind", text, section.span);
            Kind::Device
        }
    }
}

/// Splits `-G eth0 rx 4096; speed 1000 duplex full` into commands. Without a flag in front it is `-s`; the
/// interface's name behind the flag may be left out.
fn ethtool(text: &str, name: &InterfaceName) -> Vec<Vec<String>> {
    let commands =
        text.split(';').map(|c| c.split_whitespace().collect::<Vec<_>>()).filter(|c| !c.is_empty());
    commands
        .map(|command| {
            let (flag, rest) = match command.split_first() {
                Some((first, rest)) if first.starts_with('-') => (*first, rest),
                _ => ("-s", command.as_slice()),
            };
            let rest = rest.strip_prefix(&[name.as_str()]).unwrap_or(rest);
            std::iter::once(flag).chain(rest.iter().copied()).map(str::to_owned).collect()
        })
        .collect()
}
