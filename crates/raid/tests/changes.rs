//! Each change of each tool as the exact words that the tool gets. Every row names where its words are
//! from: `doc` is the maker's command line reference, `esos` the script of the old ESOS, a path is a
//! capture of the corpus.
mod table;

use esos_raid::{Change, ChangeError, Level, NewArray, Place, ShapeError, Tool, commands, shown};
use table::{array, delete, light, named, rate, rename, set, spare};

fn words(tool: Tool, controller: &str, change: &Change) -> Vec<String> {
    let lines = commands(&Place::new(tool, "/opt/sbin/tool", controller), change);
    let lines = lines.unwrap_or_default();
    let word = |cmd: &esos_exec::Cmd| {
        let args: Vec<_> = cmd.arguments().iter().map(|a| a.to_string_lossy().into_owned()).collect();
        if args.is_empty() { String::from_utf8_lossy(cmd.input()).into_owned() } else { args.join("|") }
    };
    lines.iter().map(word).collect()
}

#[test]
fn the_words_of_each_tool() {
    let mut count = 0;
    for (tool, controller, change, source, expected) in table::all() {
        assert!(!source.is_empty());
        assert_eq!(words(tool, controller, &change), expected, "{tool} {change:?}");
        count += 1;
    }
    println!("{count} rows");
    assert!(count > 100);
}

/// One change of each kind, with ids of that tool.
fn one_of_each(tool: Tool) -> Vec<Change> {
    let (array, drives, of) = match tool {
        Tool::Arcconf => ("0", ["0,1", "0,2", "0,3"], "0"),
        Tool::Hpacucli | Tool::Ssacli => ("1", ["1I:1:1", "1I:1:2", "1I:1:3"], "A"),
        Tool::Areca => ("1", ["1", "2", "3"], "1"),
        Tool::TwCli => ("u0", ["p0", "p1", "p2"], "u0"),
        Tool::Mdadm | Tool::Mdstat => ("md0", ["sda", "sdb", "sdc"], "md0"),
        _ => ("0", ["252:1", "252:2", "252:3"], "0"),
    };
    let [a, b, c] = drives.map(str::to_owned);
    let (id, of) = (array.to_owned(), Some(of.to_owned()));
    let mut new = NewArray::new(Level::Raid1, [&a, &b].map(String::as_str));
    (new.group, new.size_mib) = (Some("1".to_owned()), (tool == Tool::Areca).then_some(1024));
    let members = vec![a.clone(), b.clone()];
    let spare =
        |drive: &String, of: &Option<String>| Change::AddSpare { drive: drive.clone(), of: of.clone() };
    vec![
        Change::Create(new),
        Change::Delete { array: id.clone(), members: Vec::new(), group: None },
        spare(&c, &None),
        spare(&c, &of),
        Change::RemoveSpare { drive: c.clone(), of: of.clone() },
        Change::Locate { drive: a.clone(), on: true },
        Change::Cache { array: id.clone(), write_back: Some(true), read_ahead: None },
        Change::Rename { array: id.clone(), name: "data".to_owned() },
        Change::Reshape {
            array: id.clone(),
            from: Level::Raid1,
            level: Level::Raid5,
            members: members.clone(),
            added: vec![c.clone()],
            group: of.clone(),
        },
        Change::Grow { array: id.clone(), level: Level::Raid1, members },
        Change::Fail { drive: a.clone(), array: Some(id.clone()) },
        Change::Detach { drive: a.clone(), array: Some(id.clone()) },
        Change::Free { drive: a.clone() },
        Change::Swap { array: id.clone(), old: a.clone(), new: c.clone() },
        Change::Rebuild { drive: a, array: Some(id.clone()) },
        Change::Check { array: id },
        Change::ForeignScan,
        Change::ForeignImport,
        Change::ForeignClear,
        Change::RebuildRate { percent: 50 },
        Change::Property { name: "name".to_owned(), value: "value".to_owned() },
    ]
}

/// What a tool can be told has its row, and so its success and its failures in the test of the stubs.
#[test]
fn every_change_of_every_tool_has_a_row() {
    let kind = |change: &Change| {
        let text = format!("{change:?}");
        text.split([' ', '(']).next().unwrap_or_default().to_owned()
    };
    let rows = table::all();
    let mut lacks = Vec::new();
    let mut count = 0;
    for tool in Tool::ALL.into_iter().filter(|tool| *tool != Tool::Mdstat) {
        let controller = match tool {
            Tool::TwCli => "c0",
            Tool::Mdadm => "",
            _ => "1",
        };
        for change in one_of_each(tool) {
            match commands(&Place::new(tool, "/opt/sbin/tool", controller), &change) {
                Ok(_) => count += 1,
                Err(ChangeError::Unsupported { .. } | ChangeError::Needs { .. }) => continue,
                Err(error) => lacks.push(format!("{tool} {change:?}: {error}")),
            }
            if !rows.iter().any(|row| row.0 == tool && kind(&row.2) == kind(&change)) {
                lacks.push(format!("{tool} {}: no row", kind(&change)));
            }
        }
    }
    println!("{count} changes that tools can be told");
    assert!(count > 100 && lacks.is_empty(), "{}", lacks.join("\n"));
}

#[test]
fn people_see_the_session_without_the_password() {
    let place = Place::new(Tool::Areca, "/opt/sbin/cli64", "1");
    let lines = commands(&place, &spare("16", None)).unwrap();
    let text = shown(&lines[0]);
    assert_eq!(text, "/opt/sbin/cli64 <<< 'set curctrl=1; set password=***; rsf createhs drv=16; exit'");
}

#[test]
fn nothing_else_takes_the_place_of_an_id() {
    let at = |tool, controller| Place::new(tool, "/opt/sbin/tool", controller);
    for drive in ["252:1;reboot", "", "252", "-aALL", "252:1,252:2", "$(x):1"] {
        let refused = commands(&at(Tool::Storcli, "0"), &light(drive, true));
        assert!(matches!(refused, Err(ChangeError::Id { .. })), "{drive}");
    }
    assert!(commands(&at(Tool::Arcconf, "1"), &delete("ALL")).is_err());
    assert!(commands(&at(Tool::Arcconf, "ALL"), &delete("0")).is_err());
    assert!(commands(&at(Tool::Mdadm, ""), &spare("--assume-clean", Some("md0"))).is_err());
    assert!(commands(&at(Tool::Mdadm, ""), &spare("sdd", Some("../x"))).is_err());
    assert!(commands(&at(Tool::Ssacli, "0"), &spare("1I:1:1", Some("A forced"))).is_err());
    assert!(commands(&at(Tool::Storcli, "0"), &set("jbod", "on J; x")).is_err());
}

#[test]
fn shapes_names_and_options_are_checked_before_a_tool_is_asked() {
    let at = |tool, controller| Place::new(tool, "/opt/sbin/tool", controller);
    let twice = Change::Create(array(Level::Raid1, &["252:1", "252:1"]));
    let refused = commands(&at(Tool::Storcli, "0"), &twice);
    assert!(matches!(refused, Err(ChangeError::Shape(ShapeError::Twice { .. }))));
    let few = Change::Create(array(Level::Raid6, &["252:1", "252:2", "252:3"]));
    let refused = commands(&at(Tool::Storcli, "0"), &few);
    assert!(matches!(refused, Err(ChangeError::Shape(ShapeError::TooFew { .. }))));
    let refused = commands(&at(Tool::Storcli, "0"), &rename("0", "x\ny"));
    assert!(matches!(refused, Err(ChangeError::Name { .. })));
    let refused = commands(&at(Tool::Areca, "1"), &Change::ForeignClear);
    assert!(matches!(refused, Err(ChangeError::Unsupported { .. })));
    // What was asked for is never left out.
    let refused =
        commands(&at(Tool::Ssacli, "0"), &Change::Create(named(Level::Raid1, &["1I:1:1", "1I:1:2"])));
    assert!(matches!(refused, Err(ChangeError::Option { what: "a name", .. })));
    let mut odd = array(Level::Raid1, &["252:1", "252:2"]);
    odd.strip_kib = Some(100);
    let refused = commands(&at(Tool::Storcli, "0"), &Change::Create(odd));
    assert!(matches!(refused, Err(ChangeError::Range { .. })));
    assert!(matches!(commands(&at(Tool::Storcli, "0"), &rate(101)), Err(ChangeError::Range { .. })));
}

/// A new name is looked for wherever the tool prints names: of those that can rename, all do.
#[test]
fn a_rename_is_seen() {
    use esos_raid::{Capture, parse, verify};
    let megacli = |name: &str| {
        let out = format!(
            "Adapter #0\n\nNumber of Virtual Disks: 1\nVirtual Drive: 0 (Target Id: 0)\nName                :{name}\n\
             RAID Level          : Primary-1, Secondary-0, RAID Level Qualifier-0\nState               : Optimal\n\nExit Code: 0x00\n"
        );
        parse(Tool::Megacli, &[Capture::new("ldpdinfo", "MegaCli64 -LdPdInfo -aALL -NoLog", out)])
    };
    let arcconf = |name: &str| {
        let out = format!(
            "Controllers found: 1\nLogical device information\nLogical Device number 0\n   \
             Logical Device name                      : {name}\n   RAID level                               : 1\n   \
             Status of Logical Device                 : Optimal\nCommand completed successfully.\n"
        );
        parse(Tool::Arcconf, &[Capture::new("getconfig.1", "arcconf GETCONFIG 1 AL", out)])
    };
    for (tool, controller, facts) in
        [(Tool::Megacli, "0", &megacli as &dyn Fn(&str) -> esos_raid::Facts), (Tool::Arcconf, "1", &arcconf)]
    {
        let place = Place::new(tool, "/opt/sbin/tool", controller);
        let looks = |after: &str| verify(&place, &rename("0", "new"), &facts("old"), &facts(after));
        assert_eq!(looks("new"), Some(Ok(())), "{tool}");
        assert!(matches!(looks("old"), Some(Err(_))), "{tool}");
    }
    // The others have no command for it: it is refused, and nothing is to be seen.
    for tool in [Tool::Ssacli, Tool::Hpacucli, Tool::Areca] {
        let refused = commands(&Place::new(tool, "/opt/sbin/tool", "1"), &rename("1", "new"));
        assert!(matches!(refused, Err(ChangeError::Unsupported { .. })), "{tool}");
    }
}
