//! Attributes of devices, and what writing them does.
use crate::attribute::{flag, keyed, line};
use crate::device::Kind;
use crate::environment::Found;
use crate::errno::{EBUSY, EINVAL, ENAMETOOLONG, ENOENT, EPERM, Outcome};
use crate::sim::State;
use crate::words::{lexeme, signed, strim, unsigned};

/// Greatest lengths of identifying texts; a text must be shorter, `usn` may be as long.
const TEXTS: [(&str, usize); 6] = [
    ("t10_dev_id", 25),
    ("t10_vend_id", 9),
    ("vend_specific_id", 33),
    ("prod_id", 17),
    ("prod_rev_lvl", 5),
    ("scsi_device_name", 257),
];

impl State {
    pub(crate) fn device_threads(&mut self, device: &str, threads: u64) -> Outcome {
        let dir = format!("devices/{device}");
        let default = self.kind(device).map_or(1, Kind::threads);
        self.tree.set(&format!("{dir}/threads_num"), keyed(threads, default));
        let pool = self.tree.value(&format!("{dir}/threads_pool_type")).to_owned();
        if threads == 0 {
            self.tree.set(&format!("{dir}/threads_pool_type"), "Async\n");
        } else if pool == "Async" {
            self.tree.set(&format!("{dir}/threads_pool_type"), "per_initiator\n");
        }
        Ok(())
    }

    fn kind(&self, device: &str) -> Option<Kind> {
        match self.tree.get(&format!("devices/{device}/handler")) {
            Some(crate::tree::Node::Link(target)) => Kind::of(target.rsplit('/').next()?),
            _ => None,
        }
    }

    pub(crate) fn device_attribute(&mut self, device: &str, name: &str, value: &str) -> Outcome {
        let path = format!("devices/{device}/{name}");
        let text = match name {
            _ if TEXTS.iter().any(|(n, _)| *n == name) => {
                let max = TEXTS.iter().find(|(n, _)| *n == name).map_or(0, |(_, m)| *m);
                let text = line(value);
                if text.len() >= max {
                    return Err(EINVAL);
                }
                if text.is_empty() && name == "scsi_device_name" {
                    "\n".to_owned()
                } else {
                    format!("{text}\n[key]\n")
                }
            }
            "usn" if line(value).len() > 20 => return Err(EINVAL),
            "inq_vend_specific" if line(value).len() > 112 => return Err(EINVAL),
            "usn" => format!("{}\n[key]\n", line(value)),
            "inq_vend_specific" if line(value).is_empty() => "\n".to_owned(),
            "inq_vend_specific" => format!("{}\n[key]\n", line(value)),
            "naa_id" => identifier(line(value), |digits| {
                // NAA 6 has 128 bits, the others 64.
                digits.len() == if digits.starts_with('6') { 32 } else { 16 }
            })?,
            "eui64_id" => identifier(line(value), |digits| matches!(digits.len(), 16 | 24 | 32))?,
            "threads_pool_type" => match strim(value) {
                "shared" | "per_initiator" if self.tree.value(&path) == "Async" => return Ok(()),
                kind @ ("shared" | "per_initiator") => keyed(kind, "per_initiator"),
                _ => return Err(EINVAL),
            },
            "block" => {
                let now =
                    self.tree.value(&path).split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
                let next = match lexeme(value).0 {
                    "0" => now.saturating_sub(1),
                    "1" | "11" => now.saturating_add(1),
                    _ => return Err(EINVAL),
                };
                format!("{next} 0\n")
            }
            "max_tgt_dev_commands" => {
                let n = u64::try_from(signed(strim(value))?).map_err(|_negative| EINVAL)?;
                keyed(n, 64)
            }
            "numa_node_id" => match signed(strim(value))? {
                n if n == -1 || self.env.numa_nodes.contains(&n) => keyed(n, -1),
                _ => return Err(EINVAL),
            },
            "active" => return self.set_active(device, flag(value)?),
            "cluster_mode" | "expl_alua" | "async" | "read_zero" => keyed(flag(value)?, 0),
            "bind_alua_state" => keyed(flag(value)?, self.kind(device).map_or(0, Kind::binds_alua)),
            "lb_per_pb_exp" => keyed(flag(value)?, 1),
            "opt_trans_len" => keyed(unsigned(strim(value))?, 524_288),
            "size" | "size_mb" => return self.resize(device, name, value),
            "filename" => return self.set_filename(device, line(value)),
            "pr_state" | "pr_file_name" => return self.set_pr(device, name, value),
            "resync_size" | "sync" | "dump_prs" => return Ok(()),
            _ => return self.plain(&path, value),
        };
        self.tree.set(&path, text);
        Ok(())
    }

    pub(crate) fn set_active(&mut self, device: &str, active: u64) -> Outcome {
        let outcome = self.activate(device, active);
        *self.open.get_mut() = None;
        outcome
    }

    fn activate(&mut self, device: &str, active: u64) -> Outcome {
        let dir = format!("devices/{device}");
        let filename = self.tree.value(&format!("{dir}/filename")).to_owned();
        if active == 1 && self.tree.value(&format!("{dir}/active")) == "0" {
            let (Found::File(size) | Found::Block(size)) = self.env.find(&filename) else {
                return Err(ENOENT);
            };
            if self.kind(device) == Some(Kind::Block) && self.is_open(&filename, device) {
                return Err(EBUSY);
            }
            if self.unexamined.remove(device) {
                self.tree.set(&format!("{dir}/size"), format!("{size}\n[key]\n"));
                self.tree.set(&format!("{dir}/size_mb"), format!("{}\n", size >> 20));
            }
        }
        self.tree.set(&format!("{dir}/active"), keyed(active, 1));
        Ok(())
    }

    fn resize(&mut self, device: &str, name: &str, value: &str) -> Outcome {
        let n = unsigned(strim(value))?;
        let size = if name == "size" { n } else { n.checked_mul(1 << 20).ok_or(EINVAL)? };
        let dir = format!("devices/{device}");
        let block = self.tree.value(&format!("{dir}/blocksize")).parse::<u64>().unwrap_or(512);
        if !size.is_multiple_of(block.max(1)) {
            return Err(EINVAL);
        }
        self.tree.set(&format!("{dir}/size"), format!("{size}\n[key]\n"));
        self.tree.set(&format!("{dir}/size_mb"), format!("{}\n", size >> 20));
        Ok(())
    }

    fn set_filename(&mut self, device: &str, value: &str) -> Outcome {
        *self.open.get_mut() = None;
        let dir = format!("devices/{device}");
        let cdrom = self.kind(device) == Some(Kind::Cdrom);
        if !cdrom && self.tree.value(&format!("{dir}/active")) != "0" {
            return Err(EINVAL);
        }
        if value.is_empty() && cdrom {
            self.tree.set(&format!("{dir}/filename"), "none\n\n");
            self.tree.set(&format!("{dir}/size"), "0\n[key]\n");
            self.tree.set(&format!("{dir}/size_mb"), "0\n");
            return Ok(());
        }
        if !value.starts_with('/') {
            return Err(EINVAL);
        }
        if cdrom {
            let size = match self.env.find(value) {
                Found::File(size) | Found::Block(size) => size,
                Found::TooLong => return Err(ENAMETOOLONG),
                Found::Missing => return Err(ENOENT),
                Found::Dir | Found::Other => return Err(EINVAL),
            };
            self.tree.set(&format!("{dir}/size"), format!("{size}\n[key]\n"));
            self.tree.set(&format!("{dir}/size_mb"), format!("{}\n", size >> 20));
        }
        self.tree.set(&format!("{dir}/filename"), format!("{value}\n[key]\n\n"));
        Ok(())
    }

    fn set_pr(&mut self, device: &str, name: &str, value: &str) -> Outcome {
        let dir = format!("devices/{device}");
        if name == "pr_file_name" && self.tree.value(&format!("{dir}/cluster_mode")) == "1" {
            return Err(EPERM);
        }
        // Any session that sees the device counts, copy_manager's too.
        if self.has_sessions(device) {
            return Err(EBUSY);
        }
        if name == "pr_state" {
            if !value.starts_with("version ") {
                return Err(EINVAL);
            }
            self.tree.set(&format!("{dir}/pr_state"), format!("{}\n", value.trim_end_matches('\n')));
            return Ok(());
        }
        let path = line(value);
        if !path.starts_with('/') {
            return Err(EINVAL);
        }
        self.tree.set(&format!("{dir}/pr_file_name"), keyed(path, format!("/var/lib/scst/pr/{device}")));
        Ok(())
    }
}

/// `0x…` of hex digits with or without `0x`, empty clears.
fn identifier(value: &str, fits: impl Fn(&str) -> bool) -> Result<String, i32> {
    let digits = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")).unwrap_or(value);
    if digits.is_empty() {
        return Ok("\n".to_owned());
    }
    if !fits(digits) || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(EINVAL);
    }
    Ok(format!("0x{}\n[key]\n", digits.to_ascii_lowercase()))
}
