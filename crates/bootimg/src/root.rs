//! The root image: packages merged into one tree, what their scripts would have done, zstd frames.
