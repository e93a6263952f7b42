//! Each change of each tool as the exact words that the tool gets.
use esos_raid::{Change, ChangeError, Level, NewArray, ShapeError, Tool, commands};

fn array(level: Level, drives: &[&str]) -> NewArray {
    NewArray::new(level, drives.iter().copied())
}

fn words(tool: Tool, controller: &str, change: &Change) -> Vec<String> {
    let commands = commands(tool, "/opt/sbin/tool", controller, change);
    let lines = commands.unwrap_or_default();
    lines
        .iter()
        .map(|cmd| {
            cmd.arguments().iter().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join("|")
        })
        .collect()
}

#[test]
fn the_words_of_each_tool() {
    let spare = |drive: &str, of: Option<&str>| Change::AddSpare {
        drive: drive.to_owned(),
        of: of.map(str::to_owned),
    };
    let free = |drive: &str, of: Option<&str>| Change::RemoveSpare {
        drive: drive.to_owned(),
        of: of.map(str::to_owned),
    };
    let delete = |id: &str| Change::Delete { array: id.to_owned() };
    let light = |drive: &str| Change::Locate { drive: drive.to_owned(), on: true };
    let mut named = array(Level::Raid5, &["252:1", "252:2", "252:3"]);
    named.name = Some("a b; $(c), 'd'".to_owned());
    named.write_back = Some(true);
    named.read_ahead = Some(false);
    named.strip_kib = Some(256);
    let table: [(Tool, &str, Change, &str); 27] = [
        // What ESOS ran: `/cN add vd rL drives=E:S,E:S ra|nora wb|wt`; name, size and strip of the grammar.
        (
            Tool::Storcli,
            "0",
            Change::Create(named),
            "/c0|add|vd|r5|size=all|name=a b; $(c), 'd'|drives=252:1,252:2,252:3|strip=256|wb|nora|J|nolog",
        ),
        (
            Tool::Perccli,
            "1",
            Change::Create(array(Level::Raid10, &["32:0", "32:1", "32:2", "32:3"])),
            "/c1|add|vd|r10|size=all|drives=32:0,32:1,32:2,32:3|pdperarray=2|J|nolog",
        ),
        (Tool::Storcli, "0", delete("3"), "/c0/v3|del|force|J|nolog"),
        (Tool::Storcli, "0", spare("252:4", None), "/c0/e252/s4|add|hotsparedrive|J|nolog"),
        (Tool::Storcli, "0", spare(":4", Some("0")), "/c0/s4|add|hotsparedrive|dgs=0|J|nolog"),
        (Tool::Storcli, "0", free("252:4", None), "/c0/e252/s4|delete|hotsparedrive|J|nolog"),
        (Tool::Storcli2, "0", light("308:4"), "/c0/e308/s4|start|locate|J|nolog"),
        (Tool::Storcli, "0", Change::ForeignImport, "/c0/fall|import|J|nolog"),
        (Tool::Storcli, "0", Change::RebuildRate { percent: 30 }, "/c0|set|rebuildrate=30|J|nolog"),
        (
            Tool::Megacli,
            "0",
            Change::Create(array(Level::Raid6, &["6:0", "6:1", "6:2", "6:3"])),
            "-CfgLdAdd|-r6[6:0,6:1,6:2,6:3]|-a0|-Silent|-NoLog",
        ),
        (
            Tool::Megacli,
            "0",
            Change::Create(array(Level::Raid10, &["6:0", "6:1", "6:2", "6:3"])),
            "-CfgSpanAdd|-r10|-Array0[6:0,6:1]|-Array1[6:2,6:3]|-a0|-Silent|-NoLog",
        ),
        (Tool::Megacli, "0", delete("1"), "-CfgLdDel|-L1|-a0|-Silent|-NoLog"),
        (
            Tool::Megacli,
            "0",
            spare("6:4", Some("0")),
            "-PDHSP|-Set|-Dedicated|-Array0|-PhysDrv|[6:4]|-a0|-NoLog",
        ),
        (Tool::Megacli, "0", free("6:4", None), "-PDHSP|-Rmv|-PhysDrv|[6:4]|-a0|-NoLog"),
        (Tool::Megacli, "0", Change::ForeignClear, "-CfgForeign|-Clear|-a0|-NoLog"),
        (
            Tool::Arcconf,
            "1",
            Change::Create(array(Level::Raid1, &["0,0", "0,1"])),
            "CREATE|1|LOGICALDRIVE|MAX|1|0|0|0|1|noprompt",
        ),
        (Tool::Arcconf, "1", delete("0"), "DELETE|1|LOGICALDRIVE|0|noprompt"),
        (Tool::Arcconf, "1", spare("0,7", None), "SETSTATE|1|DEVICE|0|7|HSP|noprompt"),
        (Tool::Arcconf, "1", free("0,7", None), "SETSTATE|1|DEVICE|0|7|RDY|noprompt"),
        (Tool::Arcconf, "1", light("0,7"), "IDENTIFY|1|DEVICE|0|7|START"),
        (
            Tool::Ssacli,
            "0",
            Change::Create(array(Level::Raid10, &["1I:1:1", "1I:1:2", "1I:1:3", "1I:1:4"])),
            "ctrl|slot=0|create|type=ld|drives=1I:1:1,1I:1:2,1I:1:3,1I:1:4|size=max|raid=1+0|forced",
        ),
        (Tool::Hpacucli, "0b", delete("2"), "ctrl|slot=0b|ld|2|delete|forced"),
        (Tool::Ssacli, "0", spare("2I:1:6", Some("A")), "ctrl|slot=0|array|A|add|spares=2I:1:6"),
        (
            Tool::TwCli,
            "c0",
            Change::Create(array(Level::Raid5, &["p0", "p1", "p2"])),
            "/c0|add|type=raid5|disk=0:1:2",
        ),
        (Tool::TwCli, "c0", delete("u1"), "/c0/u1|del|noscan|quiet"),
        (Tool::Areca, "1", spare("16", None), "rsf|createhs|drv=16"),
        (Tool::Mdadm, "", spare("sdd", Some("md0")), "/dev/md0|--add|/dev/sdd"),
    ];
    for (tool, controller, change, expected) in table {
        assert_eq!(words(tool, controller, &change), [expected], "{tool} {change:?}");
    }
}

#[test]
fn nothing_else_takes_the_place_of_an_id() {
    for drive in ["252:1;reboot", "", "252", "-aALL", "252:1,252:2", "$(x):1"] {
        let change = Change::Locate { drive: drive.to_owned(), on: true };
        let refused = commands(Tool::Storcli, "/opt/sbin/storcli64", "0", &change);
        assert!(matches!(refused, Err(ChangeError::Id { .. })), "{drive}");
    }
    let change = Change::Delete { array: "ALL".to_owned() };
    assert!(commands(Tool::Arcconf, "/opt/sbin/arcconf", "1", &change).is_err());
    assert!(commands(Tool::Arcconf, "/opt/sbin/arcconf", "ALL", &Change::ForeignScan).is_err());
}

#[test]
fn shapes_and_names_are_checked_before_a_tool_is_asked() {
    let twice = Change::Create(array(Level::Raid1, &["252:1", "252:1"]));
    assert!(matches!(
        commands(Tool::Storcli, "/x", "0", &twice),
        Err(ChangeError::Shape(ShapeError::Twice { .. }))
    ));
    let few = Change::Create(array(Level::Raid6, &["252:1", "252:2", "252:3"]));
    assert!(matches!(
        commands(Tool::Storcli, "/x", "0", &few),
        Err(ChangeError::Shape(ShapeError::TooFew { .. }))
    ));
    let name = Change::Rename { array: "0".to_owned(), name: "x\ny".to_owned() };
    assert!(matches!(commands(Tool::Storcli, "/x", "0", &name), Err(ChangeError::Name { .. })));
    assert!(matches!(
        commands(Tool::Areca, "/x", "1", &Change::ForeignClear),
        Err(ChangeError::Unsupported { .. })
    ));
}
