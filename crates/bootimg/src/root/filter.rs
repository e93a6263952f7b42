//! What of a package stays out of the root.
use crate::deb::TreePath;

/// Rules by path, as dpkg's `path-exclude` and `path-include`: the last one that matches decides, and
/// what none matches is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    rules: Vec<(bool, String)>,
}

impl Filter {
    /// Keeps everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out what matches. In a pattern `*` stands for any text, slashes too, and `?` for one
    /// character; it has no leading slash.
    #[must_use]
    pub fn drop(mut self, pattern: &str) -> Self {
        self.rules.push((false, pattern.to_owned()));
        self
    }

    /// Keeps what matches, whatever was said before.
    #[must_use]
    pub fn keep(mut self, pattern: &str) -> Self {
        self.rules.push((true, pattern.to_owned()));
        self
    }

    /// What an appliance in RAM does without: the kernel and its map (they lie in the slot), manuals,
    /// documentation but for copyright files, translations, Python byte code, initramfs hooks, and kernel
    /// drivers for sound, graphics, cameras, radio and joysticks.
    #[must_use]
    pub fn appliance() -> Self {
        const DROP: &[&str] = &[
            "boot/*",
            "usr/share/doc/*",
            "usr/share/doc-base/*",
            "usr/share/man/*",
            "usr/share/info/*",
            "usr/share/gnome/help/*",
            "usr/share/locale/*",
            "usr/share/lintian/*",
            "usr/share/linda/*",
            "usr/share/bug/*",
            "usr/share/groff/*",
            "usr/share/applications/*",
            "usr/share/icons/*",
            "usr/share/pixmaps/*",
            "usr/share/initramfs-tools/*",
            "*/__pycache__/*",
        ];
        const MODULES: &[&str] = &[
            "sound",
            "drivers/media",
            "drivers/gpu",
            "drivers/staging",
            "drivers/bluetooth",
            "drivers/nfc",
            "drivers/isdn",
            "drivers/iio",
            "drivers/net/wireless",
            "drivers/net/can",
            "drivers/net/hamradio",
            "drivers/net/wwan",
            "drivers/input/joystick",
            "drivers/input/tablet",
            "drivers/input/touchscreen",
            "drivers/soundwire",
            "drivers/comedi",
            "drivers/w1",
            "drivers/video",
            "net/bluetooth",
            "net/mac80211",
            "net/wireless",
            "net/nfc",
            "net/can",
            "net/ax25",
            "net/mac802154",
        ];
        let mut filter = DROP.iter().fold(Self::new(), |filter, pattern| filter.drop(pattern));
        for dir in MODULES {
            filter = filter.drop(&format!("usr/lib/modules/*/kernel/{dir}/*"));
        }
        filter.keep("usr/share/doc/*/copyright").keep("usr/share/locale/locale.alias")
    }

    /// Whether a path stays. Paths are those of the merged tree: `usr/lib/modules/…`, never `lib/…`.
    #[must_use]
    pub fn keeps(&self, path: &TreePath) -> bool {
        let rule = self.rules.iter().rev().find(|(_, pattern)| matches(pattern, path.as_str()));
        rule.is_none_or(|(keep, _)| *keep)
    }
}

/// Whether a pattern of `*` and `?` matches a whole text; linear in their product.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0usize, 0usize);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p = p.saturating_add(1);
            }
            Some(c) if c == byte || *c == b'?' => {
                p = p.saturating_add(1);
                t = t.saturating_add(1);
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from.saturating_add(1)));
                p = at.saturating_add(1);
                t = from.saturating_add(1);
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_decides() {
        let filter = Filter::appliance();
        let keeps = |path: &str| filter.keeps(&path.parse().unwrap());
        assert!(!keeps("boot/vmlinuz-6.1.0"));
        assert!(keeps("boot"));
        assert!(!keeps("usr/share/doc/bash/README"));
        assert!(keeps("usr/share/doc/bash/copyright"));
        assert!(!keeps("usr/lib/modules/6.1.0/kernel/sound/core/snd.ko"));
        assert!(keeps("usr/lib/modules/6.1.0/kernel/drivers/scsi/sd_mod.ko"));
        assert!(!keeps("usr/lib/python3/dist-packages/x/__pycache__/y.pyc"));
    }

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a**b*c", "axxbyc", true),
            ("", "", true),
            ("", "a", false),
            ("*ab", "aaab", true),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }
}
