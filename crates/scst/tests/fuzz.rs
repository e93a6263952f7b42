//! Hostile input: mutations of configurations, commands, trees and other tools' files through every reader.
//! A finding is fine; a panic, an endless loop, a lost byte or a formatting that does not stand is not.
//!
//! `ESOS_FUZZ_SECONDS` says for how long each target runs (default 0.3), `ESOS_FUZZ_SEED` with which mutations.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "seeds are recordings, which are there")]
use esos_scst::import::targetcli;
use esos_scst::{Attr, Command, Config, Document, ObjectPath, Policy, observe, plan};
use esos_scst_sim::{Environment, Sim};

/// Words that a configuration may stumble over.
const ODD: [&[u8]; 16] = [
    b"{",
    b"}",
    b"\"",
    b"#",
    b"\\",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b"/",
    b"\xc3\xa4",
    b"LUN ",
    b"IncomingUser1 \"a b\"",
    b"18446744073709551616",
    b"-1",
];

fn fuzz(name: &str, seeds: &[Vec<u8>], target: impl Fn(&str)) {
    esos_fixtures::fuzz::run(name, seeds, &ODD, |bytes| target(&String::from_utf8_lossy(bytes)));
}

/// Files that Perl's program wrote, and some of the forms that it misreads.
fn configurations() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        ["written-full.conf", "written-full-ok.conf", "written-full-nonkey.conf", "written-10.conf"]
            .into_iter()
            .map(|name| std::fs::read(esos_fixtures::path(&format!("scst/{name}"))).unwrap())
            .collect();
    for text in [
        "HANDLER h\n{\n\tDEVICE d { prod_id \"a{b}c#d\" }\n}\n}\nTARGET_DRIVER iscsi {\n",
        "DEVICE_GROUP g {\n\tDEVICE d\n\tTARGET_GROUP t {\n\t\tstate active\n\t\tTARGET x {\n\t\t\trel_tgt_id 3\n\t\t}\n\t}\n}\n",
        "TARGET_DRIVER qla2x00t {\n\tTARGET 50:01 {\n\t\tHW_TARGET\n\t\tLUN 0x10 d # c\n\t\tLUN 010 e\n\t}\n}\n",
    ] {
        seeds.push(text.as_bytes().to_vec());
    }
    seeds
}

#[test]
fn documents() {
    fuzz("scst.conf", &configurations(), |text| {
        let document = Document::parse("f", text);
        assert_eq!(document.to_string(), text, "every byte is kept");
        for d in document.diagnostics() {
            assert!(d.labels.iter().all(|l| l.span.end <= text.len()), "{d:?}");
            let _position = d.position(text);
        }
        let Ok(config) = document.to_config() else { return };
        let formatted = document.formatted();
        let again = Document::parse("f", formatted.as_str());
        assert_eq!(again.to_config().as_ref().ok(), Some(&config), "the meaning stays");
        assert_eq!(again.formatted(), formatted, "formatted is formatted");
        // What can be written for Perl's program is read back as the same.
        if let Ok(printed) = config.to_conf() {
            assert_eq!(Document::parse("f", printed).config(), &config);
        }
        assert_eq!(Document::parse("f", config.to_own_conf()).config(), &config);
        let edited = document.set_attribute(&[], "setup_id", "77").unwrap();
        assert_eq!(
            edited.config().attributes.get("setup_id").map(|v| v.expose().to_owned()).as_deref(),
            Some("77")
        );
    });
}

#[test]
fn plans_on_the_simulator() {
    let state =
        std::fs::read_to_string(esos_fixtures::path("scst/state-12-iscsi-daemon-running.json")).unwrap();
    let sim = Sim::load(&state, Environment::default()).unwrap();
    let live = observe(&sim).unwrap();
    fuzz("plan", &configurations(), |text| {
        let config = Document::parse("f", text).config().clone();
        for prune in [false, true] {
            let planned = plan(&live, &config, &Policy { prune, ..Policy::default() });
            let _text = planned.to_string();
            // A write is one line of at most a page.
            assert!(planned.steps().all(|s| !s.write.expose().trim_end().contains('\n') || s.write.file.contains("devices/")));
        }
    });
}

#[test]
fn words() {
    let seeds = [
        "add_device d filename=/x;read_only=1",
        "add d 0 read_only=1",
        "add_target_attribute t IncomingUser joe 12charpasswd",
        "iscsi/iqn.x:a/group/g/lun/0",
        "dgrp/a/tgrp/b/tgt/c",
        "5\n[key]\n\n",
        "clear",
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|s| s.as_bytes().to_vec()).collect();
    fuzz("words", &seeds, |text| {
        if let Ok(command) = text.parse::<Command>() {
            let again: Command = command.expose().parse().unwrap();
            assert_eq!(again, command);
        }
        if let Ok(path) = text.parse::<ObjectPath>() {
            assert_eq!(path.to_string().parse::<ObjectPath>().unwrap(), path);
            assert!(Config::default().only(&path).is_none_or(|c| c.is_empty()));
        }
        let _attr = Attr::parse(text);
    });
}

#[test]
fn other_tools() {
    let seeds = [
        r#"{"fabric_modules":[],"storage_objects":[{"name":"d","plugin":"fileio","dev":"/x","size":1048576,"wwn":"0f2e3d4c-5b6a-7980-1122-334455667788","write_back":true,"attributes":{"block_size":512}}],"targets":[{"fabric":"iscsi","wwn":"iqn.x:a","tpgs":[{"tag":1,"enable":true,"attributes":{"authentication":1},"luns":[{"index":0,"storage_object":"/backstores/fileio/d"}],"node_acls":[{"node_wwn":"iqn.i","mapped_luns":[{"index":0,"tpg_lun":0,"write_protect":true}]}],"portals":[{"ip_address":"0.0.0.0","port":3260}]}]}]}"#,
        r#"{"storage_objects":[],"targets":[]}"#,
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|s| s.as_bytes().to_vec()).collect();
    fuzz("saveconfig.json", &seeds, |text| {
        if let Ok(imported) = targetcli(text) {
            let written = imported.config.to_own_conf();
            assert_eq!(Document::parse("f", written).config(), &imported.config);
        }
    });
}

#[test]
fn recorded_states() {
    let state = |name: &str| std::fs::read(esos_fixtures::path(&format!("scst/{name}"))).unwrap();
    let seeds = vec![state("state-12-iscsi-daemon-running.json"), state("state-30-alua.json")];
    fuzz("state.json", &seeds, |text| {
        if let Ok(sim) = Sim::load(text, Environment::default())
            && let Ok(live) = observe(&sim)
        {
            let _saved = live.to_config().to_own_conf();
            assert!(
                plan(&live, &live.to_config(), &Policy::default()).steps().all(|s| !s.write.file.is_empty())
            );
        }
    });
}
