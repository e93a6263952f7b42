//! Names that SCST 3.11 has, to say what a misspelled one was meant to be. Nothing is refused for not
//! being here: handlers, drivers and attributes are open-ended.
use super::context::Context;

const HANDLERS: &[&str] = &[
    "vdisk_fileio",
    "vdisk_blockio",
    "vdisk_nullio",
    "vcdrom",
    "dev_disk",
    "dev_disk_perf",
    "dev_cdrom",
    "dev_changer",
    "dev_modisk",
    "dev_modisk_perf",
    "dev_processor",
    "dev_raid",
    "dev_tape",
    "dev_tape_perf",
    "dev_user",
];
const DRIVERS: &[&str] =
    &["iscsi", "qla2x00t", "qla2x00t-32gbit", "ib_srpt", "scst_local", "fcst", "copy_manager"];
const DEVICE: &[&str] = &[
    "active",
    "async",
    "bind_alua_state",
    "block",
    "blocksize",
    "cluster_mode",
    "dif_filename",
    "dif_mode",
    "dif_static_app_tag",
    "dif_type",
    "dummy",
    "eui64_id",
    "expl_alua",
    "filename",
    "inq_vend_specific",
    "lb_per_pb_exp",
    "max_tgt_dev_commands",
    "naa_id",
    "numa_node_id",
    "nv_cache",
    "o_direct",
    "opt_trans_len",
    "pr_file_name",
    "prod_id",
    "prod_rev_lvl",
    "read_only",
    "read_zero",
    "removable",
    "rotational",
    "scsi_device_name",
    "size",
    "size_mb",
    "t10_dev_id",
    "t10_vend_id",
    "thin_provisioned",
    "threads_num",
    "threads_pool_type",
    "tst",
    "usn",
    "vend_specific_id",
    "write_through",
];
const DRIVER: &[&str] =
    &["enabled", "IncomingUser", "OutgoingUser", "iSNSServer", "internal_portal", "link_local"];
const TARGET: &[&str] = &[
    "DataDigest",
    "FirstBurstLength",
    "HeaderDigest",
    "ImmediateData",
    "IncomingUser",
    "InitialR2T",
    "MaxBurstLength",
    "MaxOutstandingR2T",
    "MaxRecvDataSegmentLength",
    "MaxSessions",
    "MaxXmitDataSegmentLength",
    "NopInInterval",
    "NopInTimeout",
    "OutgoingUser",
    "QueuedCommands",
    "RDMAExtensions",
    "RspTimeout",
    "addr_method",
    "aen_disabled",
    "alias",
    "allowed_portal",
    "black_hole",
    "comment",
    "cpu_mask",
    "enabled",
    "explicit_confirmation",
    "forward_dst",
    "forward_src",
    "forwarding",
    "io_grouping_type",
    "node_name",
    "parent_host",
    "per_portal_acl",
    "redirect",
    "rel_tgt_id",
    "session_name",
];
const GROUP: &[&str] = &["addr_method", "black_hole", "cpu_mask", "io_grouping_type"];
const ROOT: &[&str] = &[
    "async_lun_replace",
    "cluster_name",
    "force_global_sgv_pool",
    "max_tasklet_cmd",
    "measure_latency",
    "poll_us",
    "setup_id",
    "threads",
    "trace_level",
];

/// Names of handlers or drivers for a section's name.
pub(crate) fn sections(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "HANDLER" => HANDLERS,
        "TARGET_DRIVER" => DRIVERS,
        _ => &[],
    }
}

/// Names of attributes that may stand in a block.
pub(crate) fn attributes(context: Context) -> &'static [&'static str] {
    match context {
        Context::Root => ROOT,
        Context::Device => DEVICE,
        Context::Driver => DRIVER,
        Context::Target => TARGET,
        Context::Group => GROUP,
        Context::Lun => &["read_only"],
        Context::TargetGroup => &["group_id", "preferred", "state"],
        Context::GroupTarget => &["rel_tgt_id"],
        _ => &[],
    }
}
