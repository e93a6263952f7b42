//! Debian's archive: indexes, signatures, versions, dependencies, locks, and the package cache.
