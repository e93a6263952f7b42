//! Each change of each tool as the exact words that the tool gets. Every row names where its words are
//! from: `doc` is the maker's command line reference, `esos` the script of the old ESOS, a path is a
//! capture of the corpus.
mod table;

use esos_raid::{Change, ChangeError, Level, Place, ShapeError, Tool, commands, shown};
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
