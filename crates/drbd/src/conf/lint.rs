//! What is allowed by the grammar and still wrong, or dangerous.
use super::config::{Config, Host, Mesh, ResourceConfig};
use super::document::Document;
use super::options::option;
use esos_diag::{Diagnostic, Severity, Span};
use std::collections::BTreeMap;

/// What the configuration is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Intent {
    /// The generation of the kernel module, 8 or 9, where it is known.
    pub generation: Option<u8>,
    /// Whether Pacemaker promotes.
    pub cluster: bool,
}

struct Lint<'a> {
    origin: &'a str,
    config: &'a Config,
    intent: Intent,
    out: Vec<Diagnostic>,
}

/// All findings about the meaning of a document, in the order of the text.
#[must_use]
pub fn lint(document: &Document, intent: Intent) -> Vec<Diagnostic> {
    let mut l = Lint { origin: document.origin(), config: document.config(), intent, out: Vec::new() };
    for r in &document.config().resources {
        l.resource(r);
    }
    l.across();
    l.out.sort_by_key(|d| d.span().map(|s| s.start));
    l.out
}

impl Lint<'_> {
    fn add(&mut self, severity: Severity, code: &str, span: Span, message: String, help: &str) {
        let code = format!("drbd::{code}");
        self.out.push(Diagnostic::new(severity, code, message, self.origin, span).help(help));
    }

    fn error(&mut self, code: &str, span: Span, message: String, help: &str) {
        self.add(Severity::Error, code, span, message, help);
    }

    fn warn(&mut self, code: &str, span: Span, message: String, help: &str) {
        self.add(Severity::Warning, code, span, message, help);
    }

    fn resource(&mut self, r: &ResourceConfig) {
        let name = &r.name;
        if r.hosts.len() < 2 {
            let message = format!("resource {name} has {} of at least two hosts", r.hosts.len());
            self.error("hosts", r.span, message, "add an `on NAME { … }` section for each node");
        }
        let ids = r.hosts.iter().filter(|h| h.node_id.is_some()).count();
        if r.hosts.len() > 2 && ids < r.hosts.len() {
            let message = format!("resource {name} has {} hosts, and not each has a node-id", r.hosts.len());
            self.error(
                "node-id-missing",
                r.span,
                message,
                "give each `on` section its own `node-id`, from 0; it must never change",
            );
        }
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for h in &r.hosts {
            for key in
                h.names.iter().map(|n| format!("host {n}")).chain(h.node_id.map(|n| format!("node-id {n}")))
            {
                if seen.insert(key.clone(), h.span).is_some() {
                    self.error(
                        "duplicate",
                        h.span,
                        format!("{key} stands twice in resource {name}"),
                        "each host once, each with a number of its own",
                    );
                }
            }
            self.host(r, h);
        }
        self.connections(r);
        self.options(r);
        self.fencing(r);
    }

    fn host(&mut self, r: &ResourceConfig, h: &Host) {
        let host = h.names.join(" ");
        let addressed = r.connections.iter().any(|c| {
            c.ends
                .iter()
                .chain(c.paths.iter().flatten())
                .any(|e| h.names.contains(&e.host) && e.address.is_some())
        });
        if h.address.is_none() && !addressed {
            self.error(
                "no-address",
                h.span,
                format!("{host} has no address"),
                "add `address ipv4 10.0.0.1:7789;`",
            );
        }
        let numbers: Vec<u32> = r.volumes.iter().chain(&h.volumes).map(|v| v.number).collect();
        if numbers.is_empty() {
            self.error(
                "no-volume",
                h.span,
                format!("{host} has no volume"),
                "add `device`, `disk` and `meta-disk`",
            );
        }
        // What is stacked has the device of the resource below for its disk.
        let stacked = h.keyword == "stacked-on-top-of";
        for n in numbers {
            let pick = |f: &dyn Fn(&super::config::Volume) -> bool| {
                h.volumes.iter().chain(&r.volumes).filter(|v| v.number == n).any(f)
            };
            let missing: Vec<&str> = [
                ("device", pick(&|v| v.device.is_some() || v.minor.is_some())),
                ("disk", stacked || pick(&|v| v.disk.is_some())),
                (
                    "meta-disk",
                    stacked || pick(&|v| v.meta_disk.is_some() || v.disk.as_deref() == Some("none")),
                ),
            ]
            .into_iter()
            .filter(|(_, there)| !there)
            .map(|(what, _)| what)
            .collect();
            if !missing.is_empty() {
                let message = format!("volume {n} of {host} has no {}", missing.join(", no "));
                self.error(
                    "volume",
                    h.span,
                    message,
                    "each volume needs `device`, `disk` and `meta-disk`, at the host or at the resource",
                );
            }
        }
    }

    fn connections(&mut self, r: &ResourceConfig) {
        let known = |n: &String| r.hosts.iter().any(|h| h.names.contains(n));
        let meshes = r.meshes.iter().flat_map(|m: &Mesh| m.hosts.iter());
        let ends =
            r.connections.iter().flat_map(|c| c.ends.iter().chain(c.paths.iter().flatten())).map(|e| &e.host);
        let strangers: Vec<String> =
            meshes.chain(ends).filter(|n| !known(n) && !n.starts_with('_')).cloned().collect();
        for n in strangers {
            self.error(
                "unknown-host",
                r.span,
                format!("a connection of {} names {n}, which has no `on` section", r.name),
                "add the section, or mend the name",
            );
        }
        let names: Vec<&String> = r.hosts.iter().filter_map(|h| h.names.first()).collect();
        let joined = |a: &String, b: &String| {
            let mesh = r.meshes.iter().any(|m| m.hosts.contains(a) && m.hosts.contains(b));
            mesh || r.connections.iter().any(|c| {
                let list: Vec<&String> =
                    c.ends.iter().chain(c.paths.iter().flatten()).map(|e| &e.host).collect();
                list.contains(&a) && list.contains(&b)
            })
        };
        if names.len() > 2 {
            for (i, a) in names.iter().enumerate() {
                for b in names.iter().skip(i.saturating_add(1)).filter(|b| !joined(a, b)) {
                    self.warn("not-connected", r.span, format!("{a} and {b} are not connected in resource {}", r.name), "use `connection-mesh { hosts …; }`: without a full mesh data does not reach everybody");
                }
            }
        }
    }

    fn options(&mut self, r: &ResourceConfig) {
        let sections = r.sections.iter().chain(&self.config.common);
        let nine: Vec<(Span, String)> = sections
            .clone()
            .flat_map(|(section, list)| list.iter().map(move |o| (section, o)))
            .filter(|(s, o)| option(s, &o.name).is_some_and(|k| k.since == 9))
            .map(|(_, o)| (o.span, o.name.clone()))
            .collect();
        let old = self.intent.generation == Some(8);
        for (span, name) in nine.into_iter().filter(|_| old) {
            self.error(
                "generation",
                span,
                format!("`{name}` needs DRBD 9, and this is 8.4"),
                "remove it, or use DRBD 9",
            );
        }
        let moved = sections.flat_map(|(s, list)| list.iter().map(move |o| (s, o)));
        let moved = moved.filter(|(s, o)| option(s, &o.name).is_some_and(|k| k.until == 8));
        let moved: Vec<(Span, String)> =
            moved.map(|(s, o)| (o.span, format!("`{}` of `{s}`", o.name))).collect();
        let new = self.intent.generation == Some(9);
        for (span, name) in moved.into_iter().filter(|_| new) {
            self.error("generation", span, format!("{name} stands there in 8.4 only"), "move it to `net`");
        }
        for (section, list) in &r.sections {
            for (i, o) in list.iter().enumerate() {
                if list.iter().take(i).any(|x| x.name == o.name) {
                    self.error(
                        "duplicate",
                        o.span,
                        format!("`{}` stands twice in `{section}` of resource {}", o.name, r.name),
                        "keep one of them",
                    );
                }
            }
        }
        let value = |section: &str, name: &str| self.config.value(r, section, name).map(str::to_owned);
        let span = |name: &str| {
            let all = || r.sections.values().chain(self.config.common.values()).flatten();
            all().find(|o| o.name == name).map_or(r.span, |o| o.span)
        };
        let number =
            |name: &str, default: u64| value("net", name).and_then(|v| v.parse().ok()).unwrap_or(default);
        let (timeout, ping, connect) =
            (number("timeout", 60), number("ping-int", 10), number("connect-int", 10));
        if timeout > ping.saturating_mul(10) || timeout > connect.saturating_mul(10) {
            let message = format!(
                "timeout is {}.{} s, longer than ping-int ({ping} s) or connect-int ({connect} s)",
                timeout / 10,
                timeout % 10
            );
            let at = span("timeout");
            self.warn("timeout", at, message, "make `timeout` shorter (its unit is a tenth of a second)");
        }
        for name in ["after-sb-0pri", "after-sb-1pri", "after-sb-2pri", "rr-conflict"] {
            let v = value("net", name).unwrap_or_default();
            if v.starts_with("discard-") && v != "discard-zero-changes"
                || v.starts_with("violently")
                || v == "auto-discard"
            {
                let at = span(name);
                self.warn(
                    "automatic-loss",
                    at,
                    format!("`{name} {v}` gives up one side's acknowledged writes without asking"),
                    "use `disconnect`, and decide with `esos drbd resolve`",
                );
            }
        }
        let secret = value("net", "shared-secret").is_some();
        if secret != value("net", "cram-hmac-alg").is_some() {
            let at = span(if secret { "shared-secret" } else { "cram-hmac-alg" });
            self.error(
                "authentication",
                at,
                "`shared-secret` and `cram-hmac-alg` need each other".to_owned(),
                "set both, or none",
            );
        }
        let quorum = value("options", "quorum").filter(|q| q != "off");
        if quorum.is_some() && r.hosts.len() == 2 {
            let at = span("quorum");
            self.warn(
                "quorum-of-two",
                at,
                format!(
                    "resource {} has two nodes and `quorum {}`: when one is lost the other stops",
                    r.name,
                    quorum.unwrap_or_default()
                ),
                "add a third, diskless node, or rely on fencing and set `quorum off`",
            );
        }
    }

    fn fencing(&mut self, r: &ResourceConfig) {
        let value = |section: &str, name: &str| self.config.value(r, section, name).map(str::to_owned);
        let fencing =
            value("net", "fencing").or_else(|| value("disk", "fencing")).filter(|f| f != "dont-care");
        let handler = value("handlers", "fence-peer").or_else(|| value("handlers", "outdate-peer"));
        let two = value("net", "allow-two-primaries").is_some_and(|v| v == "yes");
        let protocol = value("net", "protocol").unwrap_or_else(|| "C".to_owned());
        let pacemaker = handler.as_deref().is_some_and(|h| h.contains("crm-fence-peer"));
        let name = &r.name;
        match (&fencing, &handler) {
            (Some(f), None) => self.error(
                "fencing-without-handler",
                r.span,
                format!("resource {name} has `fencing {f}` and no `fence-peer` handler"),
                "add `fence-peer \"/usr/lib/drbd/crm-fence-peer.sh\";` (DRBD 9: crm-fence-peer.9.sh)",
            ),
            (None, Some(_)) => self.error(
                "handler-without-fencing",
                r.span,
                format!("resource {name} has a `fence-peer` handler that is never called"),
                "add `fencing resource-and-stonith;` to `net` (8.4: to `disk`)",
            ),
            (None, None) if self.intent.cluster => self.warn(
                "no-fencing",
                r.span,
                format!(
                    "resource {name} has no fencing: both sides may be written after the network was cut"
                ),
                "add `fencing resource-and-stonith;` and the handlers of Pacemaker",
            ),
            _ => {}
        }
        if protocol == "A" && fencing.as_deref() == Some("resource-and-stonith") {
            self.error(
                "fencing-protocol",
                r.span,
                format!("resource {name}: fencing `resource-and-stonith` does not work with protocol A"),
                "use protocol C",
            );
        } else if protocol != "C" && (self.intent.cluster || fencing.is_some()) {
            self.warn("protocol", r.span, format!("resource {name} uses protocol {protocol}: a failover may lose writes that were acknowledged"), "use protocol C");
        }
        if two && protocol != "C" {
            self.error(
                "two-primaries-protocol",
                r.span,
                format!("resource {name}: two primaries need protocol C"),
                "use protocol C",
            );
        }
        if two && fencing.is_none() {
            self.error(
                "two-primaries-fencing",
                r.span,
                format!("resource {name} allows two primaries without fencing"),
                "remove `allow-two-primaries`: SCST needs one Primary; or add fencing",
            );
        }
        let unfence = ["unfence-peer", "after-resync-target"]
            .iter()
            .any(|h| value("handlers", h).is_some_and(|v| v.contains("crm-unfence-peer")));
        if pacemaker && !unfence {
            self.warn(
                "no-unfence",
                r.span,
                format!("resource {name}: nothing takes away the constraint that crm-fence-peer sets"),
                "add `after-resync-target \"/usr/lib/drbd/crm-unfence-peer.sh\";` (DRBD 9: `unfence-peer`)",
            );
        }
        let auto =
            self.intent.generation == Some(9) && value("options", "auto-promote").is_none_or(|v| v == "yes");
        if auto && (self.intent.cluster || pacemaker) {
            self.warn(
                "auto-promote",
                r.span,
                format!("resource {name} promotes itself when its device is opened, beside Pacemaker"),
                "add `auto-promote no;` to `options`",
            );
        }
    }

    /// What no two resources may share on one host.
    fn across(&mut self) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let config = self.config;
        for r in &config.resources {
            if seen.insert(format!("resource {}", r.name), r.name.clone()).is_some() {
                self.error(
                    "duplicate",
                    r.span,
                    format!("resource {} stands twice", r.name),
                    "rename one of them",
                );
            }
            for h in &r.hosts {
                let host = h.names.join(" ");
                let volumes = r.volumes.iter().chain(&h.volumes);
                let mut keys: Vec<String> =
                    volumes.clone().filter_map(|v| v.minor).map(|m| format!("minor {m} on {host}")).collect();
                keys.extend(
                    volumes
                        .filter_map(|v| v.disk.as_ref())
                        .filter(|d| *d != "none")
                        .map(|d| format!("disk {d} on {host}")),
                );
                keys.extend(h.address.as_ref().map(|a| format!("address {a}")));
                keys.sort();
                keys.dedup();
                for key in keys {
                    if let Some(other) = seen.insert(key.clone(), r.name.clone()).filter(|o| *o != r.name) {
                        self.error(
                            "conflict",
                            h.span,
                            format!("{key} is used by the resources {other} and {}", r.name),
                            "give each resource its own port, minor numbers and disks",
                        );
                    }
                }
            }
        }
    }
}
