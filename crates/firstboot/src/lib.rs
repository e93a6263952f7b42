//! The first login of an ESOS box.
//!
//! An image has no password. Whoever logs in as `root` on the console or the serial line of a fresh box
//! is led through a [`Dialogue`] instead: root's password (twice), host name, network, time zone. The
//! same answers can lie in a file on the boot partition ([`Answers::parse`]). Either way they become
//! [`Answers`], which a [`Plan`] turns into files and commands. A box whose root has a password
//! ([`needs_setup`]) asks no more. [`Banner`] is what stands above `login:`.
//!
//! This crate is pure: `esos-setup` owns the terminal and the machine.
//!
//! # The dialogue, exactly
//!
//! Every prompt is a line that ends in `": "` with no line end behind it, in this order; the texts are
//! constants of [`prompt`], and a default stands in brackets and is taken by an empty answer. The two
//! password prompts do not echo. A wrong answer is explained on a line that starts with `! ` and asked
//! for again.
//!
//! ```text
//! esos login: root
//! This box has not been set up yet. An empty answer takes what stands in brackets.
//! New password for root: ********
//! The same again: ********
//! Host name [esos]: san1
//! Network, dhcp or static [dhcp]: static
//! Interface [eth0]:                                            (only for static)
//! Address with prefix length, such as 192.0.2.10/24: 192.0.2.10/24   (only for static)
//! Gateway [none]: 192.0.2.1                                    (only for static)
//! Name servers [none]: 192.0.2.53 192.0.2.54                   (only for static)
//! Time zone [Etc/UTC]: Europe/Berlin
//! Apply this, yes or no [yes]:
//! The box is set up.
//! root@san1:~#
//! ```
//!
//! ```
//! use esos_firstboot::{Dialogue, prompt};
//!
//! let mut dialogue = Dialogue::new("esos".parse()?, vec!["eth0".parse()?]);
//! let any_zone = |_: &str| true;
//! for (asked, answer) in [
//!     (prompt::PASSWORD, "correct horse"),
//!     (prompt::AGAIN, "correct horse"),
//!     ("Host name [esos]: ", "san1"),
//!     ("Network, dhcp or static [dhcp]: ", ""),
//!     ("Time zone [Etc/UTC]: ", ""),
//!     (prompt::APPLY, "yes"),
//! ] {
//!     assert_eq!(dialogue.prompt().text, asked);
//!     dialogue.answer(answer, &any_zone);
//! }
//! let answers = dialogue.finish().unwrap();
//! assert_eq!(answers.hostname.unwrap().as_str(), "san1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod answers;
mod banner;
mod dialogue;
mod file;
mod plan;
pub mod prompt;
mod shadow;

pub use answers::{Answers, MIN_PASSWORD, NetworkAnswer, Password, StaticNetwork};
pub use banner::{Banner, NEXT};
pub use dialogue::{Dialogue, Prompt};
pub use plan::{Action, MARKER, Plan};
pub use shadow::needs_setup;
