//! Which kernel modules serve a device, and in which order they load.
//!
//! The tables are depmod's text files, as `depmod(8)` and `modules.dep(5)` describe them: `modules.alias`
//! with shell patterns, `modules.dep` with every module's whole set of dependencies (the first to load
//! stands last), `modules.softdep`, `modules.builtin`.
use std::collections::{BTreeMap, BTreeSet};

/// The tables of one kernel release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleTables {
    aliases: Vec<(String, String)>,
    modules: BTreeMap<String, Module>,
    soft: BTreeMap<String, Soft>,
    builtin: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Module {
    path: String,
    needs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Soft {
    before: Vec<String>,
    after: Vec<String>,
}

/// No such module in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no module `{name}` in the initramfs")]
pub struct NoModule {
    /// Its name.
    pub name: String,
}

impl ModuleTables {
    /// Reads the four tables. A line that is none is skipped: a driver more or less is found out when a
    /// device is missed, and the message then names the device.
    ///
    /// ```
    /// use esos_initramfs::ModuleTables;
    ///
    /// let tables = ModuleTables::parse(
    ///     "alias pci:v00001AF4d00001001sv*sd*bc*sc*i* virtio_pci\n",
    ///     "kernel/virtio_pci.ko: kernel/virtio_ring.ko kernel/virtio.ko\nkernel/virtio_ring.ko:\nkernel/virtio.ko:\n",
    ///     "",
    ///     "",
    /// );
    /// let found = tables.matching("pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00");
    /// assert_eq!(found, ["virtio_pci"]);
    /// assert_eq!(
    ///     tables.load_order("virtio_pci").unwrap(),
    ///     ["kernel/virtio.ko", "kernel/virtio_ring.ko", "kernel/virtio_pci.ko"],
    /// );
    /// ```
    #[must_use]
    pub fn parse(alias: &str, dep: &str, softdep: &str, builtin: &str) -> Self {
        let mut tables = Self::default();
        for line in alias.lines() {
            let mut words = line.split_ascii_whitespace();
            if let (Some("alias"), Some(pattern), Some(name)) = (words.next(), words.next(), words.next()) {
                tables.aliases.push((pattern.to_owned(), normal(name)));
            }
        }
        for line in dep.lines() {
            if let Some((path, needs)) = line.split_once(':') {
                let needs = needs.split_ascii_whitespace().map(name_of).collect();
                tables.modules.insert(name_of(path), Module { path: path.to_owned(), needs });
            }
        }
        for line in softdep.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some("softdep"), Some(name)) = (words.next(), words.next()) else { continue };
            let soft = tables.soft.entry(normal(name)).or_default();
            let mut after = false;
            for word in words {
                match word {
                    "pre:" => after = false,
                    "post:" => after = true,
                    other if after => soft.after.push(normal(other)),
                    other => soft.before.push(normal(other)),
                }
            }
        }
        tables.builtin = builtin.lines().filter(|l| !l.is_empty()).map(name_of).collect();
        tables
    }

    /// Modules whose alias fits a device's `modalias`, each once, in the order of the table.
    #[must_use]
    pub fn matching(&self, modalias: &str) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let fits = self.aliases.iter().filter(|(pattern, _)| glob(pattern.as_bytes(), modalias.as_bytes()));
        fits.map(|(_, name)| name.as_str()).filter(|name| seen.insert(*name)).collect()
    }

    /// Whether the kernel has it without a module.
    #[must_use]
    pub fn is_builtin(&self, name: &str) -> bool {
        self.builtin.contains(&normal(name))
    }

    /// The files to load for a module, below the module directory, in order; its soft dependencies are
    /// among them where they exist. Empty for what is built in.
    ///
    /// # Errors
    /// [`NoModule`] where neither a module nor a builtin has that name.
    pub fn load_order(&self, name: &str) -> Result<Vec<&str>, NoModule> {
        let name = normal(name);
        if !self.modules.contains_key(&name) && !self.builtin.contains(&name) {
            return Err(NoModule { name });
        }
        let mut order = Vec::new();
        self.visit(&name, &mut BTreeSet::new(), &mut order);
        Ok(order)
    }

    /// Depth is bounded by the number of modules: each is visited once.
    fn visit<'a>(&'a self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<&'a str>) {
        let Some(module) = self.modules.get(name) else { return };
        if !seen.insert(name.to_owned()) {
            return;
        }
        let soft = self.soft.get(name);
        for before in soft.iter().flat_map(|s| &s.before).flat_map(|name| self.called(name)) {
            self.visit(before, seen, order);
        }
        for needed in module.needs.iter().rev() {
            self.visit(needed, seen, order);
        }
        order.push(&module.path);
        for after in soft.iter().flat_map(|s| &s.after).flat_map(|name| self.called(name)) {
            self.visit(after, seen, order);
        }
    }

    /// A soft dependency names a module, or what several provide: `ext4` wants `crypto-crc32c`. As for
    /// `modprobe`, `-` and `_` are the same in both; `name` has been through [`normal`] already.
    fn called<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        if self.modules.contains_key(name) {
            return vec![name];
        }
        let mut seen = BTreeSet::new();
        let fits = self.aliases.iter().filter(|(pattern, _)| normal(pattern) == name);
        fits.map(|(_, module)| module.as_str()).filter(|module| seen.insert(*module)).collect()
    }
}

/// The kernel takes `-` and `_` in module names for the same.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    normal(file.split(".ko").next().unwrap_or(file))
}

/// `fnmatch(3)` without flags, for `*`, `?` and `[...]`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    // Where to go on after the last star, one byte further each time.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match p.split_first() {
            Some((b'*', rest)) => {
                retry = Some((rest, t));
                p = rest;
                continue;
            }
            Some(_) => one(p, t),
            None if t.is_empty() => return true,
            None => None,
        };
        if let Some((rest, t_rest)) = step {
            (p, t) = (rest, t_rest);
        } else {
            let Some((after, from)) = retry else { return false };
            let Some((_, from)) = from.split_first() else { return false };
            retry = Some((after, from));
            (p, t) = (after, from);
        }
    }
}

/// Matches one byte of text against the front of a pattern; the rests of both where it fits.
fn one<'a, 'b>(pattern: &'a [u8], text: &'b [u8]) -> Option<(&'a [u8], &'b [u8])> {
    let (&byte, text) = text.split_first()?;
    let (&first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some((rest, text)),
        b'[' => {
            let (negated, set) = match rest.split_first() {
                Some((b'!' | b'^', set)) => (true, set),
                _ => (false, rest),
            };
            // A `]` that comes first is a member.
            let close = set.iter().skip(1).position(|b| *b == b']')?.checked_add(1)?;
            let (members, tail) = set.split_at_checked(close)?;
            (in_set(members, byte) != negated).then_some((tail.get(1..)?, text))
        }
        b'\\' => rest.split_first().filter(|(b, _)| **b == byte).map(|(_, rest)| (rest, text)),
        literal => (literal == byte).then_some((rest, text)),
    }
}

fn in_set(mut members: &[u8], byte: u8) -> bool {
    while let Some((&low, rest)) = members.split_first() {
        match rest {
            [b'-', high, after @ ..] => {
                if (low..=*high).contains(&byte) {
                    return true;
                }
                members = after;
            }
            _ if low == byte => return true,
            _ => members = rest,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tables() -> ModuleTables {
        ModuleTables::parse(
            "# Aliases extracted from modules themselves.\n\
             alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb_storage\n\
             alias usb:v*p*d*dc*dsc*dp*ic08isc06ip62in* uas\n\
             alias usb:v054Cp002Cd05[0-9]*dc*dsc*dp*ic*isc*ip*in* ums-sony\n\
             alias fs-ext4 ext4\n",
            "kernel/uas.ko: kernel/usb-storage.ko kernel/usbcore.ko kernel/scsi_mod.ko\n\
             kernel/usb-storage.ko: kernel/usbcore.ko kernel/scsi_mod.ko\n\
             kernel/usbcore.ko: kernel/usb-common.ko\n\
             kernel/usb-common.ko:\nkernel/scsi_mod.ko:\n\
             kernel/ext4.ko: kernel/jbd2.ko\nkernel/jbd2.ko:\nkernel/crc32c_generic.ko:\n\
             kernel/ring-a.ko: kernel/ring-b.ko\nkernel/ring-b.ko: kernel/ring-a.ko\n",
            "softdep ext4 pre: crc32c-generic post: ring_a\nsoftdep usbcore pre: absent_one\n",
            "kernel/fs/proc/page.ko\nkernel/drivers/tty/serial/8250/8250_base.ko\n",
        )
    }

    #[test]
    fn devices_find_their_modules() {
        let t = tables();
        assert_eq!(t.matching("usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00"), ["usb_storage"]);
        assert_eq!(t.matching("usb:v054Cp002Cd0534dc00dsc00dp00ic08isc06ip62in00"), ["uas", "ums_sony"]);
        assert!(t.matching("usb:v054Cp002Cd0A34dc00dsc00dp00ic03isc00ip00in00").is_empty());
        assert!(t.matching("").is_empty());
    }

    #[test]
    fn what_is_needed_comes_first() {
        let t = tables();
        let order = t.load_order("usb_storage").unwrap();
        assert_eq!(
            order,
            ["kernel/scsi_mod.ko", "kernel/usb-common.ko", "kernel/usbcore.ko", "kernel/usb-storage.ko"]
        );
        assert_eq!(
            t.load_order("ext4").unwrap(),
            [
                "kernel/crc32c_generic.ko",
                "kernel/jbd2.ko",
                "kernel/ext4.ko",
                "kernel/ring-b.ko",
                "kernel/ring-a.ko"
            ]
        );
        assert_eq!(t.load_order("8250-base").unwrap(), Vec::<&str>::new());
        assert!(t.is_builtin("8250_base"));
        assert_eq!(t.load_order("none").unwrap_err().to_string(), "no module `none` in the initramfs");
    }

    #[test]
    fn a_soft_dependency_may_be_a_name_that_several_answer_to() {
        // The first is how Linux 6.12 of Debian 13 says it: neither alias nor dependency is a module's name.
        for soft in ["crypto-crc32c", "crc32c", "crypto_crc32c"] {
            let t = ModuleTables::parse(
                "alias crypto-crc32c-intel crc32c_intel\nalias crypto-crc32c crc32c_intel\nalias crc32c crc32c_intel\n\
                 alias crypto-crc32c crc32c_generic\nalias crc32c crc32c_generic\n",
                "kernel/arch/x86/crypto/crc32c-intel.ko:\nkernel/crypto/crc32c_generic.ko:\n\
                 kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko\nkernel/fs/jbd2/jbd2.ko:\n",
                &format!("softdep ext4 pre: {soft}\nsoftdep jbd2 pre: {soft}\n"),
                "",
            );
            assert_eq!(
                t.load_order("ext4").unwrap(),
                [
                    "kernel/arch/x86/crypto/crc32c-intel.ko",
                    "kernel/crypto/crc32c_generic.ko",
                    "kernel/fs/jbd2/jbd2.ko",
                    "kernel/fs/ext4/ext4.ko"
                ],
                "{soft}"
            );
        }
    }

    #[test]
    fn patterns_fit_as_in_fnmatch() {
        for (pattern, text, fits) in [
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("*", "", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("[0-9a-f]", "c", true),
            ("[!0-9]", "5", false),
            ("[^0-9]", "x", true),
            ("[]x]", "]", true),
            ("[]x]", "y", false),
            ("[a-]", "-", true),
            ("[unclosed", "u", false),
            ("a*b*c", "axxbyybzzc", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_gives_an_answer(pattern in "[a-c*?\\[\\]!\\\\-]{0,12}", text in "[a-c\\]-]{0,16}") {
            let _fits = glob(pattern.as_bytes(), text.as_bytes());
        }

        #[test]
        fn a_text_fits_itself_and_its_beginning(text in "[a-zA-Z0-9:]{0,20}", more in "[a-z]{0,5}") {
            prop_assert!(glob(text.as_bytes(), text.as_bytes()));
            let pattern = format!("{text}*");
            let longer = format!("{text}{more}");
            prop_assert!(glob(pattern.as_bytes(), longer.as_bytes()));
        }

        #[test]
        fn any_tables_are_read(a in "\\PC{0,80}", d in "[a-c:/ .ko\n]{0,120}", s in "(softdep [a-c] (pre:|post:| [a-c]){0,5}\n){0,4}") {
            let t = ModuleTables::parse(&a, &d, &s, &d);
            for name in ["a", "b", "c"] {
                let _order = t.load_order(name);
            }
        }
    }
}
