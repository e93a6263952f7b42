//! `esos-raid tools`: which controllers there are, and which vendor's tool is missing for them.
use crate::machine::program;
use esos_cli::{Exit, Failure, Ui};
use esos_raid::Tool;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What is known about controllers: PCI vendor, device (`None` is all others of that vendor), what it
/// is, the tools that manage it (the best one first), who publishes them.
struct Known {
    vendor: u16,
    devices: &'static [u16],
    name: &'static str,
    tools: &'static [Tool],
    publisher: &'static str,
}

const BROADCOM: &str = "Broadcom (docs and downloads: MegaRAID), or Dell as perccli for PERC";
const MEGARAID: &[Tool] = &[Tool::Storcli, Tool::Perccli, Tool::Megacli];

/// From pci.ids and the kernel's drivers (megaraid_sas.h, mpt3sas, mptsas, aacraid, smartpqi, hpsa,
/// arcmsr, 3w-9xxx, 3w-sas).
const KNOWN: &[Known] = &[
    Known {
        vendor: 0x1000,
        devices: &[0x00a5],
        name: "MegaRAID 96xx (SAS4116)",
        tools: &[Tool::Storcli2],
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1000,
        devices: &[0x0411, 0x0413, 0x0060, 0x007c],
        name: "MegaRAID SAS 1064 or 1078",
        tools: &[Tool::Megacli],
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1000,
        devices: &[0x0071, 0x0073, 0x0078, 0x0079],
        name: "MegaRAID SAS 2008 or 2108",
        tools: &[Tool::Storcli, Tool::Perccli, Tool::Megacli],
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1000,
        devices: &[0x005b],
        name: "MegaRAID SAS 2208",
        tools: MEGARAID,
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1000,
        devices: &[0x005d, 0x005f],
        name: "MegaRAID SAS-3 3008 or 3108",
        tools: MEGARAID,
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1000,
        devices: &[0x0014, 0x0015, 0x0016, 0x0017, 0x001b, 0x001c, 0x10e1, 0x10e2, 0x10e5, 0x10e6],
        name: "MegaRAID Tri-Mode 34xx to 39xx",
        tools: &[Tool::Storcli, Tool::Perccli],
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1000,
        devices: &[0x0050, 0x0054, 0x0056, 0x0058, 0x005a, 0x005e, 0x0059, 0x0062, 0x0030, 0x0032],
        name: "LSI Fusion-MPT (SAS1064, SAS1068, SAS1078, 53C1030)",
        tools: &[],
        publisher: "Broadcom, as lsiutil, which ESOS cannot drive",
    },
    Known {
        vendor: 0x1000,
        devices: &[0x0064, 0x0065, 0x006e, 0x0070, 0x0072, 0x0074, 0x0076, 0x0077, 0x0080, 0x0087],
        name: "LSI SAS-2 host bus adapter",
        tools: &[],
        publisher: "Broadcom, as sas2ircu, which ESOS cannot drive; it needs none to show its drives",
    },
    Known {
        vendor: 0x1000,
        devices: &[0x0090, 0x0094, 0x0096, 0x0097, 0x00ab, 0x00ac, 0x00ad, 0x00af, 0x00c0, 0x00c4, 0x00c9],
        name: "LSI SAS-3 host bus adapter",
        tools: &[Tool::Storcli],
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1000,
        devices: &[],
        name: "LSI or Broadcom controller",
        tools: MEGARAID,
        publisher: BROADCOM,
    },
    Known {
        vendor: 0x1028,
        devices: &[],
        name: "Dell PERC",
        tools: &[Tool::Perccli, Tool::Megacli],
        publisher: "Dell, as perccli",
    },
    Known {
        vendor: 0x9005,
        devices: &[0x028f],
        name: "Microchip SmartRAID or SmartHBA",
        tools: &[Tool::Arcconf, Tool::Ssacli],
        publisher: "Microchip as arcconf, or HPE as ssacli for Smart Array",
    },
    Known {
        vendor: 0x9005,
        devices: &[],
        name: "Adaptec controller",
        tools: &[Tool::Arcconf],
        publisher: "Microchip, under Adaptec",
    },
    Known {
        vendor: 0x103c,
        devices: &[],
        name: "HP Smart Array",
        tools: &[Tool::Ssacli, Tool::Hpacucli],
        publisher: "HPE, in its Management Component Pack",
    },
    Known {
        vendor: 0x0e11,
        devices: &[],
        name: "Compaq Smart Array",
        tools: &[Tool::Hpacucli],
        publisher: "HPE",
    },
    Known {
        vendor: 0x17d3,
        devices: &[],
        name: "Areca controller",
        tools: &[Tool::Areca],
        publisher: "Areca",
    },
    Known {
        vendor: 0x13c1,
        devices: &[],
        name: "3ware controller",
        tools: &[Tool::TwCli],
        publisher: "Broadcom, under 3ware legacy products",
    },
];

/// A controller of this box.
#[derive(Debug, Serialize)]
struct Controller {
    address: String,
    pci_id: String,
    name: &'static str,
    tools: Vec<Tool>,
    /// The one of them that is installed.
    tool: Option<Tool>,
    publisher: &'static str,
}

#[derive(Debug, Serialize)]
struct Installed {
    tool: Tool,
    program: PathBuf,
}

pub(crate) fn tools(ui: &mut Ui) -> Result<Exit, Failure> {
    let root = ui.root().to_owned();
    let installed: Vec<Installed> = Tool::ALL
        .into_iter()
        .filter_map(|tool| Some(Installed { tool, program: program(tool, &root)? }))
        .collect();
    let controllers = controllers(&root, &installed);
    let data = serde_json::json!({ "installed": installed, "controllers": controllers });
    ui.emit("esos.raid.tools/1", &data, |human| {
        for one in &installed {
            human.line(format!("{}: {}", one.tool, one.program.display()));
        }
        for controller in &controllers {
            let names: Vec<&str> = controller.tools.iter().map(|t| t.name()).collect();
            let says = match (controller.tool, names.as_slice()) {
                (Some(tool), _) => format!("{tool} is installed"),
                (None, []) => format!("its tool is published by {}", controller.publisher),
                (None, [one]) => format!("needs {one} in /opt/sbin, published by {}", controller.publisher),
                (None, some) => {
                    format!(
                        "needs one of {} in /opt/sbin, published by {}",
                        some.join(", "),
                        controller.publisher
                    )
                }
            };
            human.line(format!(
                "controller {} ({}) {}: {says}",
                controller.address, controller.pci_id, controller.name
            ));
        }
        if controllers.is_empty() {
            human.line("no RAID controller on the PCI bus");
        }
    })?;
    Ok(Exit::Done)
}

/// Storage controllers (SCSI, RAID, SAS, or known by their device id) of those vendors.
fn controllers(root: &Path, installed: &[Installed]) -> Vec<Controller> {
    let Ok(entries) = std::fs::read_dir(root.join("sys/bus/pci/devices")) else { return Vec::new() };
    let mut list: Vec<Controller> = entries
        .flatten()
        .filter_map(|entry| {
            let attr = |name: &str| {
                let text = std::fs::read_to_string(entry.path().join(name)).ok()?;
                u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
            };
            let (vendor, device, class) = (attr("vendor")?, attr("device")?, attr("class")?);
            let is = |k: &&Known| u32::from(k.vendor) == vendor;
            let exact = KNOWN.iter().filter(is).find(|k| k.devices.iter().any(|d| u32::from(*d) == device));
            let storage = matches!(class >> 8, 0x0100 | 0x0104 | 0x0107);
            let any = || KNOWN.iter().filter(is).find(|k| k.devices.is_empty()).filter(|_| storage);
            let known = exact.or_else(any)?;
            let mut tools = known.tools.to_vec();
            if attr("subsystem_vendor") == Some(0x1028) {
                // Dell's cards answer to Dell's tool.
                tools.sort_by_key(|tool| *tool != Tool::Perccli);
            }
            Some(Controller {
                address: entry.file_name().to_string_lossy().into_owned(),
                pci_id: format!("{vendor:04x}:{device:04x}"),
                name: known.name,
                tool: tools.iter().copied().find(|tool| installed.iter().any(|i| i.tool == *tool)),
                tools,
                publisher: known.publisher,
            })
        })
        .collect();
    list.sort_by(|a, b| a.address.cmp(&b.address));
    list
}
