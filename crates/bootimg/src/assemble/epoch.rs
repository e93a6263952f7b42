//! The source date of an image.
use std::io::Read;

/// The newest source date of packages, in seconds since 1970: what every file of an image is at most as
/// old as.
///
/// A `.deb` carries its source date in the header of its first member (`ar`, decimal, 12 columns from
/// byte 24): dpkg-deb writes `SOURCE_DATE_EPOCH` there. A package without a readable one does not count;
/// without any the answer is 1 (a time of 0 means "unknown" to some programs).
pub fn epoch<R: Read>(packages: impl IntoIterator<Item = R>) -> i64 {
    packages.into_iter().filter_map(source_date).max().unwrap_or(1).max(1)
}

fn source_date(mut package: impl Read) -> Option<i64> {
    let mut head = [0; 36];
    package.read_exact(&mut head).ok()?;
    let time = head.strip_prefix(b"!<arch>\n")?.get(16..28)?;
    std::str::from_utf8(time).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_package_decides() {
        let deb = |time: &str| {
            format!("!<arch>\ndebian-binary   {time:<12}0     0     100644  4         `\n2.0\n").into_bytes()
        };
        let (a, b) = (deb("1700000000"), deb("1600000000"));
        assert_eq!(epoch([&a[..], &b[..], b"no deb"]), 1_700_000_000);
        assert_eq!(epoch([&b"junk"[..]]), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(epoch([&bytes[..]]) >= 1);
        }
    }
}
