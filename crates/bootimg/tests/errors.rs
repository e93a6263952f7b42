//! Every public error of the assembler is produced once, without any network.
//!
//! The list is read from the source, so a new variant fails this test until something here produces it.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test that makes broken things in a directory of its own"
)]
#[path = "errors/archive.rs"]
mod archive;
#[path = "errors/assemble.rs"]
mod assemble;
#[path = "errors/deb.rs"]
mod deb;
#[path = "errors/disk.rs"]
mod disk;
#[path = "errors/dkms.rs"]
mod dkms;
#[path = "errors/hostile.rs"]
mod hostile;
#[path = "errors/kernel.rs"]
mod kernel;
#[path = "errors/root.rs"]
mod root;
#[path = "errors/seen.rs"]
mod seen;

use std::collections::BTreeSet;

/// What no input reaches, with the reason.
const GUARDS: [(&str, &str); 3] = [
    ("BuildError::Scratch", "only a medium that fails between two writes of a build shows it"),
    ("KeyError::Sign", "only a machine without random numbers cannot sign"),
    ("LayoutError::NoPartition", "`Layout::table` makes every partition that is looked for"),
];

#[test]
fn every_public_error_is_produced_once() {
    let mut seen = seen::Seen::default();
    archive::all(&mut seen);
    deb::all(&mut seen);
    root::all(&mut seen);
    kernel::all(&mut seen);
    dkms::all(&mut seen);
    disk::all(&mut seen);
    assemble::all(&mut seen);

    let listed = seen::listed();
    assert!(listed.len() > 140, "only {} errors found in the source", listed.len());
    let guards: BTreeSet<String> = GUARDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let produced: BTreeSet<String> = seen.names().collect();
    let wanted: BTreeSet<String> = listed.difference(&guards).cloned().collect();
    let missing: Vec<_> = wanted.difference(&produced).collect();
    let unlisted: Vec<_> = produced.difference(&wanted).collect();
    println!("{} errors of {} types, {} of them guards", listed.len(), seen::types(&listed), guards.len());
    assert!(missing.is_empty(), "nothing produces {missing:#?}");
    assert!(unlisted.is_empty(), "produced, but not in the source or a guard: {unlisted:#?}");
}
