//! What new objects look like: names, modes and first values of attributes, of SCST 3.11.
use crate::tree::{Attr, Node, Tree, join};

/// Name, mode, first text.
pub(crate) type Row = (&'static str, u32, &'static str);

/// Attributes without a read permission have no text.
pub(crate) fn fill(tree: &mut Tree, dir: &str, rows: &[Row]) {
    for (name, mode, text) in rows {
        let text = if mode & 0o444 == 0 { Err(13) } else { Ok((*text).to_owned()) };
        tree.insert(join(dir, name), Node::Attr(Attr { mode: *mode, text }));
    }
}

pub(crate) const LUNS_MGMT: &str = "Usage: echo \"add H:C:I:L lun [parameters]\" >mgmt\n       echo \"add VNAME lun [parameters]\" >mgmt\n       echo \"del lun\" >mgmt\n       echo \"replace H:C:I:L lun [parameters]\" >mgmt\n       echo \"replace VNAME lun [parameters]\" >mgmt\n       echo \"replace_no_ua H:C:I:L lun [parameters]\" >mgmt\n       echo \"replace_no_ua VNAME lun [parameters]\" >mgmt\n       echo \"clear\" >mgmt\n\nwhere parameters are one or more param_name=value pairs separated by ';'\n\nThe following parameters available: read_only\n";
pub(crate) const INI_GROUPS_MGMT: &str =
    "Usage: echo \"create GROUP_NAME\" >mgmt\n       echo \"del GROUP_NAME\" >mgmt\n";
pub(crate) const INITIATORS_MGMT: &str = "Usage: echo \"add INITIATOR_NAME\" >mgmt\n       echo \"del INITIATOR_NAME\" >mgmt\n       echo \"move INITIATOR_NAME DEST_GROUP_NAME\" >mgmt\n       echo \"clear\" >mgmt\n";
pub(crate) const DG_DEVICES_MGMT: &str =
    "Usage: echo \"add device\" >mgmt\n       echo \"del device\" >mgmt\n";
pub(crate) const TG_MGMT: &str = "Usage: echo \"add target\" >mgmt\n       echo \"del target\" >mgmt\n";
pub(crate) const TARGET_GROUPS_MGMT: &str =
    "Usage: echo \"create group_name\" >mgmt\n       echo \"del group_name\" >mgmt\n";
pub(crate) const ISCSI_MGMT: &str = "Usage: echo \"add_target target_name [parameters]\" >mgmt\n       echo \"del_target target_name\" >mgmt\n       echo \"add_attribute <attribute> <value>\" >mgmt\n       echo \"del_attribute <attribute> <value>\" >mgmt\n       echo \"add_target_attribute target_name <attribute> <value>\" >mgmt\n       echo \"del_target_attribute target_name <attribute> <value>\" >mgmt\n\nwhere parameters are one or more param_name=value pairs separated by ';'\n\nThe following target driver attributes available: IncomingUser, OutgoingUser\nThe following target attributes available: IncomingUser, OutgoingUser, allowed_portal\n\n";
pub(crate) const LOCAL_MGMT: &str = "Usage: echo \"add_target target_name [parameters]\" >mgmt\n       echo \"del_target target_name\" >mgmt\n       echo \"add_session target_name session_name\" >mgmt\n       echo \"del_session target_name session_name\" >mgmt\n\nwhere parameters are one or more param_name=value pairs separated by ';'\n\n\nThe following parameters available: session_name\n\n";

/// Attributes of every device.
pub(crate) const DEVICE: &[Row] = &[
    ("block", 0o644, "0 0\n"),
    ("dump_prs", 0o200, ""),
    ("eui64_id", 0o644, "\n"),
    ("inq_vend_specific", 0o644, "\n"),
    ("max_tgt_dev_commands", 0o644, "64\n"),
    ("naa_id", 0o644, "\n"),
    ("numa_node_id", 0o644, "-1\n"),
    ("pr_state", 0o644, "version 1\ngeneration 0\n"),
    ("prod_rev_lvl", 0o644, "3110\n"),
    ("scsi_device_name", 0o644, "\n"),
    ("threads_pool_type", 0o644, "per_initiator\n"),
    ("tst", 0o444, "1\n"),
];

pub(crate) const PASS_THROUGH_MGMT: &str =
    "Usage: echo \"add_device H:C:I:L\" >mgmt\n       echo \"del_device H:C:I:L\" >mgmt\n";

/// Attributes of a SCSI device that no handler has taken.
pub(crate) const PASS_THROUGH: &[Row] = &[
    ("block", 0o644, "0 0\n"),
    ("dump_prs", 0o200, ""),
    ("max_tgt_dev_commands", 0o644, "0\n"),
    ("numa_node_id", 0o644, "-1\n"),
    ("pr_state", 0o644, "version 1\ngeneration 0\n"),
];

/// Attributes of every virtual disk beside [`DEVICE`].
pub(crate) const DISK: &[Row] = &[
    ("blocksize", 0o444, "512\n"),
    ("cluster_mode", 0o644, "0\n"),
    ("opt_trans_len", 0o644, "524288\n"),
    ("read_only", 0o444, "0\n"),
    ("removable", 0o444, "0\n"),
    ("rotational", 0o444, "1\n"),
];

/// Attributes of disks with a backing store.
pub(crate) const BACKED: &[Row] = &[
    ("active", 0o644, "1\n"),
    ("expl_alua", 0o644, "0\n"),
    ("lb_per_pb_exp", 0o644, "1\n"),
    ("nv_cache", 0o444, "0\n"),
    ("resync_size", 0o200, ""),
    ("sync", 0o200, ""),
    ("thin_provisioned", 0o444, "0\n"),
    ("write_through", 0o444, "0\n"),
];

/// Counters of targets (0444) and sessions (0644).
pub(crate) const COUNTERS: [&str; 11] = [
    "bidi_cmd_count",
    "bidi_io_count_kb",
    "bidi_unaligned_cmd_count",
    "none_cmd_count",
    "read_cmd_count",
    "read_io_count_kb",
    "read_unaligned_cmd_count",
    "unknown_cmd_count",
    "write_cmd_count",
    "write_io_count_kb",
    "write_unaligned_cmd_count",
];

/// Attributes of every target; `cpu_mask` depends on the machine.
pub(crate) const TARGET: &[Row] = &[
    ("addr_method", 0o644, "PERIPHERAL\n"),
    ("aen_disabled", 0o644, "0\n"),
    ("black_hole", 0o644, "0\n"),
    ("comment", 0o644, ""),
    ("forward_dst", 0o644, "0\n"),
    ("forward_src", 0o644, "0\n"),
    ("forwarding", 0o644, "0\n"),
    ("io_grouping_type", 0o644, "auto\n"),
    ("rel_tgt_id", 0o644, "0\n"),
    ("sg_tablesize", 0o444, "65535\n"),
];

/// Attributes of iSCSI targets beside [`TARGET`]: name, mode, default.
pub(crate) const ISCSI_TARGET: &[Row] = &[
    ("DataDigest", 0o644, "None\n"),
    ("FirstBurstLength", 0o644, "65536\n"),
    ("HeaderDigest", 0o644, "None\n"),
    ("ImmediateData", 0o644, "Yes\n"),
    ("InitialR2T", 0o644, "No\n"),
    ("MaxBurstLength", 0o644, "1048576\n"),
    ("MaxOutstandingR2T", 0o644, "32\n"),
    ("MaxRecvDataSegmentLength", 0o644, "1048576\n"),
    ("MaxSessions", 0o644, "0\n"),
    ("MaxXmitDataSegmentLength", 0o644, "1048576\n"),
    ("NopInInterval", 0o644, "30\n"),
    ("NopInTimeout", 0o644, "30\n"),
    ("QueuedCommands", 0o644, "32\n"),
    ("RDMAExtensions", 0o644, "No\n"),
    ("RspTimeout", 0o644, "90\n"),
    ("alias", 0o644, "\n"),
    ("enabled", 0o644, "0\n"),
    ("per_portal_acl", 0o644, "0\n\n"),
    ("redirect", 0o644, "\n"),
];

/// Attributes of scst_local's targets beside [`TARGET`].
pub(crate) const LOCAL_TARGET: &[Row] =
    &[("phys_transport_version", 0o644, "0x0\n"), ("scsi_transport_version", 0o644, "0xbe0\n")];

/// Attributes of a group of initiators; `cpu_mask` depends on the machine.
pub(crate) const GROUP: &[Row] = &[
    ("addr_method", 0o644, "PERIPHERAL\n"),
    ("black_hole", 0o644, "0\n"),
    ("io_grouping_type", 0o644, "auto\n"),
    ("per_sess_dedicated_tgt_threads", 0o644, "0\n"),
];

/// Numeric iSCSI parameters: name, least, greatest. The kernel refuses what lies outside.
pub(crate) const ISCSI_NUMBERS: &[(&str, u64, u64)] = &[
    ("FirstBurstLength", 512, 16_777_215),
    ("MaxBurstLength", 512, 16_777_215),
    ("MaxOutstandingR2T", 1, 65_535),
    ("MaxRecvDataSegmentLength", 512, 16_777_215),
    ("MaxSessions", 0, 65_535),
    ("MaxXmitDataSegmentLength", 512, 16_777_215),
    ("NopInInterval", 0, 86_400),
    ("NopInTimeout", 1, 86_400),
    ("QueuedCommands", 1, 4_096),
    ("RspTimeout", 2, 86_400),
];

/// Tokens of `trace_level` in the order of their printing, with their bits.
pub(crate) const TRACE: [(&str, u32); 21] = [
    ("out_of_mem", 0x100),
    ("minor", 0x200),
    ("sg", 0x80),
    ("mem", 0x40),
    ("buff", 0x20),
    ("entryexit", 0x10),
    ("pid", 0x8),
    ("line", 0x4),
    ("function", 0x2),
    ("debug", 0x1),
    ("special", 0x400),
    ("scsi", 0x800),
    ("mgmt", 0x1000),
    ("mgmt_dbg", 0x2000),
    ("flow_control", 0x4000),
    ("pr", 0x8000),
    ("retry", 0x2_0000),
    ("scsi_serializing", 0x4_0000),
    ("data_send", 0x10_0000),
    ("data_received", 0x20_0000),
    ("block", 0x40_0000),
];
/// What `default` means.
pub(crate) const TRACE_DEFAULT: u32 = 0x100 | 0x8 | 0x400 | 0x1000;
