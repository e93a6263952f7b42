//! What the file says and what the machine has.
use esos_cli::{Exit, Failure, Global, OrExit};
use esos_diag::{Diagnostic, Severity};
use esos_exec::{HostRunner, Runner};
use esos_hostfs::{Files, HostFiles};
use esos_network::{Config, Facts, MADE, Seen, observe, parse, seen_command};
use std::path::Path;

pub(crate) const CONF: &str = "/etc/network.conf";

/// The file, as it was read.
pub(crate) struct Conf {
    pub(crate) text: String,
    pub(crate) config: Config,
    pub(crate) findings: Vec<Diagnostic>,
}

impl Conf {
    /// Reads it; a file that is missing is an empty one.
    pub(crate) fn read(global: &Global) -> Result<Self, Failure> {
        let files = HostFiles::new(&global.root);
        let bytes = match files.read(CONF) {
            Err(e) if e.is_not_found() => Vec::new(),
            other => other?,
        };
        Ok(Self::of(CONF, &bytes))
    }

    /// Reads another file.
    pub(crate) fn read_file(path: &Path) -> Result<Self, Failure> {
        let bytes =
            std::fs::read(path).context(format!("cannot read {}", path.display())).or_exit(Exit::Invalid)?;
        Ok(Self::of(&path.to_string_lossy(), &bytes))
    }

    fn of(origin: &str, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (config, findings) = parse(origin, &text);
        Self { text, config, findings }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Interfaces as they are; `None` on a copied tree, where nobody can look.
pub(crate) fn seen(global: &Global) -> Result<Option<Vec<Seen>>, Failure> {
    if !global.is_live() {
        return Ok(None);
    }
    let output = HostRunner.run(&seen_command()).or_exit(Exit::Unavailable)?;
    if !output.status.success() {
        let said = output.error_text().trim().to_owned();
        return Err(Failure::new(
            Exit::Unavailable,
            format!("`{}`: {}: {said}", seen_command(), output.status),
        ));
    }
    Ok(Some(observe(&output.text())?))
}

/// What the planner needs to know.
pub(crate) fn facts(global: &Global) -> Result<Facts, Failure> {
    let files = HostFiles::new(&global.root);
    let text =
        |path: &str| files.read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    let radio = |name: &str| files.stat(&format!("/sys/class/net/{name}/phy80211")).is_ok();
    let seen = seen(global)?;
    Ok(Facts {
        links: seen.map(|all| all.iter().map(|s| s.link(radio(s.name.as_str()))).collect()),
        hostname: text("/etc/hostname").trim().parse().ok(),
        extra_hosts: text("/etc/xtra_hosts"),
        made: text(MADE).lines().filter_map(|l| l.parse().ok()).collect(),
        dhcp_running: global.is_live() && files.stat("/run/dhcpcd/pid").is_ok(),
    })
}
