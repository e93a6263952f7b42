//! The whole way from a manifest to the products of a build.
