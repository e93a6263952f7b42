//! What `/etc/network.conf` says.
use crate::{Cidr, HostName, InterfaceName};
use esos_diag::Span;
use std::net::{IpAddr, Ipv4Addr};

/// The whole file. Interfaces stand in the order of the file; one whose section has an error is not
/// among them but among `broken`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Config {
    /// The section `[general]`.
    pub general: General,
    /// Sections of interfaces that can be used.
    pub interfaces: Vec<Interface>,
    /// Sections of interfaces that cannot, with the first reason.
    pub broken: Vec<(String, String)>,
}

/// The section `[general]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct General {
    /// `hostname`.
    pub hostname: Option<HostName>,
    /// `domainname`.
    pub domainname: Option<HostName>,
    /// `defaultgw` (IPv4) and `defaultgw6`.
    pub gateways: Vec<IpAddr>,
    /// `nameserver1`, `nameserver2`, …, in the order of their numbers.
    pub name_servers: Vec<IpAddr>,
    /// `search`: domains that are tried for short names.
    pub search: Vec<HostName>,
}

/// How an interface gets its IPv4 address: `bootproto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum BootProto {
    /// No address of its own: a member of a bond or bridge, or below VLANs.
    #[default]
    None,
    /// The addresses of `ipaddr`.
    Static,
    /// DHCP.
    Dhcp,
}

/// How an interface gets its IPv6 addresses: `ip6proto`. The default is `auto` with `bootproto = dhcp` or
/// `none`, and `static` where there is an `ip6addr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Ip6Proto {
    /// IPv6 is off on this interface.
    None,
    /// From router advertisements, and DHCPv6 where they ask for it.
    #[default]
    Auto,
    /// The addresses of `ip6addr`, and router advertisements are not listened to.
    Static,
}

/// A route of an interface: `route1 = 10.0.0.0/8 via 192.0.2.254 metric 100`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Route {
    /// Where to.
    pub to: Cidr,
    /// The next hop; none for what is on the link.
    pub via: Option<IpAddr>,
    /// Which route is taken where two lead there; the lower one.
    pub metric: Option<u32>,
}

/// What kind of interface it is, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Kind {
    /// One that the hardware has.
    #[default]
    Device,
    /// Made of `slaves`, with `bondopts`.
    Bond {
        /// The interfaces in it.
        members: Vec<InterfaceName>,
        /// Options as iproute2 spells them (`mode`, `miimon`, …), in order.
        options: Vec<(String, String)>,
    },
    /// Made of `brmembers`.
    Bridge {
        /// The interfaces in it; may be none.
        members: Vec<InterfaceName>,
    },
    /// A VLAN on another interface: by its name (`eth0.42`), or by `vlandev` and `vlanid`.
    Vlan {
        /// The interface below.
        parent: InterfaceName,
        /// Its number, 1..=4094.
        id: u16,
        /// `vlanegressmap`: priority of a packet → priority in its tag (0..=7).
        egress: Vec<(u32, u8)>,
    },
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Interface {
    /// Its name.
    pub name: InterfaceName,
    /// What it is.
    pub kind: Kind,
    /// IPv4.
    pub bootproto: BootProto,
    /// IPv6.
    pub ip6proto: Ip6Proto,
    /// `ipaddr` and `ip6addr`.
    pub addresses: Vec<Cidr>,
    /// `broadcast`; the kernel's own choice where it is not given.
    pub broadcast: Option<Ipv4Addr>,
    /// `mtu` in bytes.
    pub mtu: Option<u32>,
    /// `gateway` and `gateway6`: default routes through this interface.
    pub gateways: Vec<IpAddr>,
    /// `route1`, `route2`, …
    pub routes: Vec<Route>,
    /// `ethtoolopts`: arguments of ethtool, one list a command, without the interface's name.
    pub ethtool: Vec<Vec<String>>,
    /// Where its section starts.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
}

impl Interface {
    /// The interfaces that must be there before it can be made.
    pub fn below(&self) -> impl Iterator<Item = &InterfaceName> {
        let (members, parent): (&[InterfaceName], _) = match &self.kind {
            Kind::Device => (&[], None),
            Kind::Bond { members, .. } | Kind::Bridge { members } => (members, None),
            Kind::Vlan { parent, .. } => (&[], Some(parent)),
        };
        members.iter().chain(parent)
    }

    /// Its members, where it is a bond or a bridge.
    #[must_use]
    pub fn members(&self) -> &[InterfaceName] {
        match &self.kind {
            Kind::Bond { members, .. } | Kind::Bridge { members } => members,
            Kind::Device | Kind::Vlan { .. } => &[],
        }
    }
}
