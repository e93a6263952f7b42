//! `import`: other configurations as scst.conf.
use crate::args::Source;
use crate::{files, keep, verbs};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_scst::import::{Imported, scst, targetcli};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Done {
    devices: usize,
    targets: usize,
    left_out: Vec<String>,
    /// The file, CHAP secrets as `***`; with `--out` it is whole there.
    text: String,
}

pub(crate) fn verb(
    ui: &mut Ui,
    file: Option<&Path>,
    from: Source,
    out: Option<&Path>,
) -> Result<Exit, Failure> {
    let needed = || file.ok_or_else(|| Failure::new(Exit::Usage, "which file? give its path"));
    let imported = match from {
        Source::Live => Imported { config: verbs::live(ui, None)?.to_config(), left: Vec::new() },
        Source::ScstConf | Source::TrueNas => scst(files::wanted(ui, needed()?, false)?.1),
        Source::Targetcli => {
            let path = needed()?;
            let text = std::fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
            targetcli(&text)
                .or_exit(Exit::Invalid)
                .context(format!("{} cannot be imported", path.display()))?
        }
    };
    let Imported { config, left } = imported;
    for what in &left {
        ui.warn(what.as_str());
    }
    let text = config.to_conf().or_exit(Exit::Refused)?;
    if let Some(out) = out {
        keep::replace(out, text.as_bytes(), 0o600)?;
    }
    if out.is_none() && !ui.json() {
        ui.raw(text.as_bytes())?;
        return Ok(Exit::Done);
    }
    let done = Done {
        devices: config.handlers.values().map(|h| h.devices.len()).sum(),
        targets: config.drivers.values().map(|d| d.targets.len()).sum(),
        left_out: left,
        text: verbs::masked(&config),
    };
    ui.emit("esos.scst.import/1", &done, |human| {
        human.line(format!("{} devices, {} targets", done.devices, done.targets));
    })?;
    Ok(Exit::Done)
}
