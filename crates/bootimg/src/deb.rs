//! One `.deb`: an `ar` of two compressed tars, read as a stream.
