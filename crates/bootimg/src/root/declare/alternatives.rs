//! Links that `update-alternatives` would have made.
use crate::root::{Own, RootError, Tree};

/// One `update-alternatives --install`, without manual pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alternative {
    /// The package whose script installs it.
    pub package: &'static str,
    /// The link that users use, without a leading slash.
    pub link: &'static str,
    /// The name in `/etc/alternatives`.
    pub name: &'static str,
    /// What is meant, with a leading slash.
    pub target: &'static str,
    /// The highest one that is there wins.
    pub priority: i32,
    /// Links that follow it: link, name, target.
    pub slaves: &'static [(&'static str, &'static str, &'static str)],
}

macro_rules! rows {
    ($($package:literal $link:literal $name:literal $target:literal $priority:literal $(+ $s:literal $n:literal $t:literal)*),* $(,)?) => {
        &[$(Alternative { package: $package, link: $link, name: $name, target: $target, priority: $priority, slaves: &[$(($s, $n, $t)),*] }),*]
    };
}

/// All rows, by package.
pub const ALTERNATIVES: &[Alternative] = rows![
    "cpio" "usr/bin/mt" "mt" "/usr/bin/mt-gnu" 10,
    "debianutils" "usr/bin/which" "which" "/usr/bin/which.debianutils" 0,
    "gawk" "usr/bin/awk" "awk" "/usr/bin/gawk" 10 + "usr/bin/nawk" "nawk" "/usr/bin/gawk",
    "inetutils-telnet" "usr/bin/telnet" "telnet" "/usr/bin/inetutils-telnet" 150,
    "iptables" "usr/sbin/iptables" "iptables" "/usr/sbin/iptables-nft" 20
        + "usr/sbin/iptables-restore" "iptables-restore" "/usr/sbin/iptables-nft-restore"
        + "usr/sbin/iptables-save" "iptables-save" "/usr/sbin/iptables-nft-save",
    "iptables" "usr/sbin/ip6tables" "ip6tables" "/usr/sbin/ip6tables-nft" 20
        + "usr/sbin/ip6tables-restore" "ip6tables-restore" "/usr/sbin/ip6tables-nft-restore"
        + "usr/sbin/ip6tables-save" "ip6tables-save" "/usr/sbin/ip6tables-nft-save",
    "iptables" "usr/sbin/arptables" "arptables" "/usr/sbin/arptables-nft" 10
        + "usr/sbin/arptables-restore" "arptables-restore" "/usr/sbin/arptables-nft-restore"
        + "usr/sbin/arptables-save" "arptables-save" "/usr/sbin/arptables-nft-save",
    "iptables" "usr/sbin/ebtables" "ebtables" "/usr/sbin/ebtables-nft" 10
        + "usr/sbin/ebtables-restore" "ebtables-restore" "/usr/sbin/ebtables-nft-restore"
        + "usr/sbin/ebtables-save" "ebtables-save" "/usr/sbin/ebtables-nft-save",
    "less" "usr/bin/pager" "pager" "/usr/bin/less" 77,
    "libblas3" "usr/lib/x86_64-linux-gnu/libblas.so.3" "libblas.so.3-x86_64-linux-gnu"
        "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3" 10,
    "liblapack3" "usr/lib/x86_64-linux-gnu/liblapack.so.3" "liblapack.so.3-x86_64-linux-gnu"
        "/usr/lib/x86_64-linux-gnu/lapack/liblapack.so.3" 10,
    "mawk" "usr/bin/awk" "awk" "/usr/bin/mawk" 5 + "usr/bin/nawk" "nawk" "/usr/bin/mawk",
    "mt-st" "usr/bin/mt" "mt" "/usr/bin/mt-st" 20,
    "nano" "usr/bin/editor" "editor" "/usr/bin/nano" 40 + "usr/bin/pico" "pico" "/usr/bin/nano",
    "netcat-openbsd" "usr/bin/nc" "nc" "/usr/bin/nc.openbsd" 50 + "usr/bin/netcat" "netcat" "/usr/bin/nc.openbsd",
    "procps" "usr/bin/w" "w" "/usr/bin/w.procps" 50,
    "python3-jsonpatch" "usr/bin/jsondiff" "jsondiff" "/usr/bin/json-patch-jsondiff" 200,
    "python3-parallax" "usr/lib/parallax/parallax-askpass" "parallax-askpass" "/usr/lib/parallax/parallax-askpass3" 40,
    "tar" "usr/sbin/rmt" "rmt" "/usr/sbin/rmt-tar" 50,
    "util-linux" "usr/bin/pager" "pager" "/usr/bin/more" 50,
    "vim-tiny" "usr/bin/editor" "editor" "/usr/bin/vim.tiny" 15,
    "vim-tiny" "usr/bin/vi" "vi" "/usr/bin/vim.tiny" 15 + "usr/bin/view" "view" "/usr/bin/vim.tiny",
    "xdg-utils" "usr/bin/open" "open" "/usr/bin/xdg-open" 50,
    "xz-utils" "usr/bin/lzma" "lzma" "/usr/bin/xz" 20
        + "usr/bin/unlzma" "unlzma" "/usr/bin/unxz" + "usr/bin/lzcat" "lzcat" "/usr/bin/xzcat"
        + "usr/bin/lzgrep" "lzgrep" "/usr/bin/xzgrep" + "usr/bin/lzmore" "lzmore" "/usr/bin/xzmore"
        + "usr/bin/lzdiff" "lzdiff" "/usr/bin/xzdiff" + "usr/bin/lzcmp" "lzcmp" "/usr/bin/xzcmp"
        + "usr/bin/lzegrep" "lzegrep" "/usr/bin/xzegrep" + "usr/bin/lzfgrep" "lzfgrep" "/usr/bin/xzfgrep" + "usr/bin/lzless" "lzless" "/usr/bin/xzless",
];

/// The links for what is in a tree. A link that a package has of its own is left alone.
pub(crate) fn links(tree: &Tree, packages: &[&str]) -> Result<Vec<Own>, RootError> {
    let there = |row: &&Alternative| {
        packages.contains(&row.package)
            && tree.exists(row.target.trim_start_matches('/'))
            && tree.get(row.link).is_none()
    };
    let mut rows: Vec<&Alternative> = ALTERNATIVES.iter().filter(there).collect();
    rows.sort_by_key(|row| (row.name, std::cmp::Reverse(row.priority)));
    rows.dedup_by_key(|row| row.name);
    let mut links = Vec::new();
    for row in rows {
        let slaves = row.slaves.iter().filter(|(link, _, target)| {
            tree.exists(target.trim_start_matches('/')) && tree.get(link).is_none()
        });
        for (link, name, target) in std::iter::once(&(row.link, row.name, row.target)).chain(slaves) {
            links.push(Own::link(link, &format!("/etc/alternatives/{name}"))?);
            links.push(Own::link(&format!("etc/alternatives/{name}"), target)?);
        }
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_no_two_are_equal() {
        assert!(ALTERNATIVES.is_sorted_by_key(|row| row.package));
        for (i, a) in ALTERNATIVES.iter().enumerate() {
            for b in &ALTERNATIVES[i + 1..] {
                assert!(a.name != b.name || (a.link == b.link && a.priority != b.priority), "{a:?} {b:?}");
            }
            assert!(!a.link.starts_with('/') && a.target.starts_with('/'));
        }
    }
}
