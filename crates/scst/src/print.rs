//! A configuration as the text of a file.
use crate::attributes::Attributes;
use crate::conf::{Unrepresentable, quote, quote_lossy};
use crate::model::{Config, LunMap, Target};
use esos_units::Lun;
use std::collections::BTreeMap;

/// A value that cannot stand in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{name}` in {section} cannot stand in scst.conf")]
pub struct PrintError {
    /// The section's header.
    pub section: String,
    /// The attribute.
    pub name: String,
    /// Why.
    #[source]
    pub source: Unrepresentable,
}

impl Config {
    /// The text of a file that both ESOS and scstadmin read as this configuration, sorted as scstadmin
    /// sorts it, passwords included.
    ///
    /// # Errors
    /// [`PrintError`] for a value that scstadmin's grammar cannot carry.
    pub fn to_conf(&self) -> Result<String, PrintError> {
        self.print(false)
    }

    /// As [`Self::to_conf`], with values that only ESOS reads back: braces and quotes in quotes.
    #[must_use]
    pub fn to_own_conf(&self) -> String {
        // Every value has such a form.
        self.print(true).unwrap_or_default()
    }

    fn print(&self, own: bool) -> Result<String, PrintError> {
        let mut out = Printer { text: String::new(), depth: 0, section: "the top level".to_owned(), own };
        out.attributes(&self.attributes)?;
        for (name, handler) in &self.handlers {
            out.gap();
            out.block(&["HANDLER", name.as_str()], |out| {
                out.attributes(&handler.attributes)?;
                for (name, device) in &handler.devices {
                    out.leaf(&["DEVICE", name.as_str()], &device.attributes)?;
                }
                Ok(())
            })?;
        }
        for (name, driver) in &self.drivers {
            out.gap();
            out.block(&["TARGET_DRIVER", name.as_str()], |out| {
                out.attributes(&driver.attributes)?;
                driver.targets.iter().try_for_each(|(name, target)| {
                    out.gap();
                    out.block(&["TARGET", name.as_str()], |out| out.target(target))
                })
            })?;
        }
        for (name, group) in &self.device_groups {
            out.gap();
            out.block(&["DEVICE_GROUP", name.as_str()], |out| {
                out.attributes(&group.attributes)?;
                group
                    .devices
                    .iter()
                    .try_for_each(|d| out.leaf(&["DEVICE", d.as_str()], &Attributes::new()))?;
                group.target_groups.iter().try_for_each(|(name, group)| {
                    out.gap();
                    out.block(&["TARGET_GROUP", name.as_str()], |out| {
                        out.attributes(&group.attributes)?;
                        group.targets.iter().try_for_each(|(name, a)| out.leaf(&["TARGET", name.as_str()], a))
                    })
                })
            })?;
        }
        Ok(out.text)
    }
}

struct Printer {
    text: String,
    depth: usize,
    section: String,
    /// Whether ESOS alone reads the text.
    own: bool,
}

impl Printer {
    fn line(&mut self, line: &str) {
        self.text.extend(std::iter::repeat_n('\t', self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("{\n") {
            self.text.push('\n');
        }
    }

    /// A section: its keyword and names, and its body.
    fn block(
        &mut self,
        words: &[&str],
        body: impl FnOnce(&mut Self) -> Result<(), PrintError>,
    ) -> Result<(), PrintError> {
        let header = self.header(words)?;
        let outer = std::mem::replace(&mut self.section, header.clone());
        self.line(&format!("{header} {{"));
        self.depth = self.depth.saturating_add(1);
        body(self)?;
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
        self.section = outer;
        Ok(())
    }

    fn leaf(&mut self, words: &[&str], attributes: &Attributes) -> Result<(), PrintError> {
        if attributes.is_empty() {
            let header = self.header(words)?;
            self.line(&header);
            return Ok(());
        }
        self.block(words, |out| out.attributes(attributes))
    }

    fn header(&self, words: &[&str]) -> Result<String, PrintError> {
        let quoted = words.iter().map(|word| self.word("name", word)).collect::<Result<Vec<_>, _>>()?;
        Ok(quoted.join(" "))
    }

    fn word(&self, name: &str, value: &str) -> Result<String, PrintError> {
        if self.own {
            return Ok(quote_lossy(value));
        }
        quote(value).map_err(|source| PrintError {
            section: self.section.clone(),
            name: name.to_owned(),
            source,
        })
    }

    fn attributes(&mut self, attributes: &Attributes) -> Result<(), PrintError> {
        for (name, values) in attributes.iter() {
            for value in values {
                let word = self.word(name, value.expose())?;
                self.line(&format!("{name} {word}"));
            }
        }
        Ok(())
    }

    fn luns(&mut self, luns: &BTreeMap<Lun, LunMap>) -> Result<(), PrintError> {
        luns.iter().try_for_each(|(lun, map)| {
            self.leaf(&["LUN", &lun.to_string(), map.device.as_str()], &map.attributes)
        })
    }

    fn target(&mut self, target: &Target) -> Result<(), PrintError> {
        if target.hardware {
            self.line("HW_TARGET");
        }
        self.attributes(&target.attributes)?;
        self.luns(&target.luns)?;
        for (name, group) in &target.groups {
            self.gap();
            self.block(&["GROUP", name.as_str()], |out| {
                out.attributes(&group.attributes)?;
                out.luns(&group.luns)?;
                group
                    .initiators
                    .iter()
                    .try_for_each(|i| out.leaf(&["INITIATOR", i.as_str()], &Attributes::new()))
            })?;
        }
        Ok(())
    }
}
