//! Finding the medium: which disks could be it, and which of them it is.
use crate::{Cmdline, Fat, Gpt, GptError, GptPartition, PartitionReport, ReadAt, StickReport, Window, World};
use esos_layout::{Slot, part, state};
use esos_sysfs::AttrTree;

/// A disk that carries our labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The kernel's name, `sdb`.
    pub name: String,
    /// Its place below `/sys`; stable as long as nobody replugs.
    pub path: String,
    /// Its table.
    pub gpt: Gpt,
    /// What the identity sector says: an identity, `None` for `unset`, or why it cannot be read.
    pub identity: Result<Option<String>, String>,
    /// On USB.
    pub usb: bool,
}

/// Which of the candidates it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<'a> {
    /// This one, by that rule.
    Take(&'a Candidate, String),
    /// None yet.
    Wait,
    /// None of these, for that reason.
    Refuse(String),
}

/// Chooses. With an identity from GRUB only the medium that carries it will do, and it is taken at
/// once. Without one, time must show that no further medium comes (`settled`); then a medium without
/// an identity goes before one with, USB before others, and at last the place in sysfs decides: the same
/// plugs give the same choice. `last` says that the deadline is over.
#[must_use]
pub fn choose<'a>(
    candidates: &'a [Candidate],
    wanted: Option<&str>,
    settled: bool,
    last: bool,
) -> Choice<'a> {
    let Some(wanted) = wanted else {
        return match candidates {
            [] => Choice::Wait,
            _ if !settled && !last => Choice::Wait,
            [only] => Choice::Take(only, "the only medium with ESOS's labels".into()),
            _ => {
                let by = "by place, since GRUB knew no identity and several media carry ESOS's labels";
                first_by_rule(candidates.iter()).map_or(Choice::Wait, |c| Choice::Take(c, by.into()))
            }
        };
    };
    let same: Vec<_> =
        candidates.iter().filter(|c| matches!(&c.identity, Ok(Some(i)) if i == wanted)).collect();
    match (same.as_slice(), candidates) {
        ([one], _) => Choice::Take(one, "by the identity that GRUB passed on".into()),
        ([_, ..], _) => {
            let by = "by place, since several media carry the very identity that GRUB passed on (copies of one stick?)";
            first_by_rule(same.iter().copied()).map_or(Choice::Wait, |c| Choice::Take(c, by.into()))
        }
        ([], _) if !last => Choice::Wait,
        ([], [only @ Candidate { identity: Err(problem), .. }]) => {
            let by =
                format!("the only medium with ESOS's labels, though its identity cannot be read ({problem})");
            Choice::Take(only, by)
        }
        ([], []) => Choice::Wait,
        ([], others) => {
            let named: Vec<_> =
                others.iter().map(|c| format!("{} ({})", c.name, c.describe_identity())).collect();
            Choice::Refuse(format!(
                "GRUB came from the stick {wanted}, and only other sticks with ESOS's labels are here: {}",
                named.join(", ")
            ))
        }
    }
}

fn first_by_rule<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Option<&'a Candidate> {
    candidates.min_by_key(|c| (matches!(c.identity, Ok(Some(_))), !c.usb, c.path.clone()))
}

impl Candidate {
    /// The identity in words.
    #[must_use]
    pub fn describe_identity(&self) -> String {
        match &self.identity {
            Ok(Some(identity)) => identity.clone(),
            Ok(None) => "no identity yet".into(),
            Err(problem) => format!("identity not readable: {problem}"),
        }
    }

    /// The report on it.
    #[must_use]
    pub fn report(&self, sys: &dyn AttrTree, chosen_by: &str, all: &[Self]) -> StickReport {
        let node = |p: &GptPartition| partition_node(sys, &self.name, p.number);
        let partitions = self.gpt.partitions.iter().filter_map(|p| {
            let report = PartitionReport { device: node(p)?, guid: p.guid.clone(), size_bytes: p.length };
            Some((p.name.clone(), report))
        });
        let attr = |name: &str| attribute(sys, &format!("block/{}/{name}", self.name));
        let model =
            [attr("device/vendor"), attr("device/model")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let twins = all.iter().filter(|c| c.name != self.name);
        StickReport {
            identity: self.identity.clone().ok().flatten(),
            device: format!("/dev/{}", self.name),
            path: self.path.clone(),
            model: Some(model).filter(|m| !m.is_empty()),
            serial: attr("device/serial").or_else(|| ancestor_serial(sys, &self.path)),
            size_bytes: sectors(sys, &self.name).saturating_mul(512),
            disk_guid: Some(self.gpt.disk_guid.clone()),
            partitions: partitions.collect(),
            chosen_by: chosen_by.to_owned(),
            twins: twins.map(|c| format!("/dev/{} ({})", c.name, c.describe_identity())).collect(),
        }
    }
}

fn attribute(sys: &dyn AttrTree, path: &str) -> Option<String> {
    sys.read(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The serial number of the USB device that a disk hangs on.
fn ancestor_serial(sys: &dyn AttrTree, path: &str) -> Option<String> {
    let above = path.match_indices('/').rev().filter_map(|(at, _)| path.get(..at));
    // The root hub at the end of the search has the controller's address as its serial.
    above.take_while(|dir| dir.contains("/usb")).find_map(|dir| attribute(sys, &format!("{dir}/serial")))
}

fn sectors(sys: &dyn AttrTree, name: &str) -> u64 {
    attribute(sys, &format!("block/{name}/size")).and_then(|s| s.parse().ok()).unwrap_or(0)
}

/// The node of a disk's partition, as the kernel shows it.
#[must_use]
pub fn partition_node(sys: &dyn AttrTree, disk: &str, number: u32) -> Option<String> {
    let inside = sys.list(&format!("block/{disk}")).ok()?;
    let wanted = number.to_string();
    let is_it =
        |name: &str| attribute(sys, &format!("block/{disk}/{name}/partition")) == Some(wanted.clone());
    inside.iter().find(|e| e.name.starts_with(disk) && is_it(&e.name)).map(|e| format!("/dev/{}", e.name))
}

/// Disks that are never a medium.
fn is_virtual(name: &str) -> bool {
    ["loop", "ram", "zram", "dm-", "fd", "sr", "nbd"].iter().any(|prefix| name.starts_with(prefix))
}

/// Names of the disks that may hold a partition table, each with the kernel's running number for it, so
/// that a medium that was changed counts as another.
#[must_use]
pub fn disks(sys: &dyn AttrTree) -> Vec<(String, String)> {
    let all = sys.list("block").unwrap_or_default().into_iter().map(|e| e.name);
    let real = all.filter(|name| !is_virtual(name) && sectors(sys, name) > 0);
    real.map(|name| (attribute(sys, &format!("block/{name}/diskseq")).unwrap_or_default(), name))
        .map(|(sequence, name)| (name, sequence))
        .collect()
}

/// What a look at a disk gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It carries our labels.
    Ours(Box<Candidate>),
    /// It does not.
    Foreign,
    /// It cannot be said yet: its node or its partitions are still being made, or it does not answer.
    Unready(String),
}

/// Looks at one disk.
#[must_use]
pub fn look(world: World<'_>, name: &str, slot: Option<Slot>) -> Sight {
    let block = attribute(world.sys, &format!("block/{name}/queue/logical_block_size"));
    let block = block.and_then(|b| b.parse().ok()).unwrap_or(512);
    let disk = match world.devices.open(&format!("/dev/{name}")) {
        Ok(disk) => disk,
        Err(e) => return Sight::Unready(e.to_string()),
    };
    let disk: &dyn ReadAt = &*disk;
    let gpt = match Gpt::read(disk, block) {
        Ok(gpt) => gpt,
        Err(GptError::None) => return Sight::Foreign,
        Err(e @ GptError::Read(_)) => return Sight::Unready(e.to_string()),
        Err(e) => {
            world.console.detail(&format!("{name}: {e}"));
            return Sight::Foreign;
        }
    };
    let wanted = slot.map_or_else(|| Slot::ALL.to_vec(), |slot| vec![slot]);
    let slots: Vec<_> = wanted.iter().filter_map(|slot| gpt.named(slot.partition())).collect();
    let Some(boot) = gpt.named(part::BOOT).filter(|_| !slots.is_empty()).cloned() else {
        return Sight::Foreign;
    };
    // The kernel shows a disk before it has made nodes for its partitions.
    for part in slots {
        let node = partition_node(world.sys, name, part.number);
        if node.is_none_or(|node| world.devices.open(&node).is_err()) {
            return Sight::Unready(format!("no node for partition {} yet", part.number));
        }
    }
    let window = Window::new(disk, boot.start, boot.length);
    let identity = identity(&window).map(|i| Some(i).filter(|i| i != state::STICK_UNSET));
    let path = world.sys.read_link(&format!("block/{name}")).unwrap_or_default();
    let path = path.trim_start_matches("../").to_owned();
    let usb = path.contains("/usb");
    Sight::Ours(Box::new(Candidate { name: name.to_owned(), path, gpt, identity, usb }))
}

fn identity(boot: &dyn ReadAt) -> Result<String, String> {
    let file = Fat::open(boot).and_then(|fat| fat.find(part::STICK_FILE)).map_err(|e| e.to_string())?;
    let mut sector = [0; state::SECTOR];
    boot.read_at(file.offset, &mut sector).map_err(|e| e.to_string())?;
    state::decode_stick(&sector).map_err(|e| e.to_string())
}

/// The identity that decides; see [`choose`].
#[must_use]
pub(crate) fn wanted(line: &Cmdline) -> Option<&str> {
    line.stick.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(name: &str, identity: Result<Option<&str>, &str>, usb: bool, path: &str) -> Candidate {
        Candidate {
            name: name.into(),
            path: path.into(),
            gpt: Gpt { disk_guid: String::new(), partitions: Vec::new(), from_backup: false },
            identity: identity.map(|i| i.map(str::to_owned)).map_err(str::to_owned),
            usb,
        }
    }

    fn taken<'a>(choice: &'a Choice<'a>) -> &'a str {
        match choice {
            Choice::Take(c, _) => &c.name,
            Choice::Wait => "wait",
            Choice::Refuse(_) => "refuse",
        }
    }

    #[test]
    fn the_identity_wins_at_once_and_nothing_else_will_do() {
        let both = [candidate("sda", Ok(Some("aa")), true, "1"), candidate("sdb", Ok(Some("bb")), true, "2")];
        assert_eq!(taken(&choose(&both, Some("bb"), false, false)), "sdb");
        assert_eq!(taken(&choose(&both[..1], Some("bb"), true, false)), "wait");
        let last = choose(&both[..1], Some("bb"), true, true);
        assert!(matches!(&last, Choice::Refuse(why) if why.contains("sda (aa)")), "{last:?}");
        // Not even a stick without an identity: it is not the one GRUB read.
        let fresh = [candidate("sda", Ok(None), true, "1")];
        assert_eq!(taken(&choose(&fresh, Some("bb"), true, true)), "refuse");
        let torn = [candidate("sda", Err("torn"), true, "1")];
        assert_eq!(taken(&choose(&torn, Some("bb"), true, false)), "wait");
        assert_eq!(taken(&choose(&torn, Some("bb"), true, true)), "sda");
    }

    #[test]
    fn without_identity_time_and_place_decide() {
        let all = [
            candidate("sda", Ok(None), false, "devices/ata1"),
            candidate("sdb", Ok(Some("bb")), true, "devices/a/usb1"),
            candidate("sdc", Ok(None), true, "devices/c/usb2"),
            candidate("sdd", Ok(None), true, "devices/b/usb1"),
        ];
        assert_eq!(taken(&choose(&all, None, false, false)), "wait");
        assert_eq!(taken(&choose(&all, None, true, false)), "sdd");
        assert_eq!(taken(&choose(&all[..2], None, true, false)), "sda");
        assert_eq!(taken(&choose(&all[1..2], None, true, false)), "sdb");
        assert_eq!(taken(&choose(&[], None, true, true)), "wait");
        let copies =
            [candidate("sda", Ok(Some("aa")), true, "2"), candidate("sdb", Ok(Some("aa")), true, "1")];
        let choice = choose(&copies, Some("aa"), false, false);
        assert!(matches!(&choice, Choice::Take(c, why) if c.name == "sdb" && why.contains("copies")));
    }

    proptest! {
        #[test]
        fn the_order_of_discovery_does_not_matter(order in Just(vec![0usize, 1, 2, 3]).prop_shuffle(), wanted in prop_oneof![Just(None), Just(Some("bb")), Just(Some("zz"))]) {
            let all = [
                candidate("a", Ok(None), false, "4"), candidate("b", Ok(Some("bb")), true, "3"),
                candidate("c", Ok(Some("bb")), true, "2"), candidate("d", Ok(None), true, "1"),
            ];
            let shuffled: Vec<_> = order.iter().map(|i| all[*i].clone()).collect();
            let (first, second) = (choose(&all, wanted, true, true), choose(&shuffled, wanted, true, true));
            prop_assert_eq!(taken(&first), taken(&second));
        }
    }
}
