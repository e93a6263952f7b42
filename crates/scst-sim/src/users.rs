//! CHAP users and portals: attributes with several instances, numbered from the second on.
use crate::errno::{EEXIST, EINVAL, ENOENT, Outcome};
use crate::sim::State;
use crate::tree::{Attr, Node};
use crate::words::lexeme;

/// Passwords of CHAP have at least that many bytes.
const PASSWORD: usize = 12;

impl State {
    /// Instances of a numbered attribute: `N`, `N1`, `N2`, …
    fn instances(&self, dir: &str, name: &str) -> Vec<String> {
        let is = |n: &&str| n.strip_prefix(name).is_some_and(|r| r.chars().all(|c| c.is_ascii_digit()));
        self.tree.children(dir).into_iter().map(|(n, _)| n).filter(is).map(str::to_owned).collect()
    }

    fn free_instance(&self, dir: &str, name: &str) -> String {
        let plain = format!("{dir}/{name}");
        if !self.tree.exists(&plain) {
            return plain;
        }
        let numbered = (1u32..).map(|n| format!("{plain}{n}"));
        numbered.into_iter().find(|path| !self.tree.exists(path)).unwrap_or(plain)
    }

    fn user_named(&self, dir: &str, attribute: &str, user: &str) -> Option<String> {
        let paths = self.instances(dir, attribute).into_iter().map(|n| format!("{dir}/{n}"));
        paths.into_iter().find(|p| lexeme(self.tree.value(p)).0 == user)
    }

    pub(crate) fn add_user(&mut self, dir: &str, attribute: &str, rest: &str) -> Outcome {
        if !matches!(attribute, "IncomingUser" | "OutgoingUser") {
            return Err(EINVAL);
        }
        let (user, password) = lexeme(rest);
        if user.is_empty() || password.len() < PASSWORD {
            return Err(EINVAL);
        }
        if attribute == "OutgoingUser" && self.tree.exists(&format!("{dir}/{attribute}")) {
            // The old one is lost, too: a read of it fails from now on.
            let attr = Attr { mode: 0o600, text: Err(EINVAL) };
            self.tree.insert(format!("{dir}/{attribute}"), Node::Attr(attr));
            return Err(EEXIST);
        }
        if self.user_named(dir, attribute, user).is_some() {
            return Err(EINVAL);
        }
        let path = self.free_instance(dir, attribute);
        self.tree.attr(path, 0o600, format!("{user} {password}\n[key]\n\n"));
        Ok(())
    }

    pub(crate) fn del_user(&mut self, dir: &str, attribute: &str, rest: &str) -> Outcome {
        if !matches!(attribute, "IncomingUser" | "OutgoingUser") {
            return Err(EINVAL);
        }
        let path = self.user_named(dir, attribute, lexeme(rest).0).ok_or(ENOENT)?;
        self.tree.remove(&path);
        Ok(())
    }

    pub(crate) fn add_portal(&mut self, dir: &str, rest: &str) -> Outcome {
        let (portal, extra) = lexeme(rest);
        let known = self.instances(dir, "allowed_portal");
        let is = |n: &String| self.tree.value(&format!("{dir}/{n}")) == portal;
        if portal.is_empty() || !extra.is_empty() || known.iter().any(is) {
            return Err(EINVAL);
        }
        let path = self.free_instance(dir, "allowed_portal");
        self.tree.attr(path, 0o644, format!("{portal}\n[key]\n\n"));
        Ok(())
    }

    pub(crate) fn del_portal(&mut self, dir: &str, rest: &str) -> Outcome {
        let portal = lexeme(rest).0;
        let paths = self.instances(dir, "allowed_portal").into_iter().map(|n| format!("{dir}/{n}"));
        let path = paths.into_iter().find(|p| self.tree.value(p) == portal).ok_or(EINVAL)?;
        self.tree.remove(&path);
        Ok(())
    }

    pub(crate) fn rename_user(&mut self, path: &str, value: &str) -> Outcome {
        let (user, password) = lexeme(value);
        if user.is_empty() || password.len() < PASSWORD {
            return Err(EINVAL);
        }
        self.tree.set(path, format!("{user} {password}\n[key]\n\n"));
        Ok(())
    }
}
