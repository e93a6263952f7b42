//! `tools`.
use esos_bootimg::disk::fat::{Fat, ReadFatError};
use esos_bootimg::disk::{Reading, Region};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_fetch::Sha256;
use esos_hostfs::{Files, HostFiles};
use esos_layout::{part, run};
use serde_json::json;

use crate::medium::How;
use crate::stick::Meant;

/// `tools`: from the boot partition of the stick to `/opt/sbin`, without mounting anything.
pub(crate) fn run(image: Option<&std::path::Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let meant = Meant::open(image, How::Read, ui.root())?;
    let stick = meant.stick()?;
    let (start, len) = match stick.table().find(part::BOOT) {
        Some((_, partition)) => stick.table().extent(partition),
        None => return Err(Failure::new(Exit::Invalid, format!("there is no partition {}", part::BOOT))),
    };
    let mut fat = Fat::open(Region::new(Reading::new(&meant.medium), start, len)).or_exit(Exit::Invalid)?;
    let list = match fat.read(part::TOOL_SUMS) {
        Ok(list) => String::from_utf8_lossy(&list).into_owned(),
        Err(ReadFatError::NotFound { .. }) => String::new(),
        Err(error) => return Err(Failure::from(error).with_exit(Exit::Invalid)),
    };
    let files = HostFiles::new(ui.root());
    files.make_dir(run::OPT_SBIN)?;
    let (mut put, mut bad) = (Vec::new(), Vec::new());
    for (sum, name) in list.lines().filter_map(|l| l.split_once("  ")) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
            bad.push(format!("`{name}` is no name of a tool"));
            continue;
        }
        match fat.read(&format!("{}/{name}", part::TOOL_DIR)) {
            Ok(bytes) if Sha256::of(&bytes).to_string() == sum => {
                files.replace(&format!("{}/{name}", run::OPT_SBIN), &bytes, 0o755)?;
                put.push(name.to_owned());
            }
            Ok(_) => bad.push(format!("{name} is damaged on the stick")),
            Err(error) => bad.push(error.to_string()),
        }
    }
    bad.iter().for_each(|text| ui.warn(text.clone()));
    let data = json!({ "directory": run::OPT_SBIN, "tools": put, "problems": bad });
    ui.emit("esos.image.tools/1", &data, |human| {
        for name in &put {
            human.line(format!("{}/{name}", run::OPT_SBIN));
        }
    })?;
    Ok(if bad.is_empty() { Exit::Done } else { Exit::Invalid })
}
