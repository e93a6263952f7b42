//! What the dialogue says, word for word. Programs that answer it (the harness of the tests) wait for
//! these texts; a changed text is a changed contract.

/// Said once, before the first question.
pub const GREETING: &str = "This box has not been set up yet. An empty answer takes what stands in brackets.";
/// Root's password, not echoed.
pub const PASSWORD: &str = "New password for root: ";
/// The same password, not echoed.
pub const AGAIN: &str = "The same again: ";
/// Start of the question for the host name; the default and `"]: "` follow.
pub const HOST: &str = "Host name [";
/// DHCP on every interface, or one static address.
pub const NETWORK: &str = "Network, dhcp or static [dhcp]: ";
/// Start of the question for the interface of a static address; the default and `"]: "` follow.
pub const INTERFACE: &str = "Interface [";
/// The same where the box has no interface to offer.
pub const INTERFACE_NONE: &str = "Interface: ";
/// A static address.
pub const ADDRESS: &str = "Address with prefix length, such as 192.0.2.10/24: ";
/// The gateway of a static address.
pub const GATEWAY: &str = "Gateway [none]: ";
/// Name servers, with blanks between them.
pub const SERVERS: &str = "Name servers [none]: ";
/// A name of the zone database.
pub const ZONE: &str = "Time zone [Etc/UTC]: ";
/// The last question; `no` asks everything again.
pub const APPLY: &str = "Apply this, yes or no [yes]: ";
/// Said when everything was written; a root shell follows.
pub const DONE: &str = "The box is set up.";
/// Start of a line that explains a wrong answer.
pub const WRONG: &str = "! ";
