//! Groups of initiators.
use crate::errno::{EBUSY, EEXIST, EINVAL, Outcome};
use crate::sim::State;
use crate::template::{GROUP, INITIATORS_MGMT, LUNS_MGMT, fill};
use crate::tree::SLASH;
use crate::words::lexeme;

impl State {
    /// A name as sysfs shows a directory of that name.
    pub(crate) fn shown(name: &str) -> String {
        name.replace('/', "!")
    }

    /// Whether a directory is the object of that name: `a/b` is shown as `a!b` but is not `a!b`.
    pub(crate) fn is_named(&self, path: &str, name: &str) -> bool {
        self.tree.is_dir(path) && self.slashed.get(path).is_none_or(|real| real == name)
    }

    pub(crate) fn ini_groups_mgmt(&mut self, driver: &str, target: &str, value: &str) -> Outcome {
        let (action, rest) = lexeme(value);
        // Further words are ignored.
        let (name, _) = lexeme(rest);
        let dir = format!("targets/{driver}/{target}");
        let path = format!("{dir}/ini_groups/{}", Self::shown(name));
        match action.to_ascii_lowercase().as_str() {
            _ if name.is_empty() => Err(EINVAL),
            "create" if driver == "copy_manager" => Err(EINVAL),
            "create" if self.tree.exists(&path) => Err(EEXIST),
            "create" => {
                self.tree.dir(&path);
                fill(&mut self.tree, &path, GROUP);
                let cpus = self.env.all_cpus();
                self.tree.attr(format!("{path}/cpu_mask"), 0o644, format!("{cpus}\n"));
                self.tree.dir(&format!("{path}/initiators"));
                self.tree.attr(format!("{path}/initiators/mgmt"), 0o644, INITIATORS_MGMT);
                self.tree.dir(&format!("{path}/luns"));
                self.tree.attr(format!("{path}/luns/mgmt"), 0o644, LUNS_MGMT);
                if name.contains('/') {
                    self.slashed.insert(path.clone(), name.to_owned());
                }
                self.birth(&path);
                Ok(())
            }
            "del" if !self.is_named(&path, name) => Err(EINVAL),
            "del" => {
                let luns = format!("{path}/luns");
                let sessions = format!("{dir}/sessions");
                let used = |s: &String| self.luns_of(&format!("{sessions}/{s}")).as_deref() == Some(&luns);
                if self.tree.dirs(&sessions).iter().any(used) {
                    return Err(EBUSY);
                }
                self.luns_mgmt(&luns, "clear")?;
                self.tree.remove(&path);
                self.slashed.remove(&path);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    pub(crate) fn initiators_mgmt(
        &mut self,
        driver: &str,
        target: &str,
        group: &str,
        value: &str,
    ) -> Outcome {
        let (action, rest) = lexeme(value);
        let (name, rest) = lexeme(rest);
        let dir = format!("targets/{driver}/{target}");
        let initiators = |group: &str| format!("{dir}/ini_groups/{group}/initiators");
        let entry = |group: &str| format!("{}/{}", initiators(group), name.replace('/', &SLASH.to_string()));
        let here = entry(group);
        match action.to_ascii_lowercase().as_str() {
            "clear" => {
                for name in self.initiators(&format!("{dir}/ini_groups/{group}")) {
                    self.tree.remove(&format!(
                        "{}/{}",
                        initiators(group),
                        name.replace('/', &SLASH.to_string())
                    ));
                }
            }
            _ if name.is_empty() || name == "mgmt" => return Err(EINVAL),
            "add" if self.tree.exists(&here) => return Err(EEXIST),
            "add" => self.tree.attr(here, 0o444, format!("{name}\n")),
            "del" | "move" if !self.tree.exists(&here) => return Err(EINVAL),
            "del" => self.tree.remove(&here),
            "move" => {
                let (to, _) = lexeme(rest);
                let path = format!("{dir}/ini_groups/{}", Self::shown(to));
                if to.is_empty() || !self.is_named(&path, to) {
                    return Err(EINVAL);
                }
                let there = entry(&Self::shown(to));
                if self.tree.exists(&there) {
                    return Err(EEXIST);
                }
                self.tree.remove(&here);
                self.tree.attr(there, 0o444, format!("{name}\n"));
            }
            _ => return Err(EINVAL),
        }
        self.place_sessions(&dir);
        Ok(())
    }

    pub(crate) fn group_attribute(&mut self, dir: &str, name: &str, value: &str) -> Outcome {
        match self.shared_attribute(dir, name, value) {
            Some(outcome) => outcome,
            None => self.plain(&format!("{dir}/{name}"), value),
        }
    }
}
