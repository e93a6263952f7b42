//! `scst.conf`: what scstadmin misreads, what it writes, and the laws of a lossless document.
use esos_diag::Severity;
use esos_scst::{Document, Value};
use proptest::prelude::*;

/// Codes with line and column, in order.
fn findings(text: &str) -> Vec<String> {
    let document = Document::parse("f", text);
    let one = |d: &esos_diag::Diagnostic| {
        let code = d.code.trim_start_matches("scst-conf::");
        format!("{}:{code}", d.position(text).map(|p| p.to_string()).unwrap_or_default())
    };
    document.diagnostics().iter().filter(|d| d.code != "scst-conf::no-iscsi-block").map(one).collect()
}

/// The text after every certain fix of its findings, repeated until nothing is left to fix.
fn fixed(text: &str) -> String {
    let mut document = Document::parse("f", text);
    for _ in 0..8 {
        let Some(fix) = document.diagnostics().iter().find_map(|d| d.fix.clone()) else { break };
        let mut text = document.text().to_owned();
        text.replace_range(fix.span.start..fix.span.end, &fix.replacement);
        document = Document::parse("f", text);
    }
    document.to_string()
}

// The seven rows of what the two old tools make of a file.

#[test]
fn row_1_a_missing_brace_is_found_and_mended() {
    let text = "HANDLER vdisk_blockio\n\tDEVICE d1 {\n\t\tfilename /dev/sda\n\t}\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n}\n";
    assert_eq!(findings(text), ["1:22:missing-brace"]);
    let fixed = fixed(text);
    assert!(fixed.starts_with("HANDLER vdisk_blockio {\n"), "{fixed}");
    let config = Document::parse("f", fixed).to_config().unwrap();
    assert_eq!((config.handlers.len(), config.drivers.len()), (1, 1));
}

#[test]
fn row_1b_a_missing_brace_of_an_inner_section_too() {
    let text = "TARGET_DRIVER iscsi {\n\tTARGET t1\n\t\tenabled 1\n\t\tLUN 0 d1\n\t}\n\tenabled 1\n}\n";
    assert_eq!(findings(text), ["2:11:missing-brace"]);
    let config = Document::parse("f", fixed(text)).to_config().unwrap();
    assert_eq!(config.drivers.values().next().unwrap().targets.values().next().unwrap().luns.len(), 1);
}

#[test]
fn row_2_an_extra_brace_does_not_end_the_file() {
    let text = "HANDLER vdisk_nullio {\n\tDEVICE n1\n}\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n}\n";
    let document = Document::parse("f", text);
    assert_eq!(findings(text), ["4:1:extra-brace"]);
    assert_eq!(document.config().drivers.len(), 1, "what follows is still read");
    assert!(document.to_config().is_err());
}

#[test]
fn row_3_handlers_are_open_ended() {
    assert_eq!(findings("HANDLER vdisk_nullio {\n\tDEVICE n1\n}\n"), [""; 0]);
}

#[test]
fn row_4_a_hash_in_quotes_is_kept_and_said() {
    let text = "TARGET_DRIVER iscsi {\n\tIncomingUser \"joe sec#ret123456\"\n}\n";
    let document = Document::parse("f", text);
    assert_eq!(findings(text), ["2:23:hash-in-quotes"]);
    let driver = document.config().drivers.values().next().unwrap();
    assert_eq!(driver.attributes.get("IncomingUser").map(Value::expose), Some("joe sec#ret123456"));
    assert!(fixed(text).contains(r#""joe sec\#ret123456""#));
    let said = format!("{:?}", document.diagnostics());
    assert!(!said.contains("ret123456"), "{said}");
}

#[test]
fn row_5_one_lun_twice_is_an_error_with_both_places() {
    let text = "TARGET_DRIVER iscsi {\n\tTARGET t {\n\t\tLUN 0 a b c\n\t\tLUN 0 z\n\t}\n}\n";
    assert_eq!(findings(text), ["3:11:extra-words", "4:3:duplicate-section"]);
    let document = Document::parse("f", text);
    assert_eq!(document.diagnostics()[1].labels.len(), 2);
    assert_eq!(
        findings("TARGET_DRIVER iscsi {\n\tTARGET t {\n\t\tLUN 8 a\n\t\tLUN 010 z\n\t}\n}\n"),
        ["4:3:duplicate-section"]
    );
}

#[test]
fn row_6_an_unterminated_quote_is_an_error() {
    assert_eq!(
        findings("HANDLER h {\n\tDEVICE d {\n\t\tprod_id \"a b\n\t}\n}\n"),
        ["3:11:unterminated-quote"]
    );
}

#[test]
fn row_7_an_empty_file_is_an_error() {
    assert_eq!(findings(""), ["1:1:empty"]);
    assert_eq!(findings("# nothing\n\n"), ["1:1:empty"]);
}

// What else scstadmin misreads.

#[test]
fn a_hash_eats_the_character_before_it() {
    let text = "HANDLER h {\n\tDEVICE d {\n\t\tprod_id abcdef#c\n\t}\n}\n";
    assert_eq!(findings(text), ["3:17:hash-in-word"]);
    let document = Document::parse("f", text);
    let device = document.config().handlers.values().next().unwrap().devices.values().next().unwrap();
    assert_eq!(device.attributes.get("prod_id").map(Value::expose), Some("abcdef"));
    assert_eq!(findings("threads 3 # a comment\n"), [""; 0]);
}

#[test]
fn braces_inside_quotes_are_text() {
    let text = "HANDLER h {\n\tDEVICE d {\n\t\tprod_id \"a{b}c\"\n\t}\n}\n";
    assert_eq!(findings(text), ["3:13:brace-in-quotes"]);
    assert!(Document::parse("f", text).to_config().is_ok());
}

#[test]
fn a_brace_on_its_own_line_opens_the_block() {
    let text = "HANDLER vdisk_nullio\n{\n\tDEVICE n1\n}\n";
    assert_eq!(findings(text), ["2:1:brace-on-own-line"]);
    assert_eq!(Document::parse("f", text).config().handlers.values().next().unwrap().devices.len(), 1);
    assert_eq!(findings(&fixed(text)), [""; 0]);
}

#[test]
fn an_entry_on_the_line_of_its_block_is_kept() {
    let text = "HANDLER h { DEVICE n1 }\n";
    assert_eq!(findings(text), ["1:13:entry-on-block-line", "1:13:entry-on-block-line"]);
    assert_eq!(Document::parse("f", text).config().handlers.values().next().unwrap().devices.len(), 1);
    assert_eq!(findings(&Document::parse("f", text).formatted()), [""; 0]);
}

#[test]
fn a_section_given_twice_is_an_error() {
    let text = "HANDLER h {\n\tDEVICE a\n}\nHANDLER h {\n\tDEVICE b\n}\n";
    assert_eq!(findings(text), ["4:1:duplicate-section"]);
}

#[test]
fn a_repeated_plain_attribute_is_an_error_but_several_portals_are_not() {
    assert_eq!(findings("threads 3\nthreads 4\n"), ["2:1:repeated-attribute"]);
    assert_eq!(
        findings(
            "TARGET_DRIVER iscsi {\n\tTARGET t {\n\t\tallowed_portal 10.*\n\t\tallowed_portal 127.0.0.1\n\t}\n}\n"
        ),
        [""; 0]
    );
}

#[test]
fn incoming_user_1_is_kept_and_said() {
    let text =
        "TARGET_DRIVER iscsi {\n\tIncomingUser \"a 12charpasswd\"\n\tIncomingUser1 \"b 12charpasswd\"\n}\n";
    assert_eq!(findings(text), ["3:2:numbered-attribute"]);
    assert_eq!(
        Document::parse("f", text)
            .config()
            .drivers
            .values()
            .next()
            .unwrap()
            .attributes
            .all("IncomingUser")
            .len(),
        2
    );
}

#[test]
fn a_file_without_an_iscsi_block_is_said() {
    let document = Document::parse("f", "HANDLER h {\n\tDEVICE a\n}\n");
    let found: Vec<_> = document.diagnostics().iter().map(|d| (d.code.as_str(), d.severity)).collect();
    assert_eq!(found, [("scst-conf::no-iscsi-block", Severity::Warning)]);
}

// Errors that only ESOS reports.

#[test]
fn a_byte_order_mark_is_an_error_of_its_own() {
    let text = "\u{feff}HANDLER vdisk_nullio {\n\tDEVICE d\n}\n";
    assert_eq!(findings(text), ["1:1:byte-order-mark"]);
    assert_eq!(Document::parse("f", text).config().handlers.len(), 1);
    assert_eq!(findings(&fixed(text)), [""; 0]);
}

#[test]
fn all_errors_are_reported_at_once() {
    let text = "Handler x {\n\tDEVICE a/b\n}\nTARGET_DRIVER iscsi {\n\tTARGET t {\n\t\tLUN 16384 d\n\t\tcomment two words\n\t\tDEVICE d\n\t}\n\tHANDLR y {\n\t}\n}\n";
    assert_eq!(
        findings(text),
        [
            "1:1:unknown-section",
            "6:7:bad-lun",
            "7:11:unquoted-value",
            "8:3:misplaced-section",
            "10:2:unknown-section"
        ]
    );
}

#[test]
fn a_cut_file_is_an_error() {
    assert_eq!(
        findings("HANDLER h {\n\tDEVICE d {\n\t\tfilename /x\n"),
        ["1:11:unclosed-block", "2:11:unclosed-block"]
    );
}

// Files that scstadmin wrote.

#[test]
fn what_scstadmin_wrote_is_read_without_a_word() {
    for name in ["written-full.conf", "written-full-ok.conf", "written-10.conf", "written-100.conf"] {
        let text = esos_fixtures::text(&format!("scst/{name}")).unwrap();
        assert_eq!(findings(&text), [""; 0], "{name}");
        let document = Document::parse(name, text.clone());
        assert_eq!(document.to_string(), text);
        let formatted = document.formatted();
        assert_eq!(Document::parse(name, formatted).config(), document.config(), "{name}");
    }
    let text = esos_fixtures::text("scst/written-full-ok.conf").unwrap();
    let config = Document::parse("x", text).to_config().unwrap();
    assert_eq!(config.handlers.len(), 2);
    assert_eq!(config.drivers.len(), 3);
    let iscsi = &config.drivers.iter().find(|(n, _)| n.as_str() == "iscsi").unwrap().1;
    let target = iscsi.targets.values().next().unwrap();
    assert_eq!((target.luns.len(), target.groups.len()), (2, 2));
    assert_eq!(target.attributes.all("allowed_portal").len(), 2);
    assert_eq!(config.device_groups.values().next().unwrap().target_groups.len(), 2);
}

// Edits.

#[test]
fn setting_one_attribute_leaves_every_other_byte() {
    let text = "# head\nthreads 3   # why\n\nHANDLER vdisk_fileio {\n  DEVICE d1 {\n    filename   /a # here\n  }\n}\n";
    let document = Document::parse("f", text);
    let path = ["HANDLER vdisk_fileio", "DEVICE d1"];
    let changed = document.set_attribute(&path, "filename", "/b c").unwrap();
    assert_eq!(changed.text(), text.replace("/a", "\"/b c\""));
    let added = document.set_attribute(&path, "read_only", "1").unwrap();
    assert_eq!(added.text(), text.replace("# here\n", "# here\n    read_only 1\n"));
    let top = document.set_attribute(&[], "threads", "4").unwrap();
    assert_eq!(top.text(), text.replace("threads 3", "threads 4"));
    let removed = document.remove_entry(&["HANDLER vdisk_fileio", "DEVICE d1"]).unwrap();
    assert_eq!(removed.text(), "# head\nthreads 3   # why\n\nHANDLER vdisk_fileio {\n}\n");
    let error = document.set_attribute(&path, "prod_id", "a{b").unwrap_err();
    assert!(matches!(error, esos_scst::conf::EditError::Value { .. }));
    let entry = document.add_entry(&["HANDLER vdisk_fileio"], &["DEVICE", "d2"]).unwrap();
    assert!(entry.config().handlers.values().next().unwrap().devices.len() == 2, "{}", entry.text());
    assert!(entry.text().contains("  }\n  DEVICE d2\n}\n"), "{}", entry.text());
}

// Laws.

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("HANDLER vdisk_fileio {".to_owned()),
        Just("DEVICE d1 {".to_owned()),
        Just("DEVICE d2".to_owned()),
        Just("TARGET_DRIVER iscsi {".to_owned()),
        Just("TARGET iqn.2026-01.org.esos:t1 {".to_owned()),
        Just("GROUP g {".to_owned()),
        Just("INITIATOR iqn.x:*".to_owned()),
        Just("}".to_owned()),
        Just("{".to_owned()),
        Just("LUN 0 d1".to_owned()),
        Just("filename \"/a b\" # c".to_owned()),
        Just("prod_id a\\#b#c".to_owned()),
        Just("prod_id \"un".to_owned()),
        Just("threads 3".to_owned()),
        Just("# comment".to_owned()),
        Just(String::new()),
        "[ -~\\t]{0,20}",
        ".{0,8}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    (prop::collection::vec((line(), "[ \\t]{0,3}"), 0..14), any::<bool>()).prop_map(|(lines, crlf)| {
        let end = if crlf { "\r\n" } else { "\n" };
        lines.into_iter().map(|(line, indent)| format!("{indent}{line}{end}")).collect()
    })
}

proptest! {
    #[test]
    fn printing_gives_the_same_bytes(text in text()) {
        prop_assert_eq!(Document::parse("f", text.clone()).to_string(), text);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(?s).{0,200}") {
        let document = Document::parse("f", text);
        for d in document.diagnostics() {
            for label in &d.labels {
                prop_assert!(label.span.end <= document.text().len());
            }
        }
    }

    #[test]
    fn formatting_is_idempotent_and_keeps_the_meaning(text in text()) {
        let document = Document::parse("f", text);
        let once = document.formatted();
        let again = Document::parse("f", once.clone());
        prop_assert_eq!(again.formatted(), once);
        if !document.has_errors() {
            prop_assert_eq!(again.config(), document.config());
            prop_assert!(!again.has_errors());
        }
    }
}

// What the kernel would refuse although the file is well-formed.

#[test]
fn what_the_kernel_refuses_is_said_with_its_place() {
    let device = |handler: &str, lines: &str| {
        format!("HANDLER {handler} {{\n\tDEVICE d {{\n\t\tfilename /d\n{lines}\t}}\n}}\n")
    };
    let file = |lines| device("vdisk_fileio", lines);
    assert_eq!(
        findings(&file("\t\tread_only 1\n\t\twrite_through 1\n\t\tnv_cache 1\n")),
        ["5:3:scst::read-only-cache", "6:3:scst::read-only-cache"]
    );
    // A block device may be both.
    assert_eq!(findings(&device("vdisk_blockio", "\t\tread_only 1\n\t\tnv_cache 1\n")), [""; 0]);
    assert_eq!(
        findings(&file("\t\tread_only yes\n\t\tblocksize 513\n")),
        ["4:13:scst::bad-value", "5:13:scst::bad-value"]
    );
    assert_eq!(findings(&file("\t\tread_only\n")), ["4:12:scst::bad-value"]);
    assert_eq!(findings(&file("\t\to_direct 1\n")), ["4:3:scst::direct-without-async"]);
    assert_eq!(findings(&file("\t\tnv_cahce 1\n")), ["4:3:scst::unknown-attribute"]);
    assert_eq!(findings("HANDLER vdisk_blockio {\n\tDEVICE d\n}\n"), ["2:2:scst::missing-filename"]);
    assert_eq!(findings("HANDLER vdisk_fileoi {\n\tDEVICE d\n}\n"), ["1:9:scst::unknown-name"]);
    assert!(fixed(&file("\t\tread_only yes\n")).contains("read_only 1"));
}

#[test]
fn what_contradicts_itself_is_said_with_both_places() {
    let two = "HANDLER vdisk_blockio {\n\tDEVICE a {\n\t\tfilename /dev/x\n\t}\n\tDEVICE b {\n\t\tfilename /dev/x\n\t}\n}\nHANDLER vdisk_nullio {\n\tDEVICE a\n}\n";
    assert_eq!(findings(two), ["6:12:scst::shared-backing", "10:9:scst::duplicate-device"]);
    // An inactive one does not open its store.
    assert_eq!(
        findings(&two.replace("DEVICE b {", "DEVICE b {\n\t\tactive 0").replace("DEVICE a\n", "DEVICE c\n")),
        [""; 0]
    );
    let users = "TARGET_DRIVER iscsi {\n\tIncomingUser \"a 12charpasswd\"\n\tIncomingUser \"a 13charpasswd\"\n\tIncomingUser \"b short\"\n\tIncomingUser c\n\tOutgoingUser \"d 12charpasswd\"\n\tOutgoingUser \"e 12charpasswd\"\n}\n";
    assert_eq!(
        findings(users),
        ["3:2:scst::chap-user", "4:2:scst::chap-user", "5:2:scst::chap-user", "7:2:scst::chap-user"]
    );
    let said = format!("{:?}", Document::parse("f", users).diagnostics());
    assert!(!said.contains("charpasswd") && !said.contains("short\""), "{said}");
    let targets = "HANDLER vdisk_nullio {\n\tDEVICE disk1\n}\nTARGET_DRIVER iscsi {\n\tTARGET a {\n\t\trel_tgt_id 7\n\t\tLUN 0 dsik1\n\t\tGROUP g {\n\t\t\tINITIATOR i\n\t\t}\n\t\tGROUP h {\n\t\t\tINITIATOR i\n\t\t}\n\t}\n\tTARGET b {\n\t\trel_tgt_id 7\n\t}\n}\nDEVICE_GROUP x {\n\tDEVICE disk1\n}\nDEVICE_GROUP y {\n\tDEVICE disk1\n\tTARGET_GROUP t {\n\t\tgroup_id 65536\n\t\tstate Active\n\t\tTARGET a\n\t}\n\tTARGET_GROUP u {\n\t\tTARGET a\n\t}\n}\n";
    assert_eq!(
        findings(targets),
        [
            "7:9:scst::unknown-device",
            "12:14:scst::initiator-in-two-groups",
            "16:14:scst::duplicate-id",
            "23:9:scst::device-in-two-groups",
            "25:12:scst::bad-value",
            "26:9:scst::bad-value",
            "30:10:scst::target-in-two-groups"
        ]
    );
}
