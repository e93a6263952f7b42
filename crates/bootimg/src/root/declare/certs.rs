//! CA certificates, as `update-ca-certificates` and `openssl rehash` leave them.
use super::sha1::sha1;
use crate::deb::TreePath;
use crate::root::{Own, RootError};

/// The bundle, a link by name, and a link by the hash of the subject for each certificate. A file that
/// is no certificate is named in the second list and left out.
pub(crate) fn certificates<'a>(
    files: impl Iterator<Item = (&'a TreePath, &'a [u8])>,
) -> Result<(Vec<Own>, Vec<String>), RootError> {
    let (mut own, mut notes, mut bundle) = (Vec::new(), Vec::new(), Vec::new());
    let mut conf = String::new();
    let mut hashes: Vec<(u32, String)> = Vec::new();
    let mut sorted: Vec<_> =
        files.filter(|(path, _)| path.below("usr/share/ca-certificates").is_some()).collect();
    sorted.sort();
    for (path, pem) in sorted {
        let Some(hash) = pem_der(pem).and_then(|der| subject_hash(&der)) else {
            notes.push(format!("/{path} is no certificate and is left out"));
            continue;
        };
        let name =
            path.name().trim_end_matches(".crt").replace(' ', "_").replace(['(', ')'], "=").replace(',', "_");
        let name = format!("{name}.pem");
        own.push(Own::link(&format!("etc/ssl/certs/{name}"), &format!("/{path}"))?);
        hashes.push((hash, name));
        bundle.extend_from_slice(pem);
        if !pem.ends_with(b"\n") {
            bundle.push(b'\n');
        }
        conf.push_str(path.below("usr/share/ca-certificates").unwrap_or(""));
        conf.push('\n');
    }
    if own.is_empty() {
        return Ok((own, notes));
    }
    hashes.sort();
    let mut last = None;
    let mut count = 0u32;
    for (hash, name) in hashes {
        count = if last == Some(hash) { count.saturating_add(1) } else { 0 };
        last = Some(hash);
        own.push(Own::link(&format!("etc/ssl/certs/{hash:08x}.{count}"), &name)?);
    }
    own.push(Own::file("etc/ssl/certs/ca-certificates.crt", bundle, 0o644)?);
    own.push(Own::file("etc/ca-certificates.conf", conf.into_bytes(), 0o644)?);
    Ok((own, notes))
}

/// The first certificate of a PEM file.
fn pem_der(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let body = text.split_once("-----BEGIN CERTIFICATE-----")?.1.split_once("-----END CERTIFICATE-----")?.0;
    let mut der = Vec::new();
    let (mut bits, mut have) = (0u32, 0u32);
    for byte in body.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte.checked_sub(b'A')?,
            b'a'..=b'z' => byte.checked_sub(b'a')?.checked_add(26)?,
            b'0'..=b'9' => byte.checked_sub(b'0')?.checked_add(52)?,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        have = have.saturating_add(6);
        if have >= 8 {
            have = have.saturating_sub(8);
            der.push(u8::try_from((bits >> have) & 0xff).ok()?);
        }
    }
    Some(der)
}

/// A DER element: tag, content, what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (bytes, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(b, _)| (1..=4).contains(&b.len()))?;
        let length =
            bytes.iter().try_fold(0usize, |n, b| n.checked_mul(256)?.checked_add(usize::from(*b)))?;
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = content.len().to_be_bytes();
            let long: Vec<u8> = bytes.into_iter().skip_while(|b| *b == 0).collect();
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// `X509_NAME_hash`: SHA-1 over the canonical form of the subject, first four bytes, little endian.
fn subject_hash(der: &[u8]) -> Option<u32> {
    let (0x30, certificate, _) = element(der)? else { return None };
    let (0x30, mut tbs, _) = element(certificate)? else { return None };
    if tbs.first() == Some(&0xa0) {
        tbs = element(tbs)?.2;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        tbs = element(tbs)?.2;
    }
    let (0x30, mut subject, _) = element(tbs)? else { return None };
    let mut canonical = Vec::new();
    while !subject.is_empty() {
        let (0x31, mut set, rest) = element(subject)? else { return None };
        subject = rest;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let (0x30, attribute, rest) = element(set)? else { return None };
            set = rest;
            let (0x06, oid, value) = element(attribute)? else { return None };
            let (tag, content, _) = element(value)?;
            let value =
                canonical_text(tag, content).map_or_else(|| encode(tag, content), |t| encode(0x0c, &t));
            attributes.push(encode(0x30, &[encode(0x06, oid), value].concat()));
        }
        attributes.sort();
        canonical.extend(encode(0x31, &attributes.concat()));
    }
    let [a, b, c, d, ..] = sha1(&canonical);
    Some(u32::from_le_bytes([a, b, c, d]))
}

/// Strings become UTF-8, lower case (ASCII only), with single blanks; anything else stays as it is.
fn canonical_text(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let text = match tag {
        // UTF8String, PrintableString, IA5String, VisibleString.
        0x0c | 0x13 | 0x16 | 0x1a => String::from_utf8_lossy(content).into_owned(),
        // T61String: as Latin-1, as OpenSSL takes it.
        0x14 => content.iter().map(|b| char::from(*b)).collect(),
        0x1e => {
            let units: Vec<u16> = content.as_chunks::<2>().0.iter().map(|c| u16::from_be_bytes(*c)).collect();
            String::from_utf16_lossy(&units)
        }
        0x1c => {
            content.as_chunks::<4>().0.iter().filter_map(|c| char::from_u32(u32::from_be_bytes(*c))).collect()
        }
        _ => return None,
    };
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
    let words: Vec<String> =
        text.split(blank).filter(|w| !w.is_empty()).map(str::to_ascii_lowercase).collect();
    Some(words.join(" ").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_canonical_subject() {
        assert_eq!(canonical_text(0x13, b"  Some\tCA  Root "), Some(b"some ca root".to_vec()));
        assert_eq!(canonical_text(0x1e, &[0, b'A', 0, b'b']), Some(b"ab".to_vec()));
        assert_eq!(canonical_text(0x03, b"x"), None);
        assert_eq!(
            pem_der(b"-----BEGIN CERTIFICATE-----\naGVs\nbG8=\n-----END CERTIFICATE-----\n"),
            Some(b"hello".to_vec())
        );
    }

    /// Made by `openssl req -x509 -newkey ed25519 -utf8` with a subject of two blanks, capitals, a UTF-8
    /// string, a set of two attributes and an IA5String; the hash is that of `openssl x509 -hash`.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\n\
        MIICHzCCAdGgAwIBAgIURF+VqnHi6i2ZGNdub/p7z2WROLAwBQYDK2VwMIGDMQsw\n\
        CQYDVQQGEwJERTEdMBsGA1UECgwUU29tZSAgIFRlc3QgT3JnIMOEw5YxGzAIBgNV\n\
        BAsMAUEwDwYKCZImiZPyLGQBAQwBeDEaMBgGA1UEAwwRIE1peGVkICBDYXNlIFJv\n\
        b3QxHDAaBgkqhkiG9w0BCQEWDUFARXhhbXBsZS5PUkcwIBcNMjYxMTIzMTAwMzMy\n\
        WhgPMjEyNjEwMzAxMDAzMzJaMIGDMQswCQYDVQQGEwJERTEdMBsGA1UECgwUU29t\n\
        ZSAgIFRlc3QgT3JnIMOEw5YxGzAIBgNVBAsMAUEwDwYKCZImiZPyLGQBAQwBeDEa\n\
        MBgGA1UEAwwRIE1peGVkICBDYXNlIFJvb3QxHDAaBgkqhkiG9w0BCQEWDUFARXhh\n\
        bXBsZS5PUkcwKjAFBgMrZXADIQCbV7Oxwtt6eqP21XoKQ60Ol50TqfQSIN8mEseo\n\
        3HFKXqNTMFEwHQYDVR0OBBYEFBTnGlXrRuY1K9mjmMKxetHp/oHSMB8GA1UdIwQY\n\
        MBaAFBTnGlXrRuY1K9mjmMKxetHp/oHSMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2Vw\n\
        A0EA9YgI4FcZB4jdNrAz68xZtHWZaGuL0fA3m8nR7YqTGwKrtekgeh0MR5CE0CU4\n\
        zTOskp+2UFoDtFoBqZbNm3LXCQ==\n\
        -----END CERTIFICATE-----\n";

    #[test]
    fn the_hash_is_openssls() {
        let der = pem_der(PEM.as_bytes()).unwrap();
        assert_eq!(subject_hash(&der).map(|h| format!("{h:08x}")).as_deref(), Some("091c7b32"));
        let path: TreePath = "usr/share/ca-certificates/x/A_(b).crt".parse().unwrap();
        let other: TreePath = "usr/share/ca-certificates/x/broken.crt".parse().unwrap();
        let twin: TreePath = "usr/share/ca-certificates/x/c.crt".parse().unwrap();
        let files = [(&path, PEM.as_bytes()), (&other, &b"no certificate"[..]), (&twin, PEM.as_bytes())];
        let (own, notes) = certificates(files.into_iter()).unwrap();
        let paths: Vec<&str> = own.iter().map(|o| o.entry.path.as_str()).collect();
        assert!(
            paths.contains(&"etc/ssl/certs/091c7b32.0") && paths.contains(&"etc/ssl/certs/091c7b32.1"),
            "{paths:?}"
        );
        assert!(paths.contains(&"etc/ssl/certs/A_=b=.pem"), "{paths:?}");
        assert_eq!(notes, ["/usr/share/ca-certificates/x/broken.crt is no certificate and is left out"]);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _answer = subject_hash(&bytes);
            let _answer = subject_hash(&encode(0x30, &encode(0x30, &bytes)));
        }
    }
}
