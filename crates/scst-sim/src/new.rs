//! The tree right after SCST's core and its virtual-disk handlers were loaded.
use crate::driver::trace_text;
use crate::environment::Environment;
use crate::lun::COPY_LUNS;
use crate::template::{COUNTERS, INI_GROUPS_MGMT, LUNS_MGMT, Row, TARGET, TARGET_GROUPS_MGMT, fill};
use crate::tree::Tree;

const CORE: &[Row] = &[
    ("async_lun_replace", 0o644, "0\n"),
    ("cluster_name", 0o644, ""),
    ("force_global_sgv_pool", 0o644, "0\n"),
    ("last_sysfs_mgmt_res", 0o444, "0\n"),
    ("max_tasklet_cmd", 0o644, "10\n"),
    ("measure_latency", 0o644, "0\n"),
    ("poll_us", 0o644, "0\n"),
    ("setup_id", 0o644, "0x0\n"),
    ("suspend", 0o644, "0\n"),
    ("trace_cmds", 0o444, ""),
    ("trace_mcmds", 0o444, ""),
    ("version", 0o444, "SCST version: 3.11.0-pre\n"),
];

/// Handlers with their types and the parameters of `add_device`.
const HANDLERS: [(&str, &str, &str); 4] = [
    ("vcdrom", "5 - CD-ROM device\n", "tst"),
    (
        "vdisk_blockio",
        "0 - Direct-access device (e.g., magnetic disk)\n",
        "active, bind_alua_state, blocksize, cluster_mode, dif_filename, dif_mode, dif_static_app_tag, dif_type, filename, numa_node_id, nv_cache, read_only, removable, rotational, thin_provisioned, tst, t10_dev_id, write_through",
    ),
    (
        "vdisk_fileio",
        "0 - Direct-access device (e.g., magnetic disk)\n",
        "active, async, bind_alua_state, blocksize, cluster_mode, dif_filename, dif_mode, dif_static_app_tag, dif_type, filename, numa_node_id, nv_cache, o_direct, read_only, removable, rotational, thin_provisioned, tst, t10_dev_id, write_through",
    ),
    (
        "vdisk_nullio",
        "0 - Direct-access device (e.g., magnetic disk)\n",
        "blocksize, cluster_mode, dif_mode, dif_static_app_tag, dif_type, dummy, numa_node_id, read_only, removable, rotational, size, size_mb, tst, t10_dev_id",
    ),
];

pub(crate) fn tree(env: &Environment) -> Tree {
    let mut tree = Tree::default();
    fill(&mut tree, "", CORE);
    tree.attr("threads".into(), 0o644, format!("{}\n", env.cpus));
    tree.attr("trace_level".into(), 0o644, trace_text(""));
    for dir in ["device_groups", "devices", "handlers", "sgv", "targets", "targets/copy_manager"] {
        tree.dir(dir);
    }
    tree.attr("device_groups/mgmt".into(), 0o644, TARGET_GROUPS_MGMT);
    for (name, kind, parameters) in HANDLERS {
        let dir = format!("handlers/{name}");
        tree.dir(&dir);
        tree.attr(format!("{dir}/mgmt"), 0o644, format!("Usage: echo \"add_device device_name [parameters]\" >mgmt\n       echo \"del_device device_name\" >mgmt\n\nwhere parameters are one or more param_name=value pairs separated by ';'\n\nThe following parameters available: {parameters}\n\n"));
        tree.attr(format!("{dir}/trace_level"), 0o644, trace_text(", order"));
        tree.attr(format!("{dir}/type"), 0o444, kind);
    }
    copy_manager(&mut tree, env);
    tree
}

fn copy_manager(tree: &mut Tree, env: &Environment) {
    let dif = "dif_supported, hw_dif_type1_supported, hw_dif_type2_supported, hw_dif_type3_supported\n";
    tree.attr("targets/copy_manager/allow_not_connected_copy".into(), 0o644, "0\n");
    tree.attr("targets/copy_manager/dif_capabilities".into(), 0o444, dif);
    let dir = "targets/copy_manager/copy_manager_tgt";
    tree.dir(dir);
    fill(tree, dir, TARGET);
    tree.attr(format!("{dir}/cpu_mask"), 0o644, format!("{}\n", env.all_cpus()));
    tree.attr(format!("{dir}/dif_capabilities"), 0o444, dif);
    for sub in ["ini_groups", "luns", "sessions", "sessions/copy_manager_sess"] {
        tree.dir(&format!("{dir}/{sub}"));
    }
    tree.attr(format!("{dir}/ini_groups/mgmt"), 0o644, INI_GROUPS_MGMT);
    tree.attr(format!("{COPY_LUNS}/mgmt"), 0o644, LUNS_MGMT);
    let session = format!("{dir}/sessions/copy_manager_sess");
    for counter in COUNTERS {
        tree.attr(format!("{dir}/{counter}"), 0o444, "0\n");
        tree.attr(format!("{session}/{counter}"), 0o644, "0\n");
    }
    tree.attr(format!("{session}/active_commands"), 0o444, "0\n");
    tree.attr(format!("{session}/commands"), 0o444, "0\n");
    tree.attr(format!("{session}/initiator_name"), 0o444, "copy_manager_sess\n");
    tree.link(format!("{session}/luns"), "../../luns".to_owned());
}
