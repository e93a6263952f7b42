//! From packages to a root image.
use super::cache::Cache;
use super::decide::Rules;
use super::frame::FrameWriter;
use super::listing::Listing;
use super::merge::{Merged, Part, close, merge};
use super::pack::{Packed, Packer, copy_frames};
use super::tree::{Node, Tree};
use super::{Attributes, Filter, PackageSource, Progress, RootError, own_frames};
use crate::deb::{Entry, Kind, Limits, TreePath, tar};
use crate::overlay;
use esos_layout::frames::{Frame, Index};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How a root image is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// No file is newer than this (seconds since 1970): the build's source date.
    pub epoch: i64,
    /// zstd's level: 3 while developing, 19 for releases.
    pub level: i32,
    /// Packages packed at a time.
    pub threads: usize,
    /// What stays out.
    pub filter: Filter,
    /// What a package may have at most.
    pub limits: Limits,
}

impl Options {
    /// Level 3, two threads, the filter of an appliance.
    #[must_use]
    pub fn new(epoch: i64) -> Self {
        Self { epoch, level: 3, threads: 2, filter: Filter::appliance(), limits: Limits::default() }
    }
}

/// A file, link or directory that is not a package's and wins over packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Where and what it is.
    pub entry: Entry,
    /// The content of a file.
    pub bytes: Cow<'static, [u8]>,
    /// Left out unless the packages have this path; empty if it is always wanted.
    pub needs: String,
}

impl Own {
    /// A file of root:root.
    ///
    /// # Errors
    /// [`RootError::OwnPath`] if the path is none.
    pub fn file(path: &str, bytes: impl Into<Cow<'static, [u8]>>, mode: u32) -> Result<Self, RootError> {
        let bytes = bytes.into();
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(Self { bytes, ..Self::of(path, Kind::File { size }, mode)? })
    }

    /// A symbolic link.
    ///
    /// # Errors
    /// [`RootError::OwnPath`] if the path is none.
    pub fn link(path: &str, target: &str) -> Result<Self, RootError> {
        Self::of(path, Kind::Symlink { target: target.to_owned() }, 0o777)
    }

    /// A directory of root:root.
    ///
    /// # Errors
    /// [`RootError::OwnPath`] if the path is none.
    pub fn dir(path: &str, mode: u32) -> Result<Self, RootError> {
        Self::of(path, Kind::Dir, mode)
    }

    /// The same with another owner.
    #[must_use]
    pub fn owned(mut self, uid: u32, gid: u32) -> Self {
        (self.entry.uid, self.entry.gid) = (uid, gid);
        self
    }

    fn of(path: &str, kind: Kind, mode: u32) -> Result<Self, RootError> {
        let path = path.parse().map_err(|_bad| RootError::OwnPath { path: path.to_owned() })?;
        Ok(Self { entry: Entry::new(path, kind, mode), bytes: Cow::Borrowed(&[]), needs: String::new() })
    }
}

/// Collects packages and own files.
#[derive(Debug)]
pub struct RootBuilder {
    options: Options,
    packages: Vec<PackageSource>,
    own: Vec<Own>,
    attributes: BTreeMap<TreePath, Attributes>,
}

impl RootBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, packages: Vec::new(), own: Vec::new(), attributes: BTreeMap::new() }
    }

    /// Adds a package. The order of calls does not matter.
    #[must_use]
    pub fn package(mut self, source: PackageSource) -> Self {
        self.packages.push(source);
        self
    }

    /// Adds a file of ours; of two with one path the later one wins.
    #[must_use]
    pub fn own(mut self, own: Own) -> Self {
        self.own.push(own);
        self
    }

    /// Adds all of [`crate::overlay`].
    ///
    /// # Errors
    /// [`RootError::OwnPath`] if the overlay has a path that is none.
    pub fn overlay(mut self) -> Result<Self, RootError> {
        for dir in overlay::DIRS {
            self.own.push(Own::dir(dir.path, dir.mode)?);
        }
        for link in overlay::LINKS {
            self.own.push(Own::link(link.path, link.target)?);
        }
        for file in overlay::FILES {
            let own = Own::file(file.path, file.bytes, file.mode)?.owned(file.uid, file.gid);
            self.own.push(Own { needs: file.needs.to_owned(), ..own });
        }
        Ok(self)
    }

    /// Sets owner, mode and extended attributes of a path of a package.
    #[must_use]
    pub fn attributes(mut self, path: TreePath, attributes: Attributes) -> Self {
        self.attributes.insert(path, attributes);
        self
    }

    /// Packs every package that the cache does not have, and merges them all.
    ///
    /// # Errors
    /// [`RootError`]: a package that cannot be read, or packages that do not fit together.
    pub fn prepare<'c>(
        mut self,
        cache: &'c dyn Cache,
        progress: &dyn Progress,
    ) -> Result<Prepared<'c>, RootError> {
        self.packages.sort_by(|a, b| a.name.cmp(&b.name));
        for pair in self.packages.windows(2) {
            if let [a, b] = pair
                && a.name == b.name
            {
                return Err(RootError::Twice { package: a.name.clone() });
            }
        }
        let mut own = BTreeSet::new();
        own.extend(self.own.iter().filter(|o| !o.entry.kind.is_dir()).map(|o| o.entry.path.clone()));
        let mut attributes = super::declare::attributes();
        attributes.append(&mut self.attributes);
        let rules = Rules { filter: self.options.filter.clone(), own, attributes };
        let packer = Packer {
            rules: &rules,
            cache,
            limits: self.options.limits,
            level: self.options.level,
            epoch: self.options.epoch,
        };
        let mut parts = first_pass(&packer, &self.packages, self.options.threads, progress)?;
        // Files of ours that are not wanted after all give their paths back to the packages.
        let rules = settle_own(&mut self.own, &parts, rules.clone());
        let packer = Packer { rules: &rules, ..packer };
        let merged = {
            let views: Vec<Part<'_>> = self.packages.iter().zip(&parts).map(part).collect();
            merge(&views, &rules, self.options.epoch)?
        };
        let Merged { tree, decisions, notes } = merged;
        for ((source, (listing, packed)), decisions) in self.packages.iter().zip(&mut parts).zip(&decisions) {
            let now = packer.with(source, listing, decisions)?;
            if now.key != packed.key {
                *packed = now;
            }
        }
        Ok(Prepared {
            options: self.options,
            packages: self.packages,
            parts,
            decisions,
            own: self.own,
            tree,
            notes,
            rules,
            cache,
        })
    }
}

type Parts = Vec<(Listing, Packed)>;
type PackResult = Result<(Listing, Packed), RootError>;

fn part<'a>((source, (listing, _)): (&'a PackageSource, &'a (Listing, Packed))) -> Part<'a> {
    Part { name: &source.name, version: &source.version, listing }
}

/// Packs all packages on several threads, the large ones first.
fn first_pass(
    packer: &Packer<'_>,
    packages: &[PackageSource],
    threads: usize,
    progress: &dyn Progress,
) -> Result<Parts, RootError> {
    let mut order: Vec<(usize, &PackageSource)> = packages.iter().enumerate().collect();
    order.sort_by_key(|(_, source)| std::cmp::Reverse(source.size));
    let (next, done, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let results: Mutex<BTreeMap<usize, PackResult>> = Mutex::default();
    let work = || {
        while let Some((at, source)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let result = if progress.stop() { Err(RootError::Stopped) } else { packer.first(source) };
            match &result {
                Ok((_, packed)) => {
                    let done = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                    progress.package(&source.name, done, packages.len(), packed.cached);
                }
                Err(_) => failed.store(true, Ordering::Relaxed),
            }
            results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(*at, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, 64) {
            scope.spawn(work);
        }
        work();
    });
    // The first failure by name, so that two builds with two faults say the same.
    results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect()
}

/// Takes out own files whose `needs` no package has, and all but the last one of a path.
fn settle_own(own: &mut Vec<Own>, parts: &Parts, mut rules: Rules) -> Rules {
    let has =
        |path: &str| parts.iter().any(|(listing, _)| listing.entries.iter().any(|e| e.path.as_str() == path));
    let mut last: BTreeMap<TreePath, Own> = BTreeMap::new();
    for item in own.drain(..).filter(|o| o.needs.is_empty() || has(&o.needs)) {
        last.insert(item.entry.path.clone(), item);
    }
    rules.own = last.values().filter(|o| !o.entry.kind.is_dir()).map(|o| o.entry.path.clone()).collect();
    *own = last.into_values().collect();
    rules
}

/// Packages merged; own files may still be added, and packed files read, before the image is written.
#[derive(Debug)]
pub struct Prepared<'c> {
    options: Options,
    packages: Vec<PackageSource>,
    parts: Parts,
    decisions: Vec<super::decide::Decisions>,
    own: Vec<Own>,
    tree: Tree,
    notes: Vec<String>,
    rules: Rules,
    cache: &'c dyn Cache,
}

/// A finished root image.
#[derive(Debug, Clone)]
pub struct RootImage {
    /// The index to write beside it.
    pub index: Index,
    /// Every path in it.
    pub tree: Tree,
    /// What was decided where packages met each other or our own files.
    pub notes: Vec<String>,
    /// Packages whose frames came from the cache.
    pub cached: usize,
    /// Packages in all.
    pub packages: usize,
}

impl Prepared<'_> {
    /// The packages' tree, without our own files.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// A small file that building needs and that was kept: kernels under `boot/`, init scripts.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.parts.iter().find_map(|(listing, _)| listing.files.get(path)).map(Vec::as_slice)
    }

    /// All files that were kept for building, by path.
    pub fn files(&self) -> impl Iterator<Item = (&TreePath, &[u8])> {
        self.parts
            .iter()
            .flat_map(|(listing, _)| &listing.files)
            .map(|(path, bytes)| (path, bytes.as_slice()))
    }

    /// Names of the packages with their listings, in order.
    pub fn packages(&self) -> impl Iterator<Item = (&PackageSource, &Listing)> {
        self.packages.iter().zip(&self.parts).map(|(source, (listing, _))| (source, listing))
    }

    pub(crate) fn own_entries(&self) -> &[Own] {
        &self.own
    }

    pub(crate) fn epoch(&self) -> i64 {
        self.options.epoch
    }

    /// A text that differs where the packed frames of a package would.
    pub(crate) fn packed(&self, name: &str) -> Option<&str> {
        let found = self.packages.iter().zip(&self.parts).find(|(source, _)| source.name == name);
        found.map(|(_, (_, packed))| packed.key.as_str())
    }

    /// Reads what of a package is in the root, entry by entry, out of its packed frames.
    ///
    /// # Errors
    /// What the callback returns, or an object of the cache that went away.
    pub fn read_package(
        &self,
        name: &str,
        mut each: impl FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), RootError> {
        let error = |source| RootError::Cache { package: name.to_owned(), source };
        let found = self.packages.iter().zip(&self.parts).find(|(source, _)| source.name == name);
        let Some((_, (_, packed))) = found else { return Ok(()) };
        let object = self.cache.open(&packed.key).map_err(error)?;
        let object = object.ok_or_else(|| error(io::ErrorKind::NotFound.into()))?;
        let frames = object.take(packed.index.packed());
        let zstd = zstd::stream::read::Decoder::new(frames).map_err(error)?;
        let mut reader = tar::Reader::new(name, "frames", zstd, u64::MAX, u64::MAX).open_ended();
        while let Some(entry) = reader.next_entry()? {
            each(&entry, &mut reader).map_err(error)?;
        }
        Ok(())
    }

    /// Adds files of ours that depend on what the packages have: depmod's tables, for one.
    pub fn own(&mut self, own: impl IntoIterator<Item = Own>) -> &mut Self {
        for item in own {
            self.own.retain(|o| o.entry.path != item.entry.path);
            self.own.push(item);
        }
        self
    }

    /// Writes the image: directories, packages in the order of their names, our own files, the end.
    ///
    /// # Errors
    /// [`RootError`]: own files that do not fit, what is declared for the packages does not, or the
    /// output cannot be written.
    pub fn write(mut self, out: &mut dyn Write) -> Result<RootImage, RootError> {
        let declared = super::declare::declare(&self)?;
        self.notes.extend(declared.notes);
        let mut there: BTreeSet<TreePath> = self.own.iter().map(|o| o.entry.path.clone()).collect();
        self.own.extend(declared.own.into_iter().filter(|o| there.insert(o.entry.path.clone())));
        self.own.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        self.place_own()?;
        close(&mut self.tree, &self.rules, self.options.epoch)?;
        let mut index = Index::default();
        let mut sink = out;
        {
            let mut frame = FrameWriter::new(&mut sink, self.options.level);
            for (_, node) in self.tree.iter().filter(|(_, n)| n.entry.kind.is_dir()) {
                frame.entry(&node.entry, &mut io::empty()).map_err(RootError::Write)?;
            }
            index.frames.push(frame.finish("<directories>").map_err(RootError::Write)?.1);
        }
        let (own, level, cache) = (std::mem::take(&mut self.own), self.options.level, self.cache);
        let (packages, own) = std::thread::scope(|scope| {
            let own = scope.spawn(|| own_frames::pack(&own, level, cache));
            let packages = self.write_packages(&mut sink, &mut index);
            // A panic there is one here.
            (packages, own.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        packages?;
        let (bytes, frames) =
            own.map_err(|source| RootError::Cache { package: "ESOS".to_owned(), source })?;
        sink.write_all(&bytes).map_err(RootError::Write)?;
        index.frames.extend(frames);
        let mut frame = FrameWriter::new(&mut sink, self.options.level);
        frame.raw(&tar::END).map_err(RootError::Write)?;
        index.frames.push(frame.finish("<end>").map_err(RootError::Write)?.1);
        sink.flush().map_err(RootError::Write)?;
        let cached = self.parts.iter().filter(|(_, packed)| packed.cached).count();
        Ok(RootImage { index, tree: self.tree, notes: self.notes, cached, packages: self.packages.len() })
    }

    /// Puts our own entries into the tree; packages lose the paths.
    fn place_own(&mut self) -> Result<(), RootError> {
        for own in &mut self.own {
            own.entry.mtime = own.entry.mtime.min(self.options.epoch);
            let path = own.entry.path.clone();
            let there = self.tree.nodes.get(&path);
            if let Some(there) = there
                && there.entry.kind.is_dir() != own.entry.kind.is_dir()
            {
                let empty = self.tree.children(path.as_str()).next().is_none();
                if !there.entry.kind.is_dir() || !empty {
                    return Err(RootError::Conflict {
                        path,
                        first: there.package.clone().unwrap_or_default(),
                        first_kind: there.entry.kind.word(),
                        second: "ESOS".to_owned(),
                        second_kind: own.entry.kind.word(),
                    });
                }
            }
            if let Some(name) = there.filter(|n| !n.entry.kind.is_dir()).and_then(|n| n.package.clone()) {
                let origin = there.map(|n| n.origin.clone()).unwrap_or_default();
                let at = self.packages.iter().position(|source| source.name == name);
                if let Some(decisions) = at.and_then(|at| self.decisions.get_mut(at)) {
                    decisions.drop.insert(origin);
                    self.notes.push(format!("/{path}: ours, not that of {name}"));
                }
            }
            let node = Node { entry: own.entry.clone(), package: None, origin: path.clone() };
            self.tree.nodes.insert(path, node);
        }
        Ok(())
    }

    fn write_packages(&mut self, out: &mut dyn Write, index: &mut Index) -> Result<(), RootError> {
        let packer = Packer {
            rules: &self.rules,
            cache: self.cache,
            limits: self.options.limits,
            level: self.options.level,
            epoch: self.options.epoch,
        };
        for ((source, (listing, packed)), decisions) in
            self.packages.iter().zip(&mut self.parts).zip(&self.decisions)
        {
            let now = packer.with(source, listing, decisions)?;
            if now.key != packed.key {
                *packed = now;
            }
            let error = |e| RootError::Cache { package: source.name.clone(), source: e };
            let object = self.cache.open(&packed.key).map_err(error)?;
            let mut object = object.ok_or_else(|| error(io::ErrorKind::NotFound.into()))?;
            copy_frames(&mut *object, &packed.index, out).map_err(RootError::Write)?.map_err(
                |frame: Frame| {
                    error(io::Error::other(format!("frame {} is damaged; remove {}", frame.name, packed.key)))
                },
            )?;
            index.frames.extend(packed.index.frames.iter().cloned());
        }
        Ok(())
    }
}
