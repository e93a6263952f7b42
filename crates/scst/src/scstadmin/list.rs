//! `-list_…`.
use super::{Done, Flags, Run};
use crate::live::{Live, LiveAttrs, LiveLun, LiveTarget};
use crate::path::ObjectPath;
use esos_units::Lun;
use std::collections::BTreeMap;

impl Run<'_> {
    pub(super) fn list(&mut self, live: &Live, what: &str, name: &str, flags: &Flags) -> Done {
        self.line("");
        let rows = |rows: Vec<[String; 2]>| rows;
        match what {
            "list_handler" if name.is_empty() => {
                let names = live.handlers.keys().map(|h| [h.to_string(), String::new()]).collect();
                self.table(["Handler", ""], rows(names));
            }
            "list_handler" => {
                let of = |h: &Option<crate::HandlerName>| h.as_ref().is_some_and(|h| h.as_str() == name);
                let devices = live.devices.iter().filter(|(_, d)| of(&d.handler));
                let devices = devices.map(|(n, _)| [n.to_string(), String::new()]).collect();
                self.table(["Device", ""], devices);
            }
            "list_device" if name.is_empty() => {
                let handler =
                    |d: &crate::LiveDevice| d.handler.as_ref().map(ToString::to_string).unwrap_or_default();
                let devices = live.devices.iter().map(|(n, d)| [handler(d), n.to_string()]).collect();
                self.table(["Handler", "Device"], devices);
            }
            "list_device" | "list_dev_attr" => match live.devices.iter().find(|(n, _)| n.as_str() == name) {
                Some((_, device)) => self.attributes(&device.attributes),
                None => self.missing(&format!("deviceAttributes(): Device '{name}' is not open")),
            },
            "list_driver" => {
                let names = live.drivers.keys().map(|d| [d.to_string(), String::new()]).collect();
                self.table(["Driver", ""], names);
            }
            "list_target" => {
                let of = |d: &str| flags.driver.is_empty() || flags.driver == d;
                let drivers = live.drivers.iter().filter(|(d, _)| of(d.as_str()));
                let all =
                    drivers.flat_map(|(d, live)| live.targets.keys().map(|t| [d.to_string(), t.to_string()]));
                self.table(["Driver", "Target"], all.collect());
            }
            "list_group" => self.groups(live, flags),
            "list_dgrp" => {
                let names = live.device_groups.keys().map(|g| [g.to_string(), String::new()]).collect();
                self.table(["Device Group", ""], names);
            }
            "list_tgrp" => {
                let of = |g: &str| flags.dev_group.is_empty() || flags.dev_group == g;
                let groups = live.device_groups.iter().filter(|(g, _)| of(g.as_str()));
                let all =
                    groups.flat_map(|(g, d)| d.target_groups.keys().map(|t| [g.to_string(), t.to_string()]));
                self.table(["Device Group", "Target Group"], all.collect());
            }
            "list_sessions" => self.sessions(live, flags),
            "list_scst_attr" => self.attributes(&live.attributes),
            _ => match self.object(what, name, flags).and_then(|p| live.attributes_of(&p)) {
                Some(attributes) => {
                    self.attributes(attributes);
                    self.creates(live, what, name);
                }
                None => self.missing(&format!("'{name}' does not exist")),
            },
        }
        Ok(())
    }

    /// The object of an attribute flag.
    pub(super) fn object(&self, what: &str, name: &str, flags: &Flags) -> Option<ObjectPath> {
        let (driver, target, group) = (&flags.driver, &flags.target, &flags.group);
        let at = |group: &str| match group {
            "" => format!("{driver}/{target}"),
            group => format!("{driver}/{target}/group/{group}"),
        };
        let text = match what.split_once('_').map_or(what, |(_, rest)| rest) {
            "scst_attr" => "scst".to_owned(),
            "hnd_attr" => format!("dev/{name}"),
            "drv_attr" => name.to_owned(),
            "tgt_attr" => format!("{driver}/{name}"),
            "grp_attr" => at(name),
            "lun_attr" => format!("{}/lun/{name}", at(group)),
            "init_attr" => format!("{}/ini/{name}", at(group)),
            "dgrp_attr" => format!("dgrp/{name}"),
            "tgrp_attr" => format!("dgrp/{}/tgrp/{name}", flags.dev_group),
            "ttgt_attr" => format!("dgrp/{}/tgrp/{}/tgt/{name}", flags.dev_group, flags.tgt_group),
            _ => return None,
        };
        text.parse().ok()
    }

    fn missing(&mut self, what: &str) {
        self.out.push_str(&format!("\n\nWARNING: Received the following error:\n\n\t{what}\n\n"));
        self.code = 1;
    }

    fn table(&mut self, heads: [&str; 2], rows: Vec<[String; 2]>) {
        let width = |i: usize| {
            let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count());
            cells.chain(heads.get(i).map(|h| h.len())).max().unwrap_or(0)
        };
        let (a, b) = (width(0), width(1));
        let [one, other] = heads;
        self.line(&format!("\t{one:a$} {other:b$}"));
        self.line(&format!("\t{}", "-".repeat(a.saturating_add(b).saturating_add(1))));
        if rows.is_empty() {
            self.line("\t(none)");
        }
        for [one, other] in rows {
            self.line(&format!("\t{one:a$} {other:b$}"));
        }
    }

    fn attributes(&mut self, attributes: &LiveAttrs) {
        let keys: Vec<_> = attributes.iter().filter(|(_, a)| a.key).collect();
        let value = |a: &crate::LiveAttr| a.value.as_ref().map(ToString::to_string).unwrap_or_default();
        let wide = |texts: Vec<usize>, least: usize| {
            texts.into_iter().max().unwrap_or(0).max(least).saturating_add(4)
        };
        let a = wide(keys.iter().map(|(n, _)| n.len()).collect(), 9);
        let b = wide(keys.iter().map(|(_, v)| value(v).chars().count()).collect(), 5);
        self.line(&format!("\t{:a$} {:b$} {:12} {}", "Attribute", "Value", "Writable", "KEY"));
        self.line(&format!("\t{}", "-".repeat(a.saturating_add(b).saturating_add(18))));
        if keys.is_empty() {
            self.line("\t(none)");
        }
        for (name, attr) in keys {
            let writable = if attr.writable { "Yes" } else { "No" };
            self.line(&format!("\t{name:a$} {:b$} {writable:12} Yes", value(attr)));
        }
    }

    fn creates(&mut self, live: &Live, what: &str, name: &str) {
        let (title, names) = match what {
            "list_hnd_attr" => {
                let handler = live.handlers.iter().find(|(n, _)| n.as_str() == name);
                ("Device CREATE attributes available", handler.map(|(_, h)| h.create.clone()))
            }
            "list_drv_attr" => {
                let driver = live.drivers.iter().find(|(n, _)| n.as_str() == name);
                ("Dynamic attributes available", driver.map(|(_, d)| d.driver_attributes.clone()))
            }
            _ => return,
        };
        let names = names.unwrap_or_default();
        if !names.is_empty() {
            self.line(&format!("\n\t{title}\n\t{}", "-".repeat(title.len())));
            names.iter().for_each(|n| self.line(&format!("\t{n}")));
        }
    }

    fn groups(&mut self, live: &Live, flags: &Flags) {
        for (driver, d) in
            live.drivers.iter().filter(|(d, _)| flags.driver.is_empty() || flags.driver == d.as_str())
        {
            for (name, t) in
                d.targets.iter().filter(|(t, _)| flags.target.is_empty() || flags.target == t.as_str())
            {
                self.line(&format!("Driver: {driver}\nTarget: {name}\n"));
                self.target_groups(t);
            }
        }
    }

    fn target_groups(&mut self, target: &LiveTarget) {
        self.luns(&target.luns);
        for (name, group) in &target.groups {
            self.line(&format!("Group: {name}\n"));
            self.luns(&group.luns);
            self.line("Assigned Initiators:\n");
            if group.initiators.is_empty() {
                self.line("\t(none)");
            } else {
                self.line("\tInitiator\n\t--");
                group.initiators.iter().for_each(|i| self.line(&format!("\t{i}")));
            }
            self.line("");
        }
    }

    fn luns(&mut self, luns: &BTreeMap<Lun, LiveLun>) {
        self.line("Assigned LUNs:\n");
        if luns.is_empty() {
            self.line("\t(none)\n");
            return;
        }
        self.line("\tLUN  Device\n\t-------");
        luns.iter().for_each(|(n, l)| self.line(&format!("\t{:4} {}", n.to_string(), l.device)));
        self.line("");
    }

    fn sessions(&mut self, live: &Live, flags: &Flags) {
        for (driver, d) in
            live.drivers.iter().filter(|(d, _)| flags.driver.is_empty() || flags.driver == d.as_str())
        {
            for (target, t) in &d.targets {
                self.line(&format!("Driver/Target: {driver}/{target}\n"));
                if t.sessions.is_empty() {
                    self.line("\t(no sessions)\n");
                }
                for (name, session) in &t.sessions {
                    self.line(&format!("\tSession: {name}\n"));
                    for (attribute, a) in &session.attributes {
                        if let Some(value) = &a.value {
                            self.line(&format!("\t{attribute:29} {value}"));
                        }
                    }
                    self.line("");
                }
            }
        }
    }
}
