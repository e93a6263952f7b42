//! Zip: the central directory, stored and deflated members (PKWARE, APPNOTE 6.3).
use super::container::{MAX, Member};
use crate::disk::bytes::{u16_at, u32_at, wide};
use std::io::Read;

const END: [u8; 4] = *b"PK\x05\x06";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";

pub(super) fn members(bytes: &[u8]) -> Result<Vec<Member>, String> {
    let from = bytes.len().saturating_sub(22 + 65_535);
    let tail = bytes.get(from..).unwrap_or_default();
    let end = tail.windows(4).rposition(|w| w == END).ok_or("it has no central directory: it is cut off")?;
    let end = tail.get(end..).unwrap_or_default();
    let count = u16_at(end, 10).ok_or("the end of its directory is cut off")?;
    let mut at = usize::try_from(u32_at(end, 16).unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let mut out = Vec::new();
    let mut total = 0u64;
    for _ in 0..count {
        let entry = bytes.get(at..).filter(|e| e.starts_with(&ENTRY)).ok_or("its directory is damaged")?;
        let half = |n: usize| u16_at(entry, n).map(usize::from).ok_or("its directory is cut off");
        let word = |n: usize| u32_at(entry, n).ok_or("its directory is cut off");
        let (flags, method, crc) = (half(8)?, half(10)?, word(16)?);
        let (packed, size) = (word(20)?, word(24)?);
        let (name_len, extra, comment) = (half(28)?, half(30)?, half(32)?);
        let name = entry.get(46..46usize.saturating_add(name_len)).ok_or("its directory is cut off")?;
        let name = String::from_utf8_lossy(name).into_owned();
        at = at.saturating_add(46).saturating_add(name_len).saturating_add(extra).saturating_add(comment);
        if name.ends_with('/') {
            continue;
        }
        total = total.saturating_add(u64::from(size));
        if total > MAX || packed == u32::MAX {
            return Err(format!("{name}: all together are more than 1 GiB"));
        }
        if flags & 1 != 0 {
            return Err(format!("{name} is encrypted"));
        }
        let local = usize::try_from(word(42)?).unwrap_or(usize::MAX);
        let local = bytes
            .get(local..)
            .filter(|l| l.starts_with(&LOCAL))
            .ok_or("a member is not where it should be")?;
        let skip = |n: usize| u16_at(local, n).map_or(0, usize::from);
        let start = 30usize.saturating_add(skip(26)).saturating_add(skip(28));
        let packed = usize::try_from(packed).unwrap_or(usize::MAX);
        let data = local.get(start..start.saturating_add(packed)).ok_or(format!("{name} is cut off"))?;
        let content = match method {
            0 => data.to_vec(),
            8 => {
                let mut content = Vec::new();
                let mut inflate =
                    flate2::read::DeflateDecoder::new(data).take(u64::from(size).saturating_add(1));
                inflate.read_to_end(&mut content).map_err(|e| format!("{name}: {e}"))?;
                content
            }
            // What we cannot unpack is no reason to refuse the rest.
            _ => continue,
        };
        if wide(content.len()) != u64::from(size) || crc32fast::hash(&content) != crc {
            return Err(format!("{name}: size or checksum are wrong"));
        }
        out.push(Member { name, bytes: content });
    }
    Ok(out)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    /// A zip as others write it.
    pub(in crate::tool) fn zip(files: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, bytes) in files {
            let data = if deflate {
                let mut enc = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                enc.write_all(bytes).unwrap();
                enc.finish().unwrap()
            } else {
                bytes.to_vec()
            };
            let offset = out.len() as u32;
            let mut common = vec![20, 0, 0, 0, if deflate { 8 } else { 0 }, 0, 0, 0, 0, 0];
            common.extend(crc32fast::hash(bytes).to_le_bytes());
            common.extend((data.len() as u32).to_le_bytes());
            common.extend((bytes.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0, 0]);
            out.extend(*b"PK\x03\x04");
            out.extend(&common);
            out.extend(name.as_bytes());
            out.extend(&data);
            directory.extend(*b"PK\x01\x02\x14\x03");
            directory.extend(&common);
            directory.extend([0; 10]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let (at, len, count) = (out.len() as u32, directory.len() as u32, files.len() as u16);
        out.extend(&directory);
        out.extend(*b"PK\x05\x06\0\0\0\0");
        out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        out.extend([len.to_le_bytes(), at.to_le_bytes()].concat());
        out.extend([0, 0]);
        out
    }
}
