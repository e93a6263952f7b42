//! What a `struct page` says about its page, for kernels 5.10 to 6.12.
use crate::bytes::{u32_at, u64_at};
use crate::{Level, Vmcoreinfo};

/// Why a page is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Free, in the buddy allocator.
    Free,
    /// Page cache.
    Cache,
    /// Page cache with private data.
    CachePrivate,
    /// Memory of a user process: anonymous, or a huge page.
    User,
    /// The hardware reported it as damaged; it is never read.
    Poisoned,
    /// Given back to the hypervisor; it is never read.
    Offline,
    /// Neither known to the kernel nor in the core's file, which has a hole there.
    Hole,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Free => "free",
            Self::Cache => "cache",
            Self::CachePrivate => "cache_private",
            Self::User => "user",
            Self::Poisoned => "poisoned",
            Self::Offline => "offline",
            Self::Hole => "hole",
        })
    }
}

/// How this kernel encodes the size and use of a compound page.
#[derive(Clone, Copy, Debug)]
enum Compound {
    /// 6.9 and later: the head's type.
    Type(u32),
    /// 6.6 to 6.8: a flag of the second page.
    Flag(u32),
    /// Before: order and destructor in the second page.
    Destructor {
        order: usize,
        dtor: usize,
        huge: i64,
    },
    Unknown,
}

/// The rules of one kernel, read from VMCOREINFO. Bits and offsets move between kernels; none is built in.
#[derive(Debug)]
pub struct Rules {
    flags: usize,
    mapping: usize,
    mapcount: usize,
    private: usize,
    compound_head: usize,
    head_mask: u64,
    compound: Compound,
    lru: u64,
    has_private: u64,
    swap_backed: u64,
    swap_cache: u64,
    poisoned: u64,
    slab_flag: u64,
    slab_type: Option<u32>,
    buddy: Option<u32>,
    offline: Option<u32>,
    max_order: u64,
}

/// What one page frame leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excluded {
    pub(crate) kind: Kind,
    /// Page frames from this one, a power of two.
    pub(crate) frames: u64,
}

impl Rules {
    /// Reads the rules. The second part names the keys that are unknown and what is therefore kept.
    #[must_use]
    pub fn new(info: &Vmcoreinfo) -> (Option<Self>, Vec<String>) {
        let mut unknown = Vec::new();
        let mut offset = |member: &str| {
            let found = info.offset(member).filter(|o| *o <= 4096);
            if found.is_none() {
                unknown.push(format!("OFFSET({member}) is unknown: no page is left out but zero pages"));
            }
            found
        };
        let (flags, mapping) = (offset("page.flags"), offset("page.mapping"));
        let (mapcount, private) = (offset("page._mapcount"), offset("page.private"));
        let compound_head = offset("page.compound_head");
        let mut miss = |key: &str, kept: &str| unknown.push(format!("{key} is unknown: {kept} kept"));
        let bit = |name: &str| {
            info.number(name).and_then(|n| u32::try_from(n).ok()).and_then(|n| 1_u64.checked_shl(n))
        };
        // Values of `_mapcount` are printed as signed numbers.
        let value = |name: &str| info.number(name).map(|n| n as u32);
        let compound = if let Some(huge) = value("PAGE_HUGETLB_MAPCOUNT_VALUE") {
            Compound::Type(huge)
        } else if let Some(n) = info.number("PG_hugetlb").and_then(|n| u32::try_from(n).ok()) {
            Compound::Flag(n.min(63))
        } else if let (Some(order), Some(dtor), Some(huge)) = (
            info.offset("page.compound_order").filter(|o| *o <= 4096),
            info.offset("page.compound_dtor").filter(|o| *o <= 4096),
            info.number("HUGETLB_PAGE_DTOR"),
        ) {
            Compound::Destructor { order, dtor, huge }
        } else {
            miss("the encoding of compound pages", "all but the first page of each and huge pages are");
            Compound::Unknown
        };
        let need = |found: Option<u64>, key: &str, kept: &str, miss: &mut dyn FnMut(&str, &str)| {
            if found.is_none() {
                miss(key, kept);
            }
            found.unwrap_or(0)
        };
        let lru = need(bit("PG_lru"), "NUMBER(PG_lru)", "most page cache is", &mut miss);
        let swap_cache = bit("PG_swapcache").unwrap_or(0);
        let slab_type = value("PAGE_SLAB_MAPCOUNT_VALUE");
        let slab_flag = if slab_type.is_some() { None } else { bit("PG_slab") };
        if slab_type.is_none() && slab_flag.is_none() {
            miss("NUMBER(PG_slab)", "pages that could be slabs are");
        }
        let slabs_known = slab_type.is_some() || slab_flag.is_some();
        let buddy = value("PAGE_BUDDY_MAPCOUNT_VALUE");
        if buddy.is_none() {
            miss("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", "free pages are");
        }
        // Without PG_private, private cache could not be told from other cache.
        let has_private = bit("PG_private");
        if has_private.is_none() {
            miss("NUMBER(PG_private)", "page cache is");
        }
        let rules = (|| {
            Some(Self {
                flags: flags?,
                mapping: mapping?,
                mapcount: mapcount?,
                private: private?,
                compound_head: compound_head?,
                head_mask: info.number("PG_head_mask").map_or(0, i64::cast_unsigned),
                compound,
                lru: if has_private.is_some() { lru } else { 0 },
                has_private: has_private.unwrap_or(0),
                swap_backed: bit("PG_swapbacked").unwrap_or(0),
                swap_cache: if has_private.is_some() { swap_cache } else { 0 },
                poisoned: bit("PG_hwpoison").unwrap_or(0),
                slab_flag: slab_flag.unwrap_or(if slabs_known { 0 } else { u64::MAX }),
                slab_type,
                buddy,
                offline: value("PAGE_OFFLINE_MAPCOUNT_VALUE"),
                max_order: info.length("zone.free_area").unwrap_or(11).min(18),
            })
        })();
        (rules, unknown)
    }

    /// Judges page frame `pfn` by its `struct page`, and by the next one where it is the head of a compound page.
    pub(crate) fn judge(&self, pfn: u64, page: &[u8], next: Option<&[u8]>, level: Level) -> Option<Excluded> {
        let flags = u64_at(page, self.flags)?;
        let mapping = u64_at(page, self.mapping)?;
        let mapcount = u32_at(page, self.mapcount)?;
        if u64_at(page, self.compound_head)? & 1 != 0 {
            return None; // The head decides.
        }
        let (order, huge) = match next.filter(|_| flags & self.head_mask != 0) {
            Some(next) => self.compound(mapcount, next)?,
            None => (0, false),
        };
        let order = if order < 64 && pfn & ((1 << order) - 1) == 0 { order } else { 0 };
        let slab = self.slab_type == Some(mapcount) || flags & self.slab_flag != 0;
        let anon = mapping & 1 != 0 && !slab;
        let in_swap =
            flags & self.swap_cache != 0 && (self.swap_backed == 0 || flags & self.swap_backed != 0);
        let cache = (flags & self.lru != 0 || in_swap) && !anon;
        let private = flags & self.has_private != 0;
        let mut frames = 1 << order;
        let kind = if level.free() && !slab && self.buddy == Some(mapcount) {
            let order = u64_at(page, self.private)?;
            if order >= self.max_order {
                return None;
            }
            frames = 1 << order;
            Kind::Free
        } else if level.cache() && cache && !private {
            Kind::Cache
        } else if level.cache_private() && cache {
            if private { Kind::CachePrivate } else { Kind::Cache }
        } else if level.user() && (anon || huge) {
            Kind::User
        } else if flags & self.poisoned != 0 {
            Kind::Poisoned
        } else if !slab && self.offline == Some(mapcount) {
            Kind::Offline
        } else {
            return None;
        };
        Some(Excluded { kind, frames })
    }

    /// Order of a compound page, and whether it is a huge page of a process.
    fn compound(&self, mapcount: u32, next: &[u8]) -> Option<(u32, bool)> {
        Some(match self.compound {
            Compound::Type(huge) => ((u64_at(next, self.flags)? & 0xff) as u32, mapcount == huge),
            Compound::Flag(bit) => {
                let flags = u64_at(next, self.flags)?;
                ((flags & 0xff) as u32, flags >> bit & 1 == 1)
            }
            Compound::Destructor { order, dtor, huge } => {
                (u32::from(*next.get(order)?), i64::from(*next.get(dtor)?) == huge)
            }
            Compound::Unknown => (0, false),
        })
    }
}
