//! Files of a box, in memory.
use crate::seam::{Kind, Place, Stat, Tree};
use crate::{BoxPath, Node, NodeKind};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inode {
    stat: Stat,
    content: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<BoxPath, u64>,
    inodes: BTreeMap<u64, Inode>,
    next: u64,
    now: i64,
    refuse: Option<BoxPath>,
}

/// Files of a box, in memory: with hard links, owners and times. Its clock goes on by ten seconds with each change.
#[derive(Debug)]
pub struct MemBox {
    state: RefCell<State>,
}

impl Default for MemBox {
    fn default() -> Self {
        Self::new()
    }
}

fn path(text: &str) -> BoxPath {
    BoxPath::new(text).unwrap_or_default()
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl MemBox {
    /// Only a root.
    #[must_use]
    pub fn new() -> Self {
        let files = Self { state: RefCell::new(State { next: 1, now: 1000, ..State::default() }) };
        files.state.borrow_mut().add(&BoxPath::default(), Kind::Dir, Vec::new(), (0o755, 0, 0), None);
        files
    }

    /// Writes a file of root's; directories above it are made.
    pub fn write(&self, text: &str, content: &[u8], mode: u32) {
        let mut state = self.state.borrow_mut();
        state.parents(&path(text));
        state.add(&path(text), Kind::File, content.to_vec(), (mode, 0, 0), None);
    }

    /// Changes a file in place, under all its names.
    pub fn change(&self, text: &str, content: &[u8]) {
        let mut state = self.state.borrow_mut();
        state.now = state.now.saturating_add(10);
        let (now, inode) = (state.now, state.names.get(&path(text)).copied());
        if let Some(inode) = inode.and_then(|i| state.inodes.get_mut(&i)) {
            inode.content = content.to_vec();
            inode.stat.len = content.len() as u64;
            (inode.stat.mtime, inode.stat.ctime) = ((now, 0), (now, 0));
        }
    }

    /// Sets owner and group.
    pub fn own(&self, text: &str, uid: u32, gid: u32) {
        let mut state = self.state.borrow_mut();
        let inode = state.names.get(&path(text)).copied();
        if let Some(inode) = inode.and_then(|i| state.inodes.get_mut(&i)) {
            (inode.stat.uid, inode.stat.gid) = (uid, gid);
        }
    }

    /// Makes a symbolic link.
    pub fn link_to(&self, text: &str, target: &str) {
        let mut state = self.state.borrow_mut();
        state.parents(&path(text));
        state.add(&path(text), Kind::Link, target.as_bytes().to_vec(), (0o777, 0, 0), None);
    }

    /// Takes a path and everything below it away.
    pub fn wipe(&self, text: &str) {
        self.state.borrow_mut().names.retain(|p, _| !p.is_below(&path(text)) || p.split().is_none());
    }

    /// Makes every change of this path fail.
    pub fn refuse(&self, text: &str) {
        self.state.borrow_mut().refuse = Some(path(text));
    }

    /// Everything there is, for comparison: path, kind, mode, owner, group, content, and the first name of the
    /// same file.
    #[must_use]
    pub fn dump(&self) -> Vec<String> {
        let state = self.state.borrow();
        let mut first: BTreeMap<u64, &BoxPath> = BTreeMap::new();
        let rows = state.names.iter().filter_map(|(path, number)| {
            let inode = state.inodes.get(number)?;
            let same = *first.entry(*number).or_insert(path);
            let s = &inode.stat;
            let text = String::from_utf8_lossy(&inode.content);
            Some(format!("{path} {:?} {:o} {}:{} {text:?} {same}", s.kind, s.mode, s.uid, s.gid))
        });
        rows.collect()
    }
}

impl State {
    fn parents(&mut self, path: &BoxPath) {
        if let Some((dir, _)) = path.split()
            && !self.names.contains_key(&dir)
        {
            self.parents(&dir);
            self.add(&dir, Kind::Dir, Vec::new(), (0o755, 0, 0), None);
        }
    }

    fn add(
        &mut self,
        path: &BoxPath,
        kind: Kind,
        content: Vec<u8>,
        (mode, uid, gid): (u32, u32, u32),
        mtime: Option<(i64, u32)>,
    ) {
        self.now = self.now.saturating_add(10);
        self.next = self.next.saturating_add(1);
        let stat = Stat {
            kind,
            len: content.len() as u64,
            mode,
            uid,
            gid,
            mtime: mtime.unwrap_or((self.now, 0)),
            ctime: (self.now, 0),
            inode: (1, self.next),
            links: 1,
        };
        self.inodes.insert(self.next, Inode { stat, content });
        self.names.insert(path.clone(), self.next);
    }

    fn stat(&self, path: &BoxPath) -> io::Result<Stat> {
        let number = self.names.get(path).ok_or_else(not_found)?;
        let inode = self.inodes.get(number).ok_or_else(not_found)?;
        let links = self.names.values().filter(|n| *n == number).count() as u64;
        Ok(Stat { links, ..inode.stat })
    }

    fn allowed(&self, path: &BoxPath) -> io::Result<()> {
        if self.refuse.as_ref() == Some(path) { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }
}

impl Tree for MemBox {
    fn stat(&self, path: &BoxPath) -> io::Result<Stat> {
        self.state.borrow().stat(path)
    }

    fn list(&self, dir: &BoxPath) -> io::Result<Vec<(Vec<u8>, Stat)>> {
        let state = self.state.borrow();
        if state.stat(dir)?.kind != Kind::Dir {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let inside =
            state.names.keys().filter_map(|p| p.split().filter(|(d, _)| d == dir).map(|(_, name)| (p, name)));
        inside.map(|(p, name)| Ok((name.to_vec(), state.stat(p)?))).collect()
    }

    fn open(&self, path: &BoxPath) -> io::Result<Box<dyn Read + '_>> {
        let state = self.state.borrow();
        let inode = state.names.get(path).and_then(|n| state.inodes.get(n)).ok_or_else(not_found)?;
        Ok(Box::new(io::Cursor::new(inode.content.clone())))
    }

    fn link(&self, path: &BoxPath) -> io::Result<Vec<u8>> {
        let state = self.state.borrow();
        let inode = state.names.get(path).and_then(|n| state.inodes.get(n)).ok_or_else(not_found)?;
        Ok(inode.content.clone())
    }
}

impl Place for MemBox {
    fn dir(&self, path: &BoxPath, node: &Node) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.allowed(path)?;
        if state.names.contains_key(path) {
            drop(state);
            return self.meta(path, node);
        }
        state.parents(path);
        state.add(path, Kind::Dir, Vec::new(), (node.mode, node.uid, node.gid), None);
        Ok(())
    }

    fn file(&self, path: &BoxPath, node: &Node, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let mut state = self.state.borrow_mut();
        state.allowed(path)?;
        state.parents(path);
        state.add(path, Kind::File, bytes, (node.mode, node.uid, node.gid), Some(node.mtime));
        Ok(())
    }

    fn symlink(&self, path: &BoxPath, node: &Node, target: &[u8]) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.allowed(path)?;
        state.parents(path);
        state.add(path, Kind::Link, target.to_vec(), (0o777, node.uid, node.gid), None);
        Ok(())
    }

    fn hard_link(&self, first: &BoxPath, to: &BoxPath) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.allowed(to)?;
        let number = *state.names.get(first).ok_or_else(not_found)?;
        state.names.insert(to.clone(), number);
        Ok(())
    }

    fn meta(&self, path: &BoxPath, node: &Node) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.allowed(path)?;
        let number = *state.names.get(path).ok_or_else(not_found)?;
        let inode = state.inodes.get_mut(&number).ok_or_else(not_found)?;
        (inode.stat.mode, inode.stat.uid, inode.stat.gid) = (node.mode, node.uid, node.gid);
        if matches!(node.kind, NodeKind::File { .. }) {
            inode.stat.mtime = node.mtime;
        }
        Ok(())
    }

    fn remove(&self, path: &BoxPath) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.allowed(path)?;
        if state.names.keys().any(|p| p != path && p.is_below(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.names.remove(path);
        Ok(())
    }
}
