//! The configuration of dhcpcd: one process for all interfaces, IPv4 and IPv6.
use crate::config::{BootProto, Config, Interface, Ip6Proto};
use std::fmt::Write;

/// Where it is written.
pub(crate) const CONFIG: &str = "/run/esos/dhcpcd.conf";

/// Its text. `all`: no interface was configured, so further ones that appear are taken too.
pub(crate) fn config(config: &Config, interfaces: &[Interface], all: bool) -> String {
    let mut text = String::from(
        "# Written by esos-net from /etc/network.conf.\n\
         # A client id from the card's address: a RAM root has nothing else that stays over a boot.\n\
         clientid\n\
         persistent\n\
         noipv4ll\n\
         slaac hwaddr\n\
         require dhcp_server_identifier\n\
         hostname\n\
         option domain_name_servers, domain_name, domain_search, classless_static_routes, interface_mtu, ntp_servers\n\
         nohook hostname\n",
    );
    if !config.general.name_servers.is_empty() {
        text.push_str("# /etc/network.conf names the name servers.\nnohook resolv.conf\n");
    }
    let dhcp = interfaces.iter().filter(|i| i.bootproto == BootProto::Dhcp);
    if !all {
        let names: Vec<&str> = dhcp.clone().map(|i| i.name.as_str()).collect();
        // Writing to a string cannot fail.
        let _written = writeln!(text, "allowinterfaces {}", names.join(" "));
    }
    for interface in dhcp {
        let mut lines = String::new();
        if interface.ip6proto != Ip6Proto::Auto {
            lines.push_str("noipv6\n");
        }
        if interface.mtu.is_some() {
            lines.push_str("nooption interface_mtu\n");
        }
        if interface.gateways.iter().any(std::net::IpAddr::is_ipv4) {
            lines.push_str("nogateway\n");
        }
        if !lines.is_empty() {
            let _written = write!(text, "interface {}\n{lines}", interface.name);
        }
    }
    text
}
