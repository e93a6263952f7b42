//! Defects of older agents, to be put into the core one at a time in tests: each must be found.

/// One defect (numbers of the list that they were collected in).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[doc(hidden)]
pub enum Flaw {
    /// 1: a pending fence is never seen.
    PendingFenceUnseen,
    /// 2: demote does not wait until the devices are closed.
    DemoteDoesNotWait,
    /// 3: monitor takes the role from what was recorded, not from SCST.
    RoleFromRecord,
    /// 3: monitor repairs what it finds.
    MonitorWrites,
    /// 4: an action goes on although another one holds the lock.
    LockIgnored,
    /// 5: waiting has no end.
    WaitsForEver,
    /// 6: the peer's own ports are changed from here.
    TouchesThePeer,
    /// 7: devices are closed without waiting for commands that run.
    NoDrain,
    /// 8: only one other target group is known.
    TwoBoxesOnly,
    /// 9: the ports of a peer that is unclean stay as they were.
    UncleanPeerStaysUsable,
    /// A: ports serve while the device is closed.
    ServesClosedDevice,
    /// B: the other ports are not taken out of service on promotion.
    RemoteStaysActive,
    /// §4.1: DRBD's state is not looked at.
    DrbdUnchecked,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::PendingFenceUnseen,
        Self::DemoteDoesNotWait,
        Self::RoleFromRecord,
        Self::MonitorWrites,
        Self::LockIgnored,
        Self::WaitsForEver,
        Self::TouchesThePeer,
        Self::NoDrain,
        Self::TwoBoxesOnly,
        Self::UncleanPeerStaysUsable,
        Self::ServesClosedDevice,
        Self::RemoteStaysActive,
        Self::DrbdUnchecked,
    ];
}
