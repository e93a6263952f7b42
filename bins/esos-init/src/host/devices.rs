//! Disks, and the kernel's news of them.
use super::HostClock;
use esos_initramfs::{Clock, Devices, Disk, ReadAt, Uevent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Advice, Mode, OFlags};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with, sockopt};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// `/dev`, and the socket on which the kernel tells of devices.
pub(crate) struct HostDevices {
    events: Option<OwnedFd>,
}

impl HostDevices {
    /// Listens from now on, so that nothing is missed between a look and a wait.
    pub(crate) fn new() -> Self {
        Self { events: listen().ok() }
    }
}

fn listen() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
    // A machine with hundreds of disks sends thousands of events before anybody reads.
    let _smaller_will_do = sockopt::set_socket_recv_buffer_size_force(&socket, 16 << 20);
    bind(&socket, &SocketAddrNetlink::new(0, 1))?;
    Ok(socket)
}

impl Devices for HostDevices {
    fn wait(&self, until: Duration) -> Vec<Uevent> {
        let left = until.saturating_sub(HostClock.now());
        let Some(socket) = &self.events else {
            // No socket, no events: look again from time to time.
            std::thread::sleep(left.min(Duration::from_millis(500)));
            return Vec::new();
        };
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(60),
            tv_nsec: left.subsec_nanos().into(),
        };
        // An interrupted wait is a short one.
        let _ready = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout));
        let mut events = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        // An overrun ends the reading too; all disks are looked at again after it.
        while let Ok((_, length)) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            events.extend(buffer.get(..length).and_then(Uevent::parse));
        }
        events
    }

    fn open(&self, node: &str) -> io::Result<Box<dyn Disk>> {
        Ok(Box::new(HostDisk(Image::open(node)?, node.to_owned())))
    }
}

/// A file or device that is read at places.
pub(crate) struct Image {
    file: File,
    length: u64,
}

impl Image {
    pub(crate) fn open(path: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?;
        Ok(Self { file, length })
    }
}

impl ReadAt for Image {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn forget(&self, offset: u64, length: u64) {
        // What stays cached is merely read again from the cache.
        let _cached = rustix::fs::fadvise(&self.file, offset, NonZeroU64::new(length), Advice::DontNeed);
    }
}

struct HostDisk(Image, String);

impl ReadAt for HostDisk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn forget(&self, offset: u64, length: u64) {
        self.0.forget(offset, length);
    }
}

/// The largest logical sector there is.
const BLOCK: usize = 4096;

impl Disk for HostDisk {
    /// Reads the 4 KiB around the sector, and writes them back: right for sectors of 512 and of 4096
    /// bytes. On a medium of 512 only the one sector is written.
    fn write_sector(&self, offset: u64, sector: &[u8; 512]) -> io::Result<()> {
        let flags = OFlags::RDWR | OFlags::DIRECT | OFlags::DSYNC | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&self.1, flags, Mode::empty())?);
        // Direct transfers want memory at the sector's alignment.
        let mut memory = vec![0u8; BLOCK * 2];
        let at = memory.as_ptr().align_offset(BLOCK);
        let buffer = memory.get_mut(at..at.saturating_add(BLOCK)).ok_or(io::ErrorKind::OutOfMemory)?;
        let small = buffer.get_mut(..512).ok_or(io::ErrorKind::OutOfMemory)?;
        small.copy_from_slice(sector);
        match file.write_all_at(small, offset) {
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
            other => return other.and_then(|()| file.sync_all()),
        }
        let inside = offset % 4096;
        let start = offset.saturating_sub(inside);
        file.read_exact_at(buffer, start)?;
        let inside = usize::try_from(inside).unwrap_or(0);
        let part = buffer.get_mut(inside..inside.saturating_add(512)).ok_or(io::ErrorKind::InvalidInput)?;
        part.copy_from_slice(sector);
        file.write_all_at(buffer, start)?;
        file.sync_all()
    }
}
