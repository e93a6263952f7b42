//! What is in a package.
use super::{ToolError, rpm, zip};
use crate::deb::{Deb, Limits, tar};
use std::io::{self, Cursor, Read};

/// A file in a package.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The most that is unpacked of one package.
pub(super) const MAX: u64 = 1 << 30;

/// Files of a package; none of what is no package.
pub(super) fn members(origin: &str, member: &Member) -> Result<Vec<Member>, ToolError> {
    let bytes = member.bytes.as_slice();
    let damaged = |kind: &'static str| {
        let origin = origin.to_owned();
        move |why: String| ToolError::Damaged { origin, kind, why }
    };
    if bytes.starts_with(b"PK\x03\x04") {
        return zip::members(bytes).map_err(damaged("zip"));
    }
    if bytes.starts_with(&[0xed, 0xab, 0xee, 0xdb]) {
        return rpm::members(bytes).map_err(damaged("rpm"));
    }
    if bytes.starts_with(b"!<arch>\n") {
        return deb(origin, bytes).map_err(damaged("deb"));
    }
    if let Some(unpacked) = decompress(bytes) {
        let unpacked = unpacked.map_err(|e| e.to_string()).map_err(damaged("compressed file"))?;
        if is_tar(&unpacked) {
            return tar_members(origin, &unpacked).map_err(damaged("tar"));
        }
        let name = member.name.rsplit_once('.').map_or(member.name.as_str(), |(name, _)| name).to_owned();
        return Ok(vec![Member { name, bytes: unpacked }]);
    }
    if is_tar(bytes) {
        return tar_members(origin, bytes).map_err(damaged("tar"));
    }
    Ok(Vec::new())
}

/// The content of a compressed stream, by its first bytes; `None` where it is none that is known.
pub(super) fn decompress(bytes: &[u8]) -> Option<io::Result<Vec<u8>>> {
    let read = |reader: &mut dyn Read| {
        let mut out = Vec::new();
        let n = reader.take(MAX.saturating_add(1)).read_to_end(&mut out)?;
        if crate::disk::bytes::wide(n) > MAX {
            return Err(io::Error::other("it unpacks to more than 1 GiB"));
        }
        Ok(out)
    };
    match bytes {
        [0x1f, 0x8b, ..] => Some(read(&mut flate2::read::MultiGzDecoder::new(bytes))),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(read(&mut liblzma::read::XzDecoder::new(bytes))),
        [0x5d, 0, 0, ..] => Some(
            liblzma::stream::Stream::new_lzma_decoder(256 << 20)
                .map_err(io::Error::other)
                .and_then(|stream| read(&mut liblzma::read::XzDecoder::new_stream(bytes, stream))),
        ),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Some(zstd::Decoder::new(bytes).and_then(|mut decoder| read(&mut decoder)))
        }
        _ => None,
    }
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

fn tar_members(origin: &str, bytes: &[u8]) -> Result<Vec<Member>, String> {
    let mut reader = tar::Reader::new(origin, "tar", Cursor::new(bytes), 100_000, MAX);
    let mut out = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(|e| e.to_string())? {
        if entry.kind.is_file() {
            let bytes = reader.read_content(MAX).map_err(|e| e.to_string())?;
            out.push(Member { name: entry.path.to_string(), bytes });
        }
    }
    Ok(out)
}

fn deb(origin: &str, bytes: &[u8]) -> Result<Vec<Member>, String> {
    let limits = Limits { data: MAX, ..Limits::default() };
    let deb = Deb::open(origin, bytes, limits).map_err(|e| e.to_string())?;
    let mut entries = deb.entries().map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(|e| e.to_string())? {
        if entry.kind.is_file() {
            let bytes = entries.read_content(MAX).map_err(|e| e.to_string())?;
            out.push(Member { name: entry.path.to_string(), bytes });
        }
    }
    Ok(out)
}
