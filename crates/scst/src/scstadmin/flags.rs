//! Its flags, as Getopt::Long takes them: one dash or two, abbreviated where that is unique.

pub(super) const USAGE: &str = "SCST Configurator (esos-scst as scstadmin)

Usage:
  General:    -config [<file>] | -check_config [<file>] | -write_config <file> | -clear_config
  Query:      -list_handler [<h>] -list_device [<d>] -list_driver [<drv>] -list_target [-driver <drv>]
              -list_group [-driver <drv> -target <t>] -list_dgrp [<g>] -list_tgrp [<g>] -list_sessions
              -list_scst_attr -list_hnd_attr <h> -list_dev_attr <d> -list_drv_attr <drv>
              -list_tgt_attr <t> -list_grp_attr <g> -list_lun_attr <l> -list_tgrp_attr <g>
  Devices:    -open_dev <d> -handler <h> -attributes <a=v,..> | -close_dev <d> -handler <h> | -resync_dev <d>
  Targets:    -add_target <t> | -rem_target <t> | -enable_target <t> | -disable_target <t>  -driver <drv>
  Groups:     -add_group <g> | -rem_group <g>  -driver <drv> -target <t>
  Initiators: -add_init <i> | -rem_init <i> | -move_init <i> -to <g> | -clear_inits  ... -group <g>
  LUNs:       -add_lun <l> -device <d> | -replace_lun <l> -device <d> | -rem_lun <l> | -clear_luns
  ALUA:       -add_dgrp <g> | -rem_dgrp <g> | -add_dgrp_dev <d> | -rem_dgrp_dev <d>  -dev_group <g>
              -add_tgrp <g> | -rem_tgrp <g> | -add_tgrp_tgt <t> | -rem_tgrp_tgt <t>  -tgt_group <g>
  Attributes: -set_scst_attr | -set_hnd_attr <h> | -set_dev_attr <d> | -set_drv_attr <drv> | -set_tgt_attr <t>
              -set_grp_attr <g> | -set_tgrp_attr <g> | -set_ttgt_attr <t>  -attributes <a=v,..>
              -add_drv_attr <drv> | -rem_drv_attr <drv> | -add_tgt_attr <t> | -rem_tgt_attr <t>
  Other:      -issue_lip [<t>] -lip -no_lip -force -noprompt -cont_on_err -nonkey -debug -h
";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Config(String),
    CheckConfig(String),
    WriteConfig(String),
    ClearConfig,
    /// What is listed, and whose.
    List(String, String),
    /// A single change, and its object.
    Single(String, String),
}

impl Operation {
    pub(super) fn is_query(&self) -> bool {
        matches!(self, Self::List(..))
    }
}

/// All flags of a command line.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags {
    pub(super) operations: Vec<Operation>,
    pub(super) handler: String,
    pub(super) driver: String,
    pub(super) target: String,
    pub(super) group: String,
    pub(super) to: String,
    pub(super) device: String,
    pub(super) dev_group: String,
    pub(super) tgt_group: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) force: bool,
    pub(super) noprompt: bool,
    pub(super) cont_on_err: bool,
    pub(super) help: bool,
}

/// How many values a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Maybe,
    One,
}

use Takes::{Maybe, Nothing, One};

const FLAGS: &[(&str, Takes)] = &[
    ("config", Maybe),
    ("clear_config", Nothing),
    ("write_config", One),
    ("check_config", Maybe),
    ("list_handler", Maybe),
    ("list_device", Maybe),
    ("list_dgrp", Maybe),
    ("list_tgrp", Maybe),
    ("list_driver", Maybe),
    ("list_target", Maybe),
    ("list_group", Maybe),
    ("list_sessions", Nothing),
    ("list_scst_attr", Nothing),
    ("list_hnd_attr", One),
    ("list_dev_attr", One),
    ("list_dgrp_attr", One),
    ("list_tgrp_attr", One),
    ("list_ttgt_attr", One),
    ("list_drv_attr", One),
    ("list_tgt_attr", One),
    ("list_grp_attr", One),
    ("list_lun_attr", One),
    ("list_init_attr", One),
    ("set_scst_attr", Nothing),
    ("set_hnd_attr", One),
    ("set_dev_attr", One),
    ("set_dgrp_attr", One),
    ("set_tgrp_attr", One),
    ("set_ttgt_attr", One),
    ("set_drv_attr", One),
    ("set_tgt_attr", One),
    ("set_grp_attr", One),
    ("set_lun_attr", One),
    ("set_init_attr", One),
    ("add_drv_attr", One),
    ("add_tgt_attr", One),
    ("rem_drv_attr", One),
    ("rem_tgt_attr", One),
    ("open_dev", One),
    ("close_dev", One),
    ("resync_dev", One),
    ("add_dgrp", One),
    ("rem_dgrp", One),
    ("add_dgrp_dev", One),
    ("rem_dgrp_dev", One),
    ("add_tgrp", One),
    ("rem_tgrp", One),
    ("add_tgrp_tgt", One),
    ("rem_tgrp_tgt", One),
    ("add_target", One),
    ("rem_target", One),
    ("add_group", One),
    ("rem_group", One),
    ("add_init", One),
    ("rem_init", One),
    ("move_init", One),
    ("clear_inits", Nothing),
    ("add_lun", One),
    ("rem_lun", One),
    ("replace_lun", One),
    ("clear_luns", Nothing),
    ("enable_target", One),
    ("disable_target", One),
    ("issue_lip", Maybe),
    ("lip", Nothing),
    ("no_lip", Nothing),
    ("handler", One),
    ("attributes", One),
    ("driver", One),
    ("target", One),
    ("group", One),
    ("to", One),
    ("device", One),
    ("dev_group", One),
    ("tgt_group", One),
    ("h", Nothing),
    ("help", Nothing),
    ("nonkey", Nothing),
    ("noprompt", Nothing),
    ("cont_on_err", Nothing),
    ("force", Nothing),
    // TrueNAS gives it with every call; what a file does not say about a device is kept anyway.
    ("preserve_cluster_mode", Nothing),
    ("dumpAttrs", Nothing),
    ("debug", Nothing),
];

/// Where scstadmin looks when `-config` names no file.
const DEFAULT: &str = "/etc/scst.conf";

impl Flags {
    pub(super) fn parse(args: &[String]) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut args = args.iter().peekable();
        while let Some(arg) = args.next() {
            let Some(word) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else { continue };
            let (word, given) = match word.split_once('=') {
                Some((word, value)) => (word, Some(value.to_owned())),
                None => (word, None),
            };
            let (name, takes) = find(word)?;
            let value = match (takes, given) {
                (_, Some(value)) => value,
                (Nothing, None) => String::new(),
                (Maybe, None) => args.next_if(|a| !a.starts_with('-')).cloned().unwrap_or_default(),
                (One, None) => {
                    let value = args.next().cloned();
                    value.ok_or_else(|| format!("Option {name} requires an argument"))?
                }
            };
            flags.set(name, value);
        }
        Ok(flags)
    }

    fn set(&mut self, name: &str, value: String) {
        let file = || if value.is_empty() { DEFAULT.to_owned() } else { value.clone() };
        match name {
            "config" => self.operations.push(Operation::Config(file())),
            "check_config" => self.operations.push(Operation::CheckConfig(file())),
            "write_config" => self.operations.push(Operation::WriteConfig(value)),
            "clear_config" => self.operations.push(Operation::ClearConfig),
            "handler" => self.handler = value,
            "driver" => self.driver = value,
            "target" => self.target = value,
            "group" => self.group = value,
            "to" => self.to = value,
            "device" => self.device = value,
            "dev_group" => self.dev_group = value,
            "tgt_group" => self.tgt_group = value,
            "attributes" => self.attributes = attributes(&value),
            "force" => self.force = true,
            "noprompt" => self.noprompt = true,
            "cont_on_err" => self.cont_on_err = true,
            "h" | "help" => self.help = true,
            // What they change is how Perl's program looks for itself, or when it sends a LIP.
            "preserve_cluster_mode" | "lip" | "no_lip" | "nonkey" | "dumpAttrs" | "debug" => {}
            list if list.starts_with("list_") => {
                self.operations.push(Operation::List(list.to_owned(), value));
            }
            single => self.operations.push(Operation::Single(single.to_owned(), value)),
        }
    }
}

/// A flag by its name or an abbreviation that only it has.
fn find(word: &str) -> Result<(&'static str, Takes), String> {
    if let Some(exact) = FLAGS.iter().find(|(n, _)| n.eq_ignore_ascii_case(word)) {
        return Ok(*exact);
    }
    let lower = word.to_ascii_lowercase();
    let mut like =
        FLAGS.iter().filter(|(n, _)| !lower.is_empty() && n.to_ascii_lowercase().starts_with(&lower));
    match (like.next(), like.next()) {
        (Some(one), None) => Ok(*one),
        (Some(one), Some(other)) => Err(format!("Option {word} is ambiguous ({}, {})", one.0, other.0)),
        _ => Err(format!("Unknown option: {word}")),
    }
}

/// `a=v,b=w`; `IncomingUser name password` without `=` is one attribute, too.
fn attributes(text: &str) -> Vec<(String, String)> {
    let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').or_else(|| part.split_once(' ')).unwrap_or((part, ""));
            let value = value.trim();
            // `iSNSServer=""`, where no shell took the quotes, means nothing at all.
            let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
            (name.trim().to_owned(), bare.to_owned())
        })
        .collect()
}
