//! What every source file keeps to.
use crate::workspace::{packages, root, tracked};
use std::fs;

#[test]
fn every_library_opens_with_an_example() {
    for package in packages().values().filter(|p| p.is_library()) {
        let lib = fs::read_to_string(package.dir.join("src/lib.rs")).unwrap();
        let front = lib.lines().take_while(|l| l.starts_with("//!")).collect::<Vec<_>>().join("\n");
        assert!(
            front.contains("```\n") && front.lines().count() > 5,
            "{}: no example on its front page",
            package.name
        );
        assert!(lib.lines().count() < 110, "{}: lib.rs is a table of contents", package.name);
    }
}

/// A foreign word that we do not know must survive: such enums may grow.
#[test]
fn enums_of_foreign_words_may_grow() {
    for package in packages().values().filter(|p| p.is_library()) {
        for (path, text) in package.sources() {
            let mut attributes = Vec::new();
            let mut current: Option<(String, bool)> = None;
            for line in text.lines() {
                let t = line.trim_start();
                if t.starts_with("#[") || t.starts_with("///") {
                    attributes.push(t.to_owned());
                    continue;
                }
                if t.starts_with("pub enum ") {
                    current = Some((t.to_owned(), attributes.iter().any(|a| a.contains("non_exhaustive"))));
                }
                if t.starts_with("Other(String)")
                    && let Some((name, open)) = &current
                {
                    assert!(
                        *open,
                        "{}: `{name}` has Other(String) and is not #[non_exhaustive]",
                        path.display()
                    );
                }
                if line == "}" {
                    current = None;
                }
                attributes.clear();
            }
        }
    }
}

/// No public signature of a library names a type of a crate that may change under us. Types that a file
/// imports are looked for by their imported name; `esos_diag::glue` is nom's agreed way in.
#[test]
fn public_signatures_name_no_unstable_crate() {
    let unstable = [
        "nom",
        "mockall",
        "nix",
        "udev",
        "jiff",
        "roxmltree",
        "indicatif",
        "annotate_snippets",
        "sha2",
        "zstd",
        "liblzma",
    ];
    for package in packages().values().filter(|p| p.is_library()) {
        for (path, text) in package.sources() {
            if path.ends_with("diag/src/glue.rs") {
                continue;
            }
            let code = text.split("#[cfg(test)]").next().unwrap();
            let mut names: Vec<String> = unstable.iter().map(|c| format!("{c}::")).collect();
            for line in code.lines().filter_map(|l| l.strip_prefix("use ")) {
                if unstable.iter().any(|c| line.starts_with(&format!("{c}::"))) {
                    let words = line
                        .split(|c: char| !c.is_alphanumeric() && c != '_')
                        .filter(|w| w.starts_with(char::is_uppercase));
                    names.extend(words.map(str::to_owned));
                }
            }
            for line in code.lines().map(str::trim_start) {
                let public = line.starts_with("pub fn ")
                    || line.starts_with("pub type ")
                    || (line.starts_with("pub ") && line.contains(": "));
                let words = |l: &str| {
                    l.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                };
                if public
                    && words(line).iter().any(|w| {
                        names.iter().any(|n| w == n || (n.ends_with("::") && w.starts_with(n.as_str())))
                    })
                {
                    panic!("{}: `{line}` shows a type of a crate that may change", path.display());
                }
            }
        }
    }
}

#[test]
fn every_recording_says_where_it_is_from() {
    let data = root().join("fixtures/data");
    for entry in fs::read_dir(&data).unwrap() {
        let dir = entry.unwrap().path();
        let provenance = fs::read_to_string(dir.join("PROVENANCE.md")).unwrap_or_default();
        assert!(provenance.len() > 80, "{} has no PROVENANCE.md that says something", dir.display());
    }
}

/// Where packages come from is the business of the machine that builds; what is only true on one
/// machine is no business of the project.
#[test]
fn no_archive_and_no_machine_stands_in_our_files() {
    // In two halves, so that this file may be looked through too.
    let banned: Vec<String> = [
        ("deb.", "debian.org"),
        ("ftp.", "debian.org"),
        ("security.", "debian.org"),
        ("snapshot.", "debian.org"),
        ("static.crates", ".io"),
        ("index.crates", ".io"),
        ("pypi.", "org"),
        ("/wo", "rk/"),
    ]
    .iter()
    .map(|(a, b)| format!("{a}{b}"))
    .collect();
    for (name, text) in tracked() {
        if name == "Cargo.lock" || name.starts_with("fixtures/data/") {
            continue;
        }
        for (n, line) in text.lines().enumerate() {
            if let Some(word) = banned.iter().find(|w| line.contains(w.as_str())) {
                panic!("{name}:{}: `{word}` has no place here", n + 1);
            }
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    let banned: Vec<String> =
        [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("todo", "!("), ("unimplemented", "!(")]
            .iter()
            .map(|(a, b)| format!("{a}{b}"))
            .collect();
    for (name, text) in tracked().into_iter().filter(|(n, _)| n.ends_with(".rs") || n.ends_with(".sh")) {
        for (n, line) in text.lines().enumerate() {
            assert!(!banned.iter().any(|w| line.contains(w.as_str())), "{name}:{}: {line}", n + 1);
        }
    }
}

/// ARCHITECTURE.md names every crate, and the tests that it leans on exist.
#[test]
fn the_map_shows_what_is_there() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for package in packages().values().filter(|p| p.is_library()) {
        assert!(
            map.contains(&format!("**{}**", package.short())),
            "ARCHITECTURE.md says nothing of {}",
            package.name
        );
    }
    let house: String =
        tracked().into_iter().filter(|(n, _)| n.starts_with("tests/tests/")).map(|(_, t)| t).collect();
    let (_, table) = map.split_once("| invariant |").unwrap();
    for word in table.split('`').skip(1).step_by(2) {
        let is_test = word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(!is_test || house.contains(&format!("fn {word}()")), "ARCHITECTURE.md names the test {word}");
        let is_path = word.contains('/') && !word.contains("::");
        assert!(!is_path || root().join(word).exists(), "ARCHITECTURE.md names {word}");
    }
}
