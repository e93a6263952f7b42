//! Rpm, as far as its files: lead, two headers, and a compressed cpio (rpm's `docs/manual/format_v4.md`).
use super::container::{Member, decompress};
use crate::disk::bytes::array;

pub(super) fn members(bytes: &[u8]) -> Result<Vec<Member>, String> {
    let signature = header_len(bytes, 96).ok_or("its signature header is damaged")?;
    // The first header is padded to eight bytes.
    let second = 96usize.saturating_add(signature).next_multiple_of(8);
    let main = header_len(bytes, second).ok_or("its header is damaged")?;
    let payload = bytes.get(second.saturating_add(main)..).unwrap_or_default();
    let cpio = decompress(payload).ok_or("its payload is compressed in a way that is not known")?;
    newc(&cpio.map_err(|e| e.to_string())?)
}

/// Bytes of a header: magic, counts, index, store.
fn header_len(bytes: &[u8], at: usize) -> Option<usize> {
    let header = bytes.get(at..)?;
    let word = |n| array(header, n).map(u32::from_be_bytes).and_then(|n| usize::try_from(n).ok());
    if !header.starts_with(&[0x8e, 0xad, 0xe8]) {
        return None;
    }
    let (entries, store) = (word(8)?, word(12)?);
    16usize.checked_add(entries.checked_mul(16)?)?.checked_add(store)
}

/// Regular files of a newc cpio.
fn newc(bytes: &[u8]) -> Result<Vec<Member>, String> {
    let mut at = 0usize;
    let mut out = Vec::new();
    loop {
        let head = bytes.get(at..at.saturating_add(110)).ok_or("its cpio is cut off")?;
        if !head.starts_with(b"070701") && !head.starts_with(b"070702") {
            return Err("its cpio is damaged".to_owned());
        }
        let field = |n: usize| {
            let start = n.saturating_mul(8).saturating_add(6);
            let digits = head.get(start..start.saturating_add(8)).and_then(|d| std::str::from_utf8(d).ok());
            digits.and_then(|d| usize::from_str_radix(d, 16).ok()).ok_or("its cpio is damaged")
        };
        let (mode, size, name_len) = (field(1)?, field(6)?, field(11)?);
        let name_at = at.saturating_add(110);
        let name = bytes.get(name_at..name_at.saturating_add(name_len)).ok_or("its cpio is cut off")?;
        let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
        if name == "TRAILER!!!" {
            return Ok(out);
        }
        let data = name_at.saturating_add(name_len).next_multiple_of(4);
        let content = bytes.get(data..data.saturating_add(size)).ok_or("its cpio is cut off")?;
        if mode & 0o170_000 == 0o100_000 {
            out.push(Member { name, bytes: content.to_vec() });
        }
        at = data.saturating_add(size).next_multiple_of(4);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    /// An rpm with two empty headers.
    pub(in crate::tool) fn rpm(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut cpio = Vec::new();
        let files = files.iter().map(|(n, b)| (*n, *b, 0o100_755)).chain([("TRAILER!!!", &b""[..], 0)]);
        for (name, bytes, mode) in files {
            let mut fields = [0usize; 13];
            (fields[1], fields[6], fields[11]) = (mode, bytes.len(), name.len() + 1);
            let head: String = fields.iter().map(|f| format!("{f:08x}")).collect();
            cpio.extend(format!("070701{head}{name}\0").bytes());
            cpio.resize(cpio.len().next_multiple_of(4), 0);
            cpio.extend(bytes);
            cpio.resize(cpio.len().next_multiple_of(4), 0);
        }
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&cpio).unwrap();
        let mut out = vec![0xed, 0xab, 0xee, 0xdb, 3, 0];
        out.resize(96, 0);
        for store in [5u32, 16] {
            out.resize(out.len().next_multiple_of(8), 0);
            out.extend([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
            out.extend([1u32.to_be_bytes(), store.to_be_bytes()].concat());
            out.resize(out.len() + 16 + store as usize, 0);
        }
        out.extend(gz.finish().unwrap());
        out
    }
}
