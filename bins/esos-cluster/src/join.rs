//! `join`: the sealed file of one box, applied.
use crate::args::Join;
use crate::init::below;
use crate::machine;
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_hostfs::{Files, HostFiles};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Everything that one box needs; whoever has it has the cluster's key.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sealed {
    schema: String,
    pub(crate) cluster: String,
    pub(crate) node: String,
    pub(crate) files: Vec<SealedFile>,
    /// SHA-256 over all of the above.
    seal: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SealedFile {
    pub(crate) path: String,
    pub(crate) mode: u32,
    /// As text where it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// As hexadecimal digits where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

impl SealedFile {
    pub(crate) fn text(path: &str, mode: u32, text: &str) -> Self {
        Self { path: path.to_owned(), mode, text: Some(text.to_owned()), hex: None }
    }

    pub(crate) fn bytes(path: &str, mode: u32, bytes: &[u8]) -> Self {
        let hex = bytes.iter().map(|b| format!("{b:02x}")).collect();
        Self { path: path.to_owned(), mode, text: None, hex: Some(hex) }
    }

    /// Its bytes; digits that are none count as not there, and the seal does not fit then.
    pub(crate) fn content(&self) -> Vec<u8> {
        match (&self.text, &self.hex) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(hex)) => {
                let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
                hex.as_bytes()
                    .chunks(2)
                    .filter_map(|p| {
                        Some(digit(*p.first()?)?.checked_mul(16)?.saturating_add(digit(*p.get(1)?)?))
                    })
                    .collect()
            }
            (None, None) => Vec::new(),
        }
    }
}

impl Sealed {
    pub(crate) fn new(cluster: &str, node: &str, files: Vec<SealedFile>) -> Self {
        let mut out = Self {
            schema: "esos.cluster.join/1".to_owned(),
            cluster: cluster.to_owned(),
            node: node.to_owned(),
            files,
            seal: String::new(),
        };
        out.seal = out.sum();
        out
    }

    fn sum(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.schema, &self.cluster, &self.node] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        for f in &self.files {
            hash.update(f.path.as_bytes());
            hash.update([0]);
            hash.update(f.mode.to_le_bytes());
            let content = f.content();
            hash.update(u64::try_from(content.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(&content);
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Only these places are written, whatever a file says.
const PLACES: [&str; 3] = ["/etc/corosync/", "/etc/drbd.d/", "/var/lib/esos/cluster/"];

pub(crate) fn join(args: &Join, ui: &mut Ui) -> Result<Exit, Failure> {
    let text = machine::text(&args.file)?;
    let invalid = |what: String| Failure::new(Exit::Invalid, format!("{}: {what}", args.file.display()));
    let sealed: Sealed = serde_json::from_str(&text).map_err(|e| {
        invalid(format!(
            "is no sealed file of `esos cluster init` (line {}, column {})",
            e.line(),
            e.column()
        ))
    })?;
    if sealed.schema != "esos.cluster.join/1" {
        return Err(invalid(format!("has the form `{}`, which this version does not know", sealed.schema)));
    }
    if sealed.sum() != sealed.seal {
        return Err(invalid("the seal does not fit: it was changed or cut off".to_owned())
            .help("copy it again from where `esos cluster init` made it"));
    }
    let place = |f: &&SealedFile| {
        !PLACES.iter().any(|p| f.path.starts_with(p)) || f.path.split('/').any(|s| s == ".." || s == ".")
    };
    if let Some(f) = sealed.files.iter().find(place) {
        return Err(invalid(format!("it would write {}, which is no place of a cluster", f.path)));
    }
    let here = args
        .node
        .clone()
        .unwrap_or_else(|| if ui.global().is_live() { machine::host() } else { sealed.node.clone() });
    if here != sealed.node {
        return Err(Failure::new(
            Exit::Refused,
            format!("this file is for {}, and this box is {here}", sealed.node),
        )
        .help("take the file of this box, or set the host name first"));
    }
    let root = ui.root().to_owned();
    let mut rows = Vec::new();
    for f in &sealed.files {
        let old = std::fs::read(below(&root, &f.path)).ok();
        let state = match &old {
            None => "new",
            Some(old) if *old == f.content() => "same",
            Some(_) => "changed",
        };
        rows.push((f, state));
    }
    let changed: Vec<&str> =
        rows.iter().filter(|(_, s)| *s == "changed").map(|(f, _)| f.path.as_str()).collect();
    if !args.dry_run {
        if !changed.is_empty() {
            ui.confirm(&Confirm::new(format!("replace {}", changed.join(", "))))?;
        }
        for (f, _) in rows.iter().filter(|(_, s)| *s != "same") {
            let path = below(&root, &f.path);
            let dir = path.parent().unwrap_or(&root).to_owned();
            std::fs::create_dir_all(&dir).context(format!("cannot make {}", dir.display()))?;
            let files = HostFiles::new(&dir);
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            files.replace(&format!("/{name}"), &f.content(), f.mode).or_exit(Exit::Failed)?;
        }
    }
    let data = json!({
        "cluster": sealed.cluster, "node": sealed.node, "applied": !args.dry_run,
        "files": rows.iter().map(|(f, s)| json!({ "path": f.path, "mode": format!("{:04o}", f.mode), "state": s })).collect::<Vec<_>>(),
    });
    ui.emit("esos.cluster.join/1", &data, |human| {
        rows.iter().for_each(|(f, s)| human.line(format!("{} ({:04o}): {s}", f.path, f.mode)));
        for next in next(&sealed) {
            human.line(format!("next: {next}"));
        }
    })?;
    Ok(Exit::Done)
}

/// What is left to do by hand, in order: DRBD's first meta data erase the end of a disk, so nobody does
/// that unasked.
fn next(s: &Sealed) -> Vec<String> {
    let mut out = Vec::new();
    for f in s.files.iter().filter(|f| f.path.starts_with("/etc/drbd.d/")) {
        let name = f.path.trim_start_matches("/etc/drbd.d/").trim_end_matches(".res");
        out.push(format!("drbdadm create-md {name} && drbdadm up {name}   (on one box then: drbdadm primary --force {name})"));
    }
    if s.files.iter().any(|f| f.path.ends_with("/scst.conf")) {
        out.push("esos scst plan /var/lib/esos/cluster/scst.conf, then esos scst apply".to_owned());
    }
    out.push("service corosync start && service pacemaker start".to_owned());
    out.push(
        "once on one box: cibadmin --replace --scope configuration --xml-file /var/lib/esos/cluster/cib.xml"
            .to_owned(),
    );
    out
}
