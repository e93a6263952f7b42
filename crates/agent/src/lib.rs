//! The decision core of the OCF resource agents for SCST and ALUA.
//!
//! [`next`] is pure: what was observed ([`Facts`]) and what is to be reached ([`Goal`]) give the one next
//! [`Step`]. It keeps nothing, so an action that was killed anywhere goes on from what is there, and a
//! monitor tells the truth from SCST's own state. [`run`] drives it over a [`Machine`]; [`observe`] and
//! [`perform`] know SCST's tree.
//!
//! ```
//! use esos_agent::{Goal, Next, Params, Step, next, observe, perform};
//! use esos_cluster::{OcfExit, OcfRequest};
//! use esos_scst_sim::{Environment, Sim};
//! use esos_sysfs::AttrTree;
//!
//! let sim = Sim::new(Environment::default().block("/dev/drbd0", 1 << 20));
//! sim.write("handlers/vdisk_blockio/mgmt", "add_device d filename=/dev/drbd0; active=0; bind_alua_state=0")?;
//! sim.write("device_groups/mgmt", "create g")?;
//! sim.write("device_groups/g/devices/mgmt", "add d")?;
//! sim.write("device_groups/g/target_groups/mgmt", "create n1")?;
//! sim.write("device_groups/g/target_groups/n1/state", "standby")?;
//! let env = [("OCF_RESKEY_device_group".to_owned(), "g".to_owned())];
//! let params = Params::read(&OcfRequest::from_env(env), "n1")?;
//! let mut steps = Vec::new();
//! loop {
//!     match next(&Goal::Promote, &observe(&sim, &params), &params) {
//!         Next::Do(step) => { perform(&sim, &params, &step, &mut || true)?; steps.push(step) }
//!         other => { assert_eq!(other, Next::Done(OcfExit::Success)); break }
//!     }
//! }
//! assert_eq!(steps[2], Step::Activate("d".to_owned()));
//! assert_eq!(next(&Goal::Monitor, &observe(&sim, &params), &params), Next::Done(OcfExit::RunningPromoted));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod decide;
mod facts;
mod flaw;
mod host;
mod meta;
mod observe;
mod ocf;
mod params;
mod run;

pub use decide::{Goal, Next, Step, next, next_with, stand, timed_out, undo};
pub use facts::{Device, Drbd, Facts, Group, PortGroup, Stand, Target};
pub use flaw::Flaw;
pub use host::Host;
pub use meta::{scst, scst_alua};
pub use observe::{StepError, observe, perform};
pub use ocf::{Agent, Doors, call};
pub use params::{BadParams, Params, STATES, is_true};
pub use run::{Machine, Outcome, run};
