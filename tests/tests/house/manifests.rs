//! Each crate can be published, and each dependency is accounted for.
use crate::workspace::{packages, root};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn every_package_says_what_it_is() {
    for package in packages().values() {
        let json = &package.json;
        let name = &package.name;
        let text = |key: &str| json[key].as_str().unwrap_or("");
        assert!(text("description").len() > 20, "{name}: description");
        assert_eq!(text("license"), "MIT OR Apache-2.0", "{name}");
        assert_eq!(text("edition"), "2024", "{name}");
        assert!(!text("rust_version").is_empty() && !text("repository").is_empty(), "{name}");
        let manifest = fs::read_to_string(package.dir.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} does not take the workspace's lints");
        if package.is_library() {
            assert_eq!(package.name, format!("esos-{}", package.short()));
            let count = |key: &str| json[key].as_array().map_or(0, Vec::len);
            assert!((1..=5).contains(&count("keywords")), "{name}: 1 to 5 keywords");
            assert!(count("categories") > 0, "{name}: categories");
        }
    }
}

/// Versions stand once, in the root; what stands there has its reason in docs/dependencies.md.
#[test]
fn every_dependency_has_a_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, table) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    let table = table.split("\n[").next().unwrap();
    let named = table.lines().filter_map(|l| l.split_once(" = ")).map(|(name, _)| name.trim());
    let foreign: BTreeSet<String> =
        named.filter(|n| !n.starts_with("esos-") && !n.starts_with('#')).map(str::to_owned).collect();
    let docs = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let rows = docs.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| crate"));
    let cells = rows.map(|r| r.trim_start_matches("| ").split(" |").next().unwrap().to_owned());
    let told: BTreeSet<String> = cells
        .flat_map(|c| c.split(", ").map(|n| n.trim_matches('`').to_owned()).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        foreign.difference(&told).collect::<Vec<_>>(),
        [""; 0],
        "without a row in docs/dependencies.md"
    );
    assert_eq!(told.difference(&foreign).collect::<Vec<_>>(), [""; 0], "a row for what is not there");
    for package in packages().values() {
        let text = fs::read_to_string(package.dir.join("Cargo.toml")).unwrap();
        let (_, needs) = text.split_once("dependencies]\n").unwrap_or(("", ""));
        let versions: Vec<_> = needs.lines().filter(|l| l.contains("version = \"")).collect();
        assert_eq!(versions, [""; 0], "{}: versions belong into the root", package.name);
    }
}
