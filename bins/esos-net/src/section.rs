//! Its part of `esos status`.
use crate::machine::{CONF, Conf, seen};
use esos_cli::{Global, Health, Section};
use esos_network::BootProto;

pub(crate) fn section(global: &Global) -> Section {
    let mut section = Section::new("network");
    let conf = match Conf::read(global) {
        Ok(conf) => conf,
        Err(e) => return section.finding(Health::Unknown, format!("{CONF}: {}", e.message()), None),
    };
    for (name, why) in &conf.config.broken {
        let message = format!("{CONF}: {name} is not used: {why}");
        section = section.finding(Health::Warn, message, Some("esos net check"));
    }
    let seen = match seen(global) {
        Ok(Some(seen)) => seen,
        Ok(None) => return section.line("a copied tree: addresses are not known"),
        Err(e) => return section.finding(Health::Unknown, e.message().to_owned(), None),
    };
    for s in seen.iter().filter(|s| s.link_type != "loopback" && (s.carrier || !s.addresses.is_empty())) {
        let list: Vec<String> = s.addresses.iter().map(ToString::to_string).collect();
        let list = if list.is_empty() { "no address".to_owned() } else { list.join(" ") };
        section = section.line(format!("{} {list}", s.name));
    }
    for interface in &conf.config.interfaces {
        let here = seen.iter().find(|s| s.name == interface.name);
        let problem = match here {
            None => "is configured, but not there",
            Some(s) if interface.bootproto != BootProto::None && !s.carrier => "has no carrier",
            Some(s) if interface.bootproto != BootProto::None && s.addresses.is_empty() => "has no address",
            Some(_) => continue,
        };
        let message = format!("{} {problem}", interface.name);
        section = section.finding(Health::Warn, message, Some("esos net show; esos net apply"));
    }
    let asking = conf.config.interfaces.is_empty();
    let any = seen.iter().any(|s| s.link_type != "loopback" && !s.addresses.is_empty());
    if asking && !any {
        let names: Vec<&str> = seen.iter().map(|s| s.name.as_str()).filter(|n| *n != "lo").collect();
        let message = format!("no interface of {} has got an address by DHCP", names.join(", "));
        section = section.finding(Health::Warn, message, Some("esos net show"));
    }
    section
}
