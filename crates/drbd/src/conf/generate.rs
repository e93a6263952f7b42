//! Writing a configuration, in the layout of `drbdadm dump`.
use super::config::{Config, ConnectionConfig, End, Host, Opt, ResourceConfig, Sections, Volume};
use std::fmt::Write;

/// A value that `drbd.conf` has no way to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{name}` cannot be written: {why}")]
#[non_exhaustive]
pub struct Unwritable {
    /// The option or keyword.
    pub name: String,
    /// Why.
    pub why: &'static str,
}

impl Config {
    /// The configuration as text, secrets included: it is for the file, which must be mode 0600.
    ///
    /// # Errors
    /// A value with a line end or a quote in it.
    pub fn to_conf(&self) -> Result<String, Unwritable> {
        let mut w = Writer::default();
        for include in &self.includes {
            w.line(&format!("include {};", quoted("include", include, true)?));
        }
        if !self.global.is_empty() {
            w.open("global");
            w.options(&self.global)?;
            w.close();
        }
        if !self.common.is_empty() {
            w.open("common");
            w.sections(&self.common)?;
            w.close();
        }
        for r in &self.resources {
            w.resource(r)?;
        }
        Ok(w.out)
    }
}

/// A word, in quotes where it must.
fn quoted(name: &str, value: &str, always: bool) -> Result<String, Unwritable> {
    let wrong = |why| Err(Unwritable { name: name.to_owned(), why });
    if value.contains('\n') || value.contains('\r') {
        return wrong("it has a line end in it");
    }
    if value.contains(['"', '\\']) {
        return wrong("it has a quote or a backslash in it");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_.-:+@[]".contains(c);
    let bare = !value.is_empty() && value.chars().all(plain) && !always;
    Ok(if bare { value.to_owned() } else { format!("\"{value}\"") })
}

#[derive(Default)]
struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, text: &str) {
        // Writing to a string cannot fail.
        let _ok = writeln!(self.out, "{:width$}{text}", "", width = self.depth.saturating_mul(4));
    }

    fn open(&mut self, header: &str) {
        self.line(&format!("{header} {{"));
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }

    fn options(&mut self, options: &[Opt]) -> Result<(), Unwritable> {
        for o in options {
            match &o.value {
                None => self.line(&format!("{};", o.name)),
                Some(value) => {
                    let always = o.is_secret() || value.contains(' ');
                    self.line(&format!("{} {};", o.name, quoted(&o.name, value, always)?));
                }
            }
        }
        Ok(())
    }

    fn sections(&mut self, sections: &Sections) -> Result<(), Unwritable> {
        for (name, options) in sections.iter().filter(|(_, o)| !o.is_empty()) {
            self.open(name);
            self.options(options)?;
            self.close();
        }
        Ok(())
    }

    fn resource(&mut self, r: &ResourceConfig) -> Result<(), Unwritable> {
        self.open(&format!("resource {}", quoted("resource", &r.name, false)?));
        for v in &r.volumes {
            self.volume(v)?;
        }
        for h in &r.hosts {
            self.host(h)?;
        }
        for c in &r.connections {
            self.connection(c)?;
        }
        for mesh in &r.meshes {
            self.open("connection-mesh");
            self.line(&format!("hosts {};", mesh.hosts.join(" ")));
            self.sections(&mesh.sections)?;
            self.close();
        }
        self.sections(&r.sections)?;
        self.close();
        Ok(())
    }

    fn host(&mut self, h: &Host) -> Result<(), Unwritable> {
        let keyword = if h.keyword.is_empty() { "on" } else { &h.keyword };
        let names: Result<Vec<String>, Unwritable> =
            h.names.iter().map(|n| quoted(keyword, n, false)).collect();
        match (keyword, &h.address) {
            ("floating", Some(a)) => self.open(&format!("floating {a}")),
            _ => self.open(&format!("{keyword} {}", names?.join(" "))),
        }
        if let Some(id) = h.node_id {
            self.line(&format!("node-id {id};"));
        }
        for v in &h.volumes {
            self.volume(v)?;
        }
        if let Some(a) = h.address.as_ref().filter(|_| keyword != "floating") {
            self.line(&format!("address {a};"));
        }
        self.sections(&h.sections)?;
        self.close();
        Ok(())
    }

    fn volume(&mut self, v: &Volume) -> Result<(), Unwritable> {
        self.open(&format!("volume {}", v.number));
        match (&v.device, v.minor) {
            (Some(device), Some(minor)) => {
                self.line(&format!("device {} minor {minor};", quoted("device", device, false)?));
            }
            (Some(device), None) => self.line(&format!("device {};", quoted("device", device, false)?)),
            (None, Some(minor)) => self.line(&format!("device minor {minor};")),
            (None, None) => {}
        }
        if let Some(disk) = &v.disk {
            self.line(&format!("disk {};", quoted("disk", disk, false)?));
        }
        match v.meta_disk.as_deref().map(|m| m.split_once(' ').unwrap_or((m, ""))) {
            Some((disk, "")) => self.line(&format!("meta-disk {};", quoted("meta-disk", disk, false)?)),
            Some((disk, index)) => {
                self.line(&format!("meta-disk {} {index};", quoted("meta-disk", disk, false)?));
            }
            None => {}
        }
        if !v.options.is_empty() {
            self.open("disk");
            self.options(&v.options)?;
            self.close();
        }
        self.close();
        Ok(())
    }

    fn connection(&mut self, c: &ConnectionConfig) -> Result<(), Unwritable> {
        match &c.name {
            Some(name) => self.open(&format!("connection {}", quoted("connection", name, false)?)),
            None => self.open("connection"),
        }
        self.ends(&c.ends)?;
        for path in &c.paths {
            self.open("path");
            self.ends(path)?;
            self.close();
        }
        self.sections(&c.sections)?;
        for (number, sections) in &c.volumes {
            self.open(&format!("volume {number}"));
            self.sections(sections)?;
            self.close();
        }
        self.close();
        Ok(())
    }

    fn ends(&mut self, ends: &[End]) -> Result<(), Unwritable> {
        for end in ends {
            let host = quoted("host", &end.host, false)?;
            match &end.address {
                None => self.line(&format!("host {host};")),
                Some(a) if a.host.is_empty() => {
                    self.line(&format!("host {host} port {};", a.port.unwrap_or(0)));
                }
                Some(a) => self.line(&format!("host {host} address {a};")),
            }
        }
        Ok(())
    }
}
