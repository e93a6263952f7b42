//! This terminal as the terminal of a guest.
use crate::Guest;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{self, Read};
use std::os::fd::AsFd;

/// Ctrl-], as in telnet.
const LEAVE: u8 = 0x1d;

/// How often the guest is looked after while nobody types, in milliseconds.
const LOOK: u16 = 200;

/// Sends what is typed to the guest's console until Ctrl-] is typed or the guest ends. Where standard
/// input is no terminal its end is not the guest's.
pub(crate) fn connect(guest: &Guest) -> io::Result<()> {
    let _raw = Raw::set();
    let mut stdin = io::stdin();
    let mut open = true;
    while guest.ended().is_none() {
        let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let watched = ready.get_mut(..usize::from(open)).unwrap_or_default();
        if poll(watched, PollTimeout::from(LOOK)).map_err(io::Error::from)? == 0 {
            continue;
        }
        let mut typed = [0; 256];
        let n = stdin.read(&mut typed)?;
        let typed = typed.get(..n).unwrap_or_default();
        open = !typed.is_empty();
        let leave = typed.iter().position(|&b| b == LEAVE);
        let before = typed.get(..leave.unwrap_or(n)).unwrap_or_default();
        guest.console().send_bytes(before)?;
        if leave.is_some() {
            break;
        }
    }
    Ok(())
}

/// Raw mode of standard input, undone at the end. Without a terminal there is nothing to set.
struct Raw(Option<Termios>);

impl Raw {
    fn set() -> Self {
        let stdin = io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        Self(tcsetattr(&stdin, SetArg::TCSANOW, &raw).is_ok().then_some(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // There is nobody left to tell.
            let _restored = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
