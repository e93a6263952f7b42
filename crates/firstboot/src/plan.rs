//! From [`Answers`] to files and commands.
use crate::{Answers, NetworkAnswer, Password, StaticNetwork};
use esos_exec::Cmd;
use std::fmt::Write;
use std::net::IpAddr;

/// Written when a box was set up; while it is there, an answer file is not applied again.
pub const MARKER: &str = "/etc/esos/setup";

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// A file is replaced whole.
    File {
        /// Its path.
        path: &'static str,
        /// Its text.
        text: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link is replaced.
    Link {
        /// Its path.
        path: &'static str,
        /// What it points to.
        target: String,
    },
    /// A program runs; a password is on its standard input only.
    Run(Cmd),
}

/// What is done, in order. The password comes last but for the marker: a box that was interrupted asks
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The actions.
    pub actions: Vec<Action>,
}

impl Plan {
    /// What the answers ask for. `authorized_keys` is the text that root has now; keys are added to it.
    #[must_use]
    pub fn new(answers: &Answers, authorized_keys: &str, by: &str) -> Self {
        let mut actions = Vec::new();
        if let Some(host) = &answers.hostname {
            // A long name has its domain in /etc/network.conf; the kernel's name is the short one.
            actions.push(file("/etc/hostname", format!("{}\n", host.short()), 0o644));
            actions.push(Action::Run(Cmd::new("/usr/bin/hostname").arg(host.short())));
        }
        let domain = answers.hostname.as_ref().and_then(|h| h.as_str().split_once('.')).map(|(_, d)| d);
        if answers.network.is_some() || domain.is_some() {
            let network = answers.network.as_ref().unwrap_or(&NetworkAnswer::Dhcp);
            actions.push(file("/etc/network.conf", network_conf(network, domain), 0o644));
        }
        if let Some(zone) = &answers.timezone {
            actions.push(file("/etc/timezone", format!("{zone}\n"), 0o644));
            let target = format!("/usr/share/zoneinfo/{zone}");
            actions.push(Action::Link { path: "/etc/localtime", target });
        }
        let new: Vec<&str> = answers
            .ssh_keys
            .iter()
            .map(String::as_str)
            .filter(|k| !authorized_keys.lines().any(|l| l == *k))
            .collect();
        if !new.is_empty() {
            let mut text = authorized_keys.to_owned();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            for key in new {
                // Writing to a string cannot fail.
                let _written = writeln!(text, "{key}");
            }
            actions.push(file("/root/.ssh/authorized_keys", text, 0o600));
        }
        if let Some(password) = &answers.password {
            let (args, secret): (&[&str], _) = match password {
                Password::Plain(secret) => (&["--crypt-method", "YESCRYPT"], secret),
                Password::Hash(secret) => (&["--encrypted"], secret),
            };
            let line = format!("root:{}\n", secret.expose());
            actions.push(Action::Run(Cmd::new("/usr/sbin/chpasswd").args(args).stdin(line)));
        }
        actions.push(file(MARKER, format!("{by}\n"), 0o644));
        Self { actions }
    }
}

fn file(path: &'static str, text: String, mode: u32) -> Action {
    Action::File { path, text, mode }
}

/// A network.conf that says no more than the answers.
fn network_conf(network: &NetworkAnswer, domain: Option<&str>) -> String {
    let mut text = String::from(
        "# The network of this box; `esos net check` and `esos net plan` explain it.\n\
         # Without a section for an interface, every wired one with a carrier asks by DHCP.\n\n[general]\n",
    );
    if let Some(domain) = domain {
        let _written = writeln!(text, "domainname = {domain}");
    }
    if let NetworkAnswer::Static(network) = network {
        for (number, server) in (1..).zip(&network.name_servers) {
            let _written = writeln!(text, "nameserver{number} = {server}");
        }
        text.push_str(&interface(network));
    }
    text
}

fn interface(network: &StaticNetwork) -> String {
    let list = |v6: bool| -> String {
        let of_family = network.addresses.iter().filter(|a| a.is_v6() == v6);
        of_family.map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let (v4, v6) = (list(false), list(true));
    let mut text =
        format!("\n[{}]\nbootproto = {}\n", network.interface, if v4.is_empty() { "none" } else { "static" });
    for (key, value) in [("ipaddr", v4), ("ip6addr", v6)] {
        if !value.is_empty() {
            let _written = writeln!(text, "{key} = {value}");
        }
    }
    for gateway in &network.gateways {
        let key = if matches!(gateway, IpAddr::V4(_)) { "gateway" } else { "gateway6" };
        let _written = writeln!(text, "{key} = {gateway}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(text: &str) -> Answers {
        Answers::parse("answers.conf", text).unwrap()
    }

    fn text_of<'p>(plan: &'p Plan, wanted: &str) -> &'p str {
        let found = plan.actions.iter().find_map(|a| match a {
            Action::File { path, text, .. } if *path == wanted => Some(text.as_str()),
            _ => None,
        });
        found.unwrap()
    }

    #[test]
    fn the_network_it_writes_is_the_network_it_was_told() {
        let plan = Plan::new(
            &answers(
                "hostname=san1.example.org\nnetwork=static\ninterface=enp1s0\naddress=192.0.2.10/24\naddress=192.0.2.11/24\n\
                 address=2001:db8::10/64\ngateway=192.0.2.1\ngateway=fe80::1\nnameserver=192.0.2.53\nnameserver=2001:db8::53\n",
            ),
            "",
            "file",
        );
        let (config, findings) = esos_network::parse("network.conf", text_of(&plan, "/etc/network.conf"));
        assert_eq!(findings, []);
        let interface = config.interfaces.first().unwrap();
        assert_eq!(interface.name.as_str(), "enp1s0");
        assert_eq!((interface.addresses.len(), interface.gateways.len()), (3, 2));
        assert_eq!(config.general.name_servers.len(), 2);
        assert_eq!(config.general.domainname.unwrap().as_str(), "example.org");
        assert_eq!(text_of(&plan, "/etc/hostname"), "san1\n");
        let v6 = Plan::new(&answers("network=static\ninterface=eth0\naddress=2001:db8::1/64\n"), "", "file");
        assert_eq!(esos_network::parse("network.conf", text_of(&v6, "/etc/network.conf")).1, []);
    }

    #[test]
    fn the_password_is_the_last_thing_and_only_on_standard_input() {
        let hash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";
        let plan = Plan::new(
            &answers(&format!("password_hash={hash}\nhostname=san1\ntimezone=Etc/UTC\n")),
            "",
            "file",
        );
        let [.., Action::Run(cmd), Action::File { path: MARKER, .. }] = plan.actions.as_slice() else {
            panic!("{:?}", plan.actions.len())
        };
        assert_eq!(cmd.to_string(), "/usr/sbin/chpasswd --encrypted");
        assert_eq!(cmd.input(), format!("root:{hash}\n").as_bytes());
    }

    #[test]
    fn keys_are_added_once() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHlj6s+JfC2xAAAA admin";
        let answers = answers(&format!("ssh_key={key}\n"));
        let first = Plan::new(&answers, "ssh-rsa old", "file");
        let text = text_of(&first, "/root/.ssh/authorized_keys");
        assert_eq!(text, format!("ssh-rsa old\n{key}\n"));
        assert_eq!(Plan::new(&answers, text, "file").actions.len(), 1, "only the marker is left to write");
    }
}
