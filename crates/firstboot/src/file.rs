//! The answer file.
use crate::answers::{check_address, check_gateway, zone_like};
use crate::{Answers, NetworkAnswer, Password, StaticNetwork};
use esos_diag::ParseError;
use esos_network::{Cidr, HostName, InterfaceName};
use std::net::IpAddr;

/// Where each value of a static network stood, so that a fault in the whole can be shown at its line.
#[derive(Default)]
struct Network {
    kind: Option<(usize, bool)>,
    interface: Option<(usize, InterfaceName)>,
    addresses: Vec<(usize, Cidr)>,
    gateways: Vec<(usize, IpAddr)>,
    name_servers: Vec<(usize, IpAddr)>,
}

impl Answers {
    /// Reads an answer file: a `key=value` a line, blank lines and lines that start with `#` apart.
    ///
    /// ```text
    /// password_hash=$y$j9T$...      # a hash of crypt(5)
    /// ssh_key=ssh-ed25519 AAAA... admin    (may stand more than once)
    /// hostname=san1
    /// network=static                       (or dhcp, which takes none of the next four)
    /// interface=eth0
    /// address=192.0.2.10/24                (may stand more than once)
    /// gateway=192.0.2.1                    (once for IPv4, once for IPv6)
    /// nameserver=192.0.2.53                (may stand more than once)
    /// timezone=Europe/Berlin
    /// ```
    ///
    /// # Errors
    /// The first line that cannot be taken. There is no half of an answer file: with an error nothing of
    /// it is applied. An error never shows a password hash.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ParseError> {
        let mut answers = Self::default();
        let mut network = Network::default();
        let mut at = 0usize;
        for raw in text.split_inclusive('\n') {
            let start = at;
            at = at.saturating_add(raw.len());
            let line = raw.trim_end_matches(['\n', '\r']);
            // Editors of other systems start a file with a byte order mark.
            let line = line.strip_prefix('\u{feff}').filter(|_| start == 0).unwrap_or(line);
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let begin = start.saturating_add(raw.find(line).unwrap_or(0));
            let error = |offset: usize, expected: String| ParseError::at(origin, text, offset, expected);
            let Some((key, value)) = line.split_once('=') else {
                return Err(error(begin, "key=value".to_owned()));
            };
            let value_at = begin.saturating_add(key.len()).saturating_add(1);
            let (key, value) = (key.trim(), value.trim());
            take(&mut answers, &mut network, key, value, begin, value_at).map_err(|(offset, expected)| {
                let mut e = error(offset, expected);
                if key.starts_with("password") {
                    e.found = "***".to_owned();
                    e.line_text = format!("{key}=***");
                }
                e
            })?;
        }
        answers.network =
            whole(network).map_err(|(offset, why)| ParseError::at(origin, text, offset, why))?;
        Ok(answers)
    }
}

type Fault = (usize, String);

fn take(
    answers: &mut Answers,
    network: &mut Network,
    key: &str,
    value: &str,
    key_at: usize,
    value_at: usize,
) -> Result<(), Fault> {
    let bad = |why: String| (value_at, why);
    let once = |taken: bool| if taken { Err((key_at, format!("`{key}` once only"))) } else { Ok(()) };
    match key {
        "password_hash" => {
            once(answers.password.is_some())?;
            answers.password = Some(Password::hash(value).map_err(bad)?);
        }
        "password" => {
            return Err((key_at, "`password_hash`: a password itself has no place on a stick".to_owned()));
        }
        "ssh_key" => answers.ssh_keys.push(ssh_key(value).map_err(bad)?),
        "hostname" => {
            once(answers.hostname.is_some())?;
            answers.hostname = Some(value.parse::<HostName>().map_err(|e| bad(e.to_string()))?);
        }
        "timezone" => {
            once(answers.timezone.is_some())?;
            if !zone_like(value) {
                return Err(bad("a time zone such as Europe/Berlin".to_owned()));
            }
            answers.timezone = Some(value.to_owned());
        }
        "network" => {
            once(network.kind.is_some())?;
            network.kind = match value {
                "dhcp" => Some((key_at, false)),
                "static" => Some((key_at, true)),
                _ => return Err(bad("dhcp or static".to_owned())),
            };
        }
        "interface" => {
            once(network.interface.is_some())?;
            network.interface =
                Some((key_at, value.parse().map_err(|e| bad(format!("an interface name: {e}")))?));
        }
        "address" => {
            let address: Cidr =
                value.parse().map_err(|e: esos_network::ParseCidrError| bad(e.to_string()))?;
            check_address(address).map_err(bad)?;
            network.addresses.push((value_at, address));
        }
        "gateway" => {
            let gateway = value
                .parse::<IpAddr>()
                .map_or_else(|_| Err(bad("an IPv4 or IPv6 address".to_owned())), Ok)?;
            once(network.gateways.iter().any(|(_, g)| g.is_ipv4() == gateway.is_ipv4()))?;
            network.gateways.push((value_at, gateway));
        }
        "nameserver" => {
            let server = value
                .parse::<IpAddr>()
                .map_or_else(|_| Err(bad("an IPv4 or IPv6 address".to_owned())), Ok)?;
            network.name_servers.push((value_at, server));
        }
        _ => {
            let known = "password_hash, ssh_key, hostname, network, interface, address, gateway, nameserver or timezone";
            return Err((key_at, known.to_owned()));
        }
    }
    Ok(())
}

fn whole(network: Network) -> Result<Option<NetworkAnswer>, Fault> {
    let first = network
        .interface
        .iter()
        .map(|i| i.0)
        .chain(network.addresses.iter().map(|a| a.0))
        .chain(network.gateways.iter().map(|g| g.0))
        .chain(network.name_servers.iter().map(|n| n.0))
        .min();
    match (network.kind, first) {
        (None, None) => Ok(None),
        (Some((_, false)), None) => Ok(Some(NetworkAnswer::Dhcp)),
        (None | Some((_, false)), Some(at)) => Err((at, "`network=static` to go with it".to_owned())),
        (Some((kind_at, true)), _) => {
            let Some((_, interface)) = network.interface else {
                return Err((kind_at, "a line `interface=...` to go with it".to_owned()));
            };
            if network.addresses.is_empty() {
                return Err((kind_at, "a line `address=...` to go with it".to_owned()));
            }
            let addresses: Vec<Cidr> = network.addresses.iter().map(|a| a.1).collect();
            for (at, gateway) in &network.gateways {
                check_gateway(&addresses, *gateway)
                    .map_err(|why| (*at, format!("a reachable gateway: {why}")))?;
            }
            Ok(Some(NetworkAnswer::Static(StaticNetwork {
                interface,
                addresses,
                gateways: network.gateways.iter().map(|g| g.1).collect(),
                name_servers: network.name_servers.iter().map(|n| n.1).collect(),
            })))
        }
    }
}

fn ssh_key(text: &str) -> Result<String, String> {
    let expected = || "a public key such as `ssh-ed25519 AAAA... name`".to_owned();
    let mut words = text.split_whitespace();
    let (Some(kind), Some(body)) = (words.next(), words.next()) else { return Err(expected()) };
    let known = kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-") || kind.starts_with("sk-");
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    if !known || body.len() < 32 || !body.bytes().all(base64) || text.chars().any(char::is_control) {
        return Err(expected());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";

    fn check(text: &str, expected: &str) {
        assert_eq!(Answers::parse("answers.conf", text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn everything_at_once() {
        let text = format!(
            "\u{feff}# for san1\r\npassword_hash={HASH}\r\nssh_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHlj6s+JfC2x admin\r\n\
             hostname = san1.example.org\r\nnetwork=static\r\ninterface=enp1s0\r\naddress=192.0.2.10/24\r\n\
             address=2001:db8::10/64\r\ngateway=192.0.2.1\r\ngateway=fe80::1\r\nnameserver=192.0.2.53\r\ntimezone=Europe/Berlin"
        );
        let answers = Answers::parse("a", &text).unwrap();
        assert_eq!(answers.password, Some(Password::hash(HASH).unwrap()));
        let Some(NetworkAnswer::Static(network)) = answers.network else { panic!("not static") };
        assert_eq!((network.addresses.len(), network.gateways.len()), (2, 2));
        assert_eq!(Answers::parse("a", "\n# nothing\n").unwrap(), Answers::default());
    }

    #[test]
    fn faults_show_their_place() {
        check(
            "hostname=san1\nhostnme=x\n",
            "answers.conf:2:1: expected password_hash, ssh_key, hostname, network, interface, address, gateway, nameserver or timezone, found `hostnme=x`\n  | hostnme=x",
        );
        check(
            "network=static\ninterface=eth0\n",
            "answers.conf:1:1: expected a line `address=...` to go with it, found `network=static`\n  | network=static",
        );
        check(
            "address=192.0.2.10/24\n",
            "answers.conf:1:9: expected `network=static` to go with it, found `192.0.2.10/24`\n  | address=192.0.2.10/24",
        );
        check(
            "network=static\ninterface=eth0\naddress=192.0.2.10/24\ngateway=10.0.0.1",
            "answers.conf:4:9: expected a reachable gateway: 10.0.0.1 is not in the network of 192.0.2.10/24, found `10.0.0.1`\n  | gateway=10.0.0.1",
        );
    }

    #[test]
    fn a_fault_never_shows_a_password() {
        for text in [
            "password=hunter22\n",
            "password_hash=hunter22\n",
            "password_hash=$1$hunter22$hunter22hunter22\n",
        ] {
            let error = Answers::parse("a", text).unwrap_err();
            assert!(
                !error.to_string().contains("hunter22") && !format!("{error:?}").contains("hunter22"),
                "{error:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "([a-z_]{0,9}=.{0,9}\n|.{0,20}){0,6}") {
            let _answer = Answers::parse("x", &text);
        }
    }
}
