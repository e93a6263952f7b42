//! Words of Pacemaker.
use esos_units::words;

words! {
    /// What a resource is doing on a node. Pacemaker 2.0 said `Master` and `Slave`.
    Role {
        /// Not running.
        Stopped = "Stopped",
        /// Running.
        Started = "Started",
        /// Running, and the other instances wait for it.
        Promoted = "Promoted" | "Master",
        /// Running, and waits.
        Unpromoted = "Unpromoted" | "Slave",
        /// A start is running.
        Starting = "Starting",
        /// A stop is running.
        Stopping = "Stopping",
        /// A promotion is running.
        Promoting = "Promoting",
        /// A demotion is running.
        Demoting = "Demoting",
        /// Moves without a stop.
        Migrating = "Migrating",
        /// Not told.
        Unknown = "Unknown",
    }
}

words! {
    /// How far a fencing action is.
    Fencing {
        /// Nobody has answered yet.
        Pending = "pending",
        /// It did not work.
        Failed = "failed",
        /// The node is off.
        Success = "success",
    }
}
