//! `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`.
use crate::config::Config;
use crate::plan::{Facts, FilePlan};
use std::fmt::Write;

/// The files that the general section asks for.
pub(crate) fn plan(config: &Config, facts: &Facts) -> Vec<FilePlan> {
    let general = &config.general;
    let mut files = Vec::new();
    let host = general.hostname.as_ref().or(facts.hostname.as_ref());
    if let Some(host) = host {
        if facts.hostname.as_ref() != Some(host) {
            files.push(FilePlan { path: "/etc/hostname", text: format!("{}\n", host.short()) });
        }
        let mut text = String::from("127.0.0.1\tlocalhost\n127.0.1.1\t");
        // A long name first, then the short one: what `hostname --fqdn` takes.
        let long = match (&general.domainname, host.as_str() == host.short()) {
            (Some(domain), true) => Some(format!("{host}.{domain}")),
            (_, false) => Some(host.to_string()),
            (None, true) => None,
        };
        if let Some(long) = long {
            text.push_str(&long);
            text.push(' ');
        }
        text.push_str(host.short());
        text.push_str(
            "\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
        );
        text.push_str(&facts.extra_hosts);
        files.push(FilePlan { path: "/etc/hosts", text });
    }
    if !general.name_servers.is_empty() {
        let mut text = String::from("# Written by esos-net from /etc/network.conf.\n");
        let search: Vec<&str> = match (&general.domainname, general.search.is_empty()) {
            (Some(domain), true) => vec![domain.as_str()],
            _ => general.search.iter().map(crate::HostName::as_str).collect(),
        };
        if !search.is_empty() {
            let _written = writeln!(text, "search {}", search.join(" "));
        }
        for server in &general.name_servers {
            let _written = writeln!(text, "nameserver {server}");
        }
        files.push(FilePlan { path: "/etc/resolv.conf", text });
    }
    files
}
