//! From [`Config`] to exact commands.
use crate::config::{BootProto, Config, Interface, Ip6Proto, Kind};
use crate::{HostName, InterfaceName, dhcp, files};
use esos_exec::Cmd;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

const IP: &str = "/usr/sbin/ip";
const ETHTOOL: &str = "/usr/sbin/ethtool";
const SYSCTL: &str = "/usr/sbin/sysctl";
const DHCPCD: &str = "/usr/sbin/dhcpcd";
const HOSTNAME: &str = "/usr/bin/hostname";

/// Where a plan notes which interfaces it makes, a name a line, so that the next one can remove them.
pub const MADE: &str = "/run/esos/net.made";

/// An interface that the machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Link {
    /// Its name.
    pub name: InterfaceName,
    /// It is Ethernet or InfiniBand hardware, and no radio.
    pub wired: bool,
    /// A cable is plugged in and the other end is there.
    pub carrier: bool,
    /// It was made by software (bond, bridge, VLAN, …) and can be removed.
    pub software: bool,
}

/// What the machine is like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Its interfaces; `None` where nobody can look (a copied tree): then every interface is taken to be
    /// there, and none in the way.
    pub links: Option<Vec<Link>>,
    /// The name in `/etc/hostname`.
    pub hostname: Option<HostName>,
    /// `/etc/xtra_hosts`: lines for `/etc/hosts`.
    pub extra_hosts: String,
    /// A DHCP client of ours runs.
    pub dhcp_running: bool,
    /// Interfaces that an earlier plan made (the text of [`MADE`]), the one made last at the end.
    pub made: Vec<InterfaceName>,
}

impl Facts {
    fn link(&self, name: &InterfaceName) -> Option<&Link> {
        self.links.iter().flatten().find(|l| l.name == *name)
    }

    fn may_exist(&self, name: &InterfaceName) -> bool {
        self.links.is_none() || self.link(name).is_some()
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command.
    pub cmd: Cmd,
    /// Whether the interface can do without it (then a failure is a warning).
    pub optional: bool,
}

#[cfg(feature = "serde")]
impl serde::Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let program = self.cmd.program().to_string_lossy().into_owned();
        let args = self.cmd.arguments().iter().map(|a| a.to_string_lossy().into_owned());
        let argv: Vec<String> = std::iter::once(program).chain(args).collect();
        let mut out = s.serialize_struct("Step", 2)?;
        out.serialize_field("argv", &argv)?;
        out.serialize_field("optional", &self.optional)?;
        out.end()
    }
}

/// What is done for one interface, in order. The first step that fails ends it; interfaces above it are
/// not tried then, all others are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct InterfacePlan {
    /// Its name.
    pub name: InterfaceName,
    /// Interfaces of this plan that must have come up before.
    pub needs: Vec<InterfaceName>,
    /// The commands.
    pub steps: Vec<Step>,
}

/// A file that is replaced whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FilePlan {
    /// Its path.
    pub path: &'static str,
    /// Its text.
    pub text: String,
}

/// Everything that is done, in order: `first`, then `files`, then each interface, then `last`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Plan {
    /// What goes away: the DHCP client and interfaces made by software that are made anew.
    pub first: Vec<Step>,
    /// Files.
    pub files: Vec<FilePlan>,
    /// Interfaces, those below before those above.
    pub interfaces: Vec<InterfacePlan>,
    /// Default routes, and DHCP for all interfaces at once, in the background.
    pub last: Vec<Step>,
    /// What is not done, and why.
    pub skipped: Vec<(String, String)>,
    /// Interfaces that get an address by DHCP.
    pub dhcp: Vec<InterfaceName>,
}

fn step(program: &str, args: &[&str]) -> Step {
    Step { cmd: Cmd::new(program).args(args).limit(Duration::from_secs(20)), optional: false }
}

fn optional(program: &str, args: &[&str]) -> Step {
    Step { optional: true, ..step(program, args) }
}

/// What is to be done so that the machine has the network of `config`. Safe to do again.
///
/// A configuration without a usable interface (an empty one, or one whose every section is broken)
/// means DHCP on every wired interface, so that a fresh box can be reached.
#[must_use]
pub fn plan(config: &Config, facts: &Facts) -> Plan {
    let mut plan = Plan::default();
    for (name, why) in &config.broken {
        plan.skipped.push((name.clone(), why.clone()));
    }
    if facts.dhcp_running {
        plan.first.push(optional(DHCPCD, &["-x"]));
    }
    plan.first.push(step(IP, &["link", "set", "dev", "lo", "up"]));
    let fallback = defaults(config, facts);
    let (interfaces, all) = match &fallback {
        Some(list) => (list.as_slice(), true),
        None => (config.interfaces.as_slice(), false),
    };
    let ordered = in_order(interfaces);
    let wanted = ordered.iter().rev().filter(|i| i.kind != Kind::Device).map(|i| &i.name);
    let old = facts.made.iter().rev().filter(|n| !ordered.iter().any(|i| i.name == **n));
    for name in old.chain(wanted) {
        if facts.link(name).is_some_and(|l| l.software) {
            // One that lies over another goes with it.
            plan.first.push(optional(IP, &["link", "delete", "dev", name.as_str()]));
        }
    }
    let made: BTreeSet<&InterfaceName> =
        ordered.iter().filter(|i| i.kind != Kind::Device).map(|i| &i.name).collect();
    for interface in &ordered {
        if let Some(why) = impossible(interface, facts, &made) {
            plan.skipped.push((interface.name.to_string(), why));
            continue;
        }
        let (steps, missing) = steps(interface, facts, &made);
        plan.skipped.extend(missing.into_iter().map(|m| {
            (m.to_string(), format!("there is no such interface; {} does without it", interface.name))
        }));
        let in_plan = |n: &&InterfaceName| ordered.iter().any(|i| i.name == **n);
        // A member's failure costs the bond that member, not the bond: its steps are optional there.
        let needs = match &interface.kind {
            Kind::Vlan { parent, .. } => Some(parent).filter(in_plan).cloned().into_iter().collect(),
            _ => Vec::new(),
        };
        if interface.bootproto == BootProto::Dhcp {
            plan.dhcp.push(interface.name.clone());
        }
        plan.interfaces.push(InterfacePlan { name: interface.name.clone(), needs, steps });
    }
    plan.files = files::plan(config, facts);
    let names = plan.interfaces.iter().filter(|i| made.contains(&i.name)).map(|i| format!("{}\n", i.name));
    let names: String = names.collect();
    if !names.is_empty() || !facts.made.is_empty() {
        plan.files.push(FilePlan { path: MADE, text: names });
    }
    for gateway in config.general.gateways.iter().filter(|g| !link_local(g)) {
        plan.last.push(default_route(gateway, None));
    }
    if !plan.dhcp.is_empty() {
        plan.files.push(FilePlan { path: dhcp::CONFIG, text: dhcp::config(config, interfaces, all) });
        // Its file names the interfaces. Called with a single one, dhcpcd would serve that alone, and
        // `dhcpcd -x` would not find it.
        plan.last.push(step(DHCPCD, &["-q", "-b", "-f", dhcp::CONFIG]));
    }
    plan
}

/// What takes the network down before the machine stops: leases are given back, and what was made by
/// software goes.
#[must_use]
pub fn down(facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    if facts.dhcp_running {
        steps.push(optional(DHCPCD, &["-k"]));
    }
    for link in facts.links.iter().flatten().filter(|l| l.software || l.wired) {
        steps.push(optional(IP, &["link", "set", "dev", link.name.as_str(), "down"]));
    }
    steps
}

fn link_local(gateway: &IpAddr) -> bool {
    matches!(gateway, IpAddr::V6(a) if a.is_unicast_link_local())
}

fn defaults(config: &Config, facts: &Facts) -> Option<Vec<Interface>> {
    let links = facts.links.as_ref().filter(|_| config.interfaces.is_empty())?;
    let wired = links.iter().filter(|l| l.wired && !l.software);
    Some(
        wired
            .map(|l| Interface {
                name: l.name.clone(),
                kind: Kind::Device,
                bootproto: BootProto::Dhcp,
                ip6proto: Ip6Proto::Auto,
                addresses: Vec::new(),
                broadcast: None,
                mtu: None,
                gateways: Vec::new(),
                routes: Vec::new(),
                ethtool: Vec::new(),
                span: esos_diag::Span::default(),
            })
            .collect(),
    )
}

/// Those below before those above; the order of the file otherwise. Loops were refused before.
fn in_order(interfaces: &[Interface]) -> Vec<&Interface> {
    let mut left: Vec<&Interface> = interfaces.iter().collect();
    let mut done: Vec<&Interface> = Vec::new();
    while !left.is_empty() {
        let ready = |i: &&&Interface| !i.below().any(|b| left.iter().any(|l| l.name == *b));
        let next: Vec<&Interface> = left.iter().filter(ready).copied().collect();
        if next.is_empty() {
            done.append(&mut left);
            break;
        }
        left.retain(|l| !next.iter().any(|n| n.name == l.name));
        done.extend(next);
    }
    done
}

fn impossible(interface: &Interface, facts: &Facts, made: &BTreeSet<&InterfaceName>) -> Option<String> {
    match &interface.kind {
        Kind::Device if !facts.may_exist(&interface.name) => {
            Some("there is no such interface in this machine".to_owned())
        }
        Kind::Vlan { parent, .. } if !made.contains(parent) && !facts.may_exist(parent) => {
            Some(format!("there is no {parent} in this machine"))
        }
        Kind::Bond { .. } | Kind::Bridge { .. } | Kind::Vlan { .. }
            if facts.link(&interface.name).is_some_and(|l| !l.software) =>
        {
            Some("a card of this machine has this name".to_owned())
        }
        _ => None,
    }
}

/// The commands for one interface, and members that are not there.
fn steps<'i>(
    interface: &'i Interface,
    facts: &Facts,
    made: &BTreeSet<&InterfaceName>,
) -> (Vec<Step>, Vec<&'i InterfaceName>) {
    let name = interface.name.as_str();
    let mut steps = Vec::new();
    let mut missing = Vec::new();
    let add = |kind: &[&str]| {
        let mut args = vec!["link", "add", "name", name];
        args.extend(kind);
        step(IP, &args)
    };
    match &interface.kind {
        Kind::Device => steps.push(optional(IP, &["address", "flush", "dev", name, "scope", "global"])),
        Kind::Bond { options, .. } => {
            let mut kind = vec!["type", "bond"];
            // Without a monitor the kernel's bond never notices that a cable was pulled.
            let watched = options.iter().any(|(k, _)| k == "miimon" || k == "arp_interval");
            kind.extend(options.iter().flat_map(|(k, v)| [k.as_str(), v.as_str()]));
            if !watched {
                kind.extend(["miimon", "100"]);
            }
            steps.push(add(&kind));
        }
        // No spanning tree and no wait of 30 seconds: a storage box is an end of the network.
        Kind::Bridge { .. } => steps.push(add(&["type", "bridge", "stp_state", "0", "forward_delay", "0"])),
        Kind::Vlan { parent, id, egress } => {
            let id = id.to_string();
            let map: Vec<String> = egress.iter().map(|(from, to)| format!("{from}:{to}")).collect();
            let mut args =
                vec!["link", "add", "link", parent.as_str(), "name", name, "type", "vlan", "id", &id];
            if !map.is_empty() {
                args.push("egress-qos-map");
                args.extend(map.iter().map(String::as_str));
            }
            steps.push(step(IP, &["link", "set", "dev", parent.as_str(), "up"]));
            steps.push(step(IP, &args));
        }
    }
    for member in interface.members() {
        if !made.contains(member) && !facts.may_exist(member) {
            missing.push(member);
            continue;
        }
        let member = member.as_str();
        // A bond takes only members that are down and have no address.
        steps.push(optional(IP, &["link", "set", "dev", member, "down"]));
        steps.push(optional(IP, &["address", "flush", "dev", member, "scope", "global"]));
        steps.push(optional(IP, &["link", "set", "dev", member, "master", name]));
        steps.push(optional(IP, &["link", "set", "dev", member, "up"]));
    }
    if let Some(mtu) = interface.mtu {
        steps.push(step(IP, &["link", "set", "dev", name, "mtu", &mtu.to_string()]));
    }
    steps.extend(ethtool(interface));
    steps.extend(ipv6(interface));
    steps.push(step(IP, &["link", "set", "dev", name, "up"]));
    steps.extend(addresses(interface));
    (steps, missing)
}

fn ethtool(interface: &Interface) -> impl Iterator<Item = Step> {
    let name = interface.name.as_str();
    interface.ethtool.iter().filter_map(move |command| {
        let (flag, rest) = command.split_first()?;
        let mut args = vec![flag.as_str(), name];
        args.extend(rest.iter().map(String::as_str));
        Some(optional(ETHTOOL, &args))
    })
}

/// The kernel's own handling of router advertisements: left to dhcpcd where that runs.
fn ipv6(interface: &Interface) -> Vec<Step> {
    // Dots of a name are slashes to nobody: sysctl takes `/` as its separator here.
    let key = |what: &str| format!("net/ipv6/conf/{}/{what}", interface.name);
    let set = |what: &str, value: &str| optional(SYSCTL, &["-q", "-w", &format!("{}={value}", key(what))]);
    match (interface.ip6proto, interface.bootproto) {
        (Ip6Proto::None, _) => vec![set("disable_ipv6", "1")],
        (Ip6Proto::Static, _) => vec![set("disable_ipv6", "0"), set("accept_ra", "0")],
        (Ip6Proto::Auto, BootProto::Dhcp) => vec![set("disable_ipv6", "0")],
        (Ip6Proto::Auto, _) => vec![set("disable_ipv6", "0"), set("accept_ra", "1")],
    }
}

fn addresses(interface: &Interface) -> Vec<Step> {
    let name = interface.name.as_str();
    let mut steps = Vec::new();
    for address in &interface.addresses {
        let text = address.to_string();
        let broadcast = interface
            .broadcast
            .filter(|b| address.contains((*b).into()))
            .map_or_else(|| "+".to_owned(), |b| b.to_string());
        let mut args = vec!["address", "replace", &text];
        // A point-to-point prefix has no broadcast address.
        if !address.is_v6() && address.prefix() < 31 {
            args.extend(["broadcast", &broadcast]);
        }
        args.extend(["dev", name]);
        steps.push(step(IP, &args));
    }
    for route in &interface.routes {
        let (to, via) = (route.to.to_string(), route.via.map(|v| v.to_string()));
        let metric = route.metric.map(|m| m.to_string());
        let mut args = vec![if route.to.is_v6() { "-6" } else { "-4" }, "route", "replace", &to];
        if let Some(via) = &via {
            args.extend(["via", via]);
        }
        args.extend(["dev", name]);
        if let Some(metric) = &metric {
            args.extend(["metric", metric]);
        }
        steps.push(optional(IP, &args));
    }
    steps.extend(interface.gateways.iter().map(|g| default_route(g, Some(name))));
    steps
}

fn default_route(gateway: &IpAddr, through: Option<&str>) -> Step {
    let via = gateway.to_string();
    let mut args =
        vec![if gateway.is_ipv6() { "-6" } else { "-4" }, "route", "replace", "default", "via", &via];
    if let Some(name) = through {
        args.extend(["dev", name]);
    }
    optional(IP, &args)
}

/// The command that gives the running kernel its name.
#[must_use]
pub fn set_hostname(name: &HostName) -> Step {
    step(HOSTNAME, &[name.short()])
}
