//! What the kernel would refuse although the file is well-formed, and what contradicts itself in it. Codes
//! begin with `scst::`; those of the language with `scst-conf::`.
use super::context::{Context, KEYWORDS, numbered};
use super::lower::lun;
use super::near::near;
use super::tree::{Block, Statement, Word};
use super::values::{self, number};
use super::{known, values::Fault};
use crate::attributes::is_secret;
use esos_diag::{Diagnostic, Severity, Span};
use std::collections::BTreeMap;

/// Adds findings about single values; those about several places only where the braces can be trusted.
pub(crate) fn meaning(origin: &str, root: &Block, out: &mut Vec<Diagnostic>) {
    let sound = out.iter().all(|d| d.severity != Severity::Error);
    let mut check = Meaning { origin, out, names: Names::default() };
    check.block(root, Context::Root, "");
    if sound {
        check.across(root);
    }
}

struct Meaning<'a, 's> {
    origin: &'a str,
    out: &'a mut Vec<Diagnostic>,
    names: Names<'s>,
}

/// What the file has of each kind, with the place of the first.
#[derive(Default)]
struct Names<'s> {
    devices: BTreeMap<&'s str, Span>,
    block_stores: BTreeMap<&'s str, Span>,
    ids: BTreeMap<i128, Span>,
    grouped: BTreeMap<&'s str, Span>,
}

/// Sections of a keyword in a block.
fn sections<'s>(block: Option<&'s Block>, keyword: &'static str) -> impl Iterator<Item = &'s Statement> {
    block.into_iter().flat_map(Block::statements).filter(move |s| s.keyword() == keyword)
}

/// The first entry of an attribute in a section.
fn entry<'s>(section: &'s Statement, name: &str) -> Option<&'s Statement> {
    section.block.as_ref()?.statements().find(|s| s.keyword() == name && s.block.is_none())
}

fn is_set(section: &Statement, name: &str) -> bool {
    entry(section, name).and_then(|s| number(s.word(1))).is_some_and(|n| n != 0)
}

impl<'s> Meaning<'_, 's> {
    fn error(&self, code: &str, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::error(format!("scst::{code}"), message, self.origin, span)
    }

    fn warning(&self, code: &str, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::warning(format!("scst::{code}"), message, self.origin, span)
    }

    /// Values of one block and of those in it.
    fn block(&mut self, block: &'s Block, context: Context, handler: &str) {
        for s in block.statements() {
            let child = context.child(s.keyword()).filter(|_| KEYWORDS.contains(&s.keyword()));
            if let Some(child) = child {
                let handler = if child == Context::Handler { s.word(1) } else { handler };
                self.section_name(s);
                if let Some(inner) = &s.block {
                    self.block(inner, child, handler);
                }
                if child == Context::Device {
                    self.device(s, handler);
                }
            } else if !KEYWORDS.contains(&s.keyword()) && s.block.is_none() {
                self.attribute(s, context);
            }
        }
        if matches!(context, Context::Driver | Context::Target) {
            self.users(block);
        }
    }

    fn section_name(&mut self, s: &Statement) {
        let Some(word) = s.words.get(1) else { return };
        let known = known::sections(s.keyword());
        if let Some(meant) = near(&word.value, known.iter().copied()).filter(|_| !known.contains(&s.word(1)))
        {
            let message = format!("SCST has no {} `{}` of its own", s.keyword(), word.value);
            let d = self.warning("unknown-name", message, word.span).help(format!("did you mean `{meant}`?"));
            self.out.push(d);
        }
    }

    fn attribute(&mut self, s: &Statement, context: Context) {
        let (Some(name), value) = (s.words.first(), s.words.get(1)) else { return };
        let known = known::attributes(context);
        // `IncomingUser1` has a finding of its own.
        let keyword = numbered(s.keyword()).unwrap_or(s.keyword());
        if !known.contains(&keyword) {
            if let Some(meant) = near(&name.value, known.iter().copied()) {
                let message = format!("SCST has no attribute `{}` in {}", name.value, context.name());
                let d = self
                    .warning("unknown-attribute", message, name.span)
                    .help(format!("did you mean `{meant}`?"));
                self.out.push(d);
            }
            return;
        }
        // Several words are another finding's.
        if s.words.len() > 2 {
            return;
        }
        let (text, span) = value.map_or(("", Span::point(name.span.end)), |v| (v.value.as_str(), v.span));
        if let Some(Fault { what, fix }) = values::check(context, s.keyword(), text) {
            let quoted = value.is_some_and(|v| v.quoted);
            let d = self.error("bad-value", what, span);
            self.out.push(match fix {
                Some(fix) if value.is_some() && !quoted => d.fix(span, fix.clone(), format!("write {fix}")),
                _ => d,
            });
        }
    }

    /// What `add_device` refuses.
    fn device(&mut self, s: &'s Statement, handler: &str) {
        let Some(name) = s.words.get(1) else { return };
        let backed = matches!(handler, "vdisk_fileio" | "vdisk_blockio");
        if backed && entry(s, "filename").is_none() {
            let message = format!("a device of {handler} needs a `filename`");
            let d = self
                .error("missing-filename", message, s.header())
                .help("give the file or block device that it shows: filename /dev/vg0/vol1");
            self.out.push(d);
        }
        if entry(s, "dif_mode").is_none() {
            let idle = ["dif_type", "dif_static_app_tag", "dif_filename"];
            for other in idle.into_iter().filter_map(|name| entry(s, name)) {
                let message = format!("`{}` does nothing without `dif_mode`", other.keyword());
                let d = self.warning("no-effect", message, other.header());
                self.out.push(d.help("say who checks and keeps the tags: dif_mode \"tgt|scst\""));
            }
        }
        if handler == "vdisk_fileio" && is_set(s, "read_only") {
            for name in ["write_through", "nv_cache"] {
                if let Some(other) = entry(s, name).filter(|_| is_set(s, name)) {
                    let first = entry(s, "read_only").map(Statement::header);
                    let message = format!("`{name}` is for devices that are written; this one is read-only");
                    let d = self.error("read-only-cache", message, other.header());
                    let d = d.at("SCST refuses the device (EINVAL)");
                    self.out.push(match first {
                        Some(first) => d.label(first, "read-only here"),
                        None => d,
                    });
                }
            }
        }
        if let Some(other) = entry(s, "o_direct").filter(|_| is_set(s, "o_direct") && !is_set(s, "async"))
            && handler == "vdisk_fileio"
        {
            let d = self.error("direct-without-async", "`o_direct` needs `async`", other.header());
            self.out.push(d.at("SCST refuses the device (EINVAL)").help("add: async 1"));
        }
        let get = |n: &str| entry(s, n).and_then(|e| number(e.word(1)));
        let size = get("size").or_else(|| get("size_mb").and_then(|m| m.checked_mul(1 << 20)));
        let block = get("blocksize").unwrap_or(512);
        if let (Some(size), Some(at)) = (size, entry(s, "size").or_else(|| entry(s, "size_mb")))
            && handler == "vdisk_nullio"
            && block >= 512
            && size.checked_rem(block).is_some_and(|r| r != 0)
        {
            let message = format!("a size of {size} bytes is no multiple of the block size {block}");
            let d = self.error("bad-value", message, at.header());
            self.out.push(d);
        }
        if let Some(first) = self.names.devices.insert(s.word(1), name.span) {
            let message = format!("device `{}` is there already", s.word(1));
            let d = self
                .error("duplicate-device", message, name.span)
                .label(first, "first")
                .help("names of devices are shared by all handlers");
            self.out.push(d);
        }
        let active = entry(s, "active").is_none() || is_set(s, "active");
        if let Some(word) = entry(s, "filename").and_then(|e| e.words.get(1))
            && handler == "vdisk_blockio"
            && active
            && let Some(first) = self.names.block_stores.insert(&word.value, word.span)
        {
            let message = format!("{} is the backing store of another device", word.value);
            let d = self
                .error("shared-backing", message, word.span)
                .label(first, "first")
                .at("SCST opens a block device once (EBUSY)");
            self.out.push(d);
        }
    }

    /// CHAP users of a driver or target; the words never hold a secret.
    fn users(&mut self, block: &Block) {
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let mut outgoing: Option<Span> = None;
        let users = block.statements().filter(|s| is_secret(s.keyword()) && s.block.is_none());
        for s in users.filter(|s| s.words.len() == 2) {
            let (kind, value) = (s.keyword(), s.word(1));
            let mut words = value.split_whitespace();
            let (Some(user), Some(password), None) = (words.next(), words.next(), words.next()) else {
                let d = self
                    .error("chap-user", format!("`{kind}` is a name and a password"), s.header())
                    .help(format!("write: {kind} \"NAME PASSWORD\", both without blanks"));
                self.out.push(d);
                continue;
            };
            let outgoing_kind = kind.starts_with("Outgoing");
            if password.len() < 12 {
                let message = format!("the password of `{user}` has less than 12 characters");
                let d = self.error("chap-user", message, s.header()).at("SCST refuses it (EINVAL)");
                self.out.push(d);
            }
            if outgoing_kind {
                if let Some(first) = outgoing.replace(s.header()) {
                    let d = self
                        .error("chap-user", "a second `OutgoingUser`", s.header())
                        .label(first, "first")
                        .at("SCST takes one (EEXIST)");
                    self.out.push(d);
                }
            } else if let Some(first) = seen.insert(user.to_owned(), s.header()) {
                let d = self
                    .error("chap-user", format!("`{user}` is a user already"), s.header())
                    .label(first, "first")
                    .at("SCST takes a name once (EINVAL)");
                self.out.push(d);
            }
        }
    }

    /// What several sections say together.
    fn across(&mut self, root: &'s Block) {
        let handlers = sections(Some(root), "HANDLER").next().is_some();
        for driver in sections(Some(root), "TARGET_DRIVER") {
            for target in sections(driver.block.as_ref(), "TARGET") {
                self.target(target, handlers);
            }
        }
        for group in sections(Some(root), "DEVICE_GROUP") {
            self.device_group(group, handlers);
        }
    }

    fn target(&mut self, target: &'s Statement, handlers: bool) {
        let id = entry(target, "rel_tgt_id").and_then(|e| e.words.get(1));
        if let Some((id, word)) = id.and_then(|w| Some((number(&w.value)?, w))).filter(|(n, _)| *n != 0)
            && let Some(first) = self.names.ids.insert(id, word.span)
        {
            let d = self
                .error("duplicate-id", format!("rel_tgt_id {id} is another target's"), word.span)
                .label(first, "first")
                .at("SCST refuses it (EBADSLT)");
            self.out.push(d);
        }
        self.luns(target, handlers);
        let mut initiators: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
        for group in sections(target.block.as_ref(), "GROUP") {
            self.luns(group, handlers);
            for word in sections(group.block.as_ref(), "INITIATOR").filter_map(|s| s.words.get(1)) {
                let Some((first, at)) = initiators.insert(&word.value, (group.word(1), word.span)) else {
                    continue;
                };
                let message = format!("initiator `{}` is in group `{first}`, too", word.value);
                let d = self.warning("initiator-in-two-groups", message, word.span).label(at, "first");
                let help = "which group it gets is chance, and scstadmin refuses the file; name it once";
                self.out.push(d.help(help));
            }
        }
    }

    fn luns(&mut self, section: &Statement, handlers: bool) {
        for s in sections(section.block.as_ref(), "LUN").filter(|_| handlers) {
            if let Some(word) = s.words.get(2).filter(|_| lun(s.word(1)).is_some()) {
                self.known_device(word, "the LUN waits until SCST has it");
            }
        }
    }

    fn known_device(&mut self, word: &Word, then: &str) {
        if self.names.devices.contains_key(word.value.as_str()) {
            return;
        }
        let meant = near(&word.value, self.names.devices.keys().copied()).map(str::to_owned);
        let message = format!("no HANDLER of this file has a device `{}`", word.value);
        let help = meant.map_or_else(|| then.to_owned(), |m| format!("did you mean `{m}`? Else {then}"));
        let d = self.warning("unknown-device", message, word.span).help(help);
        self.out.push(d);
    }

    fn device_group(&mut self, group: &'s Statement, handlers: bool) {
        for word in sections(group.block.as_ref(), "DEVICE").filter_map(|s| s.words.get(1)) {
            if let Some(first) = self.names.grouped.insert(&word.value, word.span) {
                let message = format!("device `{}` is in another device group", word.value);
                let d = self
                    .error("device-in-two-groups", message, word.span)
                    .label(first, "first")
                    .at("SCST takes it in one only (EEXIST)");
                self.out.push(d);
            } else if handlers {
                self.known_device(word, "its place in the group waits until SCST has it");
            }
        }
        let mut targets: BTreeMap<&str, Span> = BTreeMap::new();
        for target_group in sections(group.block.as_ref(), "TARGET_GROUP") {
            for word in sections(target_group.block.as_ref(), "TARGET").filter_map(|s| s.words.get(1)) {
                if let Some(first) = targets.insert(&word.value, word.span) {
                    let message = format!("target `{}` is in another target group", word.value);
                    let d = self
                        .error("target-in-two-groups", message, word.span)
                        .label(first, "first")
                        .at("SCST takes it in one of a device group (EEXIST)");
                    self.out.push(d);
                }
            }
        }
    }
}
