//! The new root: its tree, the image it comes from, programs inside it.
use super::HostClock;
use super::devices::Image;
use super::tree::HostTree;
use esos_initramfs::{Clock, HookEnd, NewRoot, ReadAt, Tree};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

/// How much of what a hook prints is kept.
const KEPT: usize = 4096;

/// The new root of this machine.
pub(crate) struct HostRoot;

impl NewRoot for HostRoot {
    fn tree(&self, directory: &str) -> io::Result<Box<dyn Tree>> {
        Ok(Box::new(HostTree::open(directory)?))
    }

    fn image(&self, path: &str) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(Image::open(path)?))
    }

    fn run(&self, root: &str, program: &str, environment: &[(String, String)], limit: Duration) -> HookEnd {
        if fs::symlink_metadata(format!("{root}{program}")).is_err() {
            return HookEnd::Absent;
        }
        let until = HostClock.now().saturating_add(limit);
        let (reader, writer) = match io::pipe() {
            Ok(pipe) => pipe,
            Err(e) => return HookEnd::Failed(e.to_string()),
        };
        let Ok(both) = writer.try_clone() else { return HookEnd::Failed("no file descriptor left".into()) };
        // Itself, as /proc has moved; it enters the new root and becomes the program.
        let mut command = Command::new("/init");
        command.arg("chroot-run").arg(root).arg(program).env_clear().envs(environment.iter().cloned());
        // Not `Stdio::null`: `/dev` has moved into the new root too.
        let nothing = fs::File::open(format!("{root}/dev/null")).map_or_else(|_| Stdio::null(), Stdio::from);
        command.stdin(nothing).stdout(writer).stderr(both).process_group(0);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(e) => return HookEnd::Failed(format!("cannot start it: {e}")),
        };
        // The command holds the pipe's other end; without it the reading would never end.
        drop(command);
        let output = follow(reader);
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if HostClock.now() < until => thread::sleep(Duration::from_millis(20)),
                Ok(None) => break None,
                Err(e) => return HookEnd::Failed(format!("cannot wait for it: {e}")),
            }
        };
        if status.is_none() {
            // Its children too: they are of its group.
            let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
            let _gone = group.map(|g| rustix::process::kill_process_group(g, rustix::process::Signal::KILL));
            let _reaped = child.wait();
        }
        // What a child of it still holds open must not stop the boot.
        let text = output.recv_timeout(Duration::from_secs(2)).unwrap_or_default();
        status.map_or(HookEnd::Timeout(text.clone()), |s| HookEnd::Ended(s.code(), text))
    }

    fn copy(&self, from: &str, to: &str, without: &str) -> io::Result<u64> {
        super::copy::copy(from, to, without)
    }

    fn remove_tree(&self, path: &str) {
        let _partly = fs::remove_dir_all(path);
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let directory = fs::File::open(from)?;
        rustix::fs::syncfs(&directory)?;
        fs::rename(from, to)?;
        Ok(rustix::fs::syncfs(&directory)?)
    }
}

/// Reads to the end beside, and gives the last part.
fn follow(mut from: io::PipeReader) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
        while let Some(part) = from.read(&mut buffer).ok().filter(|n| *n > 0).and_then(|n| buffer.get(..n)) {
            kept.extend_from_slice(part);
            let over = kept.len().saturating_sub(KEPT);
            kept.drain(..over);
        }
        // Nobody waits any more after a time-out.
        let _unread = send.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receive
}

/// Removes what lies in the initramfs, so that its memory is free: everything on the file system of `/`.
pub(crate) fn empty_initramfs() {
    let Ok(device) = fs::symlink_metadata("/").map(|m| m.dev()) else { return };
    remove_inside("/", device);
}

fn remove_inside(directory: &str, device: u64) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.dev() != device {
            continue;
        }
        // What cannot be removed costs memory, nothing else.
        if meta.is_dir() {
            remove_inside(&path.to_string_lossy(), device);
            let _stays = fs::remove_dir(&path);
        } else {
            let _stays = fs::remove_file(&path);
        }
    }
}
