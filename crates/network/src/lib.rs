//! The network of an ESOS box: `/etc/network.conf`.
pub mod cidr;
mod names;

pub use cidr::{Cidr, ParseCidrError};
pub use names::{HostName, InterfaceName, ParseHostNameError, ParseInterfaceNameError};
