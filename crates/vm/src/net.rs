//! Networks of guests: QEMU's user network (a way out and ports in), and private segments.
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// One network card of a machine.
#[derive(Debug, Clone)]
pub enum Net {
    /// QEMU's user network: DHCP, a gateway at 10.0.2.2, ports of 127.0.0.1 that lead to ports of the
    /// guest. `closed` shuts the way out.
    User {
        /// (port of this host, TCP port of the guest).
        forward: Vec<(u16, u16)>,
        /// Whether the guest may reach nothing but this host's forwarded connections.
        closed: bool,
    },
    /// A private segment that other guests are on.
    Segment(Segment),
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// Where no port can be bound.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A network of guests only: a hub over unix datagram sockets, so it needs no rights and no multicast.
/// Clones are the same segment; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Segment {
    hub: Arc<Hub>,
}

#[derive(Debug)]
struct Hub {
    dir: tempfile::TempDir,
    ports: Mutex<Vec<Port>>,
    over: AtomicBool,
}

#[derive(Debug, Clone)]
struct Port {
    guest: PathBuf,
    up: bool,
}

/// What is given to QEMU for one port.
#[derive(Debug, Clone)]
pub(crate) struct Plug {
    /// Where QEMU binds.
    pub(crate) guest: PathBuf,
    /// Where it sends.
    pub(crate) hub: PathBuf,
}

/// The largest Ethernet frame with room for offloads that QEMU may leave in.
const FRAME: usize = 70_000;

impl Segment {
    /// A segment with nobody on it.
    ///
    /// # Errors
    /// Where no temporary directory can be made.
    pub fn new() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("esos-net-").tempdir()?;
        let hub = Hub { dir, ports: Mutex::new(Vec::new()), over: AtomicBool::new(false) };
        Ok(Self { hub: Arc::new(hub) })
    }

    /// Takes one port off the segment or puts it back; ports are numbered from 0 as guests start.
    pub fn set_up(&self, port: usize, up: bool) {
        let mut ports = self.hub.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = ports.get_mut(port) {
            port.up = up;
        }
    }

    /// A new port and the thread that carries its frames.
    pub(crate) fn plug(&self) -> io::Result<Plug> {
        let mut ports = self.hub.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let number = ports.len();
        let dir = self.hub.dir.path();
        let plug = Plug { guest: dir.join(format!("g{number}")), hub: dir.join(format!("h{number}")) };
        let socket = UnixDatagram::bind(&plug.hub)?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.set_write_timeout(Some(Duration::from_millis(50)))?;
        ports.push(Port { guest: plug.guest.clone(), up: true });
        let hub = Arc::downgrade(&self.hub);
        thread::spawn(move || {
            let mut frame = vec![0; FRAME];
            loop {
                let received = socket.recv(&mut frame);
                let Some(hub) = hub.upgrade().filter(|h| !h.over.load(Ordering::Relaxed)) else { return };
                let Ok(length) = received else { continue };
                for guest in hub.others(number) {
                    // A guest that is not there, or does not listen, loses the frame, as on a wire.
                    let _lost = socket.send_to(frame.get(..length).unwrap_or_default(), &guest);
                }
            }
        });
        Ok(plug)
    }
}

impl Hub {
    /// Where a frame of port `from` goes.
    fn others(&self, from: usize) -> Vec<PathBuf> {
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if !ports.get(from).is_some_and(|port| port.up) {
            return Vec::new();
        }
        let others = ports.iter().enumerate().filter(|(i, port)| *i != from && port.up);
        others.map(|(_, port)| port.guest.clone()).collect()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(plug: &Plug) -> UnixDatagram {
        let card = UnixDatagram::bind(&plug.guest).unwrap();
        card.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        card
    }

    #[test]
    fn a_frame_reaches_all_others_and_a_port_that_is_down_none() {
        let segment = Segment::new().unwrap();
        let plugs = [segment.plug().unwrap(), segment.plug().unwrap(), segment.plug().unwrap()];
        let cards = plugs.each_ref().map(card);
        let mut buffer = [0; 64];
        cards[0].send_to(b"first", &plugs[0].hub).unwrap();
        for card in &cards[1..] {
            assert_eq!(card.recv(&mut buffer).unwrap(), 5);
        }
        segment.set_up(1, false);
        cards[0].send_to(b"second", &plugs[0].hub).unwrap();
        assert_eq!(cards[2].recv(&mut buffer).unwrap(), 6);
        cards[1].set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(cards[1].recv(&mut buffer).is_err(), "port 1 is down");
    }
}
