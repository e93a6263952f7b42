//! Listening for uevents.
use crate::Uevent;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket, sockopt,
};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// The kernel's stream of uevents (`NETLINK_KOBJECT_UEVENT`, group 1). Needs no rights and no udev.
#[derive(Debug)]
pub struct UeventSocket {
    fd: OwnedFd,
}

/// What came out of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// A message.
    Event(Uevent),
    /// The time is over.
    Nothing,
    /// Messages were lost because nobody read them in time: look at all devices again.
    Overrun,
}

/// The socket does not work.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} uevents: {} ({})", format!("{errno:?}", errno = Errno::from_raw(*errno)), Errno::from_raw(*errno).desc())]
pub struct SocketError {
    /// `subscribe to` or `receive`.
    pub what: &'static str,
    /// The kernel's error number.
    pub errno: i32,
}

fn failed(what: &'static str) -> impl Fn(Errno) -> SocketError {
    move |errno| SocketError { what, errno: errno as i32 }
}

impl UeventSocket {
    /// Starts to listen. What happened before is not heard, so subscribe first and look then.
    ///
    /// # Errors
    /// The errno of socket(2) or bind(2).
    pub fn open() -> Result<Self, SocketError> {
        let error = failed("subscribe to");
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )
        .map_err(&error)?;
        // A burst of some thousand devices must fit; where it may not be forced, the default has to do.
        let _smaller = setsockopt(&fd, sockopt::RcvBufForce, &(16 << 20));
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 1)).map_err(&error)?;
        Ok(Self { fd })
    }

    /// Waits for the next message, at most that long.
    ///
    /// # Errors
    /// The errno of poll(2) or recvfrom(2).
    pub fn wait(&self, limit: Duration) -> Result<Heard, SocketError> {
        let error = failed("receive");
        let until = Instant::now().checked_add(limit);
        loop {
            let left =
                until.map_or(Duration::from_secs(3600), |u| u.saturating_duration_since(Instant::now()));
            let millis = u16::try_from(left.as_millis()).unwrap_or(u16::MAX);
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::from(millis)) {
                Ok(0) if left.is_zero() || until.is_some_and(|u| Instant::now() >= u) => {
                    return Ok(Heard::Nothing);
                }
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(error(errno)),
            }
            let mut buffer = [0; 8192];
            match recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), &mut buffer) {
                // Only the kernel has port 0; anybody else's message is not heard.
                Ok((n, Some(from))) if from.pid() == 0 => {
                    if let Ok(event) = Uevent::parse(buffer.get(..n).unwrap_or_default()) {
                        return Ok(Heard::Event(event));
                    }
                }
                Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => return Ok(Heard::Overrun),
                Err(errno) => return Err(error(errno)),
            }
        }
    }
}

impl AsFd for UeventSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_no_longer_than_told() {
        let socket = UeventSocket::open().unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {
            let heard = socket.wait(Duration::from_millis(20)).unwrap();
            assert!(matches!(heard, Heard::Nothing | Heard::Event(_) | Heard::Overrun));
        }
    }
}
