//! As `hw_raid_cli.py`: the options, columns and exit codes of the old script, for the three kinds of
//! controllers that it knew. What was wrong with it (`raid.md` 2) is right here.
#![allow(clippy::unwrap_used, reason = "a helper of tests may end the test")]
mod bench;

use bench::{Bench, Vendor};
use std::fs;

/// The questions of storcli and its kin; the model of the card differs.
const CARDS: [&str; 2] = [
    r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success"},"Response Data":{"Basics":{"Model":"AVAGO MegaRAID SAS 9361-8i","Serial Number":"SV1"}}}]}"#,
    r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success"},"Response Data":{"Basics":{"Model":"PERC H730P Mini","Serial Number":"5AT00PI"}}},{"Command Status":{"Controller":1,"Status":"Success"},"Response Data":{"Basics":{"Model":"PERC H830, Adapter","Serial Number":"5AT00PJ"}}}]}"#,
];
const ARRAYS: &str = r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success"},"Response Data":{
 "/c0/v0":[{"DG/VD":"0/0","TYPE":"RAID0","State":"Optl","Access":"RW","Consist":"Yes","Cache":"RWBD","Cac":"-","sCC":"ON","Size":"893.137 GB","Name":"my data"}],
 "/c0/v1":[{"DG/VD":"1/1","TYPE":"RAID1","State":"Dgrd","Size":"893.137 GB","Name":""}]}}]}"#;
const DRIVES: &str = r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success"},"Response Data":{"X":[
 {"EID:Slt":"252:3","DID":3,"State":"GHS","DG":"-","Size":"931.512 GB","Model":"ST1000"},
 {"EID:Slt":"252:4","DID":4,"State":"UGood","DG":"-","Size":"931.512 GB","Model":"Samsung SSD 850 PRO 1TB"},
 {"EID:Slt":"252:5","DID":5,"State":"UGood","DG":"-","Size":"931.512 GB","Model":"A, \"B\""},
 {"EID:Slt":"252:6","DID":6,"State":"Onln","DG":0,"Size":"931.512 GB","Model":"C"}]}}]}"#;
const BARE: &str = r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Failure","Description":"No drive found!"}}]}"#;
const YES: (&str, i32) = (
    r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success","Description":"Add Hot Spare Succeeded."}}]}"#,
    0,
);
/// storcli says failure in its answer alone: its status is 0.
const NO: (&str, i32) = (
    r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Failure","Description":"Add Hot Spare Failed","Detailed Status":[{"Drive":"/c0/e252/s4","Status":"Failure","ErrCd":255,"ErrMsg":"device state doesn't support requested command"}]}}]}"#,
    0,
);

const MEGARAID: Vendor = Vendor {
    tool: "storcli",
    program: "storcli64",
    questions: &[
        ("c", "/call show all J nolog", CARDS[0]),
        ("v", "/call/vall show all J nolog", ARRAYS),
        ("d", "/call/eall/sall show all J nolog", DRIVES),
        ("s", "/call/sall show all J nolog", BARE),
    ],
    changes: &[],
    args: &["--type", "MegaRAID", "--ctrlr-id", "0"],
    given: "",
    yes: YES,
    no: NO,
};

const PERC: Vendor = Vendor {
    tool: "perccli",
    program: "perccli64",
    questions: &[
        ("c", "/call show all J nolog", CARDS[1]),
        ("v", "/call/vall show all J nolog", ARRAYS),
        ("d", "/call/eall/sall show all J nolog", DRIVES),
        ("s", "/call/sall show all J nolog", BARE),
    ],
    args: &["--type", "PERC", "--ctrlr-id", "0"],
    ..MEGARAID
};

/// Two Adaptecs of two generations: keys differ in case and wording, and the second prints `Size` only.
const AACRAID: Vendor = Vendor {
    tool: "arcconf",
    program: "arcconf",
    questions: &[
        ("n", "GETVERSION*", "Controllers found: 2\nCommand completed successfully.\n"),
        ("c", "GETCONFIG 1 AL", NEW_ADAPTEC),
        ("o", "GETCONFIG 2 AL", OLD_ADAPTEC),
        ("s", "GETSTATUS *", "Controllers found: 2\nCommand completed successfully.\n"),
    ],
    changes: &[],
    args: &["--type", "AACRAID", "--ctrlr-id", "1"],
    given: "",
    yes: ("Controllers found: 2\nChanging state to HSP.\nCommand completed successfully.\n", 0),
    no: ("Controllers found: 2\nThe specified device cannot be made a hot spare.\nCommand aborted.\n", 6),
};

const NEW_ADAPTEC: &str = "Controllers found: 2
----------------------------------------------------------------------
Controller information
----------------------------------------------------------------------
   Controller Status                        : Optimal
   Controller Model                         : Adaptec ASR8805
   Controller Serial Number                 : 6A4363C5C43
   Logical devices/Failed/Degraded          : 1/0/0
----------------------------------------------------------------------
Logical device information
----------------------------------------------------------------------
Logical Device number 0
   Logical Device name                      : data, hot
   RAID level                               : 5
   Status of Logical Device                 : Optimal
   Size                                     : 1907190 MB
   Segment 0                                : Present (953869MB, SATA, HDD, Connector:0, Device:0) Z0
   Segment 1                                : Present (953869MB, SATA, HDD, Connector:0, Device:1) Z1
   Segment 2                                : Present (953869MB, SATA, HDD, Connector:0, Device:2) Z2
----------------------------------------------------------------------
Physical Device information
----------------------------------------------------------------------
      Device #0
         Device is a Hard drive
         State                              : Online
         Reported Channel,Device(T:L)       : 0,0(0:0)
         Vendor                             : ATA
         Model                              : Samsung SSD 850
         Serial number                      : Z0
         Total Size                         : 953869 MB
      Device #1
         Device is a Hard drive
         State                              : Ready
         Reported Channel,Device(T:L)       : 0,7(7:0)
         Model                              : ST1000
         Serial number                      : Z7
         Total Size                         : 953869 MB
      Device #2
         Device is a Hard drive
         State                              : Global Hot-Spare
         Reported Channel,Device(T:L)       : 0,8(8:0)
         Model                              : ST1000
         Serial number                      : Z8
         Total Size                         : 953869 MB
      Device #3
         Device is a Hard drive
         State                              : Ready
         Reported Channel,Device(T:L)       : 0,9(9:0)
         Model                              : ST1000
         Serial number                      : Z9
         Total Size                         : 953869 MB

Command completed successfully.
";

const OLD_ADAPTEC: &str = "Controllers found: 2
----------------------------------------------------------------------
Controller information
----------------------------------------------------------------------
   Controller Status                        : Okay
   Controller Model                         : IBM ServeRAID 8k-l
   Controller Serial Number                 : 40F8E4
   Logical drives/Offline/Critical          : 1/0/1
----------------------------------------------------------------------
Logical drive information
----------------------------------------------------------------------
Logical drive number 1
   Logical drive name                       : Drive 1
   RAID level                               : 1
   Status of logical drive                  : Critical
   Size                                     : 70006 MB
----------------------------------------------------------------------
Physical device information
----------------------------------------------------------------------
      Device #0
         Device is a Hard drive
         State                              : Online
         Reported Channel,Device            : 0,0
         Model                              : VPA073C3-ETS10 N
         Size                               : 70006 MB

Command completed successfully.
";

/// Exit code and both streams.
type Ended = (Option<i32>, String, String);

fn old(bench: &Bench, args: &[&str]) -> Ended {
    let out = bench.run("hw_raid_cli.py", args, &[]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

fn all() -> Bench {
    let bench = Bench::new(&MEGARAID);
    bench.install(&PERC);
    bench.install(&AACRAID);
    bench
}

#[test]
fn lists_of_all_kinds_in_columns() {
    let bench = all();
    let lists = |args: &[&str], lines: &[&str]| {
        let (code, out, err) = old(&bench, args);
        assert_eq!((code, out.lines().collect::<Vec<_>>().as_slice()), (Some(0), lines), "{args:?}: {err}");
    };
    lists(
        &["--list-controllers"],
        &[
            "MegaRAID,0,AVAGO MegaRAID SAS 9361-8i,SV1",
            "PERC,0,PERC H730P Mini,5AT00PI",
            "PERC,1,\"PERC H830, Adapter\",5AT00PJ",
            "AACRAID,1,Adaptec ASR8805,6A4363C5C43",
            "AACRAID,2,IBM ServeRAID 8k-l,40F8E4",
        ],
    );
    lists(
        &["--list-physical-drives"],
        &[
            "MegaRAID,0,252,3,GHS,931.512 GB,ST1000",
            "MegaRAID,0,252,4,UGood,931.512 GB,Samsung SSD 850 PRO 1TB",
            "MegaRAID,0,252,5,UGood,931.512 GB,\"A, \"\"B\"\"\"",
            "MegaRAID,0,252,6,Onln,931.512 GB,C",
            "PERC,0,252,3,GHS,931.512 GB,ST1000",
            "PERC,0,252,4,UGood,931.512 GB,Samsung SSD 850 PRO 1TB",
            "PERC,0,252,5,UGood,931.512 GB,\"A, \"\"B\"\"\"",
            "PERC,0,252,6,Onln,931.512 GB,C",
            "AACRAID,1,0,0,Online,953869 MB,Samsung SSD 850",
            "AACRAID,1,0,7,Ready,953869 MB,ST1000",
            "AACRAID,1,0,8,Global Hot-Spare,953869 MB,ST1000",
            "AACRAID,1,0,9,Ready,953869 MB,ST1000",
            // `Size` and no `Total Size`: the script left such drives out.
            "AACRAID,2,0,0,Online,70006 MB,VPA073C3-ETS10 N",
        ],
    );
    // A nameless array does not get the name of the one before, a size is a size, and arrays whose
    // title is spelled in another way are there.
    lists(
        &["--list-logical-drives"],
        &[
            "MegaRAID,0,0,RAID0,Optl,893.137 GB,my data",
            "MegaRAID,0,1,RAID1,Dgrd,893.137 GB,",
            "PERC,0,0,RAID0,Optl,893.137 GB,my data",
            "PERC,0,1,RAID1,Dgrd,893.137 GB,",
            "AACRAID,1,0,RAID5,Optimal,1907190 MB,\"data, hot\"",
            "AACRAID,2,1,RAID1,Critical,70006 MB,Drive 1",
        ],
    );
    // One controller; an option may be cut as long as it is the only one that begins so. A hot spare is
    // not available.
    for (vendor, lines) in [
        (&MEGARAID, &["MegaRAID,0,252,4,", "MegaRAID,0,252,5,"]),
        (&PERC, &["PERC,0,252,4,", "PERC,0,252,5,"]),
        (&AACRAID, &["AACRAID,1,0,7,", "AACRAID,1,0,9,"]),
    ] {
        let (code, out, err) = old(&bench, &[&["--list-phys", "--avail-only"], vendor.args].concat());
        assert_eq!((code, out.lines().count()), (Some(0), 2), "{err}");
        assert!(out.lines().zip(lines.iter()).all(|(line, start)| line.starts_with(start)), "{out}");
    }
    lists(
        &["--list-log", "--type=AACRAID", "--ctrlr-id=2"],
        &["AACRAID,2,1,RAID1,Critical,70006 MB,Drive 1"],
    );
}

#[test]
fn wrong_usage_ends_with_2_and_starts_nothing() {
    let bench = all();
    for args in [
        &[][..],
        &["--list-controllers", "--list-logical-drives"],
        &["--list-controllers", "--type", "MegaRAID"],
        &["--list-controllers", "--ctrlr-id", "0"],
        &["--list-controllers", "--type", "Floppy", "--ctrlr-id", "0"],
        &["--list-controllers", "--type", "PERC", "--ctrlr-id", "one"],
        &["--add-logical-drive"],
        &["--add-logical-drive", "--type", "MegaRAID", "--ctrlr-id", "0"],
        &["--add-logical-drive", "--type", "PERC", "--ctrlr-id", "0", "--raid-level", "5"],
        &["--rem-logical-drive", "--type", "AACRAID", "--ctrlr-id", "1"],
        &["--rem-logical-drive", "--rem-ld-id", "1"],
        &["--add-hot-spare", "--type", "MegaRAID", "--ctrlr-id", "0", "--add-encl-id", "1"],
        &["--rem-hot-spare", "--type", "AACRAID", "--ctrlr-id", "1", "--rem-slot-num", "1"],
        &["--rem-hot-spare"],
        &["--nonsense"],
    ] {
        let (code, out, err) = old(&bench, args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(!err.is_empty());
    }
    for vendor in [&MEGARAID, &PERC, &AACRAID] {
        assert_eq!(bench.log_of(vendor.program), "");
    }
    assert_eq!(old(&bench, &["--help"]).0, Some(0));
}

/// A change of one vendor: its options, and what the tool is given.
type Change = (&'static [&'static str], &'static str);

/// storcli's and perccli's words are the same.
const OF_MEGARAID: [Change; 5] = [
    (
        &["--add-logical-drive", "--raid-level", "1", "--phys-drives", "252:4,252:5", "--no-write-cache"],
        "[/c0][add][vd][r1][size=all][drives=252:4,252:5][wt][ra][J][nolog]\n",
    ),
    (
        &["--add-logical-drive", "--raid-level", "0", "--phys-drives", "252:4", "--no-read-cache"],
        "[/c0][add][vd][r0][size=all][drives=252:4][wb][nora][J][nolog]\n",
    ),
    (&["--rem-logical-drive", "--rem-ld-id", "1"], "[/c0/v1][del][force][J][nolog]\n"),
    (
        &["--add-hot-spare", "--add-encl-id", "252", "--add-slot-num", "4"],
        "[/c0/e252/s4][add][hotsparedrive][J][nolog]\n",
    ),
    (
        &["--rem-hot-spare", "--rem-encl-id", "252", "--rem-slot-num", "3"],
        "[/c0/e252/s3][delete][hotsparedrive][J][nolog]\n",
    ),
];

const OF_AACRAID: [Change; 5] = [
    (
        &["--add-logical-drive", "--raid-level", "1", "--phys-drives", "0:7,0:9", "--no-write-cache"],
        "[CREATE][1][LOGICALDRIVE][Rcache][RON][Wcache][WT][MAX][1][0][7][0][9][noprompt]\n",
    ),
    (
        &["--add-logical-drive", "--raid-level", "0", "--phys-drives", "0:7", "--no-read-cache"],
        "[CREATE][1][LOGICALDRIVE][Rcache][ROFF][Wcache][WB][MAX][0][0][7][noprompt]\n",
    ),
    (&["--rem-logical-drive", "--rem-ld-id", "0"], "[DELETE][1][LOGICALDRIVE][0][noprompt]\n"),
    (
        &["--add-hot-spare", "--add-encl-id", "0", "--add-slot-num", "7"],
        "[SETSTATE][1][DEVICE][0][7][HSP][noprompt]\n",
    ),
    (
        &["--rem-hot-spare", "--rem-encl-id", "0", "--rem-slot-num", "8"],
        "[SETSTATE][1][DEVICE][0][8][RDY][noprompt]\n",
    ),
];

#[test]
fn each_change_of_each_kind() {
    let kinds = [(&MEGARAID, OF_MEGARAID), (&PERC, OF_MEGARAID), (&AACRAID, OF_AACRAID)];
    std::thread::scope(|scope| {
        let all: Vec<_> = kinds.into_iter().map(|(v, c)| scope.spawn(move || changes(v, &c))).collect();
        assert_eq!(all.into_iter().filter_map(|t| t.join().err()).count(), 0);
    });
}

fn changes(vendor: &Vendor, changes: &[Change]) {
    let bench = all();
    let program = vendor.program;
    let about = vendor.tool;
    for (args, given) in changes {
        let args = [args, vendor.args].concat();
        // It works: nothing is said, as before.
        bench.answer_of(program, vendor.yes, true);
        assert_eq!(old(&bench, &args).0, Some(0), "{about}: {args:?}: {:?}", old(&bench, &args));
        let log = bench.log_of(program);
        assert_eq!(log.lines().next().map(|l| format!("{l}\n")).as_deref(), Some(*given), "{about}");
        // The vendor's own code and words; a tool that ends with 0 and says no is a failure too.
        bench.answer_of(program, ("it burns\n", 77), false);
        let (code, out, err) = old(&bench, &args);
        assert_eq!((code, out.as_str()), (Some(77), "it burns\n"), "{about}: {err}");
        assert_eq!(bench.log_of(program), *given, "{about}");
        bench.answer_of(program, vendor.no, false);
        let (code, out, err) = old(&bench, &args);
        assert_eq!(code, Some(vendor.no.1.max(1)), "{about}: {out} {err}");
        assert!(out.contains("cannot be made") || out.contains("doesn't support"), "{about}: {out}");
        // What is no answer of this tool is no success.
        bench.answer_of(program, ("%PDF-1.4\n", 0), false);
        let (code, out, _) = old(&bench, &args);
        assert_eq!((code, out.as_str()), (Some(1), "%PDF-1.4\n"), "{about}");
    }
    // What is not there, or not free, never reaches the tool.
    bench.answer_of(program, vendor.yes, true);
    let member = if about == "arcconf" { ["0", "0"] } else { ["252", "6"] };
    let [enclosure, slot] = member;
    for args in [
        &["--rem-logical-drive", "--rem-ld-id", "9"][..],
        &["--add-hot-spare", "--add-encl-id", enclosure, "--add-slot-num", slot],
        &["--add-hot-spare", "--add-encl-id", "77", "--add-slot-num", "1"],
        &["--rem-hot-spare", "--rem-encl-id", enclosure, "--rem-slot-num", slot],
        &["--add-logical-drive", "--raid-level", "6", "--phys-drives", "252:4"],
        &["--add-logical-drive", "--raid-level", "0; reboot", "--phys-drives", "252:4"],
        &["--add-logical-drive", "--raid-level", "0", "--phys-drives", "252:4 force $(reboot)"],
    ] {
        let (code, _, err) = old(&bench, &[args, vendor.args].concat());
        assert_eq!((code, bench.log_of(program).as_str()), (Some(1), ""), "{about}: {args:?}: {err}");
    }
}

#[test]
fn what_fails_is_no_empty_list() {
    for (vendor, question) in [(&MEGARAID, "v"), (&PERC, "v"), (&AACRAID, "c"), (&AACRAID, "n")] {
        let bench = all();
        fs::write(bench.state_of(vendor.program, &format!("before/{question}")), "").unwrap();
        let (code, out, err) = old(&bench, &["--list-logical-drives"]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(vendor.tool), "{err}");
        // The others are listed all the same.
        assert!(["MegaRAID,", "PERC,", "AACRAID,"].iter().filter(|kind| out.contains(*kind)).count() >= 2);
    }
    let bench = all();
    // A controller that is not there.
    for vendor in [&MEGARAID, &PERC, &AACRAID] {
        let kind = vendor.args[1];
        let (code, out, err) = old(&bench, &["--list-controllers", "--type", kind, "--ctrlr-id", "9"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains("there is no controller 9"), "{err}");
    }
    // A tool that is not there, and none at all.
    fs::remove_file(bench.tools().join("arcconf")).unwrap();
    let (code, out, err) = old(&bench, &["--list-controllers", "--type", "AACRAID", "--ctrlr-id", "1"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("arcconf is not installed"), "{err}");
    assert_eq!(old(&bench, &["--list-controllers"]).0, Some(0));
    for vendor in [&MEGARAID, &PERC] {
        fs::remove_file(bench.tools().join(vendor.program)).unwrap();
    }
    let (code, out, err) = old(&bench, &["--list-controllers"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("none of storcli, perccli and arcconf is installed"), "{err}");
    // A tool whose card is not there lists nothing, and that is no failure.
    let bench = Bench::new(&MEGARAID);
    let none =
        r#"{"Controllers":[{"Command Status":{"Status":"Failure","Description":"No Controller found"}}]}"#;
    for question in ["c", "v", "d", "s"] {
        fs::write(bench.state(&format!("before/{question}")), none).unwrap();
    }
    let (code, out, err) = old(&bench, &["--list-controllers"]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert_eq!(old(&bench, &["--list-controllers", "--type", "MegaRAID", "--ctrlr-id", "0"]).0, Some(1));
}
