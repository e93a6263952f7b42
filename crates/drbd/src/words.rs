//! DRBD's own words for roles, disks, connections and replication.
use esos_units::words;

words! {
    /// Who may write: the role of a node for one resource.
    Role {
        /// Not told, or the peer cannot be asked.
        Unknown = "Unknown",
        /// May be opened for writing.
        Primary = "Primary",
        /// Only receives.
        Secondary = "Secondary",
    }
}

words! {
    /// The state of a backing disk, from worst to best.
    Disk {
        /// No backing device.
        Diskless = "Diskless",
        /// Reading the meta data.
        Attaching = "Attaching",
        /// Being given up.
        Detaching = "Detaching",
        /// An I/O error has just been reported.
        Failed = "Failed",
        /// Being negotiated with a peer.
        Negotiating = "Negotiating",
        /// A mix of old and new data: of no use before a resync has ended.
        Inconsistent = "Inconsistent",
        /// Usable, but known to be old.
        Outdated = "Outdated",
        /// The peer's disk: not known.
        Unknown = "DUnknown",
        /// Usable; whether it is the newest is not known before a peer was asked.
        Consistent = "Consistent",
        /// The newest data.
        UpToDate = "UpToDate",
    }
}

words! {
    /// The state of a connection, in DRBD 9's words. 8.4's `WFConnection` and `WFReportParams` are
    /// `Connecting`; its replication words (`SyncSource`, …) mean `Connected`.
    Connection {
        /// No attempt is made; after a split brain, or after `disconnect`.
        StandAlone = "StandAlone",
        /// Being taken down.
        Disconnecting = "Disconnecting",
        /// Before the first attempt.
        Unconnected = "Unconnected",
        /// The peer did not answer in time.
        Timeout = "Timeout",
        /// Broken.
        BrokenPipe = "BrokenPipe",
        /// The network failed.
        NetworkFailure = "NetworkFailure",
        /// The protocol was violated.
        ProtocolError = "ProtocolError",
        /// The peer takes it down.
        TearDown = "TearDown",
        /// Waiting for the peer.
        Connecting = "Connecting" | "WFConnection" | "WFReportParams",
        /// Up.
        Connected = "Connected",
    }
}

words! {
    /// What a connected pair of volumes is doing.
    Replication {
        /// Nothing: not connected.
        Off = "Off",
        /// Mirroring; all is well.
        Established = "Established",
        /// About to send a full resync.
        StartingSyncS = "StartingSyncS",
        /// About to receive a full resync.
        StartingSyncT = "StartingSyncT",
        /// Sending the bitmap.
        WfBitMapS = "WFBitMapS",
        /// Receiving the bitmap.
        WfBitMapT = "WFBitMapT",
        /// Waiting for the identity of the resync.
        WfSyncUuid = "WFSyncUUID",
        /// Sending a resync.
        SyncSource = "SyncSource",
        /// Receiving a resync.
        SyncTarget = "SyncTarget",
        /// Comparing, this side leads.
        VerifyS = "VerifyS",
        /// Comparing, the peer leads.
        VerifyT = "VerifyT",
        /// Sending a resync, which waits for another.
        PausedSyncS = "PausedSyncS",
        /// Receiving a resync, which waits for another.
        PausedSyncT = "PausedSyncT",
        /// Ahead of the peer, to which writes are not sent for now.
        Ahead = "Ahead",
        /// Behind the peer.
        Behind = "Behind",
    }
}

impl Disk {
    /// Whether a promotion may rest on this disk alone.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        *self == Self::UpToDate
    }
}

impl Replication {
    /// Whether data flows to make one side equal to the other.
    #[must_use]
    pub fn is_resync(&self) -> bool {
        matches!(
            self,
            Self::StartingSyncS
                | Self::StartingSyncT
                | Self::WfBitMapS
                | Self::WfBitMapT
                | Self::WfSyncUuid
                | Self::SyncSource
                | Self::SyncTarget
                | Self::PausedSyncS
                | Self::PausedSyncT
        )
    }
}

/// 8.4 has one word for connection and replication (`cs:`); this takes it apart.
#[must_use]
pub fn split_cstate(word: &str) -> (Connection, Replication) {
    match (Connection::from_word(word), Replication::from_word(word)) {
        (Connection::Connected, _) => (Connection::Connected, Replication::Established),
        (Connection::Other(_), replication) if replication.is_known() => (Connection::Connected, replication),
        (Connection::Other(word), _) => (Connection::Other(word.clone()), Replication::Other(word)),
        (connection, _) => (connection, Replication::Off),
    }
}
