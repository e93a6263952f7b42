//! SHA-1 (FIPS 180-4), for the names of certificate links only: OpenSSL looks certificates up by it.

/// The digest of a short message.
pub(crate) fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut padded = message.to_vec();
    let bits = u64::try_from(message.len()).unwrap_or(0).wrapping_mul(8);
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&bits.to_be_bytes());
    for block in padded.as_chunks::<64>().0 {
        let mut words: Vec<u32> = block.as_chunks::<4>().0.iter().map(|w| u32::from_be_bytes(*w)).collect();
        for t in 16usize..80 {
            let back = |n: usize| t.checked_sub(n).and_then(|i| words.get(i)).copied().unwrap_or(0);
            let word = (back(3) ^ back(8) ^ back(14) ^ back(16)).rotate_left(1);
            words.push(word);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (t, word) in words.iter().enumerate() {
            let (f, k) = match t {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999u32),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (into, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *into = into.wrapping_add(add);
        }
    }
    let mut digest = [0; 20];
    for (into, from) in digest.iter_mut().zip(state.iter().flat_map(|w| w.to_be_bytes())) {
        *into = from;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::sha1;

    #[test]
    fn known_answers() {
        let hex = |bytes: &[u8]| sha1(bytes).iter().fold(String::new(), |t, b| format!("{t}{b:02x}"));
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&[b'a'; 200]), "e61cfffe0d9195a525fc6cf06ca2d77119c24a40");
    }
}
