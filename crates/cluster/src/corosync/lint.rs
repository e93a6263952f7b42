//! What Corosync takes and is still wrong, or dangerous.
use super::config::Corosync;
use super::document::{CorosyncDocument, Section};
use esos_diag::{Diagnostic, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};

struct Lint<'a> {
    origin: &'a str,
    root: &'a Section,
    out: Vec<Diagnostic>,
}

/// All findings about the meaning of a document, in the order of the text.
#[must_use]
pub fn lint_corosync(document: &CorosyncDocument) -> Vec<Diagnostic> {
    let mut l = Lint { origin: document.origin(), root: document.root(), out: Vec::new() };
    let c = document.config();
    l.nodes(&c);
    l.totem(&c);
    l.quorum(&c);
    l.out.sort_by_key(|d| d.span().map(|s| s.start));
    l.out
}

impl Lint<'_> {
    fn add(&mut self, severity: Severity, code: &str, span: Span, message: String, help: &str) {
        let d = Diagnostic::new(severity, format!("corosync::{code}"), message, self.origin, span);
        self.out.push(d.help(help));
    }

    fn error(&mut self, code: &str, span: Span, message: String, help: &str) {
        self.add(Severity::Error, code, span, message, help);
    }

    fn warn(&mut self, code: &str, span: Span, message: String, help: &str) {
        self.add(Severity::Warning, code, span, message, help);
    }

    fn place(&self, section: &str, key: &str) -> Span {
        let s = self.root.sections(section).last();
        s.and_then(|s| s.get(key)).map(|e| e.value_span).or(s.map(|s| s.span)).unwrap_or_default()
    }

    fn nodes(&mut self, c: &Corosync) {
        if c.nodes.is_empty() {
            self.error(
                "no-nodes",
                Span::default(),
                "there is no node list".to_owned(),
                "add a `node` section for each node to `nodelist`",
            );
        }
        let list: Vec<&Section> = self.root.sections("nodelist").flat_map(|s| s.sections("node")).collect();
        let spans: Vec<Span> = list.iter().map(|s| s.span).collect();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let all: BTreeSet<u8> = c.nodes.iter().flat_map(|n| n.addresses.keys().copied()).collect();
        let links = all.len();
        for (i, n) in c.nodes.iter().enumerate() {
            let span = spans.get(i).copied().unwrap_or_default();
            let label = n.name.clone().unwrap_or_else(|| format!("node {}", i.saturating_add(1)));
            if n.id.is_none() {
                self.error(
                    "no-nodeid",
                    span,
                    format!("{label} has no nodeid"),
                    "give each node its own number, from 1",
                );
            }
            if n.name.is_none() {
                self.warn(
                    "no-name",
                    span,
                    format!("{label} has no name: Pacemaker would take it from elsewhere"),
                    "add `name:` with the node's host name",
                );
            }
            if n.addresses.is_empty() {
                self.error("no-address", span, format!("{label} has no address"), "add `ring0_addr:`");
            } else if n.addresses.len() != links {
                self.error(
                    "links-differ",
                    span,
                    format!("{label} has {} of {links} links", n.addresses.len()),
                    "give every node an address on each link",
                );
            }
            let keys =
                n.id.map(|id| format!("nodeid {id}"))
                    .into_iter()
                    .chain(n.name.clone().map(|n| format!("name {n}")))
                    .chain(n.addresses.values().map(|a| format!("address {a}")));
            for key in keys {
                if seen.insert(key.clone(), i).is_some() {
                    self.error(
                        "duplicate",
                        span,
                        format!("{key} stands twice"),
                        "numbers, names and addresses must differ",
                    );
                }
            }
            if n.addresses.values().any(|a| a.starts_with("127.") || a == "::1" || a == "localhost")
                && c.nodes.len() > 1
            {
                self.error(
                    "loopback",
                    span,
                    format!("{label} listens on the loopback address: no other node reaches it"),
                    "use the address of the cluster's network",
                );
            }
        }
        if links == 1 && c.nodes.len() > 1 && c.totem.get("transport").is_none_or(|t| t == "knet") {
            let span = spans.first().copied().unwrap_or_default();
            self.warn(
                "one-link",
                span,
                "there is one link between the nodes: its failure is a partition".to_owned(),
                "add a second network as `ring1_addr`",
            );
        }
    }

    fn totem(&mut self, c: &Corosync) {
        let get = |k: &str| c.totem.get(k).map(String::as_str);
        if get("version") != Some("2") {
            let at = self.place("totem", "version");
            self.error("version", at, "totem needs `version: 2`".to_owned(), "add it");
        }
        let knet = get("transport").is_none_or(|t| t == "knet");
        let off = |k: &str| get(k).is_none_or(|v| v == "none");
        let at = self.place("totem", "crypto_cipher");
        let plain = off("crypto_cipher") && off("crypto_hash");
        if !(knet || plain) {
            self.error("crypto-transport", at, "only knet can encrypt".to_owned(), "use `transport: knet`");
        } else if !off("crypto_cipher") && off("crypto_hash") {
            self.error(
                "crypto-hash",
                at,
                "a cipher without a hash is refused".to_owned(),
                "add `crypto_hash: sha256`",
            );
        } else if off("crypto_cipher") && get("secauth").is_none_or(|v| v == "off") {
            self.warn("no-crypto", at, "the cluster's messages are neither encrypted nor authenticated: whoever reaches the network can stop the service".to_owned(), "add `crypto_cipher: aes256`, `crypto_hash: sha256` and an authkey");
        }
        let number = |k: &str| get(k).and_then(|v| v.parse::<u64>().ok());
        let token = number("token").unwrap_or(3000);
        if let Some(consensus) = number("consensus").filter(|n| *n < token.saturating_mul(12) / 10) {
            let at = self.place("totem", "consensus");
            self.error(
                "consensus",
                at,
                format!("consensus ({consensus} ms) is less than 1.2 times token ({token} ms)"),
                "remove it: Corosync computes it",
            );
        }
        if token < 500 && c.nodes.len() > 1 {
            let at = self.place("totem", "token");
            self.warn(
                "token-short",
                at,
                format!("token is {token} ms: a busy box is taken for dead"),
                "1000 is short, 3000 is the default",
            );
        }
        if token > 10_000 {
            let at = self.place("totem", "token");
            self.warn(
                "token-long",
                at,
                format!("token is {token} ms: initiators wait that long before a failover begins"),
                "1000 to 5000 is usual",
            );
        }
        if get("cluster_name").is_none() {
            let at = self.place("totem", "version");
            self.warn(
                "no-cluster-name",
                at,
                "the cluster has no name: two clusters on one network may meet".to_owned(),
                "add `cluster_name:`",
            );
        }
        if !knet && c.nodes.iter().any(|n| n.addresses.len() > 1) {
            let at = self.place("totem", "transport");
            self.error(
                "links-transport",
                at,
                "only knet has more than one link".to_owned(),
                "use `transport: knet`",
            );
        }
    }

    fn quorum(&mut self, c: &Corosync) {
        let on = |k: &str| c.quorum.get(k).is_some_and(|v| v == "1");
        let device = !c.device.is_empty() || !c.net.is_empty();
        if !c.quorum.contains_key("provider") {
            let at = self.place("quorum", "provider");
            self.error(
                "no-quorum",
                at,
                "there is no quorum provider: every partition would act".to_owned(),
                "add `provider: corosync_votequorum` to `quorum`",
            );
        }
        let at = self.place("quorum", "two_node");
        match (c.nodes.len(), on("two_node"), device) {
            (2, false, false) => self.warn(
                "two-node",
                at,
                "two nodes without `two_node: 1`: the loss of one stops the other".to_owned(),
                "add `two_node: 1` (and fencing), or a quorum device",
            ),
            (2, true, true) => self.error(
                "two-node-device",
                at,
                "`two_node: 1` and a quorum device exclude each other".to_owned(),
                "remove `two_node`",
            ),
            (n, true, _) if n != 2 && n > 0 => {
                self.error("two-node-count", at, format!("`two_node: 1` with {n} nodes"), "remove it");
            }
            _ => {}
        }
        if on("two_node") && c.quorum.get("wait_for_all").is_some_and(|v| v == "0") {
            let at = self.place("quorum", "wait_for_all");
            self.warn(
                "wait-for-all",
                at,
                "without wait_for_all a node that starts alone fences the other".to_owned(),
                "remove `wait_for_all: 0`",
            );
        }
        if device && (!c.net.contains_key("host") || !c.net.contains_key("algorithm")) {
            let at = self.place("quorum", "device");
            self.error(
                "device",
                at,
                "a quorum device needs `host` and `algorithm` in `net`".to_owned(),
                "add `host:` and `algorithm: ffsplit`",
            );
        }
        if on("auto_tie_breaker") && c.nodes.len() % 2 == 1 {
            let at = self.place("quorum", "auto_tie_breaker");
            self.warn(
                "tie-breaker",
                at,
                "a tie breaker has no use with an odd number of nodes".to_owned(),
                "remove it",
            );
        }
        let expected = c.quorum.get("expected_votes").and_then(|v| v.parse::<u32>().ok());
        if let Some(n) = expected.filter(|n| !c.nodes.is_empty() && *n != c.votes()) {
            let at = self.place("quorum", "expected_votes");
            self.warn(
                "expected-votes",
                at,
                format!("expected_votes is {n}, and the node list has {}", c.votes()),
                "remove it: the node list says it",
            );
        }
    }
}
