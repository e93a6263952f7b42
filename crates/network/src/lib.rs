//! The network of an ESOS box: `/etc/network.conf`, the INI file of the original ESOS, and more.
//!
//! [`parse`] reads it: any interface name, IPv4 and IPv6, bonds, bridges, VLANs, routes. Findings have
//! their place in the file; an interface with an error is left out, the others stay. [`plan()`] turns it
//! into the exact commands (`ip`, `ethtool`, `sysctl`, one `dhcpcd` for all interfaces) and files;
//! [`apply()`] runs them, and one interface that fails never stops another.
//!
//! Keys: `[general]` has `hostname domainname defaultgw defaultgw6 nameserver1… search`; the section of an
//! interface has `bootproto` (static, dhcp, none), `ipaddr` (`192.0.2.10/24`, or with `netmask`; more than
//! one with blanks between), `netmask`, `broadcast`, `mtu`, `gateway`, `gateway6`, `ip6proto` (auto,
//! static, none), `ip6addr`, `route1…`, `ethtoolopts`; a bond `slaves` and `bondopts`; a bridge
//! `brmembers`; a VLAN is named `eth0.42` or has `vlandev` and `vlanid`, and may have `vlanegressmap`.
//!
//! ```
//! use esos_network::{Facts, parse, plan};
//!
//! let text = "[general]\nhostname = san1\n[eth0.42]\nbootproto = static\nipaddr = 192.0.2.10/24\n";
//! let (config, findings) = parse("/etc/network.conf", text);
//! assert!(findings.is_empty());
//! let plan = plan(&config, &Facts::default());
//! let commands: Vec<String> = plan.interfaces[0].steps.iter().map(|s| s.cmd.to_string()).collect();
//! assert!(commands.contains(&"/usr/sbin/ip link add link eth0 name eth0.42 type vlan id 42".to_owned()));
//! assert!(commands.contains(&"/usr/sbin/ip address replace 192.0.2.10/24 broadcast + dev eth0.42".to_owned()));
//! ```
mod apply;
mod check;
mod cidr;
mod config;
mod dhcp;
mod files;
mod ini;
mod names;
#[cfg(feature = "serde")]
mod observe;
mod plan;
mod read;

pub use apply::{Outcome, Report, apply, run};
pub use cidr::{Cidr, ParseCidrError, prefix_of_netmask};
pub use config::{BootProto, Config, General, Interface, Ip6Proto, Kind, Route};
pub use names::{HostName, InterfaceName, ParseHostNameError, ParseInterfaceNameError};
#[cfg(feature = "serde")]
pub use observe::{ObserveError, Seen, observe, seen_command};
pub use plan::{Facts, FilePlan, InterfacePlan, Link, MADE, Plan, Step, down, plan, set_hostname};
pub use read::parse;
