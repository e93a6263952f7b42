//! Until when a certificate is valid.
use base64ct::{Base64, Encoding};

/// Why the end of a certificate cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no `-----BEGIN CERTIFICATE-----` in the text.
    #[error("no certificate is in it")]
    None,
    /// What stands between the two lines is no base64, or no X.509 (RFC 5280) up to its validity.
    #[error("its {0} makes no sense")]
    Nonsense(&'static str),
}

/// When the certificate in a PEM text ends, in seconds since 1970; of a chain the one that ends first.
///
/// # Errors
/// [`CertificateError`].
pub fn not_after(pem: &str) -> Result<i64, CertificateError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut first: Option<i64> = None;
    for part in pem.split(BEGIN).skip(1) {
        let (body, _) = part.split_once(END).ok_or(CertificateError::Nonsense("last line"))?;
        let text: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = Base64::decode_vec(&text).map_err(|_e| CertificateError::Nonsense("base64"))?;
        let end = end_of(&der)?;
        first = Some(first.map_or(end, |other| other.min(end)));
    }
    first.ok_or(CertificateError::None)
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Takes one element off: its tag and what is in it. Lengths of DER, at most four bytes of them.
fn take<'d>(der: &mut &'d [u8]) -> Option<(u8, &'d [u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
            (digits.iter().fold(0usize, |n, digit| (n << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some((*tag, content))
}

/// The same of one with this tag.
fn want<'d>(der: &mut &'d [u8], tag: u8, what: &'static str) -> Result<&'d [u8], CertificateError> {
    let (found, content) = take(der).ok_or(CertificateError::Nonsense(what))?;
    if found == tag { Ok(content) } else { Err(CertificateError::Nonsense(what)) }
}

fn end_of(mut der: &[u8]) -> Result<i64, CertificateError> {
    let mut certificate = want(&mut der, SEQUENCE, "certificate")?;
    let mut body = want(&mut certificate, SEQUENCE, "body")?;
    if body.first() == Some(&VERSION) {
        want(&mut body, VERSION, "version")?;
    }
    want(&mut body, INTEGER, "serial number")?;
    want(&mut body, SEQUENCE, "algorithm")?;
    want(&mut body, SEQUENCE, "issuer")?;
    let mut validity = want(&mut body, SEQUENCE, "validity")?;
    take(&mut validity).ok_or(CertificateError::Nonsense("validity"))?;
    let (tag, text) = take(&mut validity).ok_or(CertificateError::Nonsense("validity"))?;
    time(tag, text).ok_or(CertificateError::Nonsense("end of validity"))
}

/// `YYMMDDHHMMSSZ`, where 50 and above are of the last century, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        UTC_TIME if text.as_bytes().first()? >= &b'5' => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let (day, hour) = ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(8, 10)?, part(10, 12)?, part(12, 14)?));
    if text.len() != 14 || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let stamp = format!("{}-{}-{}T{}:{}:{}Z", day.0, day.1, day.2, hour.0, hour.1, hour.2);
    Some(stamp.parse::<jiff::Timestamp>().ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Made by OpenSSL 3.0.19: of the first version with both kinds of time, and one with extensions.
    const OLD: &str = "-----BEGIN CERTIFICATE-----
MIHGMHoCAQIwBQYDK2VwMBAxDjAMBgNVBAMMBWVzb3MxMB4XDTIwMDEwMTAwMDAw
MFoXDTIwMTIzMTIzNTk1OVowEDEOMAwGA1UEAwwFZXNvczEwKjAFBgMrZXADIQBz
/NhBy7kzMOh+fphvhZjdSnf/desct7O5sm++HsI0UDAFBgMrZXADQQC6meZEzf1E
PU7fo5b/RAW64o+UeHJpdSO/r9tIi8XNyBdhWsaRZyvW+9+YtfIyfNsk3YR/niod
pQ5sh6BYu6EA
-----END CERTIFICATE-----";
    const FAR: &str = "-----BEGIN CERTIFICATE-----
MIHIMHwCAQEwBQYDK2VwMBAxDjAMBgNVBAMMBWVzb3MxMCAXDTAwMDEwMTAwMDAw
MFoYDzIwNTUwMTAyMDMwNDA1WjAQMQ4wDAYDVQQDDAVlc29zMTAqMAUGAytlcAMh
AHP82EHLuTMw6H5+mG+FmN1Kd/916xy3s7myb74ewjRQMAUGAytlcANBADobcCMB
VFLqEsHpJ0UIEnbHn6hqbCL/Fbz6IR/ViLAIxYcrSLejs7/Ywqoab4br5TUZG5O5
Virfvqdu0XzVJQI=
-----END CERTIFICATE-----";
    const EXTENDED: &str = "-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUHdL+w7diTtLACZSeTZsq2DAQdncwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFZXNvczEwHhcNMjYxMTI2MDMwNzAwWhcNMzYxMTIzMDMwNzAw
WjAQMQ4wDAYDVQQDDAVlc29zMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMZP
pJwvZOOsAbMra0WJt2Vcbr57pkU/eHZkIhq34A3xpNm2CVM5Yw+zzOl2h6BPEFCa
6hEVaUBmLMgQYE8K5+2jUzBRMB0GA1UdDgQWBBTLBC5SaklNVC1lfUb0FaPWzuJE
ZTAfBgNVHSMEGDAWgBTLBC5SaklNVC1lfUb0FaPWzuJEZTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCICnN984wJKSuT/+t30pgeTNVbKXs97o5Y+IO
CB9GraHBAiAplexISjuhw+4fx6fvbkUvfV6vHq+o6b9oWirdwFhwNw==
-----END CERTIFICATE-----";

    #[test]
    fn ends_as_openssl_tells_them() {
        assert_eq!(not_after(OLD), Ok(1_609_459_199));
        assert_eq!(not_after(FAR), Ok(2_682_471_845));
        assert_eq!(not_after(EXTENDED), Ok(2_111_022_420));
        assert_eq!(not_after(&format!("bag of words\n{FAR}\n{OLD}\n")), Ok(1_609_459_199));
        assert_eq!(not_after("-----BEGIN PRIVATE KEY-----"), Err(CertificateError::None));
        assert!(not_after(&OLD.replace("MIHGMHo", "MIHGMXo")).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at in 0usize..200, byte: u8) {
            drop(end_of(&bytes));
            let body = FAR.lines().filter(|line| !line.starts_with("--")).collect::<String>();
            let mut der = Base64::decode_vec(&body).unwrap();
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            drop(end_of(&der));
            drop(end_of(der.get(..at).unwrap_or_default()));
        }
    }
}
