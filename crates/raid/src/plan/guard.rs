//! What forbids a change: drives that are not free, arrays that are in use, data that would be lost.
use super::{PlanError, Surroundings, resolve};
use crate::{Array, ArrayState, Change, Drive, DriveState, Facts, Level, Place, Tool};
use crate::{device_of, device_of_drive, unmatched};
use esos_blockdev::{Format, Inventory, Reason, Use};
use serde_json::Value;

/// What is looked at.
pub(super) struct Look<'a> {
    pub(super) place: &'a Place,
    pub(super) facts: &'a Facts,
    pub(super) around: &'a Surroundings,
}

/// What the person should know.
#[derive(Default)]
pub(super) struct Told {
    pub(super) destroys: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Look<'_> {
    pub(super) fn is_md(&self) -> bool {
        matches!(self.place.tool, Tool::Mdadm | Tool::Mdstat)
    }

    /// The controller as facts name it.
    pub(super) fn controller(&self) -> Option<&str> {
        let id = self.place.controller.as_str();
        // Areca's tables name no controller.
        let named = self
            .facts
            .arrays
            .iter()
            .map(|a| &a.controller)
            .chain(self.facts.drives.iter().map(|d| &d.controller));
        let any = named.flatten().next().is_some();
        (any && !id.is_empty()).then_some(id)
    }

    pub(super) fn array(&self, id: &str) -> Result<&Array, PlanError> {
        let found =
            self.facts.arrays.iter().find(|a| a.id == id && a.controller.as_deref() == self.controller());
        found.ok_or_else(|| PlanError::Nothing { what: "array", id: self.within(id) })
    }

    pub(super) fn drive(&self, key: &str) -> Result<&Drive, PlanError> {
        let found =
            self.facts.drives.iter().find(|d| d.key == key && d.controller.as_deref() == self.controller());
        found.ok_or_else(|| PlanError::Nothing { what: "drive", id: self.within(key) })
    }

    fn within(&self, id: &str) -> String {
        let controller = &self.place.controller;
        if controller.is_empty() { id.to_owned() } else { format!("{controller}/{id}") }
    }

    fn inventory(&self) -> Option<&Inventory> {
        self.around.inventory.as_ref()
    }

    /// A drive's size in bytes.
    pub(super) fn drive_bytes(&self, key: &str) -> Option<u64> {
        if self.is_md() {
            return self.inventory()?.get(key).map(|d| d.size.get());
        }
        let size = self.drive(key).ok()?.size.as_ref()?;
        Some(size.bytes_exact.unwrap_or(size.bytes))
    }

    pub(super) fn check(&self, change: &Change, told: &mut Told) -> Result<(), PlanError> {
        match change {
            Change::Create(new) => {
                // What cannot become an array at all is told before what its drives are.
                crate::commands(self.place, &resolve::for_tool(self, change))?;
                new.drives.iter().try_for_each(|key| self.free(key, told))
            }
            Change::Delete { array, members, .. } => self.delete(array, members, told),
            Change::AddSpare { drive, of } => {
                self.target(of.as_deref())?;
                self.free(drive, told)
            }
            Change::RemoveSpare { drive, .. } if self.is_md() => self.md_member(drive).map(|_array| ()),
            Change::RemoveSpare { drive, .. } => match self.drive(drive)?.state {
                Some(DriveState::Spare) => Ok(()),
                _ => Err(self.not_free(drive, "it is no hot spare")),
            },
            Change::Reshape { array, from, level, added, .. } => {
                if added.is_empty() && from == level {
                    return Err(PlanError::NotReady {
                        array: self.within(array),
                        why: "it has that level already, and no drive is added".to_owned(),
                    });
                }
                self.ready(self.array(array)?)?;
                added.iter().try_for_each(|key| self.free(key, told))
            }
            Change::Grow { array, .. } => self.ready(self.array(array)?),
            Change::Cache { array, .. } | Change::Rename { array, .. } | Change::Check { array } => {
                self.array(array).map(|_array| ())
            }
            Change::Fail { drive, .. } => self.fail(drive, told),
            Change::Detach { drive, .. } => self.detach(drive),
            Change::Free { drive } => self.make_free(drive, told),
            Change::Swap { array, old, new } => {
                let array = self.array(array)?;
                if !resolve::members(self, array).contains(old) {
                    return Err(PlanError::Nothing { what: "member", id: self.within(old) });
                }
                self.free(new, told)
            }
            Change::Rebuild { drive, array } if self.is_md() => {
                self.target(array.as_deref())?;
                self.free(drive, told)
            }
            Change::Rebuild { drive, .. } => match &self.drive(drive)?.state {
                Some(DriveState::Online | DriveState::Spare) => {
                    Err(self.not_free(drive, "it works: there is nothing to rebuild"))
                }
                _ => {
                    told.destroys.push(format!("everything on drive {}", self.within(drive)));
                    Ok(())
                }
            },
            Change::Locate { drive, .. } if !self.is_md() => self.drive(drive).map(|_drive| ()),
            Change::ForeignClear => {
                told.destroys.push("the arrays that foreign drives describe".to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The md array that a spare is for; other tools look themselves.
    fn target(&self, of: Option<&str>) -> Result<(), PlanError> {
        match of {
            Some(of) if self.is_md() => self.array(of).map(|_array| ()),
            _ => Ok(()),
        }
    }

    fn not_free(&self, key: &str, why: impl Into<String>) -> PlanError {
        PlanError::NotFree { drive: self.within(key), why: why.into() }
    }

    /// That a drive may be taken. What lies on it is lost.
    fn free(&self, key: &str, told: &mut Told) -> Result<(), PlanError> {
        if self.is_md() {
            return self.free_device(key, told);
        }
        let drive = self.drive(key)?;
        let word = drive.state_raw.clone().unwrap_or_default();
        if drive.foreign == Some(true) {
            return Err(self.not_free(key, "it carries a foreign configuration; import or clear that first"));
        }
        if let Some(array) = resolve::array_of_drive(self.place.tool, self.controller(), key, self.facts)
            && array.level != Some(Level::Spare)
        {
            return Err(self.not_free(key, format!("it is part of array {}", self.within(&array.id))));
        }
        if let Some(inventory) = self.inventory()
            && let Some((device, _)) = device_of_drive(self.place.tool, drive, inventory)
        {
            self.unused(&format!("drive {}", self.within(key)), std::slice::from_ref(&device.name), told)?;
        }
        match drive.state {
            Some(DriveState::Ready | DriveState::Erased) => {
                told.destroys.push(format!("everything on drive {}", self.within(key)));
                Ok(())
            }
            Some(DriveState::Jbod | DriveState::Raw) => {
                Err(self.not_free(key, format!("it is passed through to the host (`{word}`)")))
            }
            _ => Err(self.not_free(key, format!("it is `{word}`"))),
        }
    }

    fn free_device(&self, name: &str, told: &mut Told) -> Result<(), PlanError> {
        let nothing = || PlanError::Nothing { what: "block device", id: name.to_owned() };
        let device = self.inventory().and_then(|i| i.get(name)).ok_or_else(nothing)?;
        self.unused(name, std::slice::from_ref(&device.name), told)?;
        if device.read_only {
            return Err(self.not_free(name, "it cannot be written to"));
        }
        if device.size.get() == 0 {
            return Err(self.not_free(name, "it has no medium"));
        }
        told.destroys.push(format!("everything on {}", device.describe()));
        Ok(())
    }

    /// That nothing uses these devices, and what lies on them.
    fn unused(&self, what: &str, names: &[String], told: &mut Told) -> Result<(), PlanError> {
        let Some(inventory) = self.inventory() else { return Ok(()) };
        let (mut reasons, mut remedies) = (Vec::new(), Vec::new());
        for name in names {
            for found in inventory.uses(name, &self.around.claims).unwrap_or_default() {
                reasons.push(self.says(&found));
                remedies.extend(found.remedy());
            }
            let mut scope = vec![name.clone()];
            scope.extend(inventory.above(name).into_iter().map(|d| d.name.clone()));
            for (device, signatures) in scope.iter().filter_map(|d| Some((d, self.around.contents.get(d)?))) {
                for signature in signatures {
                    let label = &signature.label;
                    let label = if label.is_empty() { String::new() } else { format!(" `{label}`") };
                    match signature.format {
                        Format::Lvm2Pv => reasons.push(format!("{device} is a physical volume of LVM")),
                        Format::MdMember => {
                            reasons.push(format!("{device} carries the superblock of an md array{label}"));
                            remedies.push(format!("esos raid drive free {device}"));
                        }
                        Format::Drbd => reasons.push(format!("{device} carries DRBD's meta data")),
                        _ => told.destroys.push(format!("{} on {device}{label}", signature.format)),
                    }
                }
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        reasons.dedup();
        remedies.dedup();
        Err(PlanError::InUse { what: what.to_owned(), reasons, remedies })
    }

    /// A use, and what it serves: `..., which is LUN 3 of iscsi target iqn...`.
    fn says(&self, found: &Use) -> String {
        let Reason::Exported { device, .. } = &found.reason else { return found.to_string() };
        let export = self.around.claims.exports.iter().find(|e| e.device == *device);
        let luns: Vec<String> = export.into_iter().flat_map(|e| &e.luns).map(ToString::to_string).collect();
        if luns.is_empty() {
            return found.to_string();
        }
        format!("{found}: this would destroy what {} serves", luns.join(" and "))
    }

    fn delete(&self, id: &str, members: &[String], told: &mut Told) -> Result<(), PlanError> {
        let array = self.array(id)?;
        let label = format!("array {}", self.within(id));
        if let Some(inventory) = self.inventory() {
            match device_of(self.place.tool, array, self.facts, inventory) {
                Some((device, _)) => self.unused(&label, std::slice::from_ref(&device.name), told)?,
                // It may be any of these; one that is in use forbids it.
                None => {
                    let any = unmatched(self.place.tool, self.facts, inventory);
                    let names: Vec<String> = any.iter().map(|d| d.name.clone()).collect();
                    let one_of = format!("{label} may be one of {}, and that", names.join(", "));
                    self.unused(&one_of, &names, told)?;
                    told.notes.push(if names.is_empty() {
                        format!("{label} is no block device of this machine now")
                    } else {
                        format!(
                            "which block device {label} is cannot be told; {} are not in use",
                            names.join(", ")
                        )
                    });
                }
            }
        }
        let name =
            array.name.as_deref().filter(|n| !n.is_empty()).map(|n| format!(" `{n}`")).unwrap_or_default();
        let size = array.size.as_ref().map(|s| format!(", {}", s.text)).unwrap_or_default();
        told.destroys.push(format!("everything on {label}{name}{size}"));
        if !members.is_empty() {
            told.notes.push(format!(
                "the superblocks of {} are cleared: it does not come back",
                members.join(", ")
            ));
        }
        Ok(())
    }

    fn md_member(&self, drive: &str) -> Result<&Array, PlanError> {
        let found = resolve::array_of_drive(self.place.tool, None, drive, self.facts);
        found.ok_or_else(|| PlanError::Nothing { what: "member", id: drive.to_owned() })
    }

    /// That an array is whole and does nothing else.
    fn ready(&self, array: &Array) -> Result<(), PlanError> {
        let not = |why: String| Err(PlanError::NotReady { array: self.within(&array.id), why });
        if let Some(op) = &array.op {
            let kind = op.kind.as_ref().map_or("task", crate::TaskKind::as_str);
            return not(format!("a {kind} is going on"));
        }
        match &array.state {
            Some(ArrayState::Optimal) | None => Ok(()),
            Some(_) => not(format!("it is {}", array.state_raw.as_deref().unwrap_or("not well"))),
        }
    }

    /// Whether an array bears the loss of one more drive.
    fn fail(&self, drive: &str, told: &mut Told) -> Result<(), PlanError> {
        let array = if self.is_md() {
            self.md_member(drive)?
        } else {
            self.drive(drive)?;
            let found = resolve::array_of_drive(self.place.tool, self.controller(), drive, self.facts);
            found.ok_or_else(|| self.not_free(drive, "no array is known to which it belongs"))?
        };
        let loses = |why: String| Err(PlanError::LosesData { array: self.within(&array.id), why });
        let level = array.level.clone().unwrap_or(Level::Other(String::new()));
        let members = array.member_count.or_else(|| count(array, "raid_disks"));
        let members =
            members.unwrap_or_else(|| u64::try_from(resolve::members(self, array).len()).unwrap_or(0));
        let bears = level.tolerates(members);
        let role = array.members.iter().flatten().find(|m| m.key.as_deref() == Some(drive));
        let spare = role.and_then(|m| m.details.get("role")).is_some_and(|r| r == "spare");
        if spare {
            return Ok(());
        }
        if bears == 0 {
            return loses(format!("{} bears no loss of a drive", level.as_str().to_uppercase()));
        }
        let missing = count(array, "degraded_count").or(match &array.state {
            Some(ArrayState::Optimal | ArrayState::Verifying | ArrayState::Initializing) => Some(0),
            Some(ArrayState::PartiallyDegraded) => Some(1),
            _ => None,
        });
        let Some(missing) = missing else {
            return loses(format!("it is {}", array.state_raw.as_deref().unwrap_or("not well")));
        };
        if missing >= bears {
            return loses(format!("{missing} of its drives are missing already"));
        }
        told.destroys.push(format!(
            "redundancy of array {}, until the drive is replaced and rebuilt",
            self.within(&array.id)
        ));
        Ok(())
    }

    /// Only what does not work for an array any more may be pulled.
    fn detach(&self, drive: &str) -> Result<(), PlanError> {
        if self.is_md() {
            let array = self.md_member(drive)?;
            let member = array.members.iter().flatten().find(|m| m.key.as_deref() == Some(drive));
            let role = member.and_then(|m| m.details.get("role")).and_then(Value::as_str).unwrap_or_default();
            let flags =
                member.and_then(|m| m.details.get("flags")).map(ToString::to_string).unwrap_or_default();
            let idle =
                matches!(role, "faulty" | "spare") || flags.contains("\"F\"") || flags.contains("\"S\"");
            return if idle {
                Ok(())
            } else {
                Err(self.not_free(drive, "it is a working member; fail it first"))
            };
        }
        match self.drive(drive)?.state {
            Some(DriveState::Online | DriveState::Rebuilding | DriveState::Copyback) => {
                Err(self.not_free(drive, "it is a working member; fail it first"))
            }
            _ => Ok(()),
        }
    }

    fn make_free(&self, drive: &str, told: &mut Told) -> Result<(), PlanError> {
        if self.is_md() {
            let Some(inventory) = self.inventory() else { return Ok(()) };
            let device = inventory
                .get(drive)
                .ok_or_else(|| PlanError::Nothing { what: "block device", id: drive.to_owned() })?;
            let uses = inventory.uses(&device.name, &self.around.claims).unwrap_or_default();
            if !uses.is_empty() {
                return Err(PlanError::InUse {
                    what: drive.to_owned(),
                    reasons: uses.iter().map(|u| self.says(u)).collect(),
                    remedies: uses.iter().filter_map(Use::remedy).collect(),
                });
            }
            told.destroys.push(format!("the md superblock of {}", device.describe()));
            return Ok(());
        }
        match self.drive(drive)?.state {
            Some(DriveState::Online | DriveState::Rebuilding | DriveState::Copyback | DriveState::Spare) => {
                Err(self.not_free(drive, "it works for an array"))
            }
            _ => {
                told.destroys.push(format!("what drive {} says about an array", self.within(drive)));
                Ok(())
            }
        }
    }
}

fn count(array: &Array, name: &str) -> Option<u64> {
    array.details.get(name).and_then(Value::as_u64)
}
