//! What is to be erased: who uses it, what is on it, how it is opened.
use std::path::{Path, PathBuf};

use esos_blockdev::{
    Claims, Device, DeviceKind, Format, Inventory, Reason, RereadError, claim_direct, probe, reread,
};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_hostfs::{Direct, Stream, real_path};
use esos_units::Bytes;

use crate::medium::Opened;
use crate::stick;

/// A disk or a file.
pub(crate) struct Target {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    /// Nothing is lost.
    New,
    File(u64),
    Disk {
        device: Box<Device>,
        holds: Vec<String>,
    },
}

impl Target {
    /// Looks at a target and refuses what somebody uses. `source` is what the image is read from.
    pub(crate) fn look(path: &Path, source: &Path, root: &Path) -> Result<Self, Failure> {
        let path = crate::source::absolute(path)?;
        if !path.exists() {
            if path.starts_with("/dev") {
                return Err(Failure::new(Exit::Usage, format!("there is no device {}", path.display())));
            }
            return Ok(Self { path, kind: Kind::New });
        }
        let real = real_path(&path)?;
        if real == *source {
            return Err(Failure::new(Exit::Usage, "the image and the target are one and the same"));
        }
        let inventory = Inventory::of_machine(Path::new("/"))?;
        let Some(device) = inventory.by_path(&real.to_string_lossy()) else {
            return if real.is_file() {
                let size = Stream::open(&real)?.size()?;
                Ok(Self { path, kind: Kind::File(size) })
            } else {
                let text = format!("{} is neither a disk nor a file", path.display());
                Err(Failure::new(Exit::Usage, text))
            };
        };
        fit(device)?;
        free(&inventory, device, root)?;
        let holds = contents(&inventory, device);
        if let Some((what, remedy)) = holds.iter().find_map(|c| c.member.clone()) {
            let text = format!("{} may still be needed: {what}", device.describe());
            return Err(Failure::new(Exit::Refused, text).help(format!("if it is not: {remedy}")));
        }
        let holds = holds.into_iter().map(|c| c.text).collect();
        Ok(Self { path, kind: Kind::Disk { device: Box::new(device.clone()), holds } })
    }

    /// Bytes of it; none of a file that is made first.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match &self.kind {
            Kind::New => None,
            Kind::File(size) => Some(*size),
            Kind::Disk { device, .. } => Some(device.size.get()),
        }
    }

    /// Bytes of its logical sector.
    pub(crate) fn sector(&self) -> u32 {
        match &self.kind {
            Kind::Disk { device, .. } => device.logical_block,
            _ => 512,
        }
    }

    /// Whether it is a file that is made first.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.kind, Kind::New)
    }

    /// The name that must be typed.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            Kind::Disk { device, .. } => device.name.clone(),
            _ => self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// What it is, in one line.
    pub(crate) fn title(&self) -> String {
        match &self.kind {
            Kind::Disk { device, .. } => device.describe(),
            Kind::File(size) => format!("{} ({})", self.path.display(), Bytes::new(*size)),
            Kind::New => self.path.display().to_string(),
        }
    }

    /// The device's node.
    pub(crate) fn node(&self) -> Option<String> {
        match &self.kind {
            Kind::Disk { device, .. } => Some(device.node()),
            _ => None,
        }
    }

    /// The kernel is told of the partitions that were written; without that its nodes are those of before.
    pub(crate) fn reread(&self, ui: &mut Ui) {
        let Some(node) = self.node() else { return };
        if let Err(error) = reread(Path::new(&node)) {
            let told = match error {
                RereadError::Busy { .. } => format!("{error}; free it, or plug it in again"),
                other => Failure::from(other).whole(),
            };
            ui.warn(told);
        }
    }

    /// Lines about it and what is on it.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        match &self.kind {
            Kind::Disk { holds, .. } if holds.is_empty() => lines.push("  nothing known is on it".to_owned()),
            Kind::Disk { holds, .. } => lines.extend(holds.iter().map(|h| format!("  holds {h}"))),
            _ => {}
        }
        lines
    }

    /// Opens it, so that nobody else can.
    pub(crate) fn open(&self, size: u64) -> Result<Opened, Failure> {
        match &self.kind {
            Kind::New => {
                Stream::create_new(&self.path, 0o644)?.set_len(size)?;
                Ok(Opened::of(Direct::open(&self.path, 512, false)?))
            }
            Kind::File(_) => Ok(Opened::of(Direct::open(&self.path, 512, false)?)),
            Kind::Disk { device, .. } => {
                let direct = claim_direct(device).or_exit(Exit::Busy)?;
                Ok(Opened::of(direct))
            }
        }
    }
}

/// Whether a device is one that an image can be written onto.
fn fit(device: &Device) -> Result<(), Failure> {
    let refuse = |text: String| Failure::new(Exit::Refused, text);
    let about = device.describe();
    if let Some(disk) = &device.disk {
        return Err(refuse(format!("{about} is a partition")).help(format!("name the disk: /dev/{disk}")));
    }
    if device.kind == DeviceKind::Optical {
        return Err(refuse(format!("{about} is an optical drive")).help("build --iso makes what is burnt"));
    }
    if !matches!(device.kind, DeviceKind::Disk | DeviceKind::Loop | DeviceKind::Md | DeviceKind::Nbd) {
        return Err(refuse(format!("{about} is no disk")));
    }
    if device.read_only {
        return Err(refuse(format!("{about} is write-protected")).help("a card or stick may have a switch"));
    }
    if device.size.get() == 0 {
        return Err(refuse(format!("{about} has no medium in it")));
    }
    Ok(())
}

/// Whether nobody uses it, and how it is freed.
fn free(inventory: &Inventory, device: &Device, root: &Path) -> Result<(), Failure> {
    let mut claims = Claims::of_machine(Path::new("/"))?;
    let booted = stick::booted(root).map(|b| b.device.to_string_lossy().into_owned());
    claims.boot_stick = booted.and_then(|node| inventory.by_path(&node).map(|d| d.name.clone()));
    let uses = inventory.uses(&device.name, &claims).unwrap_or_default();
    // An old stick of ours is what gets overwritten most.
    let uses: Vec<_> = uses.iter().filter(|u| !matches!(u.reason, Reason::StickTwin { .. })).collect();
    if uses.is_empty() {
        return Ok(());
    }
    let who: Vec<String> = uses.iter().map(ToString::to_string).collect();
    let failure = Failure::new(Exit::Refused, format!("{} is in use: {}", device.describe(), who.join("; ")));
    let remedies = inventory.remedies(uses);
    Err(if remedies.is_empty() {
        failure.help("it cannot be freed while this box runs; take another disk")
    } else {
        failure.help(format!("free it first: {}", remedies.join("; ")))
    })
}

struct Content {
    text: String,
    /// Part of something that is not assembled now, and how it is given up.
    member: Option<(String, String)>,
}

/// File systems and the like on a disk and its partitions.
fn contents(inventory: &Inventory, device: &Device) -> Vec<Content> {
    let mut out = Vec::new();
    for part in std::iter::once(device).chain(inventory.partitions(&device.name)) {
        let Ok(mut stream) = Stream::open(Path::new(&part.node())) else { continue };
        let found = probe(&mut stream).unwrap_or_default();
        let name = part.part_name.as_ref().map(|n| format!(" `{n}`")).unwrap_or_default();
        if part.disk.is_some() && found.is_empty() {
            out.push(Content {
                text: format!("partition {}{name}, {}", part.name, part.size.human()),
                member: None,
            });
        }
        for signature in found {
            let label =
                if signature.label.is_empty() { String::new() } else { format!(" `{}`", signature.label) };
            let text = format!("{}{name}: {}{label}, {}", part.name, signature.format, part.size.human());
            let node = part.node();
            let member = match signature.format {
                Format::MdMember => Some(format!("mdadm --zero-superblock {node}")),
                Format::Lvm2Pv => Some(format!("pvremove {node}")),
                Format::Drbd => Some(format!("drbdadm wipe-md RESOURCE, or wipefs -a {node}")),
                _ => None,
            };
            let member = member
                .map(|remedy| (format!("{} is part of something ({})", part.name, signature.format), remedy));
            out.push(Content { text, member });
        }
    }
    out
}
