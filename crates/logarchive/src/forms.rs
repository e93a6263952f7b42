//! The forms in which a secret may turn up.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = 0u32;
        for (i, byte) in chunk.iter().enumerate() {
            word |= u32::from(*byte) << (16usize.saturating_sub(i.saturating_mul(8)));
        }
        for i in 0..=chunk.len() {
            let at = usize::try_from(word >> (18usize.saturating_sub(i.saturating_mul(6))) & 63).unwrap_or(0);
            out.push(BASE64.get(at).copied().map_or('A', char::from));
        }
    }
    out
}

/// All texts that hold a secret: as it is, hexadecimal, URL-encoded, in quotes of JSON and HTML, and what is the
/// same in every base64 text that holds it, at each of the three alignments.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let url = |keep: &dyn Fn(u8) -> bool, upper: bool| -> String {
        let escape = |b: &u8| match (keep(*b), upper) {
            (true, _) => char::from(*b).to_string(),
            (false, true) => format!("%{b:02X}"),
            (false, false) => format!("%{b:02x}"),
        };
        bytes.iter().map(escape).collect()
    };
    let mut all = vec![
        secret.to_owned(),
        hex.to_uppercase(),
        hex,
        url(&plain, true),
        url(&plain, false),
        url(&|b| plain(b) || b"!*'()".contains(&b), true),
        url(&|b| plain(b) || b == b'+', true),
        url(&plain, true).replace("%20", "+"),
        url(&|b| b.is_ascii_alphanumeric(), true),
        url(&|b| b.is_ascii_alphanumeric(), false),
        url(&|_| false, true),
        secret.replace('\\', "\\\\").replace('"', "\\\""),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        secret.chars().rev().collect(),
    ];
    // At each alignment the characters at the edges depend on neighbours; those between do not.
    for lead in 0..3usize {
        let mut padded = vec![0; lead];
        padded.extend_from_slice(bytes);
        let text = base64(&padded);
        let first = [0, 2, 3].get(lead).copied().unwrap_or(0);
        let whole = padded.len().saturating_mul(8) / 6;
        let middle: String = text.chars().take(whole).skip(first).collect();
        if middle.len() >= 6 {
            all.push(middle.replace('+', "-").replace('/', "_"));
            all.push(middle);
        }
    }
    all.sort();
    all.dedup();
    // The longest first: a form that holds another one goes as a whole.
    all.sort_by_key(|form| std::cmp::Reverse(form.len()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_other_programs_write_it() {
        let forms = forms("p@ss w0rd&");
        for form in
            ["p@ss w0rd&", "p%40ss%20w0rd%26", "p%40ss+w0rd%26", "70407373207730726426", "p@ss w0rd&amp;"]
        {
            assert!(forms.iter().any(|f| f == form), "{form} in {forms:?}");
        }
        assert_eq!(base64(b"hunter2"), "aHVudGVyMg");
    }

    proptest! {
        /// Whatever stands around it, one of the forms is in the base64 text.
        #[test]
        fn in_every_base64_text(before in "[a-z:]{0,7}", secret in "[a-zA-Z0-9]{8,20}", after in "[a-z]{0,5}") {
            let text = base64(format!("{before}{secret}{after}").as_bytes());
            prop_assert!(forms(&secret).iter().any(|f| text.contains(f.as_str())), "{text}");
        }
    }
}
