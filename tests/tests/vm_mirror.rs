//! A second stick, made from a running box and kept as its mirror: it boots with the configuration of the box, under a
//! name of its own; the first one goes on with its own; power that goes while the mirror is written costs neither.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::init_box::{self, ask, ask_json};
use esos_tests::keeper::{off, slot, start, sync};
use esos_tests::{Level, allowed, image, kernel, skip};
use esos_vm::Guest;
use std::fs;
use std::time::Duration;

fn identity(guest: &Guest) -> String {
    ask_json(guest, "esos-image slots").unwrap().1["data"]["stick"].as_str().unwrap().to_owned()
}

/// Which generation this boot restored.
fn restored(guest: &Guest) -> u64 {
    let (_, status) = ask_json(guest, "esos-conf status").unwrap();
    status["data"]["restored"]["generation"].as_u64().unwrap()
}

#[test]
fn a_mirror_boots_with_the_boxs_configuration() {
    let test = "a_mirror_boots_with_the_boxs_configuration";
    if !allowed(test, Level::All) {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let slot = match kernel::find().and_then(|kernel| slot(dir.path(), &kernel)) {
        Ok(slot) => slot,
        Err(why) => return skip(test, &why),
    };
    let [stick, second] = ["esos.img", "second.img"].map(|name| dir.path().join(name));
    if let Err(why) = init_box::write(&stick, &slot, None, "mirror") {
        return skip(test, &why.to_string());
    }
    fs::File::create(&second).unwrap().set_len(fs::metadata(&stick).unwrap().len()).unwrap();
    let _turn = image::turn();
    let both = || start(&stick, &[&second]).unwrap().0;

    let guest = both();
    ask(&guest, "dmesg -n 1").unwrap();
    assert_eq!(sync(&guest, "echo one >/etc/one").unwrap(), 1);
    let (status, done) = ask_json(&guest, "esos-image mirror /dev/vda --yes-erase vda").unwrap();
    assert_eq!(status, 0, "{done}");
    let (own, other) = (identity(&guest), done["data"]["identity"].as_str().unwrap().to_owned());
    assert_ne!(own, other);
    println!("made: {}", done["data"]);
    // As udev does on a box, whenever a disk was written.
    ask(&guest, "blockdev --rereadpt /dev/vda").unwrap();
    // What is kept as a mirror is part of the configuration: one more.
    let mut said = sync(&guest, "echo two >/etc/two").unwrap();
    let (status, done) = ask_json(&guest, "esos-image mirror").unwrap();
    assert_eq!(status, 0, "{done}");
    assert!(!done["data"]["conf"]["copied"].as_array().unwrap().is_empty(), "{done}");

    // Power goes while a sync and the mirror are on their way, three times.
    let mut guest = guest;
    for (round, pause) in [(1u64, 300), (2, 900), (3, 2000)] {
        let command =
            format!("(echo {round} >/etc/round; esos-conf sync; esos-image mirror) >/dev/null 2>&1 &\n");
        guest.console().send(&command).unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        guest.cut_power();
        guest = both();
        let now = restored(&guest);
        assert!(said == now || said + 1 == now, "round {round}: @{now} where @{said} was said");
        said = sync(&guest, "true").unwrap();
        let (status, done) = ask_json(&guest, "esos-image mirror").unwrap();
        assert_eq!(status, 0, "round {round}: {done}");
        println!("round {round}: @{now}, then {}", done["data"]["conf"]);
    }
    let newest = sync(&guest, "echo last >/etc/last").unwrap();
    assert_eq!(ask_json(&guest, "esos-image mirror").unwrap().0, 0);
    off(guest).unwrap();

    // The second stick alone.
    let (guest, console) = start(&second, &[]).unwrap();
    assert!(console.contains(&format!("restored @{newest} of")), "{console}");
    assert_eq!(identity(&guest), other);
    assert_eq!(ask(&guest, "cat /etc/one /etc/two /etc/last").unwrap(), "one\ntwo\nlast\n");
    sync(&guest, "echo b >/etc/of-the-second").unwrap();
    off(guest).unwrap();

    // The first one has its own, and does not throw away what the other did meanwhile.
    let guest = both();
    assert_eq!((identity(&guest), restored(&guest)), (own, newest));
    assert_eq!(ask(&guest, "ls /etc/of-the-second 2>/dev/null").unwrap(), "");
    let (status, refused) = ask_json(&guest, "esos-image mirror").unwrap();
    assert!(status == 5 && refused.to_string().contains("generations"), "{refused}");
    assert_eq!(ask_json(&guest, "esos-image mirror --replace").unwrap().0, 0);
    off(guest).unwrap();
}
