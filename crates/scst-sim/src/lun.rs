//! LUNs, and what devices and sessions show of them.
use crate::attribute::keyed;
use crate::errno::{EEXIST, EINVAL, Outcome};
use crate::sim::State;
use crate::tree::{Node, follow};
use crate::words::{lexeme, parameters, unsigned};

/// Where copy_manager's LUNs are.
pub(crate) const COPY_LUNS: &str = "targets/copy_manager/copy_manager_tgt/luns";

fn number(text: &str) -> Result<u64, i32> {
    unsigned(text).map_err(|_any| EINVAL).and_then(|n| if n > 16383 { Err(EINVAL) } else { Ok(n) })
}

impl State {
    /// `luns/mgmt` of a target or a group; `dir` is the directory of the LUNs.
    pub(crate) fn luns_mgmt(&mut self, dir: &str, value: &str) -> Outcome {
        let (action, rest) = lexeme(value);
        match action.to_ascii_lowercase().as_str() {
            "add" => self.lun_in(dir, rest, false),
            "replace" | "replace_no_ua" => self.lun_in(dir, rest, true),
            "del" => {
                let (lun, extra) = lexeme(rest);
                let lun = number(lun)?;
                if !extra.is_empty() || !self.tree.is_dir(&format!("{dir}/{lun}")) {
                    return Err(EINVAL);
                }
                self.remove_lun(dir, lun);
                self.follow_luns(dir);
                Ok(())
            }
            "clear" if rest.is_empty() => {
                for lun in self.tree.dirs(dir) {
                    if let Ok(lun) = lun.parse() {
                        self.remove_lun(dir, lun);
                    }
                }
                self.follow_luns(dir);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    fn lun_in(&mut self, dir: &str, rest: &str, replace: bool) -> Outcome {
        let (device, rest) = lexeme(rest);
        // A device without a handler cannot be exported.
        if device.is_empty()
            || !matches!(self.tree.get(&format!("devices/{device}/handler")), Some(Node::Link(_)))
        {
            return Err(EINVAL);
        }
        let (lun, rest) = lexeme(rest);
        let lun = number(lun)?;
        let mut read_only = 0;
        for p in parameters(rest) {
            match (p.name, p.value, p.extra) {
                ("read_only", Some(value), false) => read_only = u64::from(unsigned(value)? != 0),
                _ => return Err(EINVAL),
            }
        }
        if self.tree.exists(&format!("{dir}/{lun}")) {
            if !replace {
                return Err(EEXIST);
            }
            self.remove_lun(dir, lun);
        }
        self.insert_lun(dir, lun, device, read_only);
        self.follow_lun(dir, lun);
        Ok(())
    }

    fn insert_lun(&mut self, dir: &str, lun: u64, device: &str, read_only: u64) {
        let path = format!("{dir}/{lun}");
        let up = "../".repeat(path.split('/').count());
        // Every LUN of a device that is read-only is.
        let read_only = read_only | u64::from(self.tree.value(&format!("devices/{device}/read_only")) == "1");
        self.tree.dir(&path);
        self.tree.link(format!("{path}/device"), format!("{up}devices/{device}"));
        self.tree.attr(format!("{path}/read_only"), 0o444, keyed(read_only, 0));
        let next = self.exports.entry(device.to_owned()).or_insert(0);
        let export = format!("devices/{device}/exported/export{next}");
        *next = next.saturating_add(1);
        self.tree.link(export, format!("../../../{path}"));
    }

    fn device_of(&self, lun: &str) -> Option<String> {
        match self.tree.get(&format!("{lun}/device")) {
            Some(Node::Link(target)) => target.rsplit('/').next().map(str::to_owned),
            _ => None,
        }
    }

    fn remove_lun(&mut self, dir: &str, lun: u64) {
        let path = format!("{dir}/{lun}");
        if let Some(device) = self.device_of(&path) {
            let exported = format!("devices/{device}/exported");
            let gone = self.exports_of(&device).into_iter().find(|(_, target)| *target == path);
            if let Some((name, _)) = gone {
                self.tree.remove(&format!("{exported}/{name}"));
            }
        }
        self.tree.remove(&path);
    }

    /// Names of a device's exports with the LUNs that they lead to.
    pub(crate) fn exports_of(&self, device: &str) -> Vec<(String, String)> {
        let dir = format!("devices/{device}/exported");
        let children = self.tree.children(&dir);
        let links = children.into_iter().filter_map(|(name, node)| match node {
            Node::Link(target) => Some((name.to_owned(), follow(&format!("{dir}/{name}"), target))),
            _ => None,
        });
        links.collect()
    }

    /// Takes all LUNs of a device away, whoever uses them.
    pub(crate) fn drop_luns_of(&mut self, device: &str) {
        for (_, path) in self.exports_of(device) {
            if let Some((dir, lun)) = path.rsplit_once('/')
                && let Ok(lun) = lun.parse()
            {
                let dir = dir.to_owned();
                self.remove_lun(&dir, lun);
                self.follow_luns(&dir);
            }
        }
    }

    /// Each new device becomes the next LUN of copy_manager.
    pub(crate) fn add_copy_lun(&mut self, device: &str) {
        if self.tree.is_dir(COPY_LUNS) {
            let lun = self.next_copy_lun;
            self.next_copy_lun = lun.saturating_add(1);
            self.insert_lun(COPY_LUNS, lun, device, 0);
            self.follow_lun(COPY_LUNS, lun);
        }
    }
}
