//! Whether a signed list was signed by a key that is trusted.
//!
//! `gpgv` (package `gpgv`) does the cryptography. Only the text that it prints is used afterwards, never
//! the file: what stands before, behind or between signed parts of a clear-signed file is not in it.
use esos_exec::{Cmd, ExecError, Runner};
use std::path::PathBuf;

const GPGV: &str = "/usr/bin/gpgv";

/// Why a signed text is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No keyring was given.
    #[error(
        "no keyring was given to check {origin} with: install debian-archive-keyring, or name one with --keyring"
    )]
    NoKeyring {
        /// What should be checked.
        origin: String,
    },
    /// The text was changed after it was signed.
    #[error("{origin} was changed after it was signed: bad signature of {key}")]
    Bad {
        /// Where it came from.
        origin: String,
        /// Key id and user id as gpgv prints them.
        key: String,
    },
    /// None of the signatures is by a key of the keyrings.
    #[error("{origin} is signed by none of the trusted keys ({}); its signatures: {}", list(keyrings), signatures.join(", "))]
    Untrusted {
        /// Where it came from.
        origin: String,
        /// The keyrings that were looked at.
        keyrings: Vec<PathBuf>,
        /// What gpgv says of each signature, such as `NO_PUBKEY 762F67A0B2C39DE4`.
        signatures: Vec<String>,
    },
    /// There is no signature, or the file is not one signed text.
    #[error("{origin} is no clear-signed text: {complaint}")]
    Unsigned {
        /// Where it came from.
        origin: String,
        /// The last words of gpgv.
        complaint: String,
    },
    /// gpgv cannot be run.
    #[error("cannot check the signature of {origin}; gpgv comes with the package `gpgv`")]
    Tool {
        /// What should be checked.
        origin: String,
        /// Why.
        #[source]
        source: ExecError,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Checks a clear-signed file against binary keyrings and returns the text that was signed. One good
/// signature by a trusted, unexpired key is enough, as for apt; a bad one is always an error.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    runner: &dyn Runner,
    origin: &str,
    bytes: &[u8],
    keyrings: &[PathBuf],
) -> Result<String, SignatureError> {
    if keyrings.is_empty() {
        return Err(SignatureError::NoKeyring { origin: origin.to_owned() });
    }
    let unsigned = |complaint: &str| SignatureError::Unsigned {
        origin: origin.to_owned(),
        complaint: complaint.to_owned(),
    };
    one_message(bytes).map_err(unsigned)?;
    let mut cmd = Cmd::new(GPGV).args(["--status-fd", "2", "--weak-digest", "SHA1", "--output", "-"]);
    for keyring in keyrings {
        cmd = cmd.arg("--keyring").arg(keyring);
    }
    let out = runner
        .run(&cmd.stdin(bytes))
        .map_err(|source| SignatureError::Tool { origin: origin.to_owned(), source })?;
    let said = out.error_text();
    let status = |word: &str| {
        let lines = said.lines().filter_map(|l| l.strip_prefix("[GNUPG:] "));
        let rest = lines.filter_map(|l| l.strip_prefix(word)?.strip_prefix(' '));
        rest.map(str::to_owned).collect::<Vec<_>>()
    };
    if let Some(key) = status("BADSIG").into_iter().next() {
        return Err(SignatureError::Bad { origin: origin.to_owned(), key });
    }
    if let Some(error) = status("ERROR").into_iter().chain(status("NODATA")).next() {
        return Err(unsigned(&format!("gpgv stops with {error}")));
    }
    if status("GOODSIG").is_empty() {
        let words = ["NO_PUBKEY", "EXPKEYSIG", "REVKEYSIG", "EXPSIG", "ERRSIG"];
        let mut signatures: Vec<String> =
            words.iter().flat_map(|w| status(w).into_iter().map(move |s| format!("{w} {s}"))).collect();
        if signatures.is_empty() {
            return Err(unsigned(said.lines().last().unwrap_or("gpgv found no signature")));
        }
        // A missing key is reported twice; the shorter one says enough.
        if signatures.iter().any(|s| s.starts_with("NO_PUBKEY")) {
            signatures.retain(|s| !s.starts_with("ERRSIG"));
        }
        let (origin, keyrings) = (origin.to_owned(), keyrings.to_vec());
        return Err(SignatureError::Untrusted { origin, keyrings, signatures });
    }
    String::from_utf8(out.stdout).map_err(|_not_text| unsigned("the signed text is not UTF-8"))
}

/// A file that is one signed text and nothing else. gpgv passes over what stands around it, and of two
/// texts in a row it prints the first one only; neither is left to it.
fn one_message(bytes: &[u8]) -> Result<(), &'static str> {
    let text = String::from_utf8_lossy(bytes);
    let lines = || text.lines().map(str::trim_end);
    let count = |marker: &str| lines().filter(|l| *l == marker).count();
    let (begin, end) = ("-----BEGIN PGP SIGNED MESSAGE-----", "-----END PGP SIGNATURE-----");
    if lines().next() != Some(begin) {
        return Err("its first line is not `-----BEGIN PGP SIGNED MESSAGE-----`");
    }
    if lines().rfind(|l| !l.is_empty()) != Some(end) {
        return Err("its last line is not `-----END PGP SIGNATURE-----`");
    }
    if count(begin) > 1 || count("-----BEGIN PGP SIGNATURE-----") != 1 || count(end) > 1 {
        return Err("it holds several texts or signatures");
    }
    Ok(())
}

/// The binary form of an armoured key, as gpgv wants it; `None` where the armour is damaged.
#[must_use]
pub fn dearmor(armoured: &str) -> Option<Vec<u8>> {
    let mut lines = armoured.lines().map(str::trim).skip_while(|l| !l.starts_with("-----BEGIN PGP"));
    lines.next()?;
    // Headers end at an empty line; the check sum begins with `=`.
    let mut body: Vec<&str> = lines.take_while(|l| !l.starts_with("-----END PGP")).collect();
    if let Some(blank) = body.iter().position(|l| l.is_empty()) {
        body.drain(..=blank);
    }
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0u32);
    for c in body.iter().take_while(|l| !l.starts_with('=')).flat_map(|l| l.bytes()) {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    if bytes.is_empty() { None } else { Some(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_exec::{Exit, Output, ScriptedRunner};

    const MESSAGE: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";

    fn says(stderr: &str) -> Result<String, SignatureError> {
        let line = "/usr/bin/gpgv --status-fd 2 --weak-digest SHA1 --output - --keyring /k.gpg";
        let output = Output { status: Exit::Code(2), stdout: b"text".to_vec(), stderr: stderr.into() };
        let runner = ScriptedRunner::new().answer(line, Ok(output));
        verify(&runner, "m", MESSAGE, &[PathBuf::from("/k.gpg")])
    }

    #[test]
    fn one_good_signature_is_enough() {
        let text = "[GNUPG:] PLAINTEXT 74 0 \n[GNUPG:] NO_PUBKEY A\n[GNUPG:] GOODSIG B Somebody\n";
        assert_eq!(says(text).unwrap(), "text");
    }

    #[test]
    fn what_is_refused() {
        assert!(
            matches!(says("[GNUPG:] GOODSIG A x\n[GNUPG:] BADSIG B y\n"), Err(SignatureError::Bad { key, .. }) if key == "B y")
        );
        // gpgv says VALIDSIG of an expired key too.
        let expired = says("[GNUPG:] EXPKEYSIG A x\n[GNUPG:] VALIDSIG A\n").unwrap_err();
        assert!(
            matches!(&expired, SignatureError::Untrusted { signatures, .. } if signatures == &["EXPKEYSIG A x"])
        );
        let unknown = says("[GNUPG:] ERRSIG A 1 8\n[GNUPG:] NO_PUBKEY A\n").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "m is signed by none of the trusted keys (/k.gpg); its signatures: NO_PUBKEY A"
        );
        let stopped = "[GNUPG:] GOODSIG A x\n[GNUPG:] ERROR proc_pkt.plaintext 89_BAD_DATA\n";
        assert!(matches!(says(stopped), Err(SignatureError::Unsigned { .. })));
        assert!(matches!(says("gpgv: no signature found\n"), Err(SignatureError::Unsigned { .. })));
        let none = verify(&ScriptedRunner::new(), "m", b"", &[]);
        assert!(matches!(none, Err(SignatureError::NoKeyring { .. })));
    }

    #[test]
    fn what_is_not_one_text_never_reaches_gpgv() {
        let keys = [PathBuf::from("/k.gpg")];
        let cases = [
            b"".to_vec(),
            b"Suite: stable\n".to_vec(),
            [b"x\n", MESSAGE].concat(),
            [MESSAGE, b"x\n"].concat(),
            [MESSAGE, MESSAGE].concat(),
        ];
        for bytes in cases {
            let refused = verify(&ScriptedRunner::new(), "m", &bytes, &keys);
            assert!(matches!(refused, Err(SignatureError::Unsigned { .. })), "{refused:?}");
        }
    }

    #[test]
    fn armour() {
        let key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\naGVsbG8g\nd29ybGQ=\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(dearmor(key).unwrap(), b"hello world");
        assert_eq!(dearmor(&key.replace("aGVs", "aG!s")), None);
        assert_eq!(dearmor(""), None);
    }
}
