//! One package into frames.
use super::cache::{Cache, ReadSeek};
use super::decide::{Decisions, Rules, hex};
use super::frame::{FrameWriter, SPLIT};
use super::listing::Listing;
use super::usrmerge;
use super::{PackageSource, RootError};
use crate::deb::{Deb, Entry, Fault, Kind, Limits, TreePath};
use esos_layout::frames::{Frame, Index};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, SeekFrom, Write};

/// What packing needs besides the package.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packer<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) cache: &'a dyn Cache,
    pub(crate) limits: Limits,
    pub(crate) level: i32,
    pub(crate) epoch: i64,
}

/// Frames of a package, ready in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) key: String,
    pub(crate) index: Index,
    pub(crate) cached: bool,
}

/// Hashes what is read, so that the file that was used is the one that was promised.
struct HashRead {
    inner: Box<dyn Read + Send>,
    hash: Sha256,
}

impl Read for HashRead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buf)?;
        self.hash.update(buf.get(..got).unwrap_or(&[]));
        Ok(got)
    }
}

/// How hard links are placed.
enum Order<'a> {
    /// As the package has them: works while the target lies in the same frame.
    AsPacked,
    /// Behind their target, known from a listing.
    Grouped(&'a Listing),
}

impl Packer<'_> {
    /// The listing and, if nothing else happens, the frames of a package: from the cache, or by reading
    /// the package once.
    pub(crate) fn first(&self, source: &PackageSource) -> Result<(Listing, Packed), RootError> {
        let list_key = format!("{}-{}.list", hex(&source.sha256), super::listing::FORMAT);
        let known = self.cache.open(&list_key).map_err(|e| cache_error(source, e))?;
        if let Some(listing) = known.and_then(|mut object| Listing::read(&mut object)) {
            let decisions = self.rules.guess(&listing);
            let packed = self.with(source, &listing, &decisions)?;
            return Ok((listing, packed));
        }
        let (listing, frames) = self.stream(source, None, &Order::AsPacked)?;
        let mut draft = self.cache.create().map_err(|e| cache_error(source, e))?;
        listing
            .write(&mut draft)
            .and_then(|()| draft.commit(&list_key))
            .map_err(|e| cache_error(source, e))?;
        let decisions = self.rules.guess(&listing);
        if let Some((draft, index)) = frames {
            let packed = self.commit(source, &listing, &decisions, draft, index)?;
            return Ok((listing, packed));
        }
        let packed = self.with(source, &listing, &decisions)?;
        Ok((listing, packed))
    }

    /// Frames of a package of which the listing is known.
    pub(crate) fn with(
        &self,
        source: &PackageSource,
        listing: &Listing,
        decisions: &Decisions,
    ) -> Result<Packed, RootError> {
        let key = self.key(source, listing, decisions);
        let found = self.cache.open(&key).map_err(|e| cache_error(source, e))?;
        if let Some(index) = found.and_then(|mut object| read_index(&mut *object).ok().flatten()) {
            return Ok(Packed { key, index, cached: true });
        }
        for order in [Order::AsPacked, Order::Grouped(listing)] {
            if let (_, Some((draft, index))) = self.stream(source, Some(decisions), &order)? {
                return self.commit(source, listing, decisions, draft, index);
            }
        }
        Err(cache_error(source, io::Error::other("hard links cannot be ordered")))
    }

    fn key(&self, source: &PackageSource, listing: &Listing, decisions: &Decisions) -> String {
        format!("{}-{}.frames", hex(&source.sha256), decisions.digest(listing, self.level, self.epoch))
    }

    fn commit(
        &self,
        source: &PackageSource,
        listing: &Listing,
        decisions: &Decisions,
        mut draft: Draft,
        index: Index,
    ) -> Result<Packed, RootError> {
        let key = self.key(source, listing, decisions);
        write_index(&mut draft, &index)
            .and_then(|()| draft.commit(&key))
            .map_err(|e| cache_error(source, e))?;
        Ok(Packed { key, index, cached: false })
    }

    /// Reads a package to its end. No frames come out if a hard link would have to reach into another
    /// frame, or to a file that stays out.
    fn stream(
        &self,
        source: &PackageSource,
        decisions: Option<&Decisions>,
        order: &Order<'_>,
    ) -> Result<(Listing, Option<(Draft, Index)>), RootError> {
        let opened =
            (source.open)().map_err(|e| RootError::Open { package: source.name.clone(), source: e })?;
        let reader = HashRead { inner: opened, hash: Sha256::new() };
        let deb = Deb::open(&source.name, reader, self.limits)?.hashed_elsewhere();
        let mut listing = Listing::new(deb.control());
        let mut entries = deb.entries()?;
        let draft = self.cache.create().map_err(|e| cache_error(source, e))?;
        let mut out = Out::new(self, &source.name, order, decisions, draft);
        while let Some(mut entry) = entries.next_entry()? {
            usrmerge::place(&mut entry);
            let written = if Listing::captures(&entry) {
                let content = entries.read_content(super::listing::CAPTURE_LIMIT)?;
                let written = out.entry(&entry, &mut content.as_slice());
                listing.files.insert(entry.path.clone(), content);
                written
            } else {
                let mut tell = Tell { inner: &mut entries, failed: None };
                let written = out.entry(&entry, &mut tell);
                // A damaged package and a full disk both come out of one copy.
                if let Some(error) = tell.failed {
                    return Err(entries.error(Fault::io(error)).into());
                }
                written
            };
            written.map_err(|e| cache_error(source, e))?;
            listing.entries.push(entry);
        }
        let found: [u8; 32] = entries.finish()?.hash.finalize().into();
        if found != source.sha256 {
            return Err(RootError::Hash {
                package: source.name.clone(),
                expected: hex(&source.sha256),
                found: hex(&found),
            });
        }
        check_links(source, &listing)?;
        let done = out.finish().map_err(|e| cache_error(source, e))?;
        Ok((listing, done))
    }
}

/// Keeps the error of the side that is read.
struct Tell<'a, R> {
    inner: &'a mut R,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Tell<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

/// Every hard link has its file in the same package.
fn check_links(source: &PackageSource, listing: &Listing) -> Result<(), RootError> {
    let files: BTreeSet<&TreePath> =
        listing.entries.iter().filter(|e| e.kind.is_file()).map(|e| &e.path).collect();
    for entry in &listing.entries {
        if let Kind::HardLink { target } = &entry.kind
            && !files.contains(target)
        {
            return Err(RootError::ForeignLink {
                path: entry.path.clone(),
                package: source.name.clone(),
                target: target.clone(),
            });
        }
    }
    Ok(())
}

type Draft = Box<dyn super::cache::Draft>;

/// Where the draft is.
enum State {
    Between(Draft),
    In(Box<FrameWriter<Draft>>),
    /// The order did not work out; nothing is written any more.
    Abandoned,
}

/// The frames of a package while they are written.
struct Out<'a> {
    packer: Packer<'a>,
    name: &'a str,
    grouped: bool,
    links: BTreeMap<&'a TreePath, Vec<&'a Entry>>,
    decisions: Option<&'a Decisions>,
    state: State,
    files: BTreeSet<TreePath>,
    index: Index,
}

impl<'a> Out<'a> {
    fn new(
        packer: &Packer<'a>,
        name: &'a str,
        order: &Order<'a>,
        decisions: Option<&'a Decisions>,
        draft: Draft,
    ) -> Self {
        let mut links: BTreeMap<&TreePath, Vec<&Entry>> = BTreeMap::new();
        let grouped = if let Order::Grouped(listing) = order {
            for entry in &listing.entries {
                if let Kind::HardLink { target } = &entry.kind {
                    links.entry(target).or_default().push(entry);
                }
            }
            true
        } else {
            false
        };
        let (files, index) = (BTreeSet::new(), Index::default());
        Self { packer: *packer, name, grouped, links, decisions, state: State::Between(draft), files, index }
    }

    fn dropped(&self, entry: &Entry) -> bool {
        self.decisions.map_or_else(|| self.packer.rules.drops(entry), |d| d.drop.contains(&entry.path))
    }

    /// Writes what belongs at this place: nothing, the entry, or the entry with its hard links.
    fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        if entry.kind.is_dir() {
            return Ok(());
        }
        if let Kind::HardLink { target } = &entry.kind {
            if self.grouped || self.dropped(entry) {
                return Ok(());
            }
            let near = matches!(&self.state, State::In(frame) if frame.unpacked < SPLIT);
            if !near || !self.files.contains(target) {
                self.state = State::Abandoned;
                return Ok(());
            }
        }
        let links = self.links.get(&entry.path).cloned().unwrap_or_default();
        let all = std::iter::once(entry).chain(links);
        let mut names: Vec<Entry> = all.filter(|e| !self.dropped(e)).cloned().collect();
        if let Some((first, rest)) = names.split_first_mut() {
            // The first name that stays becomes the file.
            first.kind = entry.kind.clone();
            rest.iter_mut().for_each(|link| link.kind = Kind::HardLink { target: first.path.clone() });
        }
        if !names.is_empty() {
            self.split()?;
        }
        for entry in names {
            self.put(entry, content)?;
        }
        Ok(())
    }

    fn put(&mut self, mut entry: Entry, content: &mut dyn Read) -> io::Result<()> {
        let State::In(frame) = &mut self.state else { return Ok(()) };
        entry.mtime = entry.mtime.min(self.packer.epoch);
        let attributes = match self.decisions {
            Some(decisions) => decisions.attributes.get(&entry.path),
            None => self.packer.rules.attributes.get(&entry.path),
        };
        if let Some(attributes) = attributes {
            (entry.uid, entry.gid, entry.mode) = (attributes.uid, attributes.gid, attributes.mode);
            entry.xattrs.extend(attributes.xattrs.clone());
        }
        self.files.insert(entry.path.clone());
        if let Some(decisions) = self.decisions {
            entry.path = decisions.place(&entry.path).clone();
            if let Kind::HardLink { target } = &mut entry.kind {
                *target = decisions.place(target).clone();
            }
        }
        frame.entry(&entry, content)
    }

    /// Begins a frame if none is open or the open one is large enough.
    fn split(&mut self) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::Abandoned) {
            State::In(frame) if frame.unpacked >= SPLIT => {
                let draft = self.close(*frame)?;
                State::In(Box::new(FrameWriter::new(draft, self.packer.level)))
            }
            State::Between(draft) => State::In(Box::new(FrameWriter::new(draft, self.packer.level))),
            other => other,
        };
        Ok(())
    }

    fn close(&mut self, frame: FrameWriter<Draft>) -> io::Result<Draft> {
        let name = match self.index.frames.len() {
            0 => self.name.to_owned(),
            n => format!("{}+{n}", self.name),
        };
        let (draft, frame) = frame.finish(&name)?;
        self.index.frames.push(frame);
        self.files.clear();
        Ok(draft)
    }

    fn finish(mut self) -> io::Result<Option<(Draft, Index)>> {
        let draft = match std::mem::replace(&mut self.state, State::Abandoned) {
            State::Abandoned => return Ok(None),
            State::Between(draft) => draft,
            State::In(frame) => self.close(*frame)?,
        };
        Ok(Some((draft, self.index)))
    }
}

fn cache_error(source: &PackageSource, error: io::Error) -> RootError {
    RootError::Cache { package: source.name.clone(), source: error }
}

/// Ends an object, whose frames are written, with their index.
pub(super) fn write_index(object: &mut dyn Write, index: &Index) -> io::Result<()> {
    let text = index.to_string();
    let length = u64::try_from(text.len()).unwrap_or(0);
    object.write_all(text.as_bytes())?;
    object.write_all(&length.to_le_bytes())
}

/// The index at the end of an object; `None` where it cannot be one.
pub(super) fn read_index(object: &mut dyn ReadSeek) -> io::Result<Option<Index>> {
    let size = object.seek(SeekFrom::End(0))?;
    let Some(at) = size.checked_sub(8) else { return Ok(None) };
    object.seek(SeekFrom::Start(at))?;
    let mut length = [0; 8];
    object.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let Some(at) = at.checked_sub(length).filter(|_| length < 1 << 24) else { return Ok(None) };
    object.seek(SeekFrom::Start(at))?;
    let mut text = String::new();
    object.take(length).read_to_string(&mut text)?;
    Ok(text.parse::<Index>().ok().filter(|index| index.packed() == at))
}

/// Copies the frames of a package behind one another and compares their hashes; `false` where an object
/// is damaged, after nothing was written for the damaged frame.
pub(crate) fn copy_frames(
    object: &mut dyn ReadSeek,
    index: &Index,
    out: &mut dyn Write,
) -> io::Result<Result<(), Frame>> {
    object.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    for frame in &index.frames {
        bytes.clear();
        (&mut *object).take(frame.packed).read_to_end(&mut bytes)?;
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != frame.sha256 {
            return Ok(Err(frame.clone()));
        }
        out.write_all(&bytes)?;
    }
    Ok(Ok(()))
}
