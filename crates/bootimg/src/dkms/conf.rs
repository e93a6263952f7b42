//! What of a `dkms.conf` decides the order of builds; dkms itself reads the rest (`dkms(8)`).

/// Name, version and needs of a module's sources.
///
/// ```
/// use esos_bootimg::dkms::Conf;
///
/// let conf = Conf::read("PACKAGE_NAME=\"scst\"\nPACKAGE_VERSION='3.11.0'\nBUILD_DEPENDS[0]=spl\n");
/// assert_eq!((conf.name.as_deref(), conf.version.as_deref()), (Some("scst"), Some("3.11.0")));
/// assert_eq!(conf.needs, ["spl"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conf {
    /// `PACKAGE_NAME`, where it is a plain word.
    pub name: Option<String>,
    /// `PACKAGE_VERSION`, where it is a plain word.
    pub version: Option<String>,
    /// `BUILD_DEPENDS`: names of what has to be built before.
    pub needs: Vec<String>,
}

impl Conf {
    /// Reads the assignments of plain words; the file is a shell script, and others are left to dkms.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines().map(str::trim_start) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let Some(value) = word(value) else { continue };
            match name.trim_end_matches(|c: char| c == ']' || c == '[' || c.is_ascii_digit()) {
                "PACKAGE_NAME" => conf.name = Some(value),
                "PACKAGE_VERSION" => conf.version = Some(value),
                "BUILD_DEPENDS" => conf.needs.push(value),
                _ => {}
            }
        }
        conf
    }
}

/// A value of one plain word, quoted or not, with a comment behind it or not.
fn word(value: &str) -> Option<String> {
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split_whitespace().next()?.trim_end_matches(';'),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._~:".contains(c);
    (!value.is_empty() && value.chars().all(plain)).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_computed_is_left_to_dkms() {
        let conf =
            Conf::read("PACKAGE_NAME=$(basename x)\nPACKAGE_VERSION=1.0 # now\nMAKE[0]=\"make -C x\"\n");
        assert_eq!((conf.name, conf.version.as_deref()), (None, Some("1.0")));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([A-Z_]{0,9}(\\[[0-9]\\])?=?[\"' a-z$é]{0,9}\n){0,5}") {
            let _any = Conf::read(&text);
        }
    }
}
