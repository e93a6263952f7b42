//! Who may take a path from whom: `Replaces` of Debian policy §7.6.
use std::cmp::Ordering;

/// Whether a package with this `Replaces` field may overwrite files of another.
pub(crate) fn replaces(field: &str, other: &str, version: &str) -> bool {
    field.split(',').any(|item| {
        let item = item.trim();
        let (name, relation) = item.split_once('(').map_or((item, None), |(n, r)| (n.trim(), Some(r)));
        let name = name.split(':').next().unwrap_or(name).trim();
        if name != other {
            return false;
        }
        let Some(relation) = relation else { return true };
        let relation = relation.trim_end_matches(')').trim();
        let at = relation.find(|c| !matches!(c, '<' | '=' | '>')).unwrap_or(relation.len());
        let (operator, wanted) = relation.split_at(at);
        let order = compare(version, wanted.trim());
        match operator {
            "<<" => order == Ordering::Less,
            "<=" | "<" => order != Ordering::Greater,
            "=" => order == Ordering::Equal,
            ">=" | ">" => order != Ordering::Less,
            ">>" => order == Ordering::Greater,
            _ => false,
        }
    })
}

/// The order of Debian versions (`deb-version(7)`).
fn compare(a: &str, b: &str) -> Ordering {
    let split = |v: &str| -> (u64, String, String) {
        let (epoch, rest) = v.split_once(':').unwrap_or(("0", v));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch.parse().unwrap_or(0), upstream.to_owned(), revision.to_owned())
    };
    let (a, b) = (split(a), split(b));
    a.0.cmp(&b.0).then_with(|| part(&a.1, &b.1)).then_with(|| part(&a.2, &b.2))
}

/// Turns of other characters and digits; a tilde sorts before the end, letters before the rest.
fn part(a: &str, b: &str) -> Ordering {
    let weight = |c: Option<&u8>| match c {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_digit() => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c).saturating_add(256),
    };
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        while [a, b].iter().any(|s| s.first().is_some_and(|c| !c.is_ascii_digit())) {
            let order = weight(a.first()).cmp(&weight(b.first()));
            if order != Ordering::Equal {
                return order;
            }
            a = a.get(1..).unwrap_or(&[]);
            b = b.get(1..).unwrap_or(&[]);
        }
        let digits = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
        let (number_a, rest_a) = a.split_at(digits(a));
        let (number_b, rest_b) = b.split_at(digits(b));
        let zeros = |s: &[u8]| s.iter().take_while(|c| **c == b'0').count();
        let number_a = number_a.get(zeros(number_a)..).unwrap_or(&[]);
        let number_b = number_b.get(zeros(number_b)..).unwrap_or(&[]);
        let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_does() {
        let sorted = ["1.0~rc1", "1.0", "1.0-1", "1.0-1+b1", "1.0a", "1.0.1", "1.10", "1:0.1"];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("0:1.00-0", "1.0"), Ordering::Equal);
    }

    #[test]
    fn who_replaces_whom() {
        let field = "libc6 (<< 2.36), fdisk,\n util-linux:amd64 (<= 2.38-1)";
        assert!(replaces(field, "libc6", "2.35-1"));
        assert!(!replaces(field, "libc6", "2.36"));
        assert!(replaces(field, "fdisk", "9"));
        assert!(replaces(field, "util-linux", "2.38-1"));
        assert!(!replaces(field, "util", "1"));
    }
}
