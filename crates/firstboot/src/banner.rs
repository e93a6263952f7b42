//! What stands above `login:` and what a login prints.
use esos_network::{Cidr, InterfaceName};
use std::fmt::Write;

/// What the banner tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Banner {
    /// The version of ESOS.
    pub version: String,
    /// The slot that runs, `PRIMARY`; empty where there is none.
    pub slot: String,
    /// `prod` or `debug`, where it is known.
    pub flavour: Option<String>,
    /// The host name.
    pub host: String,
    /// The kernel's release.
    pub kernel: String,
    /// Interfaces with a carrier or an address, and their addresses.
    pub interfaces: Vec<(InterfaceName, Vec<Cidr>)>,
    /// The ssh host key: `SHA256:… (ED25519)`.
    pub fingerprint: Option<String>,
    /// What is wrong with the stick, in one line.
    pub stick: Option<String>,
    /// Nobody has set up the box yet.
    pub needs_setup: bool,
}

/// The two commands to begin with.
pub const NEXT: [&str; 2] = ["esos status", "esos doctor"];

impl Banner {
    /// The text for getty's issue file. It is plain ASCII, holds no backslash (getty would read it as an
    /// escape), and ends in an empty line.
    #[must_use]
    pub fn issue(&self) -> String {
        let mut text = String::from("\n");
        text.push_str(&self.text());
        if self.needs_setup {
            text.push_str("  This box has not been set up yet: log in as root, here, without a password.\n");
        }
        text.push('\n');
        text
    }

    /// The text that a login prints.
    #[must_use]
    pub fn motd(&self) -> String {
        self.text()
    }

    fn text(&self) -> String {
        let mut text = String::from("ESOS");
        let slot = (!self.slot.is_empty()).then(|| format!("slot {}", self.slot));
        let kernel = (!self.kernel.is_empty()).then(|| format!("kernel {}", self.kernel));
        let debug = (self.flavour.as_deref() == Some("debug")).then(|| "debug".to_owned());
        text.push(' ');
        text.push_str(&self.version);
        for part in [slot, debug, kernel].into_iter().flatten() {
            text.push_str(", ");
            text.push_str(&part);
        }
        // Writing to a string cannot fail.
        let _written = write!(text, "\n  host       {}\n", self.host);
        for (name, addresses) in &self.interfaces {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let list = if list.is_empty() { "no address".to_owned() } else { list.join("  ") };
            let _written = writeln!(text, "  {name:<10} {list}");
        }
        if self.interfaces.is_empty() {
            text.push_str("  network    no interface has a carrier\n");
        }
        if let Some(print) = &self.fingerprint {
            let _written = writeln!(text, "  ssh key    {print}");
        }
        if let Some(stick) = &self.stick {
            let _written = writeln!(text, "  stick      {stick}");
        }
        let _written = writeln!(text, "  next       {}", NEXT.join("   "));
        text.chars()
            .map(|c| match c {
                '\n' => c,
                '\\' => '/',
                c if c.is_ascii_graphic() || c == ' ' => c,
                _ => '?',
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn everything_that_a_person_needs_to_begin() {
        let banner = Banner {
            version: "0.1.0".into(),
            slot: "PRIMARY".into(),
            host: "san1".into(),
            kernel: "6.12.1-amd64".into(),
            interfaces: vec![
                (
                    "eth0".parse().unwrap(),
                    vec!["192.0.2.10/24".parse().unwrap(), "2001:db8::10/64".parse().unwrap()],
                ),
                ("eth1".parse().unwrap(), vec![]),
            ],
            fingerprint: Some("SHA256:abc (ED25519)".into()),
            ..Banner::default()
        };
        assert_eq!(
            banner.issue(),
            "\nESOS 0.1.0, slot PRIMARY, kernel 6.12.1-amd64\n  host       san1\n  eth0       192.0.2.10/24  2001:db8::10/64\n\
             \x20 eth1       no address\n  ssh key    SHA256:abc (ED25519)\n  next       esos status   esos doctor\n\n"
        );
    }

    proptest! {
        #[test]
        fn getty_never_sees_an_escape(host in ".{0,20}", stick in ".{0,20}") {
            let banner = Banner { host, stick: Some(stick), ..Banner::default() };
            prop_assert!(banner.issue().bytes().all(|b| b == b'\n' || (b == b' ' || b.is_ascii_graphic()) && b != b'\\'));
        }
    }
}
