//! The whole way of a change, against programs in the place of the vendors' tools: what they are given,
//! what is said of their answers, and that nothing starts them unasked.
#![allow(clippy::unwrap_used, reason = "a helper of tests may end the test")]
mod bench;

use bench::{Bench, Vendor, set, text};
use std::fs;

const VENDORS: &[Vendor] = &[
    Vendor {
        tool: "storcli",
        program: "storcli64",
        questions: &[
            (
                "c",
                "/call show all J nolog",
                r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success"},"Response Data":{"Basics":{"Model":"AVAGO MegaRAID SAS 9361-8i","Serial Number":"SV1"}}}]}"#,
            ),
            (
                "v",
                "/call/vall show all J nolog",
                r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success","Description":"No VDs have been configured"}}]}"#,
            ),
            (
                "d",
                "/call/eall/sall show all J nolog",
                r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success"},"Response Data":{"Drive /c0/e252/s4":[{"EID:Slt":"252:4","DID":4,"State":"UGood","DG":"-","Size":"931.512 GB","Model":"ST1000"}]}}]}"#,
            ),
            (
                "s",
                "/call/sall show all J nolog",
                r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Failure","Description":"No drive found!"}}]}"#,
            ),
        ],
        changes: &[("d", "UGood", "GHS")],
        args: &["spare", "add", "0/252:4"],
        given: "[/c0/e252/s4][add][hotsparedrive][J][nolog]\n",
        yes: (
            r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success","Description":"Add Hot Spare Succeeded."}}]}"#,
            0,
        ),
        no: (
            r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Failure","Description":"Add Hot Spare Failed","Detailed Status":[{"Drive":"/c0/e252/s4","Status":"Failure","ErrCd":255,"ErrMsg":"device state doesn't support requested command"}]}}]}"#,
            0,
        ),
    },
    Vendor {
        tool: "megacli",
        program: "MegaCli64",
        questions: &[
            (
                "a",
                "-AdpAllInfo*",
                "Adapter #0\n\nProduct Name    : PERC H710\nSerial No       : 29F0001\n\nExit Code: 0x00\n",
            ),
            ("l", "-LdPdInfo*", "Adapter #0\n\nNumber of Virtual Disks: 0\n\nExit Code: 0x00\n"),
            (
                "p",
                "-PDList*",
                "Adapter #0\n\nEnclosure Device ID: 8\nSlot Number: 3\nDevice Id: 3\nMedia Error Count: 0\nCoerced Size: 931.0 GB [0x74600000 Sectors]\nFirmware state: Unconfigured(good), Spun Up\nInquiry Data: TOSHIBA MK1001TRKB      01068280A00QFM16\nForeign State: None\n\nExit Code: 0x00\n",
            ),
            (
                "b",
                "-AdpBbuCmd*",
                "Adapter 0: Get BBU Status Failed.\n\nFAILED - BBU is not present\n\nExit Code: 0x01\n",
            ),
            ("e", "-EncInfo*", "Number of enclosures on adapter 0 -- 0\n\nExit Code: 0x00\n"),
        ],
        changes: &[("p", "Unconfigured(good)", "Hotspare")],
        args: &["spare", "add", "0/8:3"],
        given: "[-PDHSP][-Set][-PhysDrv][[8:3]][-a0][-NoLog]\n",
        yes: (
            "Adapter: 0: Set Physical Drive at EnclId-8 SlotId-3 as Hot Spare Success.\n\nExit Code: 0x00\n",
            0,
        ),
        no: (
            "Adapter: 0: Set Physical Drive at EnclId-8 SlotId-3 as Hot Spare Failed.\n\nFW error description: \n The specified device is in a state that doesn't support the requested command.\n\nExit Code: 0x32\n",
            50,
        ),
    },
    Vendor {
        tool: "arcconf",
        program: "arcconf",
        questions: &[
            ("v", "GETVERSION*", "Controllers found: 1\nCommand completed successfully.\n"),
            (
                "c",
                "GETCONFIG 1 AL",
                "Controllers found: 1\n----\nController information\n----\n   Controller Status                        : Optimal\n   Controller Model                         : Adaptec ASR8805\n----\nLogical device information\n----\n   No logical devices configured\n----\nPhysical Device information\n----\n      Device #0\n         Device is a Hard drive\n         State                              : Ready\n         Reported Channel,Device(T:L)       : 0,7(7:0)\n         Model                              : ST1000\n         Serial number                      : Z1\n         Total Size                         : 953869 MB\n\nCommand completed successfully.\n",
            ),
            ("s", "GETSTATUS 1", "Controllers found: 1\nCommand completed successfully.\n"),
        ],
        changes: &[("c", "Ready", "Global Hot-Spare")],
        args: &["spare", "add", "1/0,7"],
        given: "[SETSTATE][1][DEVICE][0][7][HSP][noprompt]\n",
        yes: ("Controllers found: 1\nChanging state to HSP.\nCommand completed successfully.\n", 0),
        no: ("Controllers found: 1\nThe specified device cannot be made a hot spare.\nCommand aborted.\n", 1),
    },
    Vendor {
        tool: "ssacli",
        program: "ssacli",
        questions: &[(
            "c",
            "ctrl all show config detail",
            "\nSmart Array P440 in Slot 2\n   Serial Number: PDN1\n   Controller Status: OK\n\n   Array: A\n      Interface Type: SAS\n      Status: OK\n\n      Logical Drive: 1\n         Size: 279.4 GB\n         Fault Tolerance: 1\n         Status: OK\n\n      physicaldrive 1I:1:1\n         Port: 1I\n         Box: 1\n         Bay: 1\n         Status: OK\n         Drive Type: Data Drive\n         Size: 300 GB\n         Serial Number: S1\n         Model: HP EG0300\n\n   unassigned\n\n      physicaldrive 1I:1:4\n         Port: 1I\n         Box: 1\n         Bay: 4\n         Status: OK\n         Drive Type: Unassigned Drive\n         Size: 300 GB\n         Serial Number: S4\n         Model: HP EG0300\n",
        )],
        changes: &[
            ("c", "\n   unassigned\n", ""),
            ("c", "Drive Type: Unassigned Drive", "Drive Type: Spare Drive"),
        ],
        args: &["spare", "add", "2/1I:1:4", "--for", "A"],
        given: "[ctrl][slot=2][array][A][add][spares=1I:1:4]\n",
        yes: ("\n", 0),
        no: ("\nError: The specified physical drive cannot be a spare for this array.\n", 1),
    },
    Vendor {
        tool: "areca",
        program: "cli64",
        questions: &[
            ("m", "main", "Controller#01(PCI): ARC-1210\nGuiErrMsg<0x00>: Success.\n"),
            (
                "r",
                "rsf info",
                " #  Name             Disks TotalCap  FreeCap DiskChannels       State\n===\n===\nGuiErrMsg<0x00>: Success.\n",
            ),
            (
                "v",
                "vsf info",
                " # Name             Raid Name       Level   Capacity Ch/Id/Lun  State\n===\n===\nGuiErrMsg<0x00>: Success.\n",
            ),
            (
                "d",
                "disk info",
                "  # Ch# ModelName                       Capacity  Usage\n===\n  4  4  WDC WD7500AYYS-01RCA0            750.2GB  Free\n===\nGuiErrMsg<0x00>: Success.\n",
            ),
        ],
        changes: &[("d", "Free", "HotSpare[Global]")],
        args: &["spare", "add", "areca:4"],
        given: "set password=0000\nrsf createhs drv=4\nexit\n",
        yes: ("CLI> GuiErrMsg<0x00>: Success.\nCLI> GuiErrMsg<0x00>: Success.\n", 0),
        no: ("CLI> GuiErrMsg<0x00>: Success.\nCLI> GuiErrMsg<0x10>: Invalid Drive.\n", 0),
    },
    Vendor {
        tool: "tw_cli",
        program: "tw_cli",
        questions: &[
            (
                "s",
                "show",
                "Ctl   Model        (V)Ports  Drives   Units   NotOpt  RRate   VRate  BBU\n-----\nc0    9650SE-4LPML  4         1        0       0       1       1      -\n",
            ),
            (
                "u",
                "info c0 unitstatus",
                "Unit  UnitType  Status         %RCmpl  %V/I/M  Stripe  Size(GB)  Cache  AVrfy\n-----\n",
            ),
            (
                "d",
                "info c0 drivestatus",
                "VPort Status         Unit Size      Type  Phy Encl-Slot    Model\n-----\np3    OK             -    931.51 GB SATA  3   -            ST1000\n",
            ),
            ("b", "info c0 bbustatus", "Error: (CLI:053) Battery Backup Unit is not present.\n"),
        ],
        changes: &[
            ("d", "OK             -  ", "OK             u0 "),
            (
                "u",
                "-----\n",
                "-----\nu0    SPARE     OK             -       -       -       931.505   -      OFF\n",
            ),
        ],
        args: &["spare", "add", "c0/p3"],
        given: "[/c0][add][type=spare][disk=3]\n",
        yes: ("Creating new unit on controller /c0 ...  Done. The new unit is /c0/u0.\n", 0),
        no: ("Error: (CLI:008) Invalid drive specified: 3.\n", 1),
    },
];

fn vendor(vendor: &Vendor) {
    let bench = Bench::new(vendor);
    let about = vendor.tool;
    let run = |more: &[&str]| bench.run("esos-raid", vendor.args, more);

    // Shown, not done.
    bench.answer(vendor.yes, true);
    let out = run(&["--dry-run"]);
    assert_eq!((out.status.code(), bench.log().as_str()), (Some(0), ""), "{about}: {}", text(&out));
    assert!(text(&out).contains("would make drive"), "{about}: {}", text(&out));
    // Without a terminal and without --yes the tool is not started.
    let out = run(&[]);
    assert_eq!((out.status.code(), bench.log().as_str()), (Some(5), ""), "{about}: {}", text(&out));
    let out = run(&["--json"]);
    assert_eq!((out.status.code(), bench.log().as_str()), (Some(5), ""), "{about}: {}", text(&out));

    let out = run(&["--yes"]);
    assert_eq!(out.status.code(), Some(0), "{about}: {}", text(&out));
    assert_eq!(bench.log(), vendor.given, "{about}");
    assert!(
        text(&out).contains("done: make drive") && text(&out).contains("shows it"),
        "{about}: {}",
        text(&out)
    );

    // It says yes and does nothing.
    bench.answer(vendor.yes, false);
    let out = run(&["--yes"]);
    assert_eq!(out.status.code(), Some(1), "{about}: {}", text(&out));
    assert!(text(&out).contains("reports success, but"), "{about}: {}", text(&out));

    for (said, word) in [
        (vendor.no, vendor.no.0.lines().map(str::trim).find(|l| !l.is_empty()).unwrap()),
        (("%PDF-1.4 \u{7} ???\n", 0), "%PDF-1.4"),
        (("\u{7f}ELF\n", 139), "ELF"),
    ] {
        bench.answer(said, false);
        let out = run(&["--yes"]);
        assert_eq!(out.status.code(), Some(1), "{about}: {}", text(&out));
        let word: String = word.chars().take(20).collect();
        assert!(text(&out).contains(&word), "{about}: {word}: {}", text(&out));
        assert!(!text(&out).contains("done:"), "{about}: {}", text(&out));
    }
    bench.answer(("began\n", 0), false);
    set(&bench.state("slow"), true);
    let out = run(&["--yes", "--limit", "0.5"]);
    assert_eq!(out.status.code(), Some(1), "{about}: {}", text(&out));
    assert!(
        text(&out).contains("did not end within") && !text(&out).contains("done:"),
        "{about}: {}",
        text(&out)
    );
}

#[test]
fn a_change_of_each_vendor() {
    std::thread::scope(|scope| {
        let all: Vec<_> = VENDORS.iter().map(|v| scope.spawn(move || vendor(v))).collect();
        assert!(all.into_iter().map(|t| t.join().is_ok()).filter(|ok| !ok).count() == 0);
    });
}

#[test]
fn a_name_that_a_shell_would_take_apart_is_one_argument() {
    let bench = Bench::new(&VENDORS[0]);
    let drives = r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success"},"Response Data":{"X":[{"EID:Slt":"252:4","DID":4,"State":"UGood","DG":"-","Size":"1 GB","Model":"A"},{"EID:Slt":"252:5","DID":5,"State":"UGood","DG":"-","Size":"1 GB","Model":"A"}]}}]}"#;
    fs::write(bench.state("before/d"), drives).unwrap();
    bench.answer(VENDORS[0].no, false);
    let name = "a b,\"c\";$(d)'";
    let args = ["create", "--level", "1", "0/252:4", "0/252:5", "--name", name, "--yes"];
    let out = bench.run("esos-raid", &args, &[]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out));
    let given = format!("[/c0][add][vd][r1][size=all][name={name}][drives=252:4,252:5][J][nolog]\n");
    assert_eq!(bench.log(), given);
}
