//! An empty qcow2 overlay, written without `qemu-img`.
//!
//! Format: QEMU's `docs/interop/qcow2.txt`, version 3. Four clusters of 64 KiB: header, refcount table,
//! one refcount block, L1 table. One L1 cluster of 8192 entries covers 4 TiB.
use std::io;

const CLUSTER: u64 = 1 << 16;
/// Bytes that one L1 entry covers: a whole L2 cluster of 8192 data clusters.
const L1_COVERS: u64 = CLUSTER * (CLUSTER / 8);
const L1_MAX: u64 = CLUSTER / 8;

/// The bytes of an overlay that shows `size` bytes of a backing file which is named when it is opened.
pub(crate) fn empty(size: u64) -> io::Result<Vec<u8>> {
    let l1_entries = size.div_ceil(L1_COVERS).max(1);
    if l1_entries > L1_MAX {
        return Err(io::Error::other("an overlay covers at most 4 TiB"));
    }
    let [high, low] = [size >> 32, size & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or(0));
    // Fields of 64 bits are two words here.
    let header: [&[u32]; 13] = [
        &[0x5146_49fb, 3],                         // magic, version
        &[0, 0, 0],                                // backing file: offset, length
        &[16],                                     // cluster bits
        &[high, low],                              // size
        &[0],                                      // no encryption
        &[u32::try_from(l1_entries).unwrap_or(0)], // entries of the L1 table
        &[0, 3 << 16],                             // the L1 table
        &[0, 1 << 16],                             // the refcount table
        &[1],                                      // its clusters
        &[0, 0, 0],                                // snapshots: number, offset
        &[0; 6],                                   // features: incompatible, compatible, autoclear
        &[4, 104],                                 // refcounts of 16 bits, length of the header
        &[0, 0],                                   // no header extensions
    ];
    let mut out: Vec<u8> = header.concat().into_iter().flat_map(u32::to_be_bytes).collect();
    out.resize(1 << 16, 0);
    out.extend_from_slice(&(2 * CLUSTER).to_be_bytes());
    out.resize(2 << 16, 0);
    for _cluster_in_use in 0..4 {
        out.extend_from_slice(&1u16.to_be_bytes());
    }
    out.resize(4 << 16, 0);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_tables_lie_where_the_header_says() {
        let bytes = empty(5 << 30).unwrap();
        assert_eq!(bytes.len(), 4 << 16);
        assert_eq!(&bytes[..8], b"QFI\xfb\0\0\0\x03");
        assert_eq!(u64::from_be_bytes(bytes[24..32].try_into().unwrap()), 5 << 30);
        assert_eq!(u32::from_be_bytes(bytes[36..40].try_into().unwrap()), 10, "512 MiB an entry");
        assert_eq!(u64::from_be_bytes(bytes[40..48].try_into().unwrap()), 3 << 16, "L1 table");
        assert_eq!(u64::from_be_bytes(bytes[48..56].try_into().unwrap()), 1 << 16, "refcount table");
        assert_eq!(u32::from_be_bytes(bytes[100..104].try_into().unwrap()), 104);
        assert_eq!(u64::from_be_bytes(bytes[1 << 16..][..8].try_into().unwrap()), 2 << 16);
        assert_eq!(&bytes[2 << 16..][..10], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 0]);
    }

    #[test]
    fn too_large_is_refused() {
        assert!(empty(4 << 40).is_ok());
        assert!(empty((4 << 40) + 1).is_err());
    }
}
