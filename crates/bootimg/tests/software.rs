//! The table of included software against the archive's own indexes.
//!
//! `ESOS_TEST_INDEX` names a directory with unpacked indexes, whose names begin with the suite:
//! `trixie-main-Packages`, `trixie-non-free-firmware-Packages`, `bookworm-…`. Without it the test says that
//! it skipped.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads indexes that its environment names"
)]
use std::collections::BTreeSet;
use std::path::Path;

use esos_bootimg::archive::{Pool, parse_index};
use esos_bootimg::manifest::software::{How, table};
use esos_bootimg::manifest::{Manifest, Set, Suite};

#[test]
fn every_package_of_table_and_manifests_is_in_the_archive() {
    let Some(dir) = std::env::var_os("ESOS_TEST_INDEX") else {
        println!("skipped: ESOS_TEST_INDEX names no directory of indexes");
        return;
    };
    for suite in Suite::ALL {
        let names = names(Path::new(&dir), suite);
        if names.is_empty() {
            println!("skipped: {dir:?} has no index of {suite}");
            continue;
        }
        let table = table().unwrap();
        let packages =
            table.iter().flat_map(|row| row.how.packages(suite).iter().map(move |p| (&row.name, p)));
        let lacking: Vec<_> = packages.filter(|(_, p)| !names.contains(*p)).collect();
        assert!(lacking.is_empty(), "{suite} lacks {lacking:?}: say in software.toml how to bring them");
        let manifest = Manifest::standard(suite, &Set::ALL).unwrap();
        let lacking: Vec<_> =
            manifest.include.iter().chain(&manifest.image).filter(|p| !names.contains(*p)).collect();
        assert!(lacking.is_empty(), "{suite} lacks {lacking:?} of the manifests");
        // What is said to be missing from Debian must be missing.
        let bring = table.iter().filter(|row| matches!(row.how, How::Bring(_)));
        let there: Vec<_> = bring.filter(|row| names.contains(&row.name.to_lowercase())).collect();
        assert!(there.is_empty(), "{suite} has {there:?} after all");
        println!(
            "{suite}: {} rows and {} packages of the manifests are there",
            table.len(),
            manifest.include.len()
        );
    }
}

fn names(dir: &Path, suite: Suite) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if file.starts_with(suite.word()) {
            let text = std::fs::read_to_string(&path).unwrap();
            let packages = parse_index(&file, &text, "amd64", Pool::Main, "main").unwrap();
            names.extend(packages.iter().map(|p| p.name.to_owned()));
        }
    }
    names
}
