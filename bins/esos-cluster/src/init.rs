//! `init`: one short TOML to a sealed file for each box.
use crate::args::Init;
use crate::join::{Sealed, SealedFile};
use crate::machine;
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_cluster::{
    ClusterSpec, CorosyncDocument, ResourceSpec, SpecError, lint_cib, lint_corosync, read_cib,
};
use esos_diag::{Diagnostic, Severity, Span};
use esos_drbd::{Address, Config, Document, Host, Intent, Mesh, Opt, ResourceConfig, Volume, lint};
use esos_hostfs::{Files, HostFiles};
use serde_json::json;
use std::io::Read;
use std::path::Path;

pub(crate) fn init(args: &Init, ui: &mut Ui) -> Result<Exit, Failure> {
    let text = machine::text(&args.file)?;
    let origin = args.file.display().to_string();
    let spec = ClusterSpec::parse(&text).map_err(|e| wrong(&e, &origin, &text))?;
    let corosync = spec.corosync().to_conf();
    let cib = spec.cib_xml();
    let generation = match (args.generation, spec.nodes.len()) {
        (Some(8), 3..) => {
            return Err(Failure::new(
                Exit::Invalid,
                "DRBD 8.4 mirrors between two nodes, and there are three",
            )
            .help("use --generation 9, and DRBD 9 on the boxes"));
        }
        (Some(generation), _) => generation,
        (None, nodes) => {
            if nodes > 2 && !spec.resources.is_empty() {
                ui.warn("three nodes need DRBD 9, which is not in Debian's kernel: the files are for it");
            }
            if nodes > 2 { 9 } else { 8 }
        }
    };
    let mut drbd = Vec::new();
    for r in &spec.resources {
        drbd.push((r.name.clone(), replicated(&spec, r, generation)?));
    }
    let scst = served(&spec);
    checked(&spec, &corosync, &cib, &drbd, &scst, generation, ui)?;
    let mut plan = Vec::new();
    let mut sealed = Vec::new();
    let key = random(256)?;
    for n in &spec.nodes {
        let mut files = vec![
            SealedFile::text("/etc/corosync/corosync.conf", 0o644, &corosync),
            SealedFile::bytes("/etc/corosync/authkey", 0o400, &key),
            SealedFile::text("/var/lib/esos/cluster/cib.xml", 0o600, &cib),
        ];
        files.extend(
            drbd.iter().map(|(name, text)| SealedFile::text(&format!("/etc/drbd.d/{name}.res"), 0o600, text)),
        );
        if !scst.is_empty() {
            files.push(SealedFile::text(
                "/var/lib/esos/cluster/scst.conf",
                0o600,
                &local(&scst, &spec, &n.name),
            ));
        }
        plan.push(json!({ "node": n.name, "files": files.iter().map(|f| json!({ "path": f.path, "mode": format!("{:04o}", f.mode), "bytes": f.content().len() })).collect::<Vec<_>>() }));
        sealed.push(Sealed::new(&spec.name, &n.name, files));
    }
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir).context(format!("cannot make {}", dir.display()))?;
        let files = HostFiles::new(dir);
        for s in &sealed {
            let text = serde_json::to_string_pretty(s).or_exit(Exit::Failed)?;
            // The authkey is in it.
            files.replace(&format!("/{}.join", s.node), text.as_bytes(), 0o600)?;
        }
    }
    let data = json!({ "cluster": spec.name, "boxes": plan, "out": args.out, "corosync_conf": corosync, "resources": spec.resources.iter().map(|r| &r.name).collect::<Vec<_>>() });
    ui.emit("esos.cluster.init/1", &data, |human| {
        human.line(format!(
            "cluster {} of {}",
            spec.name,
            spec.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>().join(", ")
        ));
        for s in &sealed {
            human.line(format!("on {}:", s.node));
            s.files.iter().for_each(|f| {
                human.line(format!("    {} ({:04o}, {} bytes)", f.path, f.mode, f.content().len()));
            });
        }
        for r in &spec.resources {
            human.line(format!("resource {}: DRBD on {}, then SCST, promoted on one node", r.name, r.disk));
        }
        match &args.out {
            Some(dir) => human.line(format!(
                "take {}/NODE.join to each box and run `esos cluster join NODE.join` there",
                dir.display()
            )),
            None => human.line("nothing was written: give --out DIR"),
        }
    })?;
    Ok(Exit::Done)
}

fn wrong(e: &SpecError, origin: &str, text: &str) -> Failure {
    let d = match e {
        SpecError::Shape { message, span } => {
            let span = span.map_or(Span::point(0), |(a, b)| Span::new(a, b));
            Diagnostic::error("cluster-toml::shape", message.clone(), origin, span)
        }
        SpecError::Meaning { message, help } => {
            let word = message.split('`').nth(1).filter(|w| !w.is_empty());
            let at = word.and_then(|w| text.find(w).map(|i| Span::new(i, i.saturating_add(w.len()))));
            Diagnostic::error("cluster-toml::meaning", message.clone(), origin, at.unwrap_or_default())
                .help(help.clone())
        }
        other => Diagnostic::error("cluster-toml", other.to_string(), origin, Span::default()),
    };
    // The line may hold a password of a fencing device.
    Failure::findings(vec![d], &masked(text))
}

/// The text with values of secrets blotted out, byte for byte.
pub(crate) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let secret =
            line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(esos_cluster::is_secret);
        if !secret {
            out.push_str(line);
            continue;
        }
        let mut inside = false;
        for c in line.chars() {
            if c == '"' || c == '\'' {
                inside = !inside;
                out.push(c);
            } else if inside {
                out.extend(std::iter::repeat_n('*', c.len_utf8()));
            } else {
                out.push(c);
            }
        }
    }
    out
}

fn random(n: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0u8; n];
    let mut file = std::fs::File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    file.read_exact(&mut bytes).context("cannot read /dev/urandom")?;
    Ok(bytes)
}

/// The DRBD resource, the same text on every node.
fn replicated(spec: &ClusterSpec, r: &ResourceSpec, generation: u8) -> Result<String, Failure> {
    let nine = generation == 9;
    let mut c = ResourceConfig::default();
    c.name.clone_from(&r.name);
    let mut v = Volume::default();
    v.device = Some(format!("/dev/drbd{}", r.minor));
    v.minor = Some(r.minor);
    v.disk = Some(r.disk.clone());
    v.meta_disk = Some("internal".to_owned());
    c.volumes.push(v);
    for (n, id) in spec.nodes.iter().zip(0u32..) {
        let link = r.link.unwrap_or(n.addresses.len().saturating_sub(1));
        let host = n.addresses.get(link).cloned().unwrap_or_default();
        let family = if host.contains(':') { "ipv6" } else { "ipv4" };
        let mut h = Host::default();
        h.keyword = "on".to_owned();
        h.names = vec![n.name.clone()];
        h.node_id = (nine || spec.nodes.len() > 2).then_some(id);
        h.address = Some(Address { family: family.to_owned(), host, port: Some(r.port) });
        c.hosts.push(h);
    }
    if spec.nodes.len() > 2 {
        let mut mesh = Mesh::default();
        mesh.hosts = spec.nodes.iter().map(|n| n.name.clone()).collect();
        c.meshes.push(mesh);
    }
    let secret: String = random(20)?.iter().map(|b| format!("{b:02x}")).collect();
    let mut net = vec![
        Opt::new("protocol", "C"),
        Opt::new("cram-hmac-alg", "sha1"),
        Opt::new("shared-secret", secret),
        Opt::new("verify-alg", "sha1"),
        Opt::new("after-sb-0pri", "discard-zero-changes"),
        Opt::new("after-sb-1pri", "disconnect"),
        Opt::new("after-sb-2pri", "disconnect"),
    ];
    let fencing = Opt::new("fencing", "resource-and-stonith");
    let mut disk = Vec::new();
    // 8.4 has it in `disk`.
    if nine {
        net.push(fencing);
    } else {
        disk.push(fencing);
    }
    c.sections.insert("net".to_owned(), net);
    c.sections.insert("disk".to_owned(), disk);
    let handlers = if nine {
        vec![
            Opt::new("fence-peer", "/usr/lib/drbd/crm-fence-peer.9.sh"),
            Opt::new("unfence-peer", "/usr/lib/drbd/crm-unfence-peer.9.sh"),
        ]
    } else {
        vec![
            Opt::new("fence-peer", "/usr/lib/drbd/crm-fence-peer.sh"),
            Opt::new("after-resync-target", "/usr/lib/drbd/crm-unfence-peer.sh"),
        ]
    };
    c.sections.insert("handlers".to_owned(), handlers);
    if nine {
        let quorum = if spec.nodes.len() > 2 { "majority" } else { "off" };
        c.sections
            .insert("options".to_owned(), vec![Opt::new("auto-promote", "no"), Opt::new("quorum", quorum)]);
    }
    let mut config = Config::default();
    config.resources.push(c);
    Ok(config.to_conf()?)
}

/// SCST's part: the device, closed until it is promoted, and the target groups of all nodes. They begin
/// offline, as after a stop: a probe must find nothing running, or Pacemaker would never call start.
fn served(spec: &ClusterSpec) -> String {
    let mut devices = String::new();
    let mut groups = String::new();
    for r in spec.resources.iter().filter(|r| !r.targets.is_empty()) {
        let device = r.device.as_ref().unwrap_or(&r.name);
        // Initiators must know the device by the same name on every box.
        devices.push_str(&format!("\tDEVICE {device} {{\n\t\tfilename /dev/drbd{}\n\t\tactive 0\n\t\tbind_alua_state 0\n\t\tt10_dev_id {}-{device}\n\t\tusn {}-{device}\n\t}}\n", r.minor, spec.name, spec.name));
        groups.push_str(&format!("DEVICE_GROUP {} {{\n\tDEVICE {device}\n", r.name));
        for (n, id) in spec.nodes.iter().zip(1u32..) {
            groups.push_str(&format!("\tTARGET_GROUP {} {{\n\t\tgroup_id {id}\n\t\tstate offline\n", n.name));
            for (t, k) in r.targets.get(&n.name).into_iter().flatten().zip(1u32..) {
                groups.push_str(&format!(
                    "\t\tTARGET {t} {{\n\t\t\trel_tgt_id {}\n\t\t}}\n",
                    id.saturating_mul(100).saturating_add(k)
                ));
            }
            groups.push_str("\t}\n");
        }
        groups.push_str("}\n");
    }
    if devices.is_empty() {
        String::new()
    } else {
        format!("HANDLER vdisk_blockio {{\n{devices}}}\n{groups}")
    }
}

/// With the targets of one box; its own targets are links in the groups and have their id at the target.
fn local(scst: &str, spec: &ClusterSpec, node: &str) -> String {
    let mut out = scst.to_owned();
    let id = spec.nodes.iter().position(|n| n.name == node).map_or(1, |i| i.saturating_add(1));
    let mut drivers: std::collections::BTreeMap<&str, Vec<(String, String, usize)>> =
        std::collections::BTreeMap::new();
    for r in &spec.resources {
        for (t, k) in r.targets.get(node).into_iter().flatten().zip(1usize..) {
            let rel = id.saturating_mul(100).saturating_add(k);
            let own = format!("\t\tTARGET {t} {{\n\t\t\trel_tgt_id {rel}\n\t\t}}\n");
            out = out.replace(&own, &format!("\t\tTARGET {t}\n"));
            let device = r.device.clone().unwrap_or_else(|| r.name.clone());
            drivers.entry(&r.driver).or_default().push((t.clone(), device, rel));
        }
    }
    for (driver, targets) in drivers {
        out.push_str(&format!("TARGET_DRIVER {driver} {{\n"));
        let mut done: Vec<&String> = Vec::new();
        for (t, _, rel) in &targets {
            if done.contains(&t) {
                continue;
            }
            done.push(t);
            out.push_str(&format!("\tTARGET {t} {{\n\t\trel_tgt_id {rel}\n"));
            for (lun, (_, device, _)) in targets.iter().filter(|(x, ..)| x == t).enumerate() {
                out.push_str(&format!("\t\tLUN {lun} {device}\n"));
            }
            // The agent enables it, last of all.
            out.push_str("\t\tenabled 0\n\t}\n");
        }
        out.push_str("\tenabled 1\n}\n");
    }
    out
}

/// What was made is read again and checked as any other file.
fn checked(
    spec: &ClusterSpec,
    corosync: &str,
    cib: &str,
    drbd: &[(String, String)],
    scst: &str,
    generation: u8,
    ui: &mut Ui,
) -> Result<(), Failure> {
    let document = CorosyncDocument::parse("corosync.conf", corosync);
    let mut all: Vec<(Vec<Diagnostic>, String)> =
        vec![([document.diagnostics().to_vec(), lint_corosync(&document)].concat(), corosync.to_owned())];
    for (name, text) in drbd {
        let document = Document::parse(name, text.clone());
        let intent = Intent { generation: Some(generation), cluster: true };
        all.push(([document.diagnostics().to_vec(), lint(&document, intent)].concat(), masked(text)));
    }
    if !scst.is_empty() {
        let document = esos_scst::Document::parse("scst.conf", scst);
        let errors = document.diagnostics().iter().filter(|d| d.severity == Severity::Error);
        all.push((errors.cloned().collect(), scst.to_owned()));
    }
    for (findings, text) in &all {
        if findings.iter().any(|d| d.severity == Severity::Error) {
            return Err(Failure::findings(findings.clone(), text));
        }
        findings.iter().for_each(|d| ui.warn(d.message.clone()));
    }
    let parsed = read_cib("cib.xml", cib).or_exit(Exit::Failed)?;
    for f in lint_cib(&parsed, Some(spec.nodes.len())) {
        if f.severity == Severity::Error {
            return Err(Failure::new(Exit::Invalid, f.message).code(f.code).help(f.help));
        }
        ui.warn(f.message);
    }
    Ok(())
}

/// Where a file of a tree is.
pub(crate) fn below(root: &Path, path: &str) -> std::path::PathBuf {
    root.join(path.trim_start_matches('/'))
}
