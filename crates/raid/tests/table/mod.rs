//! Every change of every tool, and the words that the tool gets for it.
use esos_raid::{Change, Level, NewArray, Tool};

pub(crate) fn array(level: Level, drives: &[&str]) -> NewArray {
    NewArray::new(level, drives.iter().copied())
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

pub(crate) fn spare(drive: &str, of: Option<&str>) -> Change {
    Change::AddSpare { drive: drive.to_owned(), of: owned(of) }
}

fn unspare(drive: &str, of: Option<&str>) -> Change {
    Change::RemoveSpare { drive: drive.to_owned(), of: owned(of) }
}

pub(crate) fn delete(id: &str) -> Change {
    Change::Delete { array: id.to_owned(), members: Vec::new(), group: None }
}

pub(crate) fn light(drive: &str, on: bool) -> Change {
    Change::Locate { drive: drive.to_owned(), on }
}

fn cache(array: &str, write_back: Option<bool>, read_ahead: Option<bool>) -> Change {
    Change::Cache { array: array.to_owned(), write_back, read_ahead }
}

pub(crate) fn rename(array: &str, name: &str) -> Change {
    Change::Rename { array: array.to_owned(), name: name.to_owned() }
}

fn reshape(array: &str, levels: (Level, Level), members: &[&str], added: &[&str]) -> Change {
    let list = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
    Change::Reshape {
        array: array.to_owned(),
        from: levels.0,
        level: levels.1,
        members: list(members),
        added: list(added),
        group: owned(Some("A")),
    }
}

fn grow(array: &str, level: Level, members: &[&str]) -> Change {
    let members = members.iter().map(|k| (*k).to_owned()).collect();
    Change::Grow { array: array.to_owned(), level, members }
}

fn fail(drive: &str, array: Option<&str>) -> Change {
    Change::Fail { drive: drive.to_owned(), array: owned(array) }
}

fn detach(drive: &str, array: Option<&str>) -> Change {
    Change::Detach { drive: drive.to_owned(), array: owned(array) }
}

fn free(drive: &str) -> Change {
    Change::Free { drive: drive.to_owned() }
}

fn swap(array: &str, old: &str, new: &str) -> Change {
    Change::Swap { array: array.to_owned(), old: old.to_owned(), new: new.to_owned() }
}

fn rebuild(drive: &str, array: Option<&str>) -> Change {
    Change::Rebuild { drive: drive.to_owned(), array: owned(array) }
}

fn check(array: &str) -> Change {
    Change::Check { array: array.to_owned() }
}

pub(crate) fn rate(percent: u64) -> Change {
    Change::RebuildRate { percent }
}

pub(crate) fn set(name: &str, value: &str) -> Change {
    Change::Property { name: name.to_owned(), value: value.to_owned() }
}

/// A name that a shell would take apart.
const NAME: &str = "a b,\"c\";$(d)'";

pub(crate) fn named(level: Level, drives: &[&str]) -> NewArray {
    let mut new = array(level, drives);
    new.name = Some(NAME.to_owned());
    new.strip_kib = Some(256);
    new.write_back = Some(true);
    new.read_ahead = Some(false);
    new
}

/// Tool, controller, change, where the words are from, the words of each command.
pub(crate) type Row = (Tool, &'static str, Change, &'static str, &'static [&'static str]);

fn storcli() -> Vec<Row> {
    use Level::{Raid5, Raid6, Raid10, Raid50};
    let (s, c) = (Tool::Storcli, "0");
    let grammar = "raid.md 3, storcli";
    vec![
        (
            s,
            c,
            Change::Create(array(Level::Raid1, &["35:12", "35:13"])),
            "storcli/add-vd-ok, esos",
            &["/c0|add|vd|r1|size=all|drives=35:12,35:13|J|nolog"],
        ),
        (
            s,
            c,
            Change::Create(named(Raid5, &["252:1", "252:2", "252:3"])),
            "esos, raid.md 3",
            &[
                "/c0|add|vd|r5|size=all|name=a b,\"c\";$(d)'|drives=252:1,252:2,252:3|strip=256|wb|nora|J|nolog",
            ],
        ),
        (
            Tool::Perccli,
            "1",
            Change::Create(array(Raid10, &["32:0", "32:1", "32:2", "32:3"])),
            grammar,
            &["/c1|add|vd|r10|size=all|drives=32:0,32:1,32:2,32:3|pdperarray=2|J|nolog"],
        ),
        (
            s,
            c,
            Change::Create(array(Raid50, &["8:0", "8:1", "8:2", "8:3", "8:4", "8:5"])),
            grammar,
            &["/c0|add|vd|r50|size=all|drives=8:0,8:1,8:2,8:3,8:4,8:5|pdperarray=3|J|nolog"],
        ),
        (s, c, delete("3"), "esos", &["/c0/v3|del|force|J|nolog"]),
        (s, c, spare("252:4", None), "esos", &["/c0/e252/s4|add|hotsparedrive|J|nolog"]),
        (s, c, spare(":4", Some("0")), grammar, &["/c0/s4|add|hotsparedrive|dgs=0|J|nolog"]),
        (s, c, unspare("252:4", None), "esos", &["/c0/e252/s4|delete|hotsparedrive|J|nolog"]),
        (Tool::Storcli2, "0", light("308:4", true), grammar, &["/c0/e308/s4|start|locate|J|nolog"]),
        (s, c, light("252:4", false), grammar, &["/c0/e252/s4|stop|locate|J|nolog"]),
        (s, c, cache("2", Some(false), Some(true)), grammar, &["/c0/v2|set|wrcache=wt|rdcache=ra|J|nolog"]),
        (s, c, rename("2", NAME), grammar, &["/c0/v2|set|name=a b,\"c\";$(d)'|J|nolog"]),
        (
            s,
            c,
            reshape("1", (Raid5, Raid6), &["8:0", "8:1", "8:2"], &["8:3"]),
            "doc: start migrate",
            &["/c0/v1|start|migrate|type=raid6|option=add|drives=8:3|J|nolog"],
        ),
        (
            s,
            c,
            reshape("1", (Level::Raid0, Level::Raid1), &["8:0", "8:1"], &[]),
            "doc: start migrate",
            &["/c0/v1|start|migrate|type=raid1|J|nolog"],
        ),
        (s, c, fail("8:1", None), grammar, &["/c0/e8/s1|set|offline|J|nolog"]),
        (
            s,
            c,
            detach("8:1", None),
            grammar,
            &["/c0/e8/s1|set|missing|J|nolog", "/c0/e8/s1|spindown|J|nolog"],
        ),
        (s, c, free("8:1"), grammar, &["/c0/e8/s1|set|good|force|J|nolog"]),
        (
            s,
            c,
            swap("1", "8:1", "8:7"),
            "doc: start copyback",
            &["/c0/e8/s1|start|copyback|target=8:7|J|nolog"],
        ),
        (s, c, rebuild("8:1", None), grammar, &["/c0/e8/s1|start|rebuild|J|nolog"]),
        (s, c, check("1"), "doc: start cc", &["/c0/v1|start|cc|J|nolog"]),
        (s, c, Change::ForeignScan, grammar, &["/c0/fall|show|J|nolog"]),
        (s, c, Change::ForeignImport, grammar, &["/c0/fall|import|J|nolog"]),
        (s, c, Change::ForeignClear, grammar, &["/c0/fall|del|J|nolog"]),
        (s, c, rate(30), grammar, &["/c0|set|rebuildrate=30|J|nolog"]),
        (s, c, set("jbod", "on"), grammar, &["/c0|set|jbod=on|J|nolog"]),
    ]
}

fn megacli() -> Vec<Row> {
    use Level::{Raid5, Raid6, Raid10};
    let (m, c) = (Tool::Megacli, "0");
    let grammar = "raid.md 3, MegaCli64";
    let mut create = named(Raid6, &["6:0", "6:1", "6:2", "6:3"]);
    create.name = None;
    vec![
        (
            m,
            c,
            Change::Create(create),
            grammar,
            &["-CfgLdAdd|-r6[6:0,6:1,6:2,6:3]|WB|NORA|-strpsz256|-a0|-Silent|-NoLog"],
        ),
        (
            m,
            c,
            Change::Create(array(Raid10, &["6:0", "6:1", "6:2", "6:3"])),
            grammar,
            &["-CfgSpanAdd|-r10|-Array0[6:0,6:1]|-Array1[6:2,6:3]|-a0|-Silent|-NoLog"],
        ),
        (m, c, delete("1"), grammar, &["-CfgLdDel|-L1|-a0|-Silent|-NoLog"]),
        (m, c, spare("6:4", None), grammar, &["-PDHSP|-Set|-PhysDrv|[6:4]|-a0|-NoLog"]),
        (
            m,
            c,
            spare("6:4", Some("0")),
            grammar,
            &["-PDHSP|-Set|-Dedicated|-Array0|-PhysDrv|[6:4]|-a0|-NoLog"],
        ),
        (m, c, unspare("6:4", None), grammar, &["-PDHSP|-Rmv|-PhysDrv|[6:4]|-a0|-NoLog"]),
        (
            m,
            c,
            light("252:1", true),
            "megacli/action-locate-start",
            &["-PdLocate|-start|-physdrv[252:1]|-a0|-NoLog"],
        ),
        (m, c, light("252:1", false), grammar, &["-PdLocate|-stop|-physdrv[252:1]|-a0|-NoLog"]),
        (
            m,
            c,
            cache("0", Some(true), Some(true)),
            grammar,
            &["-LDSetProp|WB|-L0|-a0|-NoLog", "-LDSetProp|RA|-L0|-a0|-NoLog"],
        ),
        (m, c, rename("0", NAME), grammar, &["-LDSetProp|-Name|a b,\"c\";$(d)'|-L0|-a0|-NoLog"]),
        (
            m,
            c,
            reshape("0", (Raid5, Raid6), &["6:0", "6:1", "6:2"], &["6:3", "6:4"]),
            "doc: -LDRecon",
            &["-LDRecon|-Start|-r6|-Add|-PhysDrv[6:3,6:4]|-L0|-a0|-NoLog"],
        ),
        (
            m,
            c,
            grow("0", Raid5, &["6:0", "6:1", "6:2"]),
            "doc: -LdExpansion",
            &["-LdExpansion|-p100|-L0|-a0|-NoLog"],
        ),
        (m, c, fail("6:1", None), "megacli/action-pdoffline", &["-PDOffline|-PhysDrv|[6:1]|-a0|-NoLog"]),
        (
            m,
            c,
            detach("6:1", None),
            grammar,
            &["-PDMarkMissing|-PhysDrv|[6:1]|-a0|-NoLog", "-PdPrpRmv|-PhysDrv|[6:1]|-a0|-NoLog"],
        ),
        (m, c, free("6:1"), grammar, &["-PDMakeGood|-PhysDrv|[6:1]|-Force|-a0|-NoLog"]),
        (m, c, swap("0", "6:1", "6:5"), "doc: -PDCpyBk", &["-PDCpyBk|-Start|-PhysDrv|[6:1,6:5]|-a0|-NoLog"]),
        (m, c, rebuild("6:1", None), grammar, &["-PDRbld|-Start|-PhysDrv|[6:1]|-a0|-NoLog"]),
        (m, c, check("0"), "doc: -LDCC", &["-LDCC|-Start|-L0|-a0|-NoLog"]),
        (m, c, Change::ForeignScan, "megacli/foreign-config-scan", &["-CfgForeign|-Scan|-a0|-NoLog"]),
        (m, c, Change::ForeignImport, grammar, &["-CfgForeign|-Import|-a0|-NoLog"]),
        (m, c, Change::ForeignClear, "megacli/action-foreign-clear", &["-CfgForeign|-Clear|-a0|-NoLog"]),
        (m, c, rate(60), grammar, &["-AdpSetProp|RebuildRate|-60|-a0|-NoLog"]),
        (m, c, set("CacheFlushInterval", "4"), grammar, &["-AdpSetProp|CacheFlushInterval|-4|-a0|-NoLog"]),
    ]
}

fn arcconf() -> Vec<Row> {
    use Level::{Raid1, Raid5, Raid6};
    let (a, c) = (Tool::Arcconf, "1");
    let grammar = "raid.md 3, arcconf";
    vec![
        (
            a,
            c,
            Change::Create(array(Raid1, &["0,0", "0,1"])),
            "esos, raid.md 3",
            &["CREATE|1|LOGICALDRIVE|MAX|1|0|0|0|1|noprompt"],
        ),
        (
            a,
            c,
            Change::Create(named(Raid5, &["0,0", "0,1", "0,2"])),
            grammar,
            &[
                "CREATE|1|LOGICALDRIVE|Stripesize|256|Rcache|ROFF|Wcache|WB|Name|a b,\"c\";$(d)'|MAX|5|0|0|0|1|0|2|noprompt",
            ],
        ),
        (a, c, delete("0"), "esos", &["DELETE|1|LOGICALDRIVE|0|noprompt"]),
        (a, c, spare("0,7", None), "esos", &["SETSTATE|1|DEVICE|0|7|HSP|noprompt"]),
        (a, c, spare("0,7", Some("0")), grammar, &["SETSTATE|1|DEVICE|0|7|HSP|LOGICALDRIVE|0|noprompt"]),
        (a, c, unspare("0,7", None), "esos", &["SETSTATE|1|DEVICE|0|7|RDY|noprompt"]),
        (a, c, light("0,7", true), grammar, &["IDENTIFY|1|DEVICE|0|7|START"]),
        (a, c, light("0,7", false), grammar, &["IDENTIFY|1|DEVICE|0|7|STOP"]),
        (
            a,
            c,
            cache("0", Some(true), Some(false)),
            grammar,
            &["SETCACHE|1|LOGICALDRIVE|0|ROFF|noprompt", "SETCACHE|1|LOGICALDRIVE|0|WB|noprompt"],
        ),
        (a, c, rename("0", NAME), "doc: SETNAME", &["SETNAME|1|LOGICALDRIVE|0|a b,\"c\";$(d)'"]),
        (
            a,
            c,
            reshape("0", (Raid5, Raid6), &["0,0", "0,1", "0,2"], &["0,3"]),
            "doc: MODIFY FROM TO",
            &["MODIFY|1|FROM|0|TO|MAX|6|0|0|0|1|0|2|0|3|noprompt"],
        ),
        (
            a,
            c,
            grow("0", Raid5, &["0,0", "0,1", "0,2"]),
            "doc: MODIFY FROM TO",
            &["MODIFY|1|FROM|0|TO|MAX|5|0|0|0|1|0|2|noprompt"],
        ),
        (a, c, fail("0,1", None), grammar, &["SETSTATE|1|DEVICE|0|1|DDD|noprompt"]),
        (a, c, free("0,1"), grammar, &["SETSTATE|1|DEVICE|0|1|RDY|noprompt"]),
        (a, c, check("0"), grammar, &["TASK|START|1|LOGICALDRIVE|0|VERIFY_FIX|noprompt"]),
        (a, c, rate(90), grammar, &["SETPRIORITY|1|HIGH"]),
    ]
}

fn hp() -> Vec<Row> {
    use Level::{Raid5, Raid6, Raid10};
    let (h, c) = (Tool::Ssacli, "0");
    let grammar = "raid.md 3, hpacucli/hpssacli/ssacli";
    let mut create = array(Raid5, &["1I:1:1", "1I:1:2", "1I:1:3"]);
    (create.strip_kib, create.write_back) = (Some(256), Some(true));
    vec![
        (
            h,
            c,
            Change::Create(array(Raid10, &["1I:1:1", "1I:1:2", "1I:1:3", "1I:1:4"])),
            grammar,
            &["ctrl|slot=0|create|type=ld|drives=1I:1:1,1I:1:2,1I:1:3,1I:1:4|size=max|raid=1+0|forced"],
        ),
        (
            h,
            c,
            Change::Create(create),
            grammar,
            &[
                "ctrl|slot=0|create|type=ld|drives=1I:1:1,1I:1:2,1I:1:3|size=max|raid=5|ss=256|aa=enable|forced",
            ],
        ),
        (Tool::Hpacucli, "0b", delete("2"), grammar, &["ctrl|slot=0b|ld|2|delete|forced"]),
        (
            Tool::Hpacucli,
            "chassis:MY STORAGE",
            light("1:0", true),
            "raid.md 3, chassisname=; hpacucli/msa1500-arrays-failed",
            &["ctrl|chassisname=MY STORAGE|pd|1:0|modify|led=on"],
        ),
        (h, c, spare("2I:1:6", Some("A")), grammar, &["ctrl|slot=0|array|A|add|spares=2I:1:6"]),
        (h, c, unspare("2I:1:6", Some("A")), grammar, &["ctrl|slot=0|array|A|remove|spares=2I:1:6"]),
        (h, c, light("2I:1:6", true), grammar, &["ctrl|slot=0|pd|2I:1:6|modify|led=on"]),
        (h, c, light("2I:1:6", false), grammar, &["ctrl|slot=0|pd|2I:1:6|modify|led=off"]),
        (h, c, cache("1", Some(false), None), grammar, &["ctrl|slot=0|ld|1|modify|aa=disable"]),
        (
            h,
            c,
            reshape("1", (Raid5, Raid6), &["1I:1:1", "1I:1:2", "1I:1:3"], &["1I:1:4"]),
            "doc: array add drives, ld modify raid",
            &["ctrl|slot=0|array|A|add|drives=1I:1:4|forced", "ctrl|slot=0|ld|1|modify|raid=6|forced"],
        ),
        (
            h,
            c,
            reshape("1", (Raid5, Raid5), &["1I:1:1", "1I:1:2", "1I:1:3"], &["1I:1:4"]),
            "doc: array add drives",
            &["ctrl|slot=0|array|A|add|drives=1I:1:4|forced"],
        ),
        (
            h,
            c,
            grow("1", Raid5, &["1I:1:1", "1I:1:2", "1I:1:3"]),
            "doc: ld modify size",
            &["ctrl|slot=0|ld|1|modify|size=max|forced"],
        ),
        (h, c, rate(50), grammar, &["ctrl|slot=0|modify|rp=medium"]),
        (h, c, set("dwc", "enable"), grammar, &["ctrl|slot=0|modify|dwc=enable"]),
    ]
}

fn areca() -> Vec<Row> {
    let (a, c) = (Tool::Areca, "1");
    let grammar = "raid.md 3, cli64";
    let mut create = array(Level::Raid5, &["1", "2", "3"]);
    (create.group, create.size_mib, create.name) = (owned(Some("2")), Some(953_674), owned(Some("data")));
    let both = Change::Delete { array: "2".to_owned(), members: Vec::new(), group: owned(Some("1")) };
    vec![
        (
            a,
            "",
            Change::Create(create),
            grammar,
            &[
                "set password=0000\nrsf create drv=1,2,3\nvsf create raid=2 capacity=999.9 level=5 name=data\nexit\n",
            ],
        ),
        (a, c, delete("2"), grammar, &["set curctrl=1\nset password=0000\nvsf delete vol=2\nexit\n"]),
        (
            a,
            c,
            both,
            grammar,
            &["set curctrl=1\nset password=0000\nvsf delete vol=2\nrsf delete raid=1\nexit\n"],
        ),
        (
            a,
            c,
            spare("16", None),
            grammar,
            &["set curctrl=1\nset password=0000\nrsf createhs drv=16\nexit\n"],
        ),
        (
            a,
            c,
            unspare("16", None),
            grammar,
            &["set curctrl=1\nset password=0000\nrsf deletehs drv=16\nexit\n"],
        ),
        (
            a,
            c,
            light("16", true),
            grammar,
            &["set curctrl=1\nset password=0000\ndisk identify drv=16\nexit\n"],
        ),
        (a, c, check("2"), "doc: vsf check", &["set curctrl=1\nset password=0000\nvsf check vol=2\nexit\n"]),
    ]
}

fn tw_cli() -> Vec<Row> {
    use Level::{Raid5, Raid50};
    let (t, c) = (Tool::TwCli, "c0");
    let grammar = "raid.md 3, tw_cli";
    let mut create = named(Raid5, &["p0", "p1", "p2"]);
    (create.read_ahead, create.write_back) = (None, Some(false));
    vec![
        (
            t,
            c,
            Change::Create(array(Raid5, &["p0", "p1", "p2"])),
            grammar,
            &["/c0|add|type=raid5|disk=0:1:2"],
        ),
        (
            t,
            c,
            Change::Create(create),
            grammar,
            &["/c0|add|type=raid5|disk=0:1:2|stripe=256|nocache|name=a b,\"c\";$(d)'"],
        ),
        (
            t,
            c,
            Change::Create(array(Raid50, &["p0", "p1", "p2", "p3", "p4", "p5"])),
            grammar,
            &["/c0|add|type=raid50|disk=0:1:2:3:4:5|group=3"],
        ),
        (t, c, delete("u1"), grammar, &["/c0/u1|del|noscan|quiet"]),
        (t, c, spare("p7", None), grammar, &["/c0|add|type=spare|disk=7"]),
        (t, c, unspare("p7", Some("u3")), grammar, &["/c0/u3|del|noscan|quiet"]),
        (t, c, light("p7", true), grammar, &["/c0/p7|set|identify=on"]),
        (t, c, light("p7", false), grammar, &["/c0/p7|set|identify=off"]),
        (t, c, cache("u0", Some(true), None), grammar, &["/c0/u0|set|cache=on|quiet"]),
        (t, c, rename("u0", NAME), "doc: set name", &["/c0/u0|set|name=a b,\"c\";$(d)'"]),
        (
            t,
            c,
            reshape("u0", (Raid5, Raid5), &["p0", "p1", "p2"], &["p3"]),
            "doc: migrate",
            &["/c0/u0|migrate|type=raid5|disk=3"],
        ),
        (t, c, fail("p1", None), "doc: /cN/pP remove", &["/c0/p1|remove|quiet"]),
        (t, c, detach("p1", None), "doc: /cN/pP remove", &["/c0/p1|remove|quiet"]),
        (t, c, rebuild("p1", Some("u0")), grammar, &["/c0/u0|start|rebuild|disk=1"]),
        (t, c, check("u0"), grammar, &["/c0/u0|start|verify"]),
        (t, c, rate(100), grammar, &["/c0|set|rebuild=1"]),
        (t, c, set("autorebuild", "on"), grammar, &["/c0|set|autorebuild=on"]),
    ]
}

fn md() -> Vec<Row> {
    use Level::{Raid0, Raid1, Raid5, Raid6};
    let (m, c) = (Tool::Mdadm, "");
    let ran = "raid.md 3, md";
    let mut five = array(Raid5, &["sda", "sdb", "sdc"]);
    (five.name, five.strip_kib) = (owned(Some("data")), Some(64));
    let mut zero = array(Raid0, &["sda", "sdb"]);
    zero.name = owned(Some("fast"));
    let members = vec!["sda".to_owned(), "sdb".to_owned()];
    vec![
        (
            m,
            c,
            Change::Create(five),
            ran,
            &[
                "--create|/dev/md/data|--run|--level=5|--raid-devices=3|--chunk=64|--bitmap=internal|--name=data|/dev/sda|/dev/sdb|/dev/sdc",
            ],
        ),
        (
            m,
            c,
            Change::Create(zero),
            ran,
            &["--create|/dev/md/fast|--run|--level=0|--raid-devices=2|--name=fast|/dev/sda|/dev/sdb"],
        ),
        (
            m,
            c,
            Change::Delete { array: "md0".to_owned(), members, group: None },
            ran,
            &["--stop|/dev/md0", "--zero-superblock|/dev/sda", "--zero-superblock|/dev/sdb"],
        ),
        (m, c, spare("sdd", Some("md0")), ran, &["/dev/md0|--add|/dev/sdd"]),
        (m, c, unspare("sdd", Some("md0")), ran, &["/dev/md0|--remove|/dev/sdd"]),
        (m, c, fail("sdb", Some("md0")), ran, &["/dev/md0|--fail|/dev/sdb"]),
        (m, c, detach("sdb", Some("md0")), ran, &["/dev/md0|--remove|/dev/sdb"]),
        (m, c, free("sdb"), ran, &["--zero-superblock|/dev/sdb"]),
        (
            m,
            c,
            swap("md0", "sdb", "sdd"),
            ran,
            &["/dev/md0|--add-spare|/dev/sdd", "/dev/md0|--replace|/dev/sdb|--with|/dev/sdd"],
        ),
        (
            m,
            c,
            reshape("md0", (Raid5, Raid6), &["sda", "sdb", "sdc"], &["sdd"]),
            ran,
            &["/dev/md0|--add-spare|/dev/sdd", "--grow|/dev/md0|--level=6|--raid-devices=4"],
        ),
        (
            m,
            c,
            reshape("md0", (Raid1, Raid1), &["sda", "sdb"], &["sdc"]),
            ran,
            &["/dev/md0|--add-spare|/dev/sdc", "--grow|/dev/md0|--raid-devices=3"],
        ),
        (m, c, grow("md0", Raid5, &["sda", "sdb", "sdc"]), "mdadm(8)", &["--grow|/dev/md0|--size=max"]),
        (m, c, rebuild("sdd", Some("md0")), ran, &["/dev/md0|--add|/dev/sdd"]),
        (m, c, check("md0"), "mdadm(8)", &["--action=check|/dev/md0"]),
    ]
}

/// All rows. Tools of one grammar have the rows of each other.
pub(crate) fn all() -> Vec<Row> {
    let mut rows: Vec<Row> =
        [storcli(), megacli(), arcconf(), hp(), areca(), tw_cli(), md()].into_iter().flatten().collect();
    let kin: &[&[Tool]] = &[&[Tool::Storcli, Tool::Storcli2, Tool::Perccli], &[Tool::Ssacli, Tool::Hpacucli]];
    for family in kin {
        let own: Vec<Row> = rows.iter().filter(|row| family.contains(&row.0)).cloned().collect();
        for (tool, controller, change, source, words) in own {
            for other in family.iter().filter(|other| **other != tool) {
                let known = |row: &Row| row.0 == *other && row.1 == controller && row.2 == change;
                if !rows.iter().any(known) {
                    rows.push((*other, controller, change.clone(), source, words));
                }
            }
        }
    }
    rows
}
