//! What the machine starts from.
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The firmware of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Firmware {
    /// SeaBIOS, part of QEMU.
    Bios,
    /// OVMF (package `ovmf`), without Secure Boot, with variables of its own for each guest.
    Uefi,
}

impl Firmware {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bios, Self::Uefi];
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        })
    }
}

/// The word names no firmware.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected bios or uefi, found `{text}`")]
pub struct ParseFirmwareError {
    /// What stood there.
    pub text: String,
}

impl FromStr for Firmware {
    type Err = ParseFirmwareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "bios" => Ok(Self::Bios),
            "uefi" => Ok(Self::Uefi),
            _ => Err(ParseFirmwareError { text: text.to_owned() }),
        }
    }
}

/// Code and variables of OVMF with Secure Boot and Microsoft's keys in it, as Debian and Fedora lay them out.
const SECURE: [(&str, &str); 3] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
    ("/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),
];

/// Code and variables of OVMF as Debian, Fedora and Arch lay them out, the first pair that is there.
const OVMF: [(&str, &str); 4] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
];

/// The first pair of OVMF's code and variables on this machine, or all places that were looked at.
pub(crate) fn ovmf(secure: bool) -> Result<(PathBuf, PathBuf), Vec<PathBuf>> {
    let pairs: &[(&str, &str)] = if secure { &SECURE } else { &OVMF };
    pairs
        .iter()
        .map(|(code, vars)| (PathBuf::from(code), PathBuf::from(vars)))
        .find(|(code, vars)| code.is_file() && vars.is_file())
        .ok_or_else(|| pairs.iter().map(|(code, _)| PathBuf::from(code)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for firmware in Firmware::ALL {
            assert_eq!(firmware.to_string().parse(), Ok(firmware));
        }
        assert_eq!(
            "BIOS".parse::<Firmware>().unwrap_err().to_string(),
            "expected bios or uefi, found `BIOS`"
        );
    }
}
