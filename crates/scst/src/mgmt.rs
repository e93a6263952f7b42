//! The commands of SCST's `mgmt` files as one grammar.
//!
//! One `write(2)` is one command. The same words mean different things in different files (`del x` in
//! `luns/mgmt`, `initiators/mgmt` or `device_groups/mgmt`), so a command is only what was said; the file
//! gives it its object. Grammar after SCST 3.11's `mgmt` help texts and what its kernel accepts.
use crate::attributes::is_secret;
use std::fmt;
use std::str::FromStr;

/// `k=v` parameters of a command, in order. The kernel takes the last of a repeated key.
pub type Parameters = Vec<(String, String)>;

/// One command.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `add_device NAME k=v;k=v` in `handlers/H/mgmt`.
    AddDevice {
        /// The device.
        name: String,
        /// Its parameters.
        parameters: Parameters,
    },
    /// `del_device NAME`.
    DelDevice {
        /// The device.
        name: String,
    },
    /// `add_target NAME k=v;k=v` in `targets/D/mgmt`.
    AddTarget {
        /// The target.
        name: String,
        /// Its parameters.
        parameters: Parameters,
    },
    /// `del_target NAME`.
    DelTarget {
        /// The target.
        name: String,
    },
    /// `add_attribute NAME VALUE` of a handler or driver.
    AddAttribute {
        /// The attribute (`IncomingUser`).
        name: String,
        /// Its value; may hold a secret.
        value: String,
    },
    /// `del_attribute NAME VALUE`.
    DelAttribute {
        /// The attribute.
        name: String,
        /// Its value, or enough of it (a user's name).
        value: String,
    },
    /// `add_target_attribute TARGET NAME VALUE`.
    AddTargetAttribute {
        /// The target.
        target: String,
        /// The attribute.
        name: String,
        /// Its value; may hold a secret.
        value: String,
    },
    /// `del_target_attribute TARGET NAME VALUE`.
    DelTargetAttribute {
        /// The target.
        target: String,
        /// The attribute.
        name: String,
        /// Its value, or enough of it.
        value: String,
    },
    /// `add_session TARGET SESSION` of scst_local.
    AddSession {
        /// The target.
        target: String,
        /// The session.
        session: String,
    },
    /// `del_session TARGET SESSION` of scst_local.
    DelSession {
        /// The target.
        target: String,
        /// The session.
        session: String,
    },
    /// `add DEVICE LUN k=v` in `luns/mgmt`.
    AddLun {
        /// The device.
        device: String,
        /// The LUN as it was written; the kernel reads `0x…` and octal too.
        lun: String,
        /// `read_only` is the only parameter.
        parameters: Parameters,
    },
    /// `replace DEVICE LUN k=v`, or `replace_no_ua …`, which tells initiators nothing.
    ReplaceLun {
        /// The device.
        device: String,
        /// The LUN as it was written.
        lun: String,
        /// `read_only` is the only parameter.
        parameters: Parameters,
        /// Whether initiators get a unit attention.
        unit_attention: bool,
    },
    /// `add NAME` of an initiator, a device or a target of a group, or a target group.
    Add {
        /// The name.
        name: String,
    },
    /// `create NAME` of a group.
    Create {
        /// The name.
        name: String,
    },
    /// `del NAME` of anything, a LUN too.
    Del {
        /// The name or LUN.
        name: String,
    },
    /// `move INITIATOR GROUP`.
    Move {
        /// The initiator.
        initiator: String,
        /// The group that it moves to.
        group: String,
    },
    /// `clear`.
    Clear,
}

use Command as C;

impl Command {
    /// The bytes to write, secrets included. For the one place that writes them.
    #[must_use]
    pub fn expose(&self) -> String {
        self.line(false)
    }

    fn line(&self, masked: bool) -> String {
        let secret = |name: &str, value: &str| match (masked && is_secret(name), value.split_once(' ')) {
            (false, _) => value.to_owned(),
            (true, Some((user, _))) => format!("{user} ***"),
            (true, None) => "***".to_owned(),
        };
        let with = |head: String, parameters: &Parameters| {
            let mut line = head;
            for (i, (k, v)) in parameters.iter().enumerate() {
                line.push(if i == 0 { ' ' } else { ';' });
                line.extend([k, "=", &secret(k, v)]);
            }
            line
        };
        match self {
            C::AddDevice { name, parameters } => with(format!("add_device {name}"), parameters),
            C::DelDevice { name } => format!("del_device {name}"),
            C::AddTarget { name, parameters } => with(format!("add_target {name}"), parameters),
            C::DelTarget { name } => format!("del_target {name}"),
            C::AddAttribute { name, value } => format!("add_attribute {name} {}", secret(name, value)),
            C::DelAttribute { name, value } => format!("del_attribute {name} {}", secret(name, value)),
            C::AddTargetAttribute { target, name, value } => {
                format!("add_target_attribute {target} {name} {}", secret(name, value))
            }
            C::DelTargetAttribute { target, name, value } => {
                format!("del_target_attribute {target} {name} {}", secret(name, value))
            }
            C::AddSession { target, session } => format!("add_session {target} {session}"),
            C::DelSession { target, session } => format!("del_session {target} {session}"),
            C::AddLun { device, lun, parameters } => with(format!("add {device} {lun}"), parameters),
            C::ReplaceLun { device, lun, parameters, unit_attention } => {
                let word = if *unit_attention { "replace" } else { "replace_no_ua" };
                with(format!("{word} {device} {lun}"), parameters)
            }
            C::Add { name } => format!("add {name}"),
            C::Create { name } => format!("create {name}"),
            C::Del { name } => format!("del {name}"),
            C::Move { initiator, group } => format!("move {initiator} {group}"),
            C::Clear => "clear".to_owned(),
        }
    }
}

/// Prints the command with CHAP secrets as `***`; without secrets the exact inverse of `FromStr`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(true))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({:?})", self.line(true))
    }
}

/// A text that is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Not a command that SCST knows.
    #[error("`{word}` is no command of SCST's mgmt files")]
    Unknown {
        /// The first word.
        word: String,
    },
    /// Words are missing or too many. The text is not kept: it may hold a secret.
    #[error("`{word}` takes {expected}")]
    Words {
        /// The command.
        word: String,
        /// What follows it.
        expected: &'static str,
    },
}

impl FromStr for Command {
    type Err = CommandError;

    /// Reads a command in its canonical form: single blanks, `k=v` joined by `;`, lower-case words.
    fn from_str(text: &str) -> Result<Self, CommandError> {
        let text = text.trim_end_matches('\n');
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let error = |expected| CommandError::Words { word: word.to_owned(), expected };
        if text.contains('\n') {
            return Err(error("one line"));
        }
        let one = |expected| {
            let fits = !rest.is_empty() && !rest.contains(char::is_whitespace);
            fits.then(|| rest.to_owned()).ok_or_else(|| error(expected))
        };
        let two = |expected| match rest.split_once(' ') {
            Some((a, b)) if !a.is_empty() && !b.is_empty() => Ok((a.to_owned(), b.to_owned())),
            _ => Err(error(expected)),
        };
        let named = |expected| {
            let (name, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
            match parse_parameters(parameters) {
                Some(parameters) if !name.is_empty() => Ok((name.to_owned(), parameters)),
                _ => Err(error(expected)),
            }
        };
        let lun = |expected| {
            let (device, rest) = two(expected)?;
            let (lun, parameters) = rest.split_once(' ').unwrap_or((&rest, ""));
            if lun.is_empty() || [&device, lun].iter().any(|word| word.contains(char::is_whitespace)) {
                return Err(error(expected));
            }
            let parameters = parse_parameters(parameters).ok_or_else(|| error(expected))?;
            Ok((device, lun.to_owned(), parameters))
        };
        Ok(match word {
            "add_device" => {
                named("NAME [k=v;k=v]").map(|(name, parameters)| C::AddDevice { name, parameters })?
            }
            "del_device" => C::DelDevice { name: one("NAME")? },
            "add_target" => {
                named("NAME [k=v;k=v]").map(|(name, parameters)| C::AddTarget { name, parameters })?
            }
            "del_target" => C::DelTarget { name: one("NAME")? },
            "add_attribute" => two("NAME VALUE").map(|(name, value)| C::AddAttribute { name, value })?,
            "del_attribute" => two("NAME VALUE").map(|(name, value)| C::DelAttribute { name, value })?,
            "add_target_attribute" | "del_target_attribute" => {
                let (target, rest) = two("TARGET NAME VALUE")?;
                let Some((name, value)) =
                    rest.split_once(' ').filter(|(n, v)| !n.is_empty() && !v.is_empty())
                else {
                    return Err(error("TARGET NAME VALUE"));
                };
                let (name, value) = (name.to_owned(), value.to_owned());
                if word.starts_with("add") {
                    C::AddTargetAttribute { target, name, value }
                } else {
                    C::DelTargetAttribute { target, name, value }
                }
            }
            "add_session" => {
                two("TARGET SESSION").map(|(target, session)| C::AddSession { target, session })?
            }
            "del_session" => {
                two("TARGET SESSION").map(|(target, session)| C::DelSession { target, session })?
            }
            "add" if rest.contains(' ') => lun("DEVICE LUN [k=v]")
                .map(|(device, lun, parameters)| C::AddLun { device, lun, parameters })?,
            "replace" | "replace_no_ua" => lun("DEVICE LUN [k=v]").map(|(device, lun, parameters)| {
                C::ReplaceLun { device, lun, parameters, unit_attention: word == "replace" }
            })?,
            "add" => C::Add { name: one("NAME, or DEVICE LUN [k=v]")? },
            "create" => C::Create { name: one("NAME")? },
            "del" => C::Del { name: one("NAME")? },
            "move" => two("INITIATOR GROUP").map(|(initiator, group)| C::Move { initiator, group })?,
            "clear" if rest.is_empty() => C::Clear,
            "clear" => return Err(error("nothing")),
            _ => return Err(CommandError::Unknown { word: word.to_owned() }),
        })
    }
}

fn parse_parameters(text: &str) -> Option<Parameters> {
    let parts = text.split(';').filter(|p| !p.trim().is_empty());
    parts.map(|p| p.split_once('=').map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9_.:*!-]{1,12}"
    }

    fn parameters() -> impl Strategy<Value = Parameters> {
        prop::collection::vec(("[a-z_]{1,8}", "[a-zA-Z0-9/._-]{1,8}"), 0..3)
    }

    fn command() -> impl Strategy<Value = Command> {
        prop_oneof![
            (word(), parameters()).prop_map(|(name, parameters)| C::AddDevice { name, parameters }),
            word().prop_map(|name| C::DelDevice { name }),
            (word(), parameters()).prop_map(|(name, parameters)| C::AddTarget { name, parameters }),
            word().prop_map(|name| C::DelTarget { name }),
            (word(), word()).prop_map(|(name, value)| C::AddAttribute { name, value }),
            (word(), word()).prop_map(|(name, value)| C::DelAttribute { name, value }),
            (word(), word(), word()).prop_map(|(target, name, value)| C::AddTargetAttribute {
                target,
                name,
                value
            }),
            (word(), word(), word()).prop_map(|(target, name, value)| C::DelTargetAttribute {
                target,
                name,
                value
            }),
            (word(), word()).prop_map(|(target, session)| C::AddSession { target, session }),
            (word(), word()).prop_map(|(target, session)| C::DelSession { target, session }),
            (word(), "[0-9]{1,5}", parameters()).prop_map(|(device, lun, parameters)| C::AddLun {
                device,
                lun,
                parameters
            }),
            (word(), "[0-9]{1,5}", parameters(), any::<bool>()).prop_map(
                |(device, lun, parameters, unit_attention)| C::ReplaceLun {
                    device,
                    lun,
                    parameters,
                    unit_attention
                }
            ),
            word().prop_map(|name| C::Add { name }),
            word().prop_map(|name| C::Create { name }),
            word().prop_map(|name| C::Del { name }),
            (word(), word()).prop_map(|(initiator, group)| C::Move { initiator, group }),
            Just(C::Clear),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(command in command()) {
            prop_assert_eq!(command.expose().parse(), Ok(command));
        }

        #[test]
        fn any_text_gives_an_answer(text in "(?s).{0,60}") {
            let _answer = text.parse::<Command>();
        }
    }

    #[test]
    fn a_secret_is_written_but_never_printed() {
        let command: Command = "add_target_attribute iqn.x IncomingUser joe 12charpasswd".parse().unwrap();
        assert_eq!(command.to_string(), "add_target_attribute iqn.x IncomingUser joe ***");
        assert!(!format!("{command:?}").contains("12char"));
        assert!(command.expose().ends_with("joe 12charpasswd"));
        let error = "add_target_attribute iqn.x 12charpasswd".parse::<Command>().unwrap_err();
        assert!(!error.to_string().contains("12char"));
    }
}
