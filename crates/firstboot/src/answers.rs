//! What a box must be told once.
use esos_network::{Cidr, HostName, InterfaceName};
use esos_units::Secret;
use std::net::IpAddr;

/// Fewest characters of root's password.
pub const MIN_PASSWORD: usize = 8;

/// Root's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// As it was typed.
    Plain(Secret),
    /// As it stands in `/etc/shadow`, such as `$y$j9T$…`.
    Hash(Secret),
}

impl Password {
    /// A typed password.
    ///
    /// # Errors
    /// Says what is wrong with it: too short, or a control character in it.
    pub fn plain(text: &str) -> Result<Self, String> {
        if text.chars().count() < MIN_PASSWORD {
            return Err(format!("the password needs {MIN_PASSWORD} characters or more"));
        }
        if text.chars().any(char::is_control) {
            return Err("the password has a control character in it".to_owned());
        }
        Ok(Self::Plain(Secret::new(text)))
    }

    /// A hash of crypt(5). Only methods that are still considered strong are taken: yescrypt (`$y$`),
    /// gost-yescrypt (`$gy$`), scrypt (`$7$`), bcrypt (`$2b$`), SHA-512 (`$6$`) and SHA-256 (`$5$`).
    ///
    /// # Errors
    /// Says what was expected.
    pub fn hash(text: &str) -> Result<Self, String> {
        let known = ["$y$", "$gy$", "$7$", "$2b$", "$6$", "$5$"];
        let rest = known.iter().find_map(|k| text.strip_prefix(k)).unwrap_or("");
        let body = |b: u8| b.is_ascii_graphic() && !b":;*!\\".contains(&b);
        if rest.len() < 16 || !rest.bytes().all(body) {
            return Err("a hash of crypt(5) that starts with $y$, $gy$, $7$, $2b$, $6$ or $5$ \
                        (`mkpasswd` or `openssl passwd -6` makes one)"
                .to_owned());
        }
        Ok(Self::Hash(Secret::new(text)))
    }
}

/// One static address and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticNetwork {
    /// The interface that gets it.
    pub interface: InterfaceName,
    /// One address or more, of either family.
    pub addresses: Vec<Cidr>,
    /// At most one gateway of each family.
    pub gateways: Vec<IpAddr>,
    /// Name servers in their order.
    pub name_servers: Vec<IpAddr>,
}

/// How the box gets its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkAnswer {
    /// DHCP and router advertisements on every wired interface with a carrier.
    Dhcp,
    /// A static address on one interface.
    Static(StaticNetwork),
}

/// All answers. What is `None` or empty stays as it is on the box.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// Root's password.
    pub password: Option<Password>,
    /// Lines for `authorized_keys` of root.
    pub ssh_keys: Vec<String>,
    /// The host name.
    pub hostname: Option<HostName>,
    /// The network.
    pub network: Option<NetworkAnswer>,
    /// A name of the zone database, such as `Europe/Berlin`.
    pub timezone: Option<String>,
}

/// Whether a text can be a name of the zone database: parts of letters, digits, `_`, `+` and `-`, joined
/// by single slashes. It never leads out of a directory.
pub(crate) fn zone_like(text: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
            && !p.starts_with('-')
    };
    text.len() <= 64 && text.split('/').all(part)
}

/// Whether a static network makes sense as a whole.
pub(crate) fn check_gateway(addresses: &[Cidr], gateway: IpAddr) -> Result<(), String> {
    let reachable = match gateway {
        IpAddr::V6(a) if a.is_unicast_link_local() => true,
        _ => addresses.iter().any(|a| a.contains(gateway)),
    };
    if gateway.is_unspecified() || gateway.is_multicast() || gateway.is_loopback() {
        return Err(format!("{gateway} is no gateway"));
    }
    if !reachable {
        let nets: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        return Err(format!("{gateway} is not in the network of {}", nets.join(" or ")));
    }
    if addresses.iter().any(|a| a.addr() == gateway) {
        return Err(format!("{gateway} is this box itself"));
    }
    Ok(())
}

/// Whether an address can be given to an interface.
pub(crate) fn check_address(address: Cidr) -> Result<(), String> {
    let addr = address.addr();
    if addr.is_unspecified() || addr.is_multicast() || addr.is_loopback() {
        return Err(format!("{addr} is no address for an interface"));
    }
    if address.prefix() == 0 {
        return Err("a prefix length of 0 would make every address a neighbour".to_owned());
    }
    if let IpAddr::V4(v4) = addr
        && address.prefix() < 31
    {
        let host_bits = u32::MAX.checked_shr(address.prefix().into()).unwrap_or(0);
        let host = v4.to_bits() & host_bits;
        if host == 0 || host == host_bits {
            return Err(format!("{address} is the network or its broadcast address, not a host in it"));
        }
    }
    Ok(())
}
