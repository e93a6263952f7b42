//! One typed model of DRBD's state, whatever printed it.
use crate::words::{Connection, Disk, Replication, Role};
use serde::Serialize;
use std::collections::BTreeMap;

/// Attributes that the model has no field for, as printed.
pub type Extra = BTreeMap<String, String>;

/// The state of all resources of one node at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The kernel module, where the output names it.
    pub version: Option<Version>,
    /// Resources in the order of the output.
    pub resources: Vec<Resource>,
}

/// The kernel module's version line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Version {
    /// `8.4.11`, `9.2.18`.
    pub module: Option<String>,
    /// The utilities: `9.22.0`.
    pub utils: Option<String>,
    /// The newest protocol that it speaks.
    pub protocol: Option<u32>,
    /// Everything else that was said.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

impl Version {
    /// The first number of the module's version: 8 or 9.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.module.as_deref()?.split('.').next()?.parse().ok()
    }
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Resource {
    /// Its name; outputs by minor number alone (`/proc/drbd`, `drbdadm role`) have none.
    pub name: Option<String>,
    /// This node's id (DRBD 9).
    pub node_id: Option<u32>,
    /// This node's role.
    pub role: Role,
    /// Why I/O is frozen; empty where it is not, `None` where the output does not say.
    pub suspended: Option<Vec<String>>,
    /// DRBD 9: whether a promotion would be granted.
    pub may_promote: Option<bool>,
    /// DRBD 9: how well this node would serve.
    pub promotion_score: Option<i64>,
    /// Volumes by number.
    pub devices: Vec<Device>,
    /// Peers.
    pub connections: Vec<Peer>,
    /// Attributes that the model has no field for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// This node's side of one volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Device {
    /// The number in the resource.
    pub volume: u32,
    /// `/dev/drbdN`.
    pub minor: Option<u32>,
    /// The backing device (DRBD 9).
    pub backing_device: Option<String>,
    /// The state of the backing disk.
    pub disk: Disk,
    /// Whether this node is diskless on purpose (DRBD 9).
    pub client: Option<bool>,
    /// Whether this node has quorum; `None` where the output does not say (8.4 has none).
    pub quorum: Option<bool>,
    /// Bytes.
    pub size_bytes: Option<u64>,
    /// Who waits: `no`, `upper`, `lower`.
    pub blocked: Option<String>,
    /// Attributes that the model has no field for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// One peer of a resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Peer {
    /// The peer's host name (9), or the name of the connection (8.4: `peer`).
    pub name: Option<String>,
    /// The peer's node id (8.4: always 0).
    pub peer_node_id: Option<u32>,
    /// Whether it is connected.
    pub connection: Connection,
    /// The peer's role.
    pub peer_role: Role,
    /// Whether the send buffer is full.
    pub congested: Option<bool>,
    /// The peer's side of each volume.
    pub peer_devices: Vec<PeerDevice>,
    /// Network paths (DRBD 9).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Path>,
    /// Attributes that the model has no field for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// The peer's side of one volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PeerDevice {
    /// The number in the resource.
    pub volume: u32,
    /// What the pair is doing.
    pub replication: Replication,
    /// The peer's disk.
    pub peer_disk: Disk,
    /// Whether the peer is diskless on purpose (DRBD 9).
    pub peer_client: Option<bool>,
    /// Why a resync waits; empty where it does not.
    pub resync_suspended: Option<Vec<String>>,
    /// Per cent of the resync or verify that is done.
    pub done_percent: Option<f64>,
    /// Bytes that differ.
    pub out_of_sync_bytes: Option<u64>,
    /// Seconds to go, where DRBD guesses.
    pub eta_seconds: Option<u64>,
    /// Attributes that the model has no field for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// One network path of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Path {
    /// `ipv4:10.0.0.1:7789`.
    pub local: String,
    /// The peer's end.
    pub peer: String,
    /// Whether it is up.
    pub established: Option<bool>,
    /// Attributes that the model has no field for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

impl Resource {
    /// A resource of which nothing is known yet.
    #[must_use]
    pub fn new(name: Option<&str>) -> Self {
        Self {
            name: name.map(str::to_owned),
            node_id: None,
            role: Role::Unknown,
            suspended: None,
            may_promote: None,
            promotion_score: None,
            devices: Vec::new(),
            connections: Vec::new(),
            extra: Extra::new(),
        }
    }

    /// Its name, or `minor N`, or `the resource`.
    #[must_use]
    pub fn label(&self) -> String {
        let minor = || self.devices.first().and_then(|d| d.minor).map(|m| format!("minor {m}"));
        self.name.clone().or_else(minor).unwrap_or_else(|| "the resource".to_owned())
    }

    pub(crate) fn device(&mut self, volume: u32) -> &mut Device {
        let at = match self.devices.iter().position(|d| d.volume == volume) {
            Some(at) => at,
            None => {
                self.devices.push(Device::new(volume));
                self.devices.len().saturating_sub(1)
            }
        };
        // `at` is the position that was just found or made.
        &mut self.devices[at]
    }

    /// The connection with that node id and name; 8.4 gives a lost connection no name.
    pub(crate) fn find(&self, id: Option<u32>, name: Option<&str>) -> Option<usize> {
        self.connections.iter().position(|p| match (id, p.peer_node_id) {
            (Some(a), Some(b)) => a == b,
            _ => p.name.as_deref() == name,
        })
    }
}

impl Device {
    pub(crate) fn new(volume: u32) -> Self {
        Self {
            volume,
            minor: None,
            backing_device: None,
            disk: Disk::Unknown,
            client: None,
            quorum: None,
            size_bytes: None,
            blocked: None,
            extra: Extra::new(),
        }
    }
}

impl Peer {
    pub(crate) fn new(name: Option<&str>) -> Self {
        Self {
            name: name.map(str::to_owned),
            peer_node_id: None,
            connection: Connection::Other(String::new()),
            peer_role: Role::Unknown,
            congested: None,
            peer_devices: Vec::new(),
            paths: Vec::new(),
            extra: Extra::new(),
        }
    }

    pub(crate) fn device(&mut self, volume: u32) -> &mut PeerDevice {
        let at = match self.peer_devices.iter().position(|d| d.volume == volume) {
            Some(at) => at,
            None => {
                self.peer_devices.push(PeerDevice::new(volume));
                self.peer_devices.len().saturating_sub(1)
            }
        };
        // `at` is the position that was just found or made.
        &mut self.peer_devices[at]
    }

    /// Its name, or `the peer`.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("the peer")
    }
}

impl PeerDevice {
    pub(crate) fn new(volume: u32) -> Self {
        Self {
            volume,
            replication: Replication::Off,
            peer_disk: Disk::Unknown,
            peer_client: None,
            resync_suspended: None,
            done_percent: None,
            out_of_sync_bytes: None,
            eta_seconds: None,
            extra: Extra::new(),
        }
    }
}
