//! Relations between interfaces.
use crate::InterfaceName;
use crate::config::{BootProto, Config, Interface, Ip6Proto, Kind};
use crate::read::Findings;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Finds what is wrong between interfaces, and moves those that cannot be made to `broken`.
pub(crate) fn relations(config: &mut Config, findings: &mut Findings<'_>) {
    let mut broken: Vec<(InterfaceName, String)> = Vec::new();
    two_masters(config, findings, &mut broken);
    members_with_addresses(config, findings);
    impossible_members(config, findings, &mut broken);
    loops(config, findings, &mut broken);
    same_vlan(config, findings, &mut broken);
    same_address(config, findings, &mut broken);
    one_subnet(config, findings);
    gateways(config, findings);
    for (name, why) in broken {
        config.interfaces.retain(|i| i.name != name);
        if !config.broken.iter().any(|(n, _)| n == name.as_str()) {
            config.broken.push((name.to_string(), why));
        }
    }
}

fn by_name<'c>(config: &'c Config, name: &InterfaceName) -> Option<&'c Interface> {
    config.interfaces.iter().find(|i| i.name == *name)
}

fn two_masters(config: &Config, findings: &mut Findings<'_>, broken: &mut Vec<(InterfaceName, String)>) {
    let mut master: BTreeMap<&InterfaceName, &Interface> = BTreeMap::new();
    for interface in &config.interfaces {
        for member in interface.members() {
            if let Some(first) = master.insert(member, interface) {
                let text = format!("{member} is in {} and in {}", first.name, interface.name);
                let d = findings.error("two-masters", text.clone(), interface.span);
                d.labels.push(esos_diag::Label { span: first.span, text: "the first one".to_owned() });
                broken.push((interface.name.clone(), text));
            }
        }
    }
}

/// A member's own address is not reached through its master: a finding, and the address is left out.
fn members_with_addresses(config: &mut Config, findings: &mut Findings<'_>) {
    let members: BTreeMap<InterfaceName, InterfaceName> = config
        .interfaces
        .iter()
        .flat_map(|i| i.members().iter().map(move |m| (m.clone(), i.name.clone())))
        .collect();
    for interface in &mut config.interfaces {
        let Some(master) = members.get(&interface.name) else { continue };
        if interface.bootproto != BootProto::None || !interface.addresses.is_empty() {
            let text = format!("{} is a member of {master}: it has no address of its own", interface.name);
            let d = findings.warning("member-address", text, interface.span);
            d.help = Some(format!("move the address to [{master}] and set `bootproto = none` here"));
        }
        interface.bootproto = BootProto::None;
        interface.ip6proto = Ip6Proto::None;
        interface.addresses.clear();
        interface.gateways.clear();
        interface.routes.clear();
    }
}

/// What the kernel refuses: bonds in bonds, bridges in bridges or bonds.
fn impossible_members(
    config: &Config,
    findings: &mut Findings<'_>,
    broken: &mut Vec<(InterfaceName, String)>,
) {
    for interface in &config.interfaces {
        let bond = matches!(interface.kind, Kind::Bond { .. });
        for member in interface.members().iter().filter_map(|m| by_name(config, m)) {
            let word = match (&member.kind, bond) {
                (Kind::Bond { .. }, true) => "a bond",
                (Kind::Bridge { .. }, _) => "a bridge",
                _ => continue,
            };
            let text = format!("{} is {word} and cannot be a member of {}", member.name, interface.name);
            findings.error("member", text.clone(), interface.span);
            broken.push((interface.name.clone(), text));
        }
    }
}

fn loops(config: &Config, findings: &mut Findings<'_>, broken: &mut Vec<(InterfaceName, String)>) {
    for interface in &config.interfaces {
        // Everything below it; at most as many rounds as there are interfaces.
        let mut below: Vec<&InterfaceName> = interface.below().collect();
        let mut at = 0;
        while let Some(name) = below.get(at).copied() {
            let further = by_name(config, name).into_iter().flat_map(Interface::below);
            let new: Vec<&InterfaceName> = further.filter(|n| !below.contains(n)).collect();
            below.extend(new);
            at = at.saturating_add(1);
        }
        if below.contains(&&interface.name) {
            let text = format!("{} is made of itself", interface.name);
            findings.error("loop", text.clone(), interface.span);
            broken.push((interface.name.clone(), text));
        }
    }
}

fn same_vlan(config: &Config, findings: &mut Findings<'_>, broken: &mut Vec<(InterfaceName, String)>) {
    let mut seen: BTreeMap<(&InterfaceName, u16), &Interface> = BTreeMap::new();
    for interface in &config.interfaces {
        let Kind::Vlan { parent, id, .. } = &interface.kind else { continue };
        if let Some(first) = seen.insert((parent, *id), interface) {
            let text = format!("{} and {} are both VLAN {id} of {parent}", first.name, interface.name);
            findings.error("same-vlan", text.clone(), interface.span);
            broken.push((interface.name.clone(), text));
        }
    }
}

fn same_address(config: &Config, findings: &mut Findings<'_>, broken: &mut Vec<(InterfaceName, String)>) {
    let mut seen: BTreeMap<IpAddr, &Interface> = BTreeMap::new();
    for interface in &config.interfaces {
        for address in &interface.addresses {
            if let Some(first) = seen.insert(address.addr(), interface) {
                let text = format!("{} is the address of {} already", address.addr(), first.name);
                let d = findings.error("same-address", text.clone(), interface.span);
                d.labels.push(esos_diag::Label { span: first.span, text: "here".to_owned() });
                if first.name != interface.name {
                    broken.push((interface.name.clone(), text));
                }
            }
        }
    }
}

fn one_subnet(config: &Config, findings: &mut Findings<'_>) {
    let all: Vec<_> =
        config.interfaces.iter().flat_map(|i| i.addresses.iter().map(move |a| (i, *a))).collect();
    for (at, (one, a)) in all.iter().enumerate() {
        for (other, b) in all.iter().skip(at.saturating_add(1)) {
            if one.name != other.name
                && a.network() == b.network()
                && a.prefix() == b.prefix()
                && a.prefix() > 0
            {
                let text =
                    format!("{} and {} are both in {}/{}", one.name, other.name, a.network(), a.prefix());
                let d = findings.warning("one-subnet", text, other.span);
                d.help = Some(
                    "packets to that network leave by one of them only; paths that shall survive each other \
                     need a network each"
                        .to_owned(),
                );
            }
        }
    }
}

/// A gateway that nobody can reach: with DHCP somewhere it may still turn up.
fn gateways(config: &Config, findings: &mut Findings<'_>) {
    let dynamic = config.interfaces.is_empty()
        || config.interfaces.iter().any(|i| i.bootproto == BootProto::Dhcp)
        || !config.broken.is_empty();
    let reach = |interfaces: &[Interface], gateway: &IpAddr| {
        matches!(gateway, IpAddr::V6(a) if a.is_unicast_link_local())
            || interfaces.iter().flat_map(|i| &i.addresses).any(|a| a.contains(*gateway))
    };
    let at = config.interfaces.first().map(|i| i.span).unwrap_or_default();
    for gateway in &config.general.gateways {
        if !dynamic && !reach(&config.interfaces, gateway) {
            findings.warning(
                "gateway",
                format!("the default gateway {gateway} is in no network of this box"),
                at,
            );
        }
        if matches!(gateway, IpAddr::V6(a) if a.is_unicast_link_local()) {
            let d = findings.warning("gateway", format!("{gateway} says nothing without its interface"), at);
            d.help = Some("put it into the interface's section as `gateway6`".to_owned());
        }
    }
    for interface in &config.interfaces {
        for gateway in &interface.gateways {
            let own = std::slice::from_ref(interface);
            if interface.bootproto != BootProto::Dhcp && !reach(own, gateway) {
                let text = format!("{gateway} is in no network of {}", interface.name);
                findings.warning("gateway", text, interface.span);
            }
        }
    }
}
