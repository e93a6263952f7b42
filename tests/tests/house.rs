//! The rules of the house that no compiler keeps: arrows, bans, manifests, provenance, front pages.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#[path = "house/architecture.rs"]
mod architecture;
#[path = "house/manifests.rs"]
mod manifests;
#[path = "house/sources.rs"]
mod sources;
#[path = "house/workspace.rs"]
mod workspace;
