//! States that nobody here recorded: meshes, several volumes, lost quorum, held-back and stalled resyncs,
//! two primaries, words of other versions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
use esos_drbd::{Connection, Disk, Kind, Replication, Report, promotable, read};

fn report(text: &str) -> Report {
    read(None, "x", text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn a_mesh_with_two_volumes() {
    let r = report(
        "exists resource name:data role:Secondary suspended:no may_promote:no promotion_score:10103\n\
         exists connection name:data peer-node-id:0 conn-name:a connection:Connected role:Secondary tls:no\n\
         exists connection name:data peer-node-id:2 conn-name:c connection:Connecting role:Unknown\n\
         exists device name:data volume:0 minor:100 backing_dev:/dev/x disk:UpToDate client:no quorum:yes open:no\n\
         exists device name:data volume:1 minor:101 backing_dev:/dev/y disk:Inconsistent client:no quorum:yes open:no\n\
         exists peer-device name:data peer-node-id:0 conn-name:a volume:0 replication:Established peer-disk:UpToDate peer-client:no resync-suspended:no\n\
         exists peer-device name:data peer-node-id:0 conn-name:a volume:1 replication:PausedSyncT peer-disk:UpToDate peer-client:no resync-suspended:dependency,user done:14.29\n\
         exists peer-device name:data peer-node-id:2 conn-name:c volume:0 replication:Off peer-disk:Outdated peer-client:no resync-suspended:no\n\
         exists -\n",
    );
    let data = &r.status.resources[0];
    assert_eq!(data.connections[0].peer_devices[1].replication, Replication::PausedSyncT);
    let held = data.connections[0].peer_devices[1].resync_suspended.clone().unwrap();
    assert_eq!(held, ["dependency", "user"]);
    assert_eq!(
        promotable(data).reason,
        "volume 1 is Inconsistent: its resync from a has not ended (14.3 % done)"
    );
}

#[test]
fn a_primary_in_trouble_is_no_good_answer() {
    let text = |suspended: &str, disk: &str, quorum: &str, peer: &str| {
        format!(
            "exists resource name:r role:Primary suspended:{suspended}\n\
             exists connection name:r peer-node-id:1 conn-name:b connection:Connected role:{peer}\n\
             exists device name:r volume:0 minor:1 disk:{disk} client:no quorum:{quorum}\n\
             exists peer-device name:r peer-node-id:1 conn-name:b volume:0 replication:Established peer-disk:UpToDate\n\
             exists -\n"
        )
    };
    let answer = |text: String| promotable(&report(&text).status.resources[0]);
    assert!(answer(text("no", "UpToDate", "yes", "Secondary")).yes);
    for (text, word) in [
        (text("quorum", "UpToDate", "yes", "Secondary"), "suspended (quorum)"),
        (text("no", "UpToDate", "no", "Secondary"), "no quorum"),
        (text("no", "Diskless", "yes", "Secondary"), "no disk"),
        (text("no", "UpToDate", "yes", "Primary"), "b is Primary too"),
    ] {
        let answer = answer(text);
        assert!(!answer.yes && answer.reason.contains(word), "{}", answer.reason);
    }
}

#[test]
fn proc_drbd_of_many_minors() {
    let r = report(
        "version: 8.4.11-1 (api:1/proto:86-101)\n \
         1: cs:PausedSyncT ro:Secondary/Primary ds:Inconsistent/UpToDate C ra-u--\n    ns:0 nr:4096 dw:4096 dr:0 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:1044480\n\t[>....................] sync'ed:  0.4% (1020/1024)M\n\tfinish: 1:07:02 speed: 256 (256) want: 2,000 K/sec\n \
         2: cs:Unconfigured\n \
         3: cs:StandAlone ro:Primary/Unknown ds:UpToDate/DUnknown   r-----\n    ns:0 nr:0 dw:48 dr:1668 al:2 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:d oos:48\n \
         6: cs:SyncSource ro:Primary/Secondary ds:UpToDate/Inconsistent C r---n-\n    ns:1 nr:0 dw:0 dr:4096 al:2 bm:0 lo:0 pe:10 ua:0 ap:0 ep:1 wo:d oos:999\n\t[>....................] sync'ed:  2.5% (999/1024)K\n\tfinish: 0:00:00 speed: 0 (0) K/sec (stalled)\n",
    );
    assert_eq!((r.kind, r.warnings.len()), (Kind::Proc, 0), "{:?}", r.warnings);
    let list = &r.status.resources;
    let paused = &list[0].connections[0].peer_devices[0];
    assert_eq!((paused.eta_seconds, paused.resync_suspended.clone().unwrap().len()), (Some(4022), 2));
    assert_eq!(list[1].devices[0].disk, Disk::Diskless);
    assert_eq!(list[2].connections[0].connection, Connection::StandAlone);
    let stalled = &list[3].connections[0].peer_devices[0];
    assert_eq!((stalled.eta_seconds, stalled.extra.get("stalled").map(String::as_str)), (None, Some("yes")));
    assert_eq!(list[3].extra["speed"], "0 (0) K/sec (stalled)");
}

#[test]
fn words_of_another_version_are_kept_and_told() {
    let r = report(
        "exists resource name:r role:Primordial suspended:moon future:1\n\
         exists connection name:r local:ipv4:10.0.0.1:7788 peer:ipv4:10.0.0.2:7788 connection:Quantum role:Secondary\n\
         exists device name:r volume:0 minor:7 disk:Frozen client:maybe quorum:perhaps\n\
         exists -\n\
         evolve device name:r volume:0 disk:Failed\n",
    );
    let resource = &r.status.resources[0];
    assert_eq!((resource.role.as_str(), resource.devices[0].disk.as_str()), ("Primordial", "Failed"));
    assert_eq!(resource.extra["future"], "1");
    assert_eq!(resource.connections[0].extra["local"], "ipv4:10.0.0.1:7788");
    for word in ["Primordial", "moon", "future", "Quantum", "Frozen", "maybe", "perhaps", "evolve"] {
        assert!(r.warnings.iter().any(|w| w.contains(word)), "{word}: {:?}", r.warnings);
    }
    assert!(!promotable(resource).yes);
}

#[test]
fn a_text_that_lost_its_end_is_read_with_a_warning() {
    let text = "r role:Primary\n  disk:UpToDate\n  b role:Secondary\n    peer-disk:UpToDate\n";
    assert!(report(text).warnings.iter().any(|w| w.contains("cut off")));
    assert!(report(&format!("{text}\n")).warnings.is_empty());
    let events = "exists resource name:r role:Primary suspended:no\nexists -";
    assert!(report(events).warnings.iter().any(|w| w.contains("cut off")));
    assert!(read(None, "x", "exists resource name:r role:Primary suspended:no\n").is_err());
}

#[test]
fn a_stacked_resource_takes_its_disk_from_below() {
    let text = "resource r0 { on a { device /dev/drbd0; disk /dev/sda6; address 10.0.0.1:7788; meta-disk internal; }\n\
        on b { device /dev/drbd0; disk /dev/sda6; address 10.0.0.2:7788; meta-disk internal; } }\n\
        resource r0-U { net { protocol A; } stacked-on-top-of r0 { device /dev/drbd10; address 192.168.42.1:7789; }\n\
        on c { device /dev/drbd10; disk /dev/hda6; address 192.168.42.2:7789; meta-disk internal; } }\n";
    let document = esos_drbd::Document::parse("x.res", text);
    let findings = esos_drbd::lint(&document, esos_drbd::Intent { generation: Some(8), cluster: false });
    let all: Vec<_> = document.diagnostics().iter().chain(&findings).collect();
    assert!(all.iter().all(|d| d.severity != esos_diag::Severity::Error), "{all:?}");
    let bare = text.replace("stacked-on-top-of r0", "on d");
    let document = esos_drbd::Document::parse("x.res", bare);
    let findings = esos_drbd::lint(&document, esos_drbd::Intent { generation: Some(8), cluster: false });
    assert!(findings.iter().any(|d| d.message.contains("has no disk, no meta-disk")), "{findings:?}");
}

#[test]
fn a_status_of_nine_zero_has_another_word_for_the_disk_of_a_peer() {
    let r = report(
        "home role:Secondary\n  disk:UpToDate\n  nina role:Secondary\n    disk:UpToDate\n  nino role:Secondary\n    disk:Outdated\n  nono connection:Connecting\n\n",
    );
    let disks: Vec<&str> =
        r.status.resources[0].connections.iter().map(|p| p.peer_devices[0].peer_disk.as_str()).collect();
    assert_eq!((disks, r.warnings.len()), (vec!["UpToDate", "Outdated", "DUnknown"], 0), "{:?}", r.warnings);
}
