//! Handlers and devices.
use crate::attribute::keyed;
use crate::environment::Found;
use crate::errno::{EBUSY, EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOTBLK, Outcome};
use crate::sim::State;
use crate::template::{BACKED, DEVICE, DISK, fill};
use crate::words::{lexeme, parameters, signed, token, unsigned};
use std::collections::BTreeMap;

/// Which of SCST's virtual handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Block,
    Null,
    Cdrom,
}

impl Kind {
    pub(crate) fn of(handler: &str) -> Option<Self> {
        Some(match handler {
            "vdisk_fileio" => Self::File,
            "vdisk_blockio" => Self::Block,
            "vdisk_nullio" => Self::Null,
            "vcdrom" => Self::Cdrom,
            _ => return None,
        })
    }

    pub(crate) fn threads(self) -> u64 {
        if matches!(self, Self::File | Self::Cdrom) { 8 } else { 1 }
    }

    pub(crate) fn binds_alua(self) -> u64 {
        u64::from(self == Self::Block)
    }
}

/// What `add_device` was given.
#[derive(Debug, Default)]
struct Wanted {
    filename: Option<String>,
    numbers: BTreeMap<String, i64>,
    text: BTreeMap<String, String>,
}

impl Wanted {
    fn flag(&self, name: &str, default: u64) -> u64 {
        self.numbers.get(name).map_or(default, |n| u64::from(*n != 0))
    }
}

/// A serial number as the kernel makes it up when none is given: the setup's id above the CRC-32C of the
/// name with its end (`vdisk_gen_dev_id_num`), in hex.
fn serial(name: &str, setup: u64) -> String {
    let crc = name.bytes().chain([0]).fold(0u32, |crc, byte| {
        let shift = |crc: u32| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        (0..8).fold(crc ^ u32::from(byte), |crc, _| shift(crc))
    });
    format!("{:x}", setup << 32 | u64::from(crc))
}

impl State {
    pub(crate) fn handler_mgmt(&mut self, handler: &str, value: &str) -> Outcome {
        let (action, rest) = lexeme(value);
        let (name, parameters) = token(rest);
        let action = action.to_ascii_lowercase();
        if !matches!(action.as_str(), "add_device" | "del_device") || name.is_empty() {
            return Err(EINVAL);
        }
        if Kind::of(handler).is_none() {
            if !parameters.is_empty() {
                return Err(EINVAL);
            }
            return self.assign(handler, name, action == "add_device");
        }
        if action == "add_device" {
            return self.add_device(handler, name, parameters);
        }
        // All handlers of virtual disks share one list of devices, and each deletes what is in it.
        let owner = ["vdisk_fileio", "vdisk_blockio", "vdisk_nullio", "vcdrom"]
            .into_iter()
            .find(|handler| self.tree.exists(&format!("handlers/{handler}/{name}")));
        match owner {
            Some(owner) if parameters.is_empty() => {
                self.remove_device(owner, name);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    /// Pass-through: a SCSI device that is there already gets or loses its handler.
    fn assign(&mut self, handler: &str, name: &str, add: bool) -> Outcome {
        let dir = format!("devices/{name}");
        if !self.tree.is_dir(&dir) {
            return Err(EINVAL);
        }
        let link = format!("{dir}/handler");
        let old = match self.tree.get(&link) {
            Some(crate::tree::Node::Link(target)) => target.rsplit('/').next().unwrap_or("").to_owned(),
            _ => String::new(),
        };
        if !add {
            if old != handler {
                return Err(EINVAL);
            }
            self.unassign(&old, name);
            return Ok(());
        }
        if old == handler {
            return Ok(());
        }
        if !old.is_empty() {
            self.unassign(&old, name);
        }
        self.tree.link(link, format!("../../handlers/{handler}"));
        self.tree.link(format!("handlers/{handler}/{name}"), format!("../../devices/{name}"));
        let rows = [("threads_num", 0o644, "0\n"), ("threads_pool_type", 0o644, "Async\n")];
        fill(&mut self.tree, &dir, &rows);
        self.tree.set(&format!("{dir}/max_tgt_dev_commands"), "64\n");
        self.exports.entry(name.to_owned()).or_insert(0);
        Ok(())
    }

    fn unassign(&mut self, handler: &str, name: &str) {
        self.drop_luns_of(name);
        self.tree.remove(&format!("handlers/{handler}/{name}"));
        for attribute in ["handler", "threads_num", "threads_pool_type"] {
            self.tree.remove(&format!("devices/{name}/{attribute}"));
        }
        self.tree.set(&format!("devices/{name}/max_tgt_dev_commands"), "0\n");
    }

    /// What `mgmt` of a handler names as parameters of `add_device`.
    fn takes(&self, handler: &str, parameter: &str) -> bool {
        let help = self.tree.text(&format!("handlers/{handler}/mgmt"));
        let list =
            help.split_once("parameters available:").map_or("", |(_, l)| l.split('\n').next().unwrap_or(""));
        list.split(',').any(|p| p.trim() == parameter)
    }

    fn wanted(&self, handler: &str, text: &str) -> Result<Wanted, i32> {
        let mut wanted = Wanted::default();
        for p in parameters(text) {
            let Some(value) = p.value.filter(|_| !p.extra && self.takes(handler, p.name)) else {
                return Err(EINVAL);
            };
            match p.name {
                "filename" if value.starts_with('/') => wanted.filename = Some(value.to_owned()),
                "filename" => return Err(EINVAL),
                "t10_dev_id" if value.len() >= 25 => return Err(EINVAL),
                "dif_mode" | "t10_dev_id" | "dif_filename" | "dif_static_app_tag" => {
                    wanted.text.insert(p.name.to_owned(), value.to_owned());
                }
                _ => {
                    let n = signed(value)?;
                    if n < 0 && p.name != "numa_node_id" {
                        return Err(EINVAL);
                    }
                    wanted.numbers.insert(p.name.to_owned(), n);
                }
            }
        }
        Ok(wanted)
    }

    fn add_device(&mut self, handler: &str, name: &str, parameters: &str) -> Outcome {
        let Some(kind) = Kind::of(handler) else { return Err(EINVAL) };
        if self.tree.exists(&format!("devices/{name}")) {
            return Err(EEXIST);
        }
        if name.len() > 64 {
            return Err(EINVAL);
        }
        let wanted = self.wanted(handler, parameters)?;
        if name.contains(['/', '.']) {
            return Err(EINVAL);
        }
        let number = |n: &str| wanted.numbers.get(n).copied();
        if number("tst").is_some_and(|t| t > 1) {
            return Err(EINVAL);
        }
        // The kernel keeps the block size as a shift.
        let blocksize = number("blocksize")
            .map_or(Some(512), |b| u64::try_from(b).ok().and_then(|b| b.checked_ilog2()).map(|s| 1u64 << s));
        let blocksize = blocksize.filter(|b| *b >= 512).ok_or(EINVAL)?;
        let size = self.backing_size(kind, name, &wanted, blocksize)?;
        if let Some(node) = number("numa_node_id")
            && node != -1
            && !self.env.numa_nodes.contains(&node)
        {
            // The kernel takes it and dies soon after: threads are made on that node.
            self.oopsed = true;
        }
        self.make_device(handler, kind, name, &wanted, blocksize, size);
        self.add_copy_lun(name);
        Ok(())
    }

    /// Checks the backing store and what goes together; gives the size in bytes.
    fn backing_size(&self, kind: Kind, name: &str, wanted: &Wanted, blocksize: u64) -> Result<u64, i32> {
        let bytes = |n: &str| wanted.numbers.get(n).and_then(|n| u64::try_from(*n).ok());
        match kind {
            Kind::Cdrom => return Ok(0),
            Kind::Null => {
                let size = bytes("size").or_else(|| bytes("size_mb").and_then(|m| m.checked_mul(1 << 20)));
                let size = size.unwrap_or(2_621_440 << 20);
                return if size.is_multiple_of(blocksize) { Ok(size) } else { Err(EINVAL) };
            }
            Kind::File | Kind::Block => {}
        }
        let path = wanted.filename.as_deref().ok_or(EINVAL)?;
        if kind == Kind::File {
            let writes = wanted.flag("nv_cache", 0) | wanted.flag("write_through", 0);
            if wanted.flag("read_only", 0) & writes == 1 {
                return Err(EINVAL);
            }
        }
        let found = self.env.find(path);
        let size = match (kind, found) {
            (_, Found::TooLong) => return Err(ENAMETOOLONG),
            // What is not active is not opened, and not looked at.
            _ if wanted.flag("active", 1) == 0 => 0,
            (_, Found::Missing) => return Err(ENOENT),
            (_, Found::Dir | Found::Other) => return Err(EINVAL),
            (Kind::Block, Found::File(_)) => return Err(ENOTBLK),
            (_, Found::File(size) | Found::Block(size)) => size,
        };
        if kind == Kind::File && wanted.flag("o_direct", 0) == 1 && wanted.flag("async", 0) == 0 {
            return Err(EINVAL);
        }
        let modes = wanted.text.get("dif_mode").map_or("", String::as_str);
        if kind == Kind::File && modes.split('|').any(|m| m.trim() == "dev_check") {
            return Err(EINVAL);
        }
        if kind == Kind::Block && wanted.flag("active", 1) == 1 && self.is_open(path, name) {
            return Err(EBUSY);
        }
        Ok(size)
    }

    /// Whether an active block device has that backing store open.
    pub(crate) fn is_open(&self, path: &str, except: &str) -> bool {
        let mut open = self.open.borrow_mut();
        let open = open.get_or_insert_with(|| {
            let links = self.tree.children("handlers/vdisk_blockio");
            let links = links.iter().filter(|(_, node)| matches!(node, crate::tree::Node::Link(_)));
            let value = |n: &str, attribute: &str| self.tree.value(&format!("devices/{n}/{attribute}"));
            let active = links.filter(|(n, _)| value(n, "active") != "0");
            active.map(|(n, _)| (value(n, "filename").to_owned(), (*n).to_owned())).collect()
        });
        open.get(path).is_some_and(|device| device != except)
    }

    fn make_device(
        &mut self,
        handler: &str,
        kind: Kind,
        name: &str,
        wanted: &Wanted,
        blocksize: u64,
        size: u64,
    ) {
        let dir = format!("devices/{name}");
        if let (Kind::Block, Some(open), 1) = (kind, self.open.get_mut(), wanted.flag("active", 1)) {
            open.insert(wanted.filename.clone().unwrap_or_default(), name.to_owned());
        }
        self.unexamined.remove(name);
        if matches!(kind, Kind::File | Kind::Block) && wanted.flag("active", 1) == 0 {
            self.unexamined.insert(name.to_owned());
        }
        let setup = unsigned(self.tree.value("setup_id").split('\n').next().unwrap_or("")).unwrap_or(0);
        let tree = &mut self.tree;
        tree.dir(&dir);
        tree.dir(&format!("{dir}/exported"));
        tree.link(format!("{dir}/handler"), format!("../../handlers/{handler}"));
        tree.link(format!("handlers/{handler}/{name}"), format!("../../devices/{name}"));
        fill(tree, &dir, DEVICE);
        let mut attr = |name: &str, mode, text: String| tree.attr(format!("{dir}/{name}"), mode, text);
        let usn = serial(name, setup);
        let id = format!("{usn}-{name}");
        // 25 bytes fit.
        let id = String::from_utf8_lossy(id.as_bytes().get(..25).unwrap_or(id.as_bytes())).into_owned();
        let short: String = name.chars().take(16).collect();
        attr("usn", 0o644, format!("{usn}\n"));
        attr("vend_specific_id", 0o644, format!("{id}\n"));
        let given = wanted.text.get("t10_dev_id");
        attr("t10_dev_id", 0o644, given.map_or_else(|| format!("{id}\n"), |t| format!("{t}\n[key]\n")));
        attr("prod_id", 0o644, format!("{short}\n"));
        attr("pr_file_name", 0o644, format!("/var/lib/scst/pr/{name}\n"));
        attr("t10_vend_id", 0o644, if kind == Kind::Block { "SCST_BIO\n" } else { "SCST_FIO\n" }.to_owned());
        attr("threads_num", 0o644, format!("{}\n", kind.threads()));
        let kind_of_medium = if kind == Kind::Cdrom {
            "5 - CD-ROM device\n"
        } else {
            "0 - Direct-access device (e.g., magnetic disk)\n"
        };
        attr("type", 0o444, kind_of_medium.to_owned());
        let resizable = if matches!(kind, Kind::Null | Kind::Block) { 0o644 } else { 0o444 };
        let default = kind == Kind::Null
            && !wanted.numbers.contains_key("size")
            && !wanted.numbers.contains_key("size_mb");
        attr("size", resizable, if default { format!("{size}\n") } else { format!("{size}\n[key]\n") });
        attr("size_mb", resizable, format!("{}\n", size >> 20));
        if kind == Kind::Cdrom {
            attr("filename", 0o644, "none\n\n".to_owned());
        } else {
            fill(tree, &dir, DISK);
        }
        if matches!(kind, Kind::File | Kind::Block) {
            fill(tree, &dir, BACKED);
            let bind = kind.binds_alua();
            tree.attr(
                format!("{dir}/bind_alua_state"),
                0o644,
                keyed(wanted.flag("bind_alua_state", bind), bind),
            );
            let path = wanted.filename.clone().unwrap_or_default();
            tree.attr(format!("{dir}/filename"), 0o644, format!("{path}\n[key]\n\n"));
            tree.set(&format!("{dir}/active"), keyed(wanted.flag("active", 1), 1));
        }
        if kind == Kind::File {
            fill(tree, &dir, &[("async", 0o644, "0\n"), ("o_direct", 0o444, "0\n")]);
        }
        if kind == Kind::Null {
            fill(tree, &dir, &[("dummy", 0o444, "0\n"), ("read_zero", 0o644, "0\n")]);
        }
        tree.set(&format!("{dir}/blocksize"), keyed(blocksize, 512));
        for name in [
            "async",
            "cluster_mode",
            "dummy",
            "nv_cache",
            "o_direct",
            "read_only",
            "removable",
            "write_through",
        ] {
            tree.set(&format!("{dir}/{name}"), keyed(wanted.flag(name, 0), 0));
        }
        // A block device that cannot discard stays thick, but that it was asked for is kept.
        if wanted.numbers.contains_key("thin_provisioned") {
            let thin = if kind == Kind::Block { 0 } else { wanted.flag("thin_provisioned", 0) };
            tree.set(&format!("{dir}/thin_provisioned"), format!("{thin}\n[key]\n"));
        }
        tree.set(&format!("{dir}/rotational"), keyed(wanted.flag("rotational", 1), 1));
        tree.set(&format!("{dir}/tst"), keyed(wanted.flag("tst", 1), 1));
        let node = wanted.numbers.get("numa_node_id").copied().unwrap_or(-1);
        tree.set(&format!("{dir}/numa_node_id"), keyed(node, -1));
        if let Some(modes) = wanted.text.get("dif_mode") {
            let dif = wanted.numbers.get("dif_type").copied().unwrap_or(0);
            let tag = wanted.text.get("dif_static_app_tag").map_or("0x0", String::as_str);
            tree.attr(format!("{dir}/dif_mode"), 0o444, format!("{modes}\n[key]\n"));
            tree.attr(format!("{dir}/dif_type"), 0o444, keyed(dif, 0));
            tree.attr(format!("{dir}/dif_static_app_tag"), 0o644, keyed(tag, "0x0"));
        }
        self.exports.insert(name.to_owned(), 0);
    }

    /// Takes a device away with all that shows it, without asking, as the kernel does.
    fn remove_device(&mut self, handler: &str, name: &str) {
        if let Some(open) = self.open.get_mut() {
            open.retain(|_, device| device != name);
        }
        self.drop_luns_of(name);
        for group in self.tree.dirs("device_groups") {
            self.tree.remove(&format!("device_groups/{group}/devices/{name}"));
        }
        self.tree.remove(&format!("devices/{name}"));
        self.tree.remove(&format!("handlers/{handler}/{name}"));
        self.exports.remove(name);
    }
}
