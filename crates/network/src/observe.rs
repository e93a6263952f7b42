//! What the machine's network is now, out of `ip -json -details address show`.
use crate::{Cidr, InterfaceName, Link};
use esos_exec::Cmd;
use serde::Deserialize;
use std::net::IpAddr;

/// An interface as it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// Its name.
    pub name: InterfaceName,
    /// `bond`, `bridge`, `vlan`, …; `None` for hardware.
    pub kind: Option<String>,
    /// `ether`, `loopback`, `infiniband`, …
    pub link_type: String,
    /// The interface that it is a member of.
    pub master: Option<String>,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether the other end is there.
    pub carrier: bool,
    /// In bytes.
    pub mtu: u32,
    /// The hardware address.
    pub mac: Option<String>,
    /// Addresses that reach further than this link, as `ip` orders them; those still being probed for
    /// duplicates are not among them.
    pub addresses: Vec<Cidr>,
}

impl Seen {
    /// As the planner wants it. `radio`: it is a wireless card.
    #[must_use]
    pub fn link(&self, radio: bool) -> Link {
        let hardware = self.kind.is_none() && matches!(self.link_type.as_str(), "ether" | "infiniband");
        Link {
            name: self.name.clone(),
            wired: hardware && !radio,
            carrier: self.carrier,
            software: self.kind.is_some(),
        }
    }
}

/// The output of `ip` cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("the output of `ip -json address` is not as expected, line {line}, column {column}: {problem}")]
pub struct ObserveError {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
}

#[derive(Deserialize)]
struct RawLink {
    ifname: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    mtu: u32,
    #[serde(default)]
    link_type: String,
    master: Option<String>,
    address: Option<String>,
    linkinfo: Option<RawInfo>,
    #[serde(default)]
    addr_info: Vec<RawAddress>,
}

#[derive(Deserialize)]
struct RawInfo {
    info_kind: Option<String>,
}

#[derive(Deserialize)]
struct RawAddress {
    local: Option<IpAddr>,
    prefixlen: Option<u8>,
    scope: Option<String>,
    #[serde(default)]
    tentative: bool,
}

/// The command whose output [`observe`] reads.
#[must_use]
pub fn seen_command() -> Cmd {
    Cmd::new("/usr/sbin/ip").args(["-json", "-details", "address", "show"])
}

/// Reads the output of [`seen_command`] (iproute2 6.x). An entry without a name that the kernel could
/// have given is left out: `ip` prints empty objects for interfaces that vanish meanwhile.
///
/// # Errors
/// [`ObserveError`] for other JSON, or none.
pub fn observe(text: &str) -> Result<Vec<Seen>, ObserveError> {
    let raw: Vec<RawLink> = serde_json::from_str(text).map_err(|e| ObserveError {
        line: e.line(),
        column: e.column(),
        problem: e.to_string(),
    })?;
    let seen = raw.into_iter().filter_map(|link| {
        let has = |flag: &str| link.flags.iter().any(|f| f == flag);
        let far = |a: &&RawAddress| matches!(a.scope.as_deref(), Some("global" | "site")) && !a.tentative;
        Some(Seen {
            name: link.ifname.as_deref()?.parse().ok()?,
            up: has("UP"),
            carrier: has("LOWER_UP"),
            addresses: link
                .addr_info
                .iter()
                .filter(far)
                .filter_map(|a| Cidr::new(a.local?, a.prefixlen?).ok())
                .collect(),
            kind: link.linkinfo.and_then(|i| i.info_kind),
            link_type: link.link_type,
            master: link.master,
            mtu: link.mtu,
            mac: link.address,
        })
    });
    Ok(seen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of iproute2 6.1, shortened: loopback, a card, a bond; `{}` is what `ip` leaves of a vanished one.
    const REAL: &str = r#"[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"link_type":"loopback","address":"00:00:00:00:00:00","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo"}]},{},
    {"ifindex":2,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"operstate":"UP","link_type":"ether","address":"52:54:00:12:34:56","master":"bond0","addr_info":[{"family":"inet","local":"10.0.2.15","prefixlen":24,"broadcast":"10.0.2.255","scope":"global","dynamic":true,"label":"eth0"},{"family":"inet6","local":"fec0::5054:ff:fe12:3456","prefixlen":64,"scope":"site"},{"family":"inet6","local":"2001:db8::1","prefixlen":64,"scope":"global","tentative":true}]},
    {"ifindex":3,"ifname":"bond0","flags":["BROADCAST"],"mtu":1500,"link_type":"ether","linkinfo":{"info_kind":"bond","info_data":{"mode":"802.3ad"}},"addr_info":[]}]"#;

    #[test]
    fn a_recording() {
        let seen = observe(REAL).unwrap();
        assert_eq!(seen.len(), 3);
        let eth0 = seen.iter().find(|s| s.name.as_str() == "eth0").unwrap();
        let far = ["10.0.2.15/24", "fec0::5054:ff:fe12:3456/64"].map(|a| a.parse().unwrap());
        assert_eq!(eth0.addresses, far);
        assert!(eth0.carrier && eth0.link(false).wired && !eth0.link(true).wired);
        let bond = seen.last().unwrap().link(false);
        assert!(bond.software && !bond.wired && !bond.carrier);
        assert!(!seen.first().unwrap().link(false).wired);
        assert!(observe("").is_err() && observe("[{").is_err());
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in ".{0,60}") {
            let _answer = observe(&text);
        }
    }
}
