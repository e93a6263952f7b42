//! What was seen last, so that only what changed is read again.
use crate::codec::{CodecError, Reader, put_bytes, put_number, put_signed};
use crate::seam::Stat;
use crate::{BoxPath, Id, Listing, Node, Snapshot};
use std::collections::BTreeMap;

const HEAD: &[u8] = b"ESOSIDX2";

/// What the kernel said of a file when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) mtime: (i64, u32),
    pub(crate) ctime: (i64, u32),
    pub(crate) inode: (u64, u64),
}

impl From<&Stat> for Stamp {
    fn from(stat: &Stat) -> Self {
        Self { mtime: stat.mtime, ctime: stat.ctime, inode: stat.inode }
    }
}

/// What was seen last: the box's memory of the newest generation. It lies on the box and not on the stick;
/// without it everything is read again, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// The generation that it stands for, and the size of its pack.
    pub(crate) generation: u64,
    pub(crate) pack: u64,
    pub(crate) tree: Option<Id>,
    /// What was tracked.
    pub(crate) tracked: Option<Id>,
    /// When it was begun: what changed later than a second before may have changed after it was read.
    pub(crate) begun: i64,
    pub(crate) snapshot: Snapshot,
    /// Of each directory, in the order of its names; none for what is no file.
    pub(crate) stamps: BTreeMap<BoxPath, Vec<Option<Stamp>>>,
}

impl Index {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // A name, a hash and three times for each, more or less.
        let names = self.stamps.values().map(Vec::len).sum::<usize>();
        let mut out = Vec::with_capacity(names.saturating_mul(128).saturating_add(4096));
        out.extend_from_slice(HEAD);
        put_number(&mut out, self.generation);
        put_number(&mut out, self.pack);
        put_bytes(&mut out, self.tree.as_ref().map_or(&[], |id| &id.0));
        put_bytes(&mut out, self.tracked.as_ref().map_or(&[], |id| &id.0));
        put_signed(&mut out, self.begun);
        let none = Vec::new();
        for (path, listing) in &self.snapshot.dirs {
            put_bytes(&mut out, path.as_bytes());
            out.push(u8::from(listing.whole));
            put_number(&mut out, listing.nodes.len() as u64);
            let stamps = self.stamps.get(path).unwrap_or(&none);
            for (at, (name, node)) in listing.nodes.iter().enumerate() {
                node.encode(name, &mut out);
                let stamp = stamps.get(at).and_then(Option::as_ref);
                out.push(u8::from(stamp.is_some()));
                if let Some(stamp) = stamp {
                    for (seconds, nanos) in [stamp.mtime, stamp.ctime] {
                        put_signed(&mut out, seconds);
                        put_number(&mut out, u64::from(nanos));
                    }
                    put_number(&mut out, stamp.inode.0);
                    put_number(&mut out, stamp.inode.1);
                }
            }
        }
        let sum = Id::of(&out);
        out.extend_from_slice(&sum.0);
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// They are cut off or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let end = bytes.len().checked_sub(32).ok_or(CodecError::Truncated(0))?;
        let (body, sum) = bytes.split_at_checked(end).ok_or(CodecError::Truncated(0))?;
        if Id::from_slice(sum) != Some(Id::of(body)) {
            return Err(CodecError::Nonsense(end));
        }
        let mut reader = Reader::new(body);
        if reader.take(HEAD.len())? != HEAD {
            return Err(CodecError::Nonsense(0));
        }
        let (generation, pack) = (reader.number()?, reader.number()?);
        let mut index = Self {
            generation,
            pack,
            tree: Id::from_slice(reader.bytes()?),
            tracked: Id::from_slice(reader.bytes()?),
            begun: reader.signed()?,
            ..Self::default()
        };
        while !reader.is_empty() {
            let path = BoxPath::new(reader.bytes()?).ok_or_else(|| reader.nonsense())?;
            let whole = reader.byte()? == 1;
            let count = reader.count()?;
            let (mut nodes, mut stamps) = (Vec::with_capacity(count), Vec::with_capacity(count));
            for _ in 0..count {
                nodes.push(Node::decode(&mut reader)?);
                stamps.push(match reader.byte()? {
                    1 => {
                        let mtime = (reader.signed()?, reader.small()?);
                        let ctime = (reader.signed()?, reader.small()?);
                        let inode = (reader.number()?, reader.number()?);
                        Some(Stamp { mtime, ctime, inode })
                    }
                    _ => None,
                });
            }
            // In order already, which is the cheapest way to fill a map.
            let nodes = nodes.into_iter().collect();
            index.stamps.insert(path.clone(), stamps);
            index.snapshot.dirs.insert(path, Listing { whole, nodes });
        }
        Ok(index)
    }
}
