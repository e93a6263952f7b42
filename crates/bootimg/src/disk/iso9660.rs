//! ISO 9660 (ECMA-119) with Rock Ridge names (IEEE P1282) and El Torito's boot catalog, for files that lie in the
//! image already: only what names them is made here.
use super::bytes::{put, wide};
use crate::archive::date::UnixTime;

/// Bytes of a sector.
pub const SECTOR: u64 = 2048;
/// The first sector of a volume; those before it are the system's.
pub const FIRST: u64 = 16;

/// One file, where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsoFile {
    /// Its path, parts separated by `/`.
    pub path: String,
    /// Its first byte, a multiple of [`SECTOR`].
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

/// A volume to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The volume id, at most 32 characters of `A` to `Z`, `0` to `9` and `_`.
    pub label: String,
    /// The time of everything, in seconds since 1970.
    pub time: u32,
    /// Bytes of the whole medium.
    pub len: u64,
    /// The files.
    pub files: Vec<IsoFile>,
    /// Where the image lies that BIOSes start.
    pub bios: u64,
    /// Where the FAT file system lies that UEFI firmware starts from.
    pub efi: u64,
}

/// Why there is no such volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IsoError {
    /// A file does not begin at a sector, or lies beyond what the format can address.
    #[error("{path} lies at byte {start}, {len} bytes long, where no ISO can name it")]
    Place {
        /// The file.
        path: String,
        /// Its first byte.
        start: u64,
        /// Its length.
        len: u64,
    },
    /// Two files whose names are the same without Rock Ridge.
    #[error("{first} and {second} have the same name in ISO 9660")]
    Twice {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
}

/// A directory: its path, its entries, its parent's place in the list.
struct Dir {
    path: String,
    parent: usize,
    entries: Vec<Entry>,
    sector: u64,
}

struct Entry {
    id: Vec<u8>,
    name: String,
    /// A directory's place in the list, or a file.
    what: Result<usize, (u64, u64)>,
}

impl Volume {
    /// The volume from sector [`FIRST`] on. How long it is does not depend on where files lie.
    ///
    /// # Errors
    /// [`IsoError`].
    pub fn print(&self) -> Result<Vec<u8>, IsoError> {
        let outside = |f: &&IsoFile| {
            !f.start.is_multiple_of(SECTOR)
                || u32::try_from(f.start / SECTOR).is_err()
                || u32::try_from(f.len).is_err()
        };
        if let Some(f) = self.files.iter().find(outside) {
            return Err(IsoError::Place { path: f.path.clone(), start: f.start, len: f.len });
        }
        let mut dirs = self.dirs()?;
        // Descriptors, both path tables, the catalog, the directories.
        let mut next = FIRST + 6;
        for dir in &mut dirs {
            dir.sector = next;
            next = next.saturating_add(sectors(dir));
        }
        let tables: Vec<Vec<u8>> = [false, true].map(|big| path_table(&dirs, big)).into();
        let table_len = tables.first().map_or(0, Vec::len);
        let mut out = vec![0; to_usize(next.saturating_sub(FIRST).saturating_mul(SECTOR))];
        let mut at = |sector: u64, bytes: &[u8]| {
            put(&mut out, to_usize(sector.saturating_sub(FIRST).saturating_mul(SECTOR)), bytes);
        };
        at(FIRST, &self.primary(&dirs, table_len));
        at(FIRST + 1, &boot_record());
        at(FIRST + 2, b"\xffCD001\x01");
        for (sector, table) in [FIRST + 3, FIRST + 4].into_iter().zip(&tables) {
            at(sector, table);
        }
        at(FIRST + 5, &self.catalog());
        for dir in &dirs {
            at(dir.sector, &self.directory(dir, &dirs));
        }
        Ok(out)
    }

    /// Root first, then each level in the order of its names.
    fn dirs(&self) -> Result<Vec<Dir>, IsoError> {
        let mut paths: Vec<String> = vec![String::new()];
        for file in &self.files {
            let parts: Vec<&str> = file.path.split('/').collect();
            for n in 1..parts.len() {
                let path = parts.get(..n).unwrap_or_default().join("/");
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        let depth = |path: &str| if path.is_empty() { 0 } else { path.split('/').count() };
        paths.sort_by(|a, b| depth(a).cmp(&depth(b)).then_with(|| a.cmp(b)));
        let index = |path: &str| paths.iter().position(|p| p == path).unwrap_or(0);
        let mut dirs: Vec<Dir> = paths
            .iter()
            .map(|path| {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                Dir { path: path.clone(), parent: index(parent), entries: Vec::new(), sector: 0 }
            })
            .collect();
        for (n, path) in paths.iter().enumerate().skip(1) {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let entry = Entry { id: identifier(&name, true), name, what: Ok(n) };
            let parent = dirs.get(n).map_or(0, |d| d.parent);
            dirs.get_mut(parent).map(|d| d.entries.push(entry)).unwrap_or_default();
        }
        for file in &self.files {
            let (parent, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let what = Err((file.start, file.len));
            let entry = Entry { id: identifier(name, false), name: name.to_owned(), what };
            dirs.get_mut(index(parent)).map(|d| d.entries.push(entry)).unwrap_or_default();
        }
        for dir in &mut dirs {
            dir.entries.sort_by(|a, b| a.id.cmp(&b.id));
            let twice = dir.entries.windows(2).find_map(|pair| match pair {
                [a, b] if a.id == b.id => Some((a.name.clone(), b.name.clone())),
                _ => None,
            });
            if let Some((first, second)) = twice {
                return Err(IsoError::Twice { first, second });
            }
        }
        Ok(dirs)
    }

    fn primary(&self, dirs: &[Dir], table_len: usize) -> Vec<u8> {
        let mut out = vec![0; to_usize(SECTOR)];
        put(&mut out, 0, b"\x01CD001\x01");
        put(&mut out, 8, &[b' '; 32]);
        put(&mut out, 40, &[b' '; 32]);
        put(&mut out, 40, self.label.as_bytes());
        put(&mut out, 80, &both(u32::try_from(self.len / SECTOR).unwrap_or(u32::MAX)));
        for at in [120, 124] {
            put(&mut out, at, &both16(1));
        }
        put(&mut out, 128, &both16(2048));
        put(&mut out, 132, &both(u32::try_from(table_len).unwrap_or(0)));
        put(&mut out, 140, &u32_of(FIRST + 3).to_le_bytes());
        put(&mut out, 148, &u32_of(FIRST + 4).to_be_bytes());
        if let Some(root) = dirs.first() {
            let len = sectors(root).saturating_mul(SECTOR);
            put(&mut out, 156, &record(b"\0", root.sector, len, true, &self.short_time(), &[]));
        }
        // Set, publisher, preparer, application; then three file names.
        put(&mut out, 190, &[b' '; 128 * 4 + 37 * 3]);
        put(&mut out, 574, b"ESOS");
        let digits = self.digits();
        for at in [813, 830] {
            put(&mut out, at, format!("{digits}00").as_bytes());
        }
        for at in [847, 864] {
            put(&mut out, at, b"0000000000000000");
        }
        put(&mut out, 881, &[1]);
        out
    }

    fn catalog(&self) -> Vec<u8> {
        let mut out = vec![0; 128];
        put(&mut out, 0, &[1, 0, 0, 0]);
        put(&mut out, 4, b"ESOS");
        put(&mut out, 30, &[0x55, 0xaa]);
        let sum = out.chunks(2).take(16).fold(0u16, |sum, pair| {
            sum.wrapping_add(u16::from_le_bytes([
                pair.first().copied().unwrap_or(0),
                pair.get(1).copied().unwrap_or(0),
            ]))
        });
        put(&mut out, 28, &sum.wrapping_neg().to_le_bytes());
        // Bootable, no emulation, four sectors of 512 bytes: the first of GRUB loads the rest.
        put(&mut out, 32, &[0x88, 0, 0, 0, 0, 0, 4, 0]);
        put(&mut out, 40, &u32_of(self.bios / SECTOR).to_le_bytes());
        // The last section, of UEFI, with one entry. One sector means: up to the end of the medium, as
        // sixteen bits cannot say how large a FAT32 is.
        put(&mut out, 64, &[0x91, 0xef, 1, 0]);
        put(&mut out, 96, &[0x88, 0, 0, 0, 0, 0, 1, 0]);
        put(&mut out, 104, &u32_of(self.efi / SECTOR).to_le_bytes());
        out
    }

    fn directory(&self, dir: &Dir, dirs: &[Dir]) -> Vec<u8> {
        let time = self.short_time();
        let extent = |n: usize| dirs.get(n).map_or((0, 0), |d| (d.sector, sectors(d).saturating_mul(SECTOR)));
        let (own, parent) = ((dir.sector, sectors(dir).saturating_mul(SECTOR)), extent(dir.parent));
        let mut first = if dir.path.is_empty() { b"SP\x07\x01\xbe\xef\x00".to_vec() } else { Vec::new() };
        first.extend(attributes(true));
        if dir.path.is_empty() {
            first.extend(b"ER\x12\x01\x0a\x00\x00\x01RRIP_1991A");
        }
        let mut out = Vec::new();
        push(&mut out, record(b"\0", own.0, own.1, true, &time, &first));
        push(&mut out, record(b"\x01", parent.0, parent.1, true, &time, &attributes(true)));
        for entry in &dir.entries {
            let system = system_use(entry);
            let bytes = match entry.what {
                Ok(n) => {
                    let (sector, len) = extent(n);
                    record(&entry.id, sector, len, true, &time, &system)
                }
                Err((start, len)) => record(&entry.id, start / SECTOR, len, false, &time, &system),
            };
            push(&mut out, bytes);
        }
        out
    }

    /// `20260102030405`.
    fn digits(&self) -> String {
        let text = UnixTime::new(i64::from(self.time)).to_string();
        text.chars().filter(char::is_ascii_digit).take(14).collect()
    }

    /// Years since 1900, month, day, hour, minute, second, no distance from UTC.
    fn short_time(&self) -> [u8; 7] {
        let digits = self.digits();
        let number = |from: usize, to: usize| {
            digits.get(from..to).and_then(|part| part.parse::<u16>().ok()).unwrap_or(0)
        };
        let byte = |n: u16| u8::try_from(n).unwrap_or(u8::MAX);
        [
            byte(number(0, 4).saturating_sub(1900)),
            byte(number(4, 6)),
            byte(number(6, 8)),
            byte(number(8, 10)),
            byte(number(10, 12)),
            byte(number(12, 14)),
            0,
        ]
    }
}

fn boot_record() -> Vec<u8> {
    let mut out = vec![0; 128];
    put(&mut out, 0, b"\0CD001\x01EL TORITO SPECIFICATION");
    put(&mut out, 71, &u32_of(FIRST + 5).to_le_bytes());
    out
}

/// `VMLINUZ.;1`: what readers without Rock Ridge show.
fn identifier(name: &str, directory: bool) -> Vec<u8> {
    let clean = |text: &str| -> String {
        let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        text.chars().map(word).take(24).collect()
    };
    if directory {
        return clean(name).into_bytes();
    }
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
    let end: String = clean(end).chars().take(5).collect();
    format!("{}.{end};1", clean(stem)).into_bytes()
}

fn system_use(entry: &Entry) -> Vec<u8> {
    let len = u8::try_from(entry.name.len().saturating_add(5)).unwrap_or(5);
    let mut out = vec![b'N', b'M', len, 1, 0];
    out.extend(entry.name.bytes().take(usize::from(len).saturating_sub(5)));
    out.extend(attributes(entry.what.is_ok()));
    out
}

/// Rock Ridge's `PX`: everybody may read, nobody may write.
fn attributes(directory: bool) -> Vec<u8> {
    let (mode, links) = if directory { (0o040_555, 2) } else { (0o100_444, 1) };
    let mut out = b"PX\x24\x01".to_vec();
    for number in [mode, links, 0, 0] {
        out.extend(both(number));
    }
    out
}

fn record(id: &[u8], sector: u64, len: u64, directory: bool, time: &[u8; 7], system: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 33];
    put(&mut out, 2, &both(u32_of(sector)));
    put(&mut out, 10, &both(u32_of(len)));
    put(&mut out, 18, time);
    put(&mut out, 25, &[if directory { 2 } else { 0 }]);
    put(&mut out, 28, &both16(1));
    put(&mut out, 32, &[u8::try_from(id.len()).unwrap_or(u8::MAX)]);
    out.extend(id);
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out.extend(system);
    if out.len() % 2 == 1 {
        out.push(0);
    }
    let len = u8::try_from(out.len()).unwrap_or(u8::MAX);
    put(&mut out, 0, &[len]);
    out
}

/// No record crosses a sector.
fn push(out: &mut Vec<u8>, record: Vec<u8>) {
    let sector = to_usize(SECTOR);
    let left = sector.saturating_sub(out.len() % sector);
    if record.len() > left {
        out.resize(out.len().saturating_add(left), 0);
    }
    out.extend(record);
}

fn sectors(dir: &Dir) -> u64 {
    let mut out = Vec::new();
    // The root's own record is the longest: 34 bytes and 61 of Rock Ridge.
    push(&mut out, vec![0; 34 + 61]);
    push(&mut out, vec![0; 34 + 36]);
    for entry in &dir.entries {
        push(&mut out, record(&entry.id, 0, 0, false, &[0; 7], &system_use(entry)));
    }
    wide(out.len()).div_ceil(SECTOR)
}

fn path_table(dirs: &[Dir], big: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for dir in dirs {
        let name = dir.path.rsplit('/').next().unwrap_or_default();
        let id = if name.is_empty() { vec![0] } else { identifier(name, true) };
        out.extend([u8::try_from(id.len()).unwrap_or(u8::MAX), 0]);
        let (sector, parent) = (u32_of(dir.sector), u16::try_from(dir.parent.saturating_add(1)).unwrap_or(1));
        if big {
            out.extend(sector.to_be_bytes());
            out.extend(parent.to_be_bytes());
        } else {
            out.extend(sector.to_le_bytes());
            out.extend(parent.to_le_bytes());
        }
        out.extend(&id);
        if id.len() % 2 == 1 {
            out.push(0);
        }
    }
    out
}

fn both(n: u32) -> [u8; 8] {
    let mut out = [0; 8];
    put(&mut out, 0, &n.to_le_bytes());
    put(&mut out, 4, &n.to_be_bytes());
    out
}

fn both16(n: u16) -> [u8; 4] {
    let mut out = [0; 4];
    put(&mut out, 0, &n.to_le_bytes());
    put(&mut out, 2, &n.to_be_bytes());
    out
}

fn u32_of(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}
