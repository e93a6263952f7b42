//! From the tree to the model, with everything that is wrong about what it says.
use super::context::{Context, KEYWORDS, is_multiple, numbered};
use super::near::distance;
use super::tree::{Block, Statement, Word};
use crate::attributes::{Attributes, is_secret};
use crate::model::{Config, Device, DeviceGroup, Driver, Group, Handler, LunMap, Target, TargetGroup};
use crate::name::NameError;
use esos_diag::{Diagnostic, Span};
use esos_units::Lun;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The model of a document, and diagnostics about its meaning.
pub(crate) fn lower(origin: &str, root: &Block, out: &mut Vec<Diagnostic>) -> Config {
    let mut lowering = Lowering { origin, out };
    let config = lowering.root(root);
    lowering.whole_file(root);
    config
}

struct Lowering<'a> {
    origin: &'a str,
    out: &'a mut Vec<Diagnostic>,
}

/// What one block said so far, for duplicates.
#[derive(Default)]
struct Seen {
    sections: BTreeMap<(String, String), Span>,
    attributes: BTreeMap<String, Span>,
}

impl Lowering<'_> {
    fn error(&self, code: &str, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::error(format!("scst-conf::{code}"), message, self.origin, span)
    }

    fn warning(&self, code: &str, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::warning(format!("scst-conf::{code}"), message, self.origin, span)
    }

    /// Goes over a block: attributes are added, sections handed on when they may stand here.
    fn each<'s>(
        &mut self,
        block: Option<&'s Block>,
        context: Context,
        attributes: &mut Attributes,
        mut section: impl FnMut(&mut Self, Context, &'s Statement),
    ) {
        let mut seen = Seen::default();
        for statement in block.map(|b| b.statements()).into_iter().flatten() {
            let keyword = statement.keyword();
            if statement.words.is_empty() {
                continue;
            }
            let child = context.child(keyword).filter(|_| KEYWORDS.contains(&keyword));
            if let Some(child) = child {
                if self.section_words(statement) && self.first_of_its_name(&mut seen, statement) {
                    section(self, child, statement);
                }
            } else if KEYWORDS.contains(&keyword) {
                self.misplaced(context, statement);
            } else if statement.block.is_some() {
                self.unknown_section(context, statement);
            } else {
                self.attribute(&mut seen, context, attributes, statement);
            }
        }
    }

    fn section_words(&mut self, statement: &Statement) -> bool {
        let wanted = Context::words(statement.keyword());
        let keyword = statement.keyword();
        if statement.words.len() < wanted {
            let end = Span::point(statement.header().end);
            let what = if keyword == "LUN" { "a LUN number and a device" } else { "a name" };
            let found = statement.words.len().saturating_sub(1);
            let d = self.error("missing-name", format!("{keyword} needs {what}, found {found} words"), end);
            self.out.push(d.at("missing here"));
            return false;
        }
        if let (Some(first), Some(last)) = (statement.words.get(wanted), statement.words.last()) {
            let span = first.span.to(last.span);
            let d = self.error("extra-words", format!("nothing may follow {keyword}'s name"), span);
            self.out.push(d.at("scstadmin would ignore this").fix(span, "", "remove it"));
        }
        true
    }

    fn first_of_its_name(&mut self, seen: &mut Seen, statement: &Statement) -> bool {
        let keyword = statement.keyword();
        // A LUN is the same however its number is written.
        let name = match (keyword, lun(statement.word(1))) {
            ("LUN", Some(lun)) => lun.to_string(),
            _ => statement.word(1).to_owned(),
        };
        let header = statement.header();
        let Some(first) = seen.sections.insert((keyword.to_owned(), name.clone()), header) else {
            return true;
        };
        let d = self.error("duplicate-section", format!("{keyword} {name} is given twice"), header);
        let what = if keyword == "LUN" {
            "scstadmin would keep both, and which one wins is chance"
        } else {
            "scstadmin would forget the first one and all that is in it"
        };
        self.out.push(d.at("second").label(first, "first").help(format!("{what}; merge them")));
        false
    }

    fn misplaced(&mut self, context: Context, statement: &Statement) {
        let keyword = statement.keyword();
        let header = statement.header();
        let message = format!("{keyword} cannot stand in {}", context.name());
        let children: Vec<_> = context.children().collect();
        let help = if children.is_empty() {
            format!("{} holds attributes only", context.name())
        } else {
            format!("sections here are {}; is a `{{` or `}}` missing above?", children.join(", "))
        };
        let d = self.error("misplaced-section", message, header).help(help);
        self.out.push(d);
    }

    fn unknown_section(&mut self, context: Context, statement: &Statement) {
        let keyword = statement.keyword();
        let Some(word) = statement.words.first() else { return };
        let d = self.error("unknown-section", format!("`{keyword}` is no section of scst.conf"), word.span);
        let upper = keyword.to_ascii_uppercase();
        let near = KEYWORDS.into_iter().find(|k| *k == upper).or_else(|| {
            context.children().filter(|k| distance(k, &upper) <= 2).min_by_key(|k| distance(k, &upper))
        });
        let d = match near {
            Some(k) => d.fix(word.span, k, format!("write {k}")),
            None => {
                d.help(format!("sections here are {}", context.children().collect::<Vec<_>>().join(", ")))
            }
        };
        self.out.push(d);
    }

    fn attribute(
        &mut self,
        seen: &mut Seen,
        context: Context,
        attributes: &mut Attributes,
        statement: &Statement,
    ) {
        let Some(name) = statement.words.first() else { return };
        if name.value.starts_with('[') {
            let d = self.error("old-style", "a section in the style of SCST 1", statement.header());
            self.out.push(d.help("convert the file with `esos scst import --from scst.conf`"));
            return;
        }
        if KEYWORDS.contains(&name.value.to_ascii_uppercase().as_str()) {
            let upper = name.value.to_ascii_uppercase();
            let d = self.error("keyword-case", format!("keywords are in capitals: {upper}"), name.span);
            self.out.push(d.fix(name.span, upper, "write it in capitals"));
            return;
        }
        let value = match statement.words.get(1..) {
            Some([]) | None => String::new(),
            Some([one]) => one.value.clone(),
            Some(several) => {
                self.unquoted(name, several);
                several.iter().map(|w| w.value.as_str()).collect::<Vec<_>>().join(" ")
            }
        };
        let key = match numbered(&name.value) {
            Some(base) => {
                let d = self
                    .warning(
                        "numbered-attribute",
                        format!("`{}` carries the kernel's number", name.value),
                        name.span,
                    )
                    .at("scstadmin would drop this one without a word")
                    .fix(name.span, base, format!("write {base} once for each"));
                self.out.push(d);
                base
            }
            None => &name.value,
        };
        // None of these is in a name of the kernel's, and a file could not say it again.
        let bad = |c: char| c.is_whitespace() || c.is_control() || "/\\\"#{}".contains(c);
        if let Some(c) = name.value.chars().find(|c| bad(*c)) {
            let message = format!("`{}` cannot stand in the name of an attribute", c.escape_debug());
            let d = self.error("attribute-name", message, name.span);
            self.out.push(d);
            return;
        }
        let first = seen.attributes.insert(key.to_owned(), statement.header());
        if let Some(first) = first.filter(|_| !is_multiple(key)) {
            let d = self.error(
                "repeated-attribute",
                format!("`{key}` is given twice in {}", context.name()),
                statement.header(),
            );
            let d = d
                .at("second")
                .label(first, "first")
                .help("scstadmin would write both, in an order that is chance; remove one");
            self.out.push(d);
            return;
        }
        attributes.add(key, value);
    }

    fn unquoted(&mut self, name: &Word, several: &[Word]) {
        let (Some(first), Some(last)) = (several.first(), several.last()) else { return };
        let span = first.span.to(last.span);
        let d = self.error(
            "unquoted-value",
            format!("`{}` has one value; this is {} words", name.value, several.len()),
            span,
        );
        let d = d.at("scstadmin would stop here (FATAL)");
        // The fix would print the value.
        self.out.push(if is_secret(&name.value) {
            d.help("put the name and the password in one pair of double quotes")
        } else {
            let text = several.iter().map(|w| w.value.as_str()).collect::<Vec<_>>().join(" ");
            d.fix(span, super::quote::quote_lossy(&text), "put the value in quotes")
        });
    }

    /// A name out of the n-th word of a section.
    fn name<N: FromStr<Err = NameError>>(&mut self, statement: &Statement, n: usize) -> Option<N> {
        let word = statement.words.get(n)?;
        match word.value.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let d = self.error("bad-name", error.to_string(), word.span);
                self.out.push(d);
                None
            }
        }
    }

    fn leaf(&mut self, statement: &Statement, context: Context) -> Attributes {
        let mut attributes = Attributes::new();
        self.each(statement.block.as_ref(), context, &mut attributes, |_, _, _| {});
        attributes
    }

    fn root(&mut self, root: &Block) -> Config {
        let mut config = Config::default();
        let Config { attributes, handlers, drivers, device_groups } = &mut config;
        self.each(Some(root), Context::Root, attributes, |me, child, s| match child {
            Context::Handler => {
                let handler = me.handler(s);
                if let Some(name) = me.name(s, 1) {
                    handlers.insert(name, handler);
                }
            }
            Context::Driver => {
                let driver = me.driver(s);
                if let Some(name) = me.name(s, 1) {
                    drivers.insert(name, driver);
                }
            }
            Context::DeviceGroup => {
                let group = me.device_group(s);
                if let Some(name) = me.name(s, 1) {
                    device_groups.insert(name, group);
                }
            }
            _ => {
                if !me.leaf(s, child).is_empty() {
                    let d = me.warning(
                        "alua-attributes",
                        "SCST has no attributes of ALUA as a whole",
                        s.header(),
                    );
                    me.out.push(d.at("nothing in this block is applied"));
                }
            }
        });
        config
    }

    fn handler(&mut self, s: &Statement) -> Handler {
        let mut handler = Handler::default();
        let Handler { attributes, devices } = &mut handler;
        self.each(s.block.as_ref(), Context::Handler, attributes, |me, child, s| {
            let attributes = me.leaf(s, child);
            if let Some(name) = me.name(s, 1) {
                devices.insert(name, Device { attributes });
            }
        });
        handler
    }

    fn driver(&mut self, s: &Statement) -> Driver {
        let mut driver = Driver::default();
        let Driver { attributes, targets } = &mut driver;
        self.each(s.block.as_ref(), Context::Driver, attributes, |me, _, s| {
            let target = me.target(s);
            if let Some(name) = me.name(s, 1) {
                targets.insert(name, target);
            }
        });
        driver
    }

    fn target(&mut self, s: &Statement) -> Target {
        let mut target = Target::default();
        let hw = |s: &&Statement| s.keyword() == "HW_TARGET";
        target.hardware = s.block.iter().flat_map(Block::statements).any(|s| hw(&s));
        let Target { attributes, luns, groups, .. } = &mut target;
        self.each(s.block.as_ref(), Context::Target, attributes, |me, child, s| match child {
            Context::Lun => luns.extend(me.lun(s)),
            Context::Group => {
                let group = me.group(s);
                if let Some(name) = me.name(s, 1) {
                    groups.insert(name, group);
                }
            }
            _ => {}
        });
        target
    }

    fn group(&mut self, s: &Statement) -> Group {
        let mut group = Group::default();
        let Group { attributes, luns, initiators } = &mut group;
        self.each(s.block.as_ref(), Context::Group, attributes, |me, child, s| match child {
            Context::Lun => luns.extend(me.lun(s)),
            _ => initiators.extend(me.name(s, 1)),
        });
        group
    }

    fn lun(&mut self, s: &Statement) -> Option<(Lun, LunMap)> {
        let attributes = self.leaf(s, Context::Lun);
        let device = self.name(s, 2);
        let word = s.words.get(1)?;
        let Some(number) = lun(&word.value) else {
            let message = format!("expected a LUN (0 to 16383), found `{}`", word.value);
            let d = self.error("bad-lun", message, word.span);
            self.out.push(d);
            return None;
        };
        if word.value.len() > 1 && word.value.starts_with('0') && !word.value.starts_with("0x") {
            let d = self
                .warning(
                    "octal-lun",
                    format!("LUN {} is octal: SCST reads it as {number}", word.value),
                    word.span,
                )
                .fix(word.span, number.to_string(), "write it in decimal");
            self.out.push(d);
        }
        Some((number, LunMap { device: device?, attributes }))
    }

    fn device_group(&mut self, s: &Statement) -> DeviceGroup {
        let mut group = DeviceGroup::default();
        let DeviceGroup { attributes, devices, target_groups } = &mut group;
        self.each(s.block.as_ref(), Context::DeviceGroup, attributes, |me, child, s| match child {
            Context::GroupDevice => {
                me.leaf(s, child);
                devices.extend(me.name(s, 1));
            }
            _ => {
                let target_group = me.target_group(s);
                if let Some(name) = me.name(s, 1) {
                    target_groups.insert(name, target_group);
                }
            }
        });
        group
    }

    fn target_group(&mut self, s: &Statement) -> TargetGroup {
        let mut group = TargetGroup::default();
        let TargetGroup { attributes, targets } = &mut group;
        self.each(s.block.as_ref(), Context::TargetGroup, attributes, |me, child, s| {
            let attributes = me.leaf(s, child);
            if let Some(name) = me.name(s, 1) {
                targets.insert(name, attributes);
            }
        });
        group
    }

    /// Findings about the file as a whole.
    fn whole_file(&mut self, root: &Block) {
        let mut statements = root.statements().peekable();
        if statements.peek().is_none() {
            if self.out.is_empty() {
                let d = self.error("empty", "the file configures nothing", Span::point(0));
                self.out.push(d.help(
                    "scstadmin would warn, exit 0 and clear nothing; to clear SCST say so with `--allow-empty --prune`",
                ));
            }
            return;
        }
        let iscsi = |s: &Statement| s.keyword() == "TARGET_DRIVER" && s.word(1) == "iscsi";
        let section = root.statements().any(|s| KEYWORDS.contains(&s.keyword()));
        if section && !root.statements().any(iscsi) {
            let d = self
                .warning("no-iscsi-block", "the file has no `TARGET_DRIVER iscsi` block", Span::point(0))
                .help(
                    "scstadmin would disable the iSCSI driver; ESOS leaves alone what a file does not name",
                );
            self.out.push(d);
        }
    }
}

/// A LUN as the kernel reads it: decimal, `0x…`, or octal with a leading 0.
pub(super) fn lun(text: &str) -> Option<Lun> {
    let digits = |t: &str, radix| u32::from_str_radix(t, radix).ok().filter(|_| !t.starts_with('+'));
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => digits(hex, 16),
        None if text.len() > 1 && text.starts_with('0') => digits(text, 8),
        None => digits(text, 10),
    };
    Lun::new(number?).ok()
}
