//! Whether root can log in by password.

/// Whether a box still has to be set up: whether root has no password in this text of `/etc/shadow`
/// (shadow(5)). A field that is locked (`*`, `!`), empty, or missing counts as none; so an image, where it
/// is `*`, asks, and a box whose configuration was restored with a password does not.
#[must_use]
pub fn needs_setup(shadow: &str) -> bool {
    let field = shadow.lines().find_map(|l| l.strip_prefix("root:")).and_then(|rest| rest.split(':').next());
    !field.is_some_and(|f| f.starts_with('$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_empty_and_missing_ask() {
        for text in [
            "",
            "root:*:19000:0:99999:7:::\n",
            "root:!:1::::::",
            "root::1::::::",
            "root:!$y$j9T$a:1",
            "toor:$y$:1",
        ] {
            assert!(needs_setup(text), "{text:?}");
        }
        assert!(!needs_setup("daemon:*:1::::::\nroot:$y$j9T$abc$def:19000:0:99999:7:::\n"));
    }
}
