//! Small outputs in the form of each tool, and the faults of the original's wrapper.
use esos_raid::{Capture, Facts, ProblemKind, Tool, health, parse};

fn read(tool: Tool, cmd: &str, text: &str) -> Facts {
    parse(tool, &[Capture::new("out", cmd, text)])
}

/// With a `Cac` column the original printed `ON 893.137` as the size and `GB` as the name.
#[test]
fn a_new_column_shifts_nothing() {
    let text = "Controller = 0\nStatus = Success\nDescription = None\n\nVirtual Drives :\n==============\n\n\
        -------------------\nDG/VD TYPE  State Access Consist Cache Cac sCC     Size Name\n-------------------\n\
        0/0   RAID1 Optl  RW     Yes     RWBD  -   ON  893.137 GB my data\n-------------------\n";
    let facts = read(Tool::Storcli, "storcli64 /c0/vall show", text);
    let array = &facts.arrays[0];
    assert_eq!(array.size.as_ref().map(|s| s.text.as_str()), Some("893.137 GB"));
    assert_eq!(array.name.as_deref(), Some("my data"));
    assert_eq!(facts.error, None);
}

/// The original cut a model to its first word.
#[test]
fn a_model_with_blanks_stays_whole() {
    let text = "Controller = 0\nStatus = Success\nDescription = Show Drive Information Succeeded.\n\n\
        Drive Information :\n=================\n\n----\nEID:Slt DID State DG Size Intf Med SED PI SeSz Model Sp Type\n----\n\
        8:0 15 Onln 0 953.343 GB SATA SSD N N 512B Samsung SSD 850 PRO 1TB U -\n----\n";
    let facts = read(Tool::Storcli, "storcli64 /call/eall/sall show", text);
    assert_eq!(facts.drives[0].model.as_deref(), Some("Samsung SSD 850 PRO 1TB"));
}

const DRIVE: &str = "Controllers found: 1\nPhysical Device information\n      Device #0\n         Device is a Hard drive\n         \
    State                              : Dedicated Hot-Spare\n         Reported Channel,Device(T:L)       : 0,3(3:0)\n         \
    Size                               : 953869 MB\n\nCommand completed successfully.\n";

/// The original lost drives whose record says `Size`, and its health check knew no `Hot-Spare`.
#[test]
fn drives_with_size_and_spares_are_seen() {
    let facts = read(Tool::Arcconf, "arcconf GETCONFIG 1 PD", DRIVE);
    let drive = &facts.drives[0];
    assert_eq!(drive.key, "0,3");
    assert_eq!(drive.size.as_ref().map(|s| s.bytes), Some(953_869 << 20));
    assert_eq!(drive.spare.as_ref().map(|s| s.as_str()), Some("dedicated"));
}

/// The original did not see `Logical drive number` at all, so that an offline array was invisible.
#[test]
fn wording_does_not_hide_an_array() {
    for title in [
        "Logical Device number 0",
        "Logical device Number 0",
        "Logical drive number 0",
        "Logical Device Number 0",
    ] {
        let text = format!(
            "Controllers found: 1\nLogical device information\n{title}\n   Logical drive name                : x\n   \
             RAID level                       : 5\n   Status of logical drive          : Offline\n\nCommand completed successfully.\n"
        );
        let facts = read(Tool::Arcconf, "arcconf GETCONFIG 1 LD", &text);
        assert_eq!(facts.arrays.len(), 1, "{title}");
        assert_eq!(facts.arrays[0].state.as_ref().map(|s| s.as_str()), Some("failed"));
        assert!(health(&facts).iter().any(|f| f.object == "array 1/0"));
    }
}

/// The original printed an empty list with exit code 0 when the tool failed.
#[test]
fn a_failed_command_is_no_empty_list() {
    let text = "Controllers found: 1\nThe controller does not answer.\n\nCommand aborted.\n";
    let facts = read(Tool::Arcconf, "arcconf GETCONFIG 1 LD", text);
    let error = facts.error.unwrap();
    assert_eq!(error.kind, ProblemKind::ToolError);
    assert_eq!(error.message.as_deref(), Some("The controller does not answer."));
    assert_eq!(error.line, Some(2));
    for tool in Tool::ALL {
        assert!(read(tool, "x", "").error.is_some(), "{tool}: silence");
    }
}

/// The original mixed both streams into one text.
#[test]
fn the_tools_complaint_is_kept_apart() {
    let capture = Capture {
        err: Some(b"ssacli: cannot open /dev/cciss\n".to_vec()),
        rc: Some(1),
        ..Capture::new("x", "ssacli ctrl all show config detail", "")
    };
    let error = parse(Tool::Ssacli, &[capture]).error.unwrap();
    assert_eq!((error.kind, error.exit_code), (ProblemKind::ToolError, Some(1)));
    assert_eq!(error.message.as_deref(), Some("ssacli: cannot open /dev/cciss"));
}

#[test]
fn a_cut_output_says_so() {
    let cut = DRIVE.rsplit_once("\nCommand").unwrap().0;
    assert_eq!(
        read(Tool::Arcconf, "arcconf GETCONFIG 1 PD", cut).error.unwrap().kind,
        ProblemKind::Truncated
    );
    let json = r#"{"Controllers":[{"Command Status":{"Status":"Succ"#;
    assert_eq!(read(Tool::Storcli, "storcli64 show J", json).error.unwrap().kind, ProblemKind::Truncated);
    let record = "Adapter #0\n\nEnclosure Device ID: 8\nSlot Number: 0\nDevice Id: 0\nCoerced Size: 139392MB [0x11040000 Sectors]\n";
    let facts = read(Tool::Megacli, "MegaCli64 -PDList -aALL -NoLog", record);
    assert_eq!((facts.drives.len(), facts.error.unwrap().kind), (1, ProblemKind::Truncated));
    let table = "  # Ch# ModelName  Capacity  Usage\n=====\n  1  1  ST31000340NS  1000.2GB  data\n";
    let facts = read(Tool::Areca, "cli64 disk info", table);
    assert_eq!((facts.drives.len(), facts.error.unwrap().kind), (1, ProblemKind::Truncated));
}

#[test]
fn hp_tells_states_in_three_forms() {
    let text = "Smart Array P410i in Slot 0 (Embedded)    (sn: 5001438)\n\n   array A (SAS, Unused Space: 0  MB)\n\n      \
        logicaldrive 1 (136.7 GB, RAID 1+0, Recovering, 45% complete)\n\n      \
        physicaldrive 1I:1:1 (port 1I:box 1:bay 1, SAS, 146 GB, Rebuilding)\n   unassigned\n\n      \
        physicaldrive 1I:1:2 (port 1I:box 1:bay 2, SAS, 146 GB, OK)\n";
    let facts = read(Tool::Ssacli, "ssacli ctrl all show config", text);
    let array = &facts.arrays[0];
    assert_eq!(array.op.as_ref().and_then(|op| op.percent.as_ref()).and_then(|p| p.as_u64()), Some(45));
    assert_eq!(facts.groups[0].state_raw, None);
    let states: Vec<&str> =
        facts.drives.iter().filter_map(|d| d.state.as_ref()).map(|s| s.as_str()).collect();
    assert_eq!(states, ["rebuilding", "ready"]);
    let text = "\nSmart Array P410i in Slot 0 (Embedded)\n\n   logicaldrive 1 (136.7 GB, RAID 1): Failed\n   \
        physicaldrive 1I:1:1 (port 1I:box 1:bay 1, 146 GB): Predictive Failure\n";
    let facts = read(Tool::Ssacli, "ssacli ctrl slot=0 ld all show status", text);
    assert_eq!(facts.arrays[0].state.as_ref().map(|s| s.as_str()), Some("failed"));
    assert_eq!(facts.drives[0].state.as_ref().map(|s| s.as_str()), Some("predictive_failure"));
}

#[test]
fn unknown_words_survive_and_are_told() {
    let text = "Personalities : [raid1]\nmd0 : active raid1 sda[0] sdb[1]\n      64 blocks [2/1] [U_]\n\nunused devices: <none>\n";
    let facts = read(Tool::Mdstat, "cat /proc/mdstat", text);
    assert!(health(&facts).iter().any(|f| f.message.contains("degraded")));
    let ctl = "Unit  UnitType  Status         %RCmpl  %V/I/M  Stripe  Size(GB)  Cache  AVrfy\n---\n\
        u0    RAID-5    MELTING        -       -       64K     4656.56   ON     OFF\n";
    let facts = read(Tool::TwCli, "tw_cli info c0 unitstatus", ctl);
    assert_eq!(facts.arrays[0].state, Some(esos_raid::ArrayState::Other("MELTING".to_owned())));
    assert!(health(&facts).iter().any(|f| f.message.contains("`MELTING`")));
}
