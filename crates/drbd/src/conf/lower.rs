//! From the tree to its meaning.
use super::config::{
    Address, Config, ConnectionConfig, End, Host, Mesh, Opt, ResourceConfig, Sections, Volume,
};
use super::options::{self, Accepts};
use super::tree::{Block, Statement};
use esos_diag::Diagnostic;

const SECTIONS: [&str; 8] =
    ["net", "disk", "options", "handlers", "startup", "syncer", "proxy", "require-drbd-module-version"];

pub(crate) fn lower(origin: &str, root: &Block, out: &mut Vec<Diagnostic>) -> Config {
    let mut l = Lower { origin, out };
    let mut config = Config::default();
    for s in root.statements() {
        match (s.keyword(), &s.block) {
            ("include", None) => config.includes.extend(s.word(1).map(str::to_owned)),
            ("global", Some(block)) => config.global.extend(l.options("global", block)),
            ("common", Some(block)) => {
                for s in block.statements() {
                    l.section(s, &mut config.common, "common");
                }
            }
            ("resource", Some(block)) => {
                let Some(name) = s.word(1) else {
                    l.error(s, "drbd-conf::no-name", "a resource needs a name");
                    continue;
                };
                let r = l.resource(name, s, block);
                config.resources.push(r);
            }
            ("skip" | "template-file" | "require-drbd-module-version-9", _) => {}
            (word, _) if word.starts_with("require-drbd-module") => {}
            (word, _) => {
                let near = near(word, &["include", "global", "common", "resource", "skip"]);
                l.unknown(s, &format!("`{word}` has no place at the top level"), near);
            }
        }
    }
    config
}

pub(crate) fn near<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|k| (distance(word, k), *k))
        .filter(|(d, k)| *d <= k.len().div_ceil(3))
        .min()
        .map(|(_, k)| k)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.chars().enumerate() {
        let mut left = i.saturating_add(1);
        let mut diagonal = i;
        for (x, d) in b.iter().zip(1usize..) {
            let up = row.get(d).copied().unwrap_or(0);
            let cost = if *x == c { diagonal } else { diagonal.min(up).min(left).saturating_add(1) };
            diagonal = up;
            left = cost;
            if let Some(cell) = row.get_mut(d) {
                *cell = cost;
            }
        }
        if let Some(cell) = row.first_mut() {
            *cell = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(0)
}

struct Lower<'a> {
    origin: &'a str,
    out: &'a mut Vec<Diagnostic>,
}

impl Lower<'_> {
    fn error(&mut self, s: &Statement, code: &str, message: &str) {
        self.out.push(Diagnostic::error(code, message, self.origin, s.header()));
    }

    fn unknown(&mut self, s: &Statement, message: &str, near: Option<&str>) {
        let span = s.words.first().map_or(s.span, |w| w.span);
        let mut d = Diagnostic::error("drbd-conf::unknown-word", message, self.origin, span);
        if let Some(near) = near {
            d = d.help(format!("did you mean `{near}`?"));
        }
        self.out.push(d);
    }

    fn resource(&mut self, name: &str, s: &Statement, block: &Block) -> ResourceConfig {
        let mut r = ResourceConfig { name: name.to_owned(), span: s.header(), ..ResourceConfig::default() };
        for s in block.statements() {
            match (s.keyword(), &s.block) {
                ("on" | "floating" | "stacked-on-top-of" | "_this_host" | "_remote_host", Some(block)) => {
                    let host = self.host(s, block);
                    r.hosts.push(host);
                }
                ("volume", Some(block)) => r.volumes.extend(self.volume(s, block)),
                ("connection", Some(block)) => {
                    let c = self.connection(s, block);
                    r.connections.push(c);
                }
                ("connection-mesh", Some(block)) => {
                    let mut mesh = Mesh::default();
                    for s in block.statements() {
                        match s.keyword() {
                            "hosts" => mesh.hosts.extend(s.words.iter().skip(1).map(|w| w.value.clone())),
                            _ => self.section(s, &mut mesh.sections, "connection-mesh"),
                        }
                    }
                    r.meshes.push(mesh);
                }
                ("device" | "disk" | "meta-disk" | "flexible-meta-disk", None) => {
                    self.implicit(&mut r.volumes, s);
                }
                ("protocol", None) => {
                    // 8.3's place of it; drbdadm still takes it.
                    let value = s.word(1).unwrap_or("").to_owned();
                    let o = Opt { name: "protocol".to_owned(), value: Some(value), span: s.span };
                    r.sections.entry("net".to_owned()).or_default().push(o);
                }
                ("template-file" | "_is_standalone" | "startup", None) => {}
                _ => self.section(s, &mut r.sections, "resource"),
            }
        }
        r
    }

    fn host(&mut self, s: &Statement, block: &Block) -> Host {
        let names = s.words.iter().skip(1).map(|w| w.value.clone()).collect();
        let mut h = Host { keyword: s.keyword().to_owned(), names, span: s.header(), ..Host::default() };
        if s.keyword() == "floating" {
            h.address = address(&s.words.iter().skip(1).map(|w| w.value.as_str()).collect::<Vec<_>>());
            h.names.clear();
        }
        for s in block.statements() {
            match (s.keyword(), &s.block) {
                ("address", None) => {
                    let words: Vec<&str> = s.words.iter().skip(1).map(|w| w.value.as_str()).collect();
                    h.address = address(&words);
                    if h.address.is_none() {
                        self.error(
                            s,
                            "drbd-conf::address",
                            "expected an address such as `ipv4 10.0.0.1:7789`",
                        );
                    }
                }
                ("node-id", None) => {
                    h.node_id = s.word(1).and_then(|w| w.parse().ok());
                    if h.node_id.is_none_or(|n| n > 31) {
                        self.error(s, "drbd-conf::node-id", "expected a node id from 0 to 31");
                    }
                }
                ("volume", Some(block)) => h.volumes.extend(self.volume(s, block)),
                ("device" | "disk" | "meta-disk" | "flexible-meta-disk", None) => {
                    self.implicit(&mut h.volumes, s);
                }
                _ => self.section(s, &mut h.sections, "on"),
            }
        }
        h
    }

    fn volume(&mut self, s: &Statement, block: &Block) -> Option<Volume> {
        let Some(number) = s.word(1).and_then(|n| n.parse::<u32>().ok()).filter(|n| *n <= 65_535) else {
            self.error(s, "drbd-conf::volume", "expected a volume number from 0 to 65535");
            return None;
        };
        let mut v = Volume { number, ..Volume::default() };
        for s in block.statements() {
            match (s.keyword(), &s.block) {
                ("device" | "disk" | "meta-disk" | "flexible-meta-disk", None) => self.field(&mut v, s),
                ("disk", Some(block)) => v.options.extend(self.options("disk", block)),
                (word, _) => {
                    let near = near(word, &["device", "disk", "meta-disk"]);
                    self.unknown(s, &format!("`{word}` has no place in a volume"), near);
                }
            }
        }
        Some(v)
    }

    /// Without a `volume` section, device and disk are volume 0's.
    fn implicit(&mut self, volumes: &mut Vec<Volume>, s: &Statement) {
        if !volumes.iter().any(|v| v.number == 0) {
            volumes.push(Volume::default());
        }
        if let Some(v) = volumes.iter_mut().find(|v| v.number == 0) {
            self.field(v, s);
        }
    }

    fn field(&mut self, v: &mut Volume, s: &Statement) {
        let words: Vec<&str> = s.words.iter().skip(1).map(|w| w.value.as_str()).collect();
        match (s.keyword(), words.as_slice()) {
            ("device", ["minor", n]) if n.parse::<u32>().is_ok() => v.minor = n.parse().ok(),
            ("device", [name, "minor", n]) if n.parse::<u32>().is_ok() => {
                (v.device, v.minor) = (Some((*name).to_owned()), n.parse().ok());
            }
            ("device", [name]) => {
                v.minor = name.strip_prefix("/dev/drbd").and_then(|n| n.parse().ok());
                v.device = Some((*name).to_owned());
            }
            ("disk", [name]) => v.disk = Some((*name).to_owned()),
            (_, [name]) => v.meta_disk = Some((*name).to_owned()),
            ("meta-disk" | "flexible-meta-disk", [name, index]) => {
                v.meta_disk = Some(format!("{name} {index}"));
            }
            (word, _) => self.error(s, "drbd-conf::words", &format!("`{word}` takes one value here")),
        }
    }

    fn connection(&mut self, s: &Statement, block: &Block) -> ConnectionConfig {
        let mut c = ConnectionConfig { name: s.word(1).map(str::to_owned), ..ConnectionConfig::default() };
        for s in block.statements() {
            match (s.keyword(), &s.block) {
                ("host", None) => c.ends.push(self.end(s)),
                ("path", Some(block)) => {
                    let mut path = Vec::new();
                    for s in block.statements() {
                        match s.keyword() {
                            "host" => path.push(self.end(s)),
                            "_this_host" | "_remote_host" => path.push(shown_end(s)),
                            word => {
                                self.unknown(s, &format!("`{word}` has no place in a path"), Some("host"));
                            }
                        }
                    }
                    c.paths.push(path);
                }
                ("_this_host" | "_remote_host", None) => c.ends.push(shown_end(s)),
                ("_peer_node_id", None) => {}
                ("volume", Some(block)) => {
                    let Some(number) = s.word(1).and_then(|n| n.parse::<u32>().ok()) else {
                        self.error(s, "drbd-conf::volume", "expected a volume number");
                        continue;
                    };
                    let mut sections = Sections::new();
                    for s in block.statements() {
                        self.section(s, &mut sections, "connection");
                    }
                    c.volumes.insert(number, sections);
                }
                _ => self.section(s, &mut c.sections, "connection"),
            }
        }
        c
    }

    /// `host n1;`, `host n1 address ipv4 10.0.0.1:7789;`, `host n1 port 7789;`.
    fn end(&mut self, s: &Statement) -> End {
        let words: Vec<&str> = s.words.iter().skip(1).map(|w| w.value.as_str()).collect();
        let host = words.first().map(|w| (*w).to_owned()).unwrap_or_default();
        let address = match words.get(1..).unwrap_or(&[]) {
            [] => None,
            ["address", rest @ ..] => address(rest),
            ["port", port] => {
                Some(Address { family: String::new(), host: String::new(), port: port.parse().ok() })
            }
            _ => {
                self.error(s, "drbd-conf::host", "expected `host NAME address FAMILY ADDRESS:PORT;`");
                None
            }
        };
        End { host, address }
    }

    fn section(&mut self, s: &Statement, into: &mut Sections, place: &str) {
        let word = s.keyword();
        match &s.block {
            Some(block) if SECTIONS.contains(&word) => {
                let options = self.options(word, block);
                into.entry(word.to_owned()).or_default().extend(options);
            }
            Some(block) if word == "plugin" || word == "peer-device-options" => {
                let options = self.options("", block);
                into.entry(word.to_owned()).or_default().extend(options);
            }
            _ => {
                let mut known = SECTIONS.to_vec();
                known.extend(["on", "volume", "connection", "connection-mesh", "floating"]);
                self.unknown(s, &format!("`{word}` has no place in `{place}`"), near(word, &known));
            }
        }
    }

    fn options(&mut self, section: &str, block: &Block) -> Vec<Opt> {
        let mut out = Vec::new();
        for s in block.statements() {
            if let (Some(inner), true) = (&s.block, section == "proxy") {
                out.extend(self.options("proxy", inner));
                continue;
            }
            let name = s.keyword();
            let value = s.word(1).map(str::to_owned);
            if s.words.len() > 2 {
                self.error(s, "drbd-conf::words", &format!("`{name}` takes one value"));
            }
            if s.block.is_some() {
                self.error(
                    s,
                    "drbd-conf::option-block",
                    &format!("`{name}` is an option and holds no block"),
                );
            }
            self.option(section, s, name, value.as_deref());
            out.push(Opt { name: name.to_owned(), value, span: s.span });
        }
        out
    }

    fn option(&mut self, section: &str, s: &Statement, name: &str, value: Option<&str>) {
        if name.starts_with('_') || matches!(section, "proxy" | "") {
            return;
        }
        match options::option(section, name) {
            None => {
                let names: Vec<&str> = options::OPTIONS
                    .iter()
                    .filter(|o| o.sections.contains(&section))
                    .map(|o| o.name)
                    .collect();
                let message = format!("`{name}` is no option of `{section}`");
                self.unknown(s, &message, near(name, &names));
            }
            Some(kind) => {
                if let Accepts::No(expected) = kind.accepts(value) {
                    let span = s.words.get(1).map_or(s.span, |w| w.span);
                    let found = value.map_or("nothing".to_owned(), |v| format!("`{v}`"));
                    let message = format!("`{name}` takes {expected}, not {found}");
                    self.out.push(Diagnostic::error("drbd-conf::value", message, self.origin, span));
                }
            }
        }
    }
}

/// `_this_host ipv4 10.78.0.1:7789;` of `drbdsetup show`.
fn shown_end(s: &Statement) -> End {
    let words: Vec<&str> = s.words.iter().skip(1).map(|w| w.value.as_str()).collect();
    End { host: s.keyword().to_owned(), address: address(&words) }
}

/// `ipv4 10.0.0.1:7789`, `10.0.0.1:7789`, `ipv6 [fd00::1]:7789`.
pub(crate) fn address(words: &[&str]) -> Option<Address> {
    let (family, rest) = match words {
        [family, rest] => (*family, *rest),
        [rest] => (if rest.starts_with('[') { "ipv6" } else { "ipv4" }, *rest),
        _ => return None,
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => rest.rsplit_once(':').map_or((rest, None), |(h, p)| (h, Some(p))),
    };
    let port = port.map(str::parse::<u16>).transpose().ok()?;
    (!host.is_empty()).then(|| Address { family: family.to_owned(), host: host.to_owned(), port })
}
