//! How the agents describe themselves.
use esos_cluster::{MetaData, Parameter};

fn p(
    name: &'static str,
    content: &'static str,
    default: Option<&'static str>,
    short: &'static str,
    long: &'static str,
) -> Parameter {
    Parameter { name, content, default, required: false, short, long }
}

fn alua(required: bool) -> Vec<Parameter> {
    vec![
        Parameter {
            required,
            ..p(
                "device_group",
                "string",
                None,
                "SCST's device group",
                "The SCST device group whose devices are opened on the promoted node.",
            )
        },
        p(
            "local_tgt_grp",
            "string",
            Some("%n"),
            "target group of this box",
            "The target group of this box; %n in it is the node's name.",
        ),
        p(
            "remote_tgt_grp",
            "string",
            Some(""),
            "other target groups",
            "The target groups of the other boxes, with spaces between them; empty: all others of the device group.",
        ),
        p(
            "m_alua_state",
            "string",
            Some("active"),
            "state of the promoted box",
            "The ALUA state of the promoted box's ports.",
        ),
        p(
            "s_alua_state",
            "string",
            Some("standby"),
            "state of an unpromoted box",
            "The ALUA state of an unpromoted box's ports. With set_dev_active it must be one that offers no path: standby or unavailable.",
        ),
        p(
            "remote_inact_state",
            "string",
            Some("offline"),
            "state of a stopped box",
            "The ALUA state of a stopped box's ports.",
        ),
        p(
            "set_dev_active",
            "boolean",
            Some("true"),
            "open and close devices",
            "Whether the backing devices are opened on promotion and closed before demotion ends.",
        ),
        p(
            "use_trans_state",
            "boolean",
            Some("true"),
            "say transitioning meanwhile",
            "Whether ports say transitioning while the role changes.",
        ),
        p(
            "trans_notify",
            "boolean",
            Some("true"),
            "accepted and always so",
            "Of the original agent; other boxes are always told by notifications, never by ssh.",
        ),
        p(
            "redirect_mode",
            "boolean",
            Some("false"),
            "accepted and not used",
            "Of the original agent; the passive side's ports stand by.",
        ),
        p("issue_lip", "boolean", Some("false"), "accepted and not used", "Of the original agent."),
        p(
            "state",
            "string",
            Some(""),
            "accepted and not used",
            "Of the original agent; the role is told from SCST itself.",
        ),
        p(
            "drbd_resource",
            "string",
            Some(""),
            "DRBD resources below",
            "DRBD resources that must be Primary and UpToDate before a device is opened, with spaces between them.",
        ),
    ]
}

fn actions() -> Vec<(&'static str, u32, Option<u32>, Option<&'static str>)> {
    vec![
        ("start", 120, None, None),
        ("stop", 90, None, None),
        ("promote", 60, None, None),
        ("demote", 60, None, None),
        ("notify", 20, None, None),
        ("monitor", 20, Some(10), Some("Promoted")),
        ("monitor", 20, Some(20), Some("Unpromoted")),
        ("reload", 20, None, None),
        ("meta-data", 5, None, None),
        ("validate-all", 20, None, None),
    ]
}

/// `ocf:esos:scst-alua`.
#[must_use]
pub fn scst_alua() -> MetaData {
    MetaData {
        name: "scst-alua",
        short: "Which box serves an SCST device group",
        long: "Opens the devices of an SCST device group on the promoted node and closes them on demotion, with the ALUA states of all target groups. SCST itself must be loaded. The role is told from SCST's own state; nothing is remembered, no other node is logged into.",
        parameters: alua(true),
        actions: actions(),
    }
}

/// `ocf:esos:scst`.
#[must_use]
pub fn scst() -> MetaData {
    let mut parameters = vec![p(
        "alua",
        "boolean",
        Some("false"),
        "ALUA too",
        "Whether to do what ocf:esos:scst-alua does, too; then device_group must be given.",
    )];
    parameters.extend(alua(false));
    MetaData {
        name: "scst",
        short: "SCST, the SCSI target",
        long: "Loads and configures SCST (the service scst), and takes it down again.",
        parameters,
        actions: actions(),
    }
}
