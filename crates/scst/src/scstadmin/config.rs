//! Whole configurations: `-config`, `-check_config`, `-write_config`, `-clear_config`.
use super::{Done, End, Flags, Run};
use crate::conf::Document;
use crate::live::Live;
use crate::model::Config;
use crate::path::ObjectPath;
use crate::plan::{Action, Class, Operation, Plan};
use crate::planner::{Policy, plan};
use esos_diag::{Diagnostic, Severity};

/// How often what cannot be done is left out and planned again.
const ROUNDS: usize = 20;

/// Whether a finding is about the language. What only the kernel refuses is left to the kernel, as Perl's
/// program leaves it.
fn is_broken(finding: &Diagnostic) -> bool {
    finding.severity == Severity::Error && finding.code.starts_with("scst-conf::")
}

impl Run<'_> {
    /// Reads and checks a file; gives its configuration.
    pub(super) fn check(&mut self, file: &str) -> Done<Config> {
        self.line(&format!("\n-> Checking configuration file '{file}' for errors."));
        let text = self
            .host
            .read(file)
            .map_err(|why| End::Fatal(format!("Unable to open configuration file '{file}': {why}")))?;
        let document = Document::parse(file, text);
        if document.diagnostics().iter().any(|d| d.code == "scst-conf::empty") {
            return Err(End::Enough(
                "-> WARNING: Configuration is empty or unreadable, aborting.\n".to_owned(),
            ));
        }
        let shown = crate::conf::mask_secrets(document.text());
        let mut warnings = 0usize;
        for d in document.diagnostics().iter().filter(|d| d.severity >= Severity::Warning) {
            let place = d.position(&shown).map(|p| format!(" ({file}:{p})")).unwrap_or_default();
            let word = if is_broken(d) { "ERROR" } else { "WARNING" };
            self.line(&format!("\t-> {word}: {}{place}\n", d.message));
            warnings = warnings.saturating_add(1);
        }
        if document.config().drivers.is_empty() {
            let what = "No TARGET_DRIVER section defined. No target drivers will be configured.";
            self.line(&format!("\t-> WARNING: {what}\n"));
            warnings = warnings.saturating_add(1);
        }
        let refused =
            |code: &str| document.diagnostics().iter().find(|d| d.code == format!("scst-conf::{code}"));
        // A value that the Perl program could not read, and what it says then.
        let value =
            refused("unquoted-value").or(refused("unterminated-quote")).or(refused("quote-in-quotes"));
        if let Some(d) = value {
            let line =
                d.position(document.text()).and_then(|p| document.text().lines().nth(p.line.checked_sub(1)?));
            let name = line.and_then(|l| l.split_whitespace().next()).unwrap_or_default();
            let why = format!("Invalid configuration encountered. Attribute '{name}' has an invalid value.");
            return Err(End::Fatal(why));
        }
        if document.diagnostics().iter().any(is_broken) || self.shared_initiator(document.config()) {
            return Err(End::Fatal("Configuration has errors, aborting.".to_owned()));
        }
        self.line(&format!("\t-> Done, {warnings} warnings found.\n"));
        Ok(document.config().clone())
    }

    /// An initiator in two groups of one target: which one it gets would be chance.
    fn shared_initiator(&mut self, config: &Config) -> bool {
        let mut found = false;
        for (driver, d) in &config.drivers {
            for (name, target) in &d.targets {
                let mut seen = std::collections::BTreeMap::new();
                for (group, g) in &target.groups {
                    for initiator in &g.initiators {
                        if let Some(first) = seen.insert(initiator.clone(), group.clone()) {
                            let what = format!(
                                "Initiator '{initiator}' is in groups '{first}' and '{group}' of '{driver}/{name}'."
                            );
                            self.line(&format!("\t-> ERROR: {what}\n"));
                            found = true;
                        }
                    }
                }
            }
        }
        found
    }

    pub(super) fn config(&mut self, live: &Live, file: &str, flags: &Flags) -> Done {
        let mut wanted = self.check(file)?;
        self.line("-> Applying configuration.");
        if let Some(driver) = wanted.drivers.keys().find(|d| !live.drivers.contains_key(*d)) {
            return Err(End::Fatal(format!("Target driver '{driver}' is not loaded or available.")));
        }
        if flags.force && !self.agreed(flags) {
            return Ok(());
        }
        let mut policy = self.host.policy(&wanted);
        policy.prune = flags.force;
        let planned = self.possible(live, &mut wanted, &policy, flags.force);
        for path in &planned.unmanaged {
            self.line(&format!("\t-> '{path}' is not in configuration. Use -force to remove it."));
        }
        for p in &planned.pending {
            self.line(&format!("\t-> WARNING: {} waits: {}.", p.path, p.why));
        }
        let changes = self.carry_out(live, planned, &mut wanted, &policy)?;
        self.line(&format!("\t-> Done, {changes} change(s) made."));
        Ok(())
    }

    /// Carries a plan out; what a new device turns out not to have is told and left out. Gives the number
    /// of changes.
    fn carry_out(
        &mut self,
        live: &Live,
        mut planned: Plan,
        wanted: &mut Config,
        policy: &Policy,
    ) -> Done<usize> {
        for _round in 0..ROUNDS {
            let Err(refusal) = self.host.apply(live, &planned, wanted, policy) else { break };
            let absent = refusal.absent.as_deref().and_then(|p| p.strip_prefix("devices/")?.split_once('/'));
            let Some((device, attribute)) = absent else { return Err(End::Fatal(refusal.why)) };
            let what = format!("Device '{device}' lacks the settable attribute '{attribute}', ignoring.");
            self.line(&format!("\t-> WARNING: {what}\n"));
            let devices = wanted.handlers.values_mut().flat_map(|h| h.devices.iter_mut());
            let mut left = false;
            for (_, d) in devices.filter(|(n, _)| n.as_str() == device) {
                left |= d.attributes.remove(attribute);
            }
            if !left {
                return Err(End::Fatal(refusal.why));
            }
            planned = plan(live, wanted, policy);
        }
        for op in &planned.operations {
            let what = op.attribute.as_ref().map_or_else(|| op.path.clone(), |a| format!("{} {a}", op.path));
            let word = match op.action {
                Action::Add => "Adding",
                Action::Change => "Setting",
                Action::Remove => "Removing",
            };
            self.line(&format!("\t-> {word} {what}: done."));
        }
        Ok(planned.operations.len())
    }

    /// The plan without what cannot be done, and without what scstadmin does only with `-force`; each is
    /// told, and left out of what is wanted.
    fn possible(&mut self, live: &Live, wanted: &mut Config, policy: &Policy, force: bool) -> Plan {
        for _round in 0..ROUNDS {
            let planned = plan(live, wanted, policy);
            let refused = |o: &&Operation| {
                let taken =
                    o.action == Action::Remove || (o.action == Action::Change && o.path.contains("/lun/"));
                o.class == Class::Blocked || (!force && taken)
            };
            let Some(op) = planned.operations.iter().find(refused) else { return planned };
            let what = op.attribute.as_ref().map_or_else(|| op.path.clone(), |a| format!("{} {a}", op.path));
            let why = op.why.clone().unwrap_or_else(|| "it is in use".to_owned());
            let hint = if op.class == Class::Blocked { "ignoring" } else { "use -force to change it" };
            self.line(&format!("\t-> WARNING: {what}: {why}, {hint}."));
            let Ok(path) = op.path.parse::<ObjectPath>() else { break };
            match (&op.attribute, wanted.attributes_mut(&path)) {
                (Some(name), Some(attributes)) => {
                    attributes.remove(name);
                }
                _ => wanted.remove(&path),
            }
        }
        let mut planned = plan(live, wanted, policy);
        planned.operations.retain(|o| o.class != Class::Blocked);
        planned
    }

    pub(super) fn write_config(&mut self, live: &Live, file: &str) -> Done {
        self.line(&format!("\n-> Writing current configuration to file '{file}'..."));
        let text = live.to_config().to_conf();
        let text = text.map_err(|e| End::Fatal(format!("{e}: {}", e.source)))?;
        let text = format!("# Automatically generated by SCST Configurator.\n\n\n{text}");
        self.host
            .write(file, &text)
            .map_err(|why| End::Fatal(format!("Unable to save configuration file '{file}': {why}")))?;
        self.line("\t-> Done.");
        Ok(())
    }

    pub(super) fn clear(&mut self, live: &Live, flags: &Flags) -> Done {
        if !self.agreed(flags) {
            return Ok(());
        }
        let mut wanted = Config::default();
        let policy = Policy { prune: true, ..self.host.policy(&wanted) };
        let planned = plan(live, &wanted, &policy);
        self.carry_out(live, planned, &mut wanted, &policy)?;
        self.line("\t-> Done.");
        Ok(())
    }
}
