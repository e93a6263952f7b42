//! From packages that the test makes to a verified image that boots, without any network.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_bootimg::disk::{Region, squashfs};
use esos_bootimg::root::read_root;
use esos_layout::frames::Index;
use esos_layout::{part, slot};
use esos_tests::image::{release, turn};
use esos_tests::packages::{CAPABILITY, MANIFEST, Sources};
use esos_tests::tiny::LIMIT;
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Machine, Mark};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

fn tool(args: &[&str]) -> String {
    let out = Command::new(release("esos-image").unwrap()).args(args).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "esos-image {}: {}\n{stdout}\n{stderr}", args.join(" "), out.status);
    stdout.into_owned()
}

/// Extended attributes and hard links of the root image, read back out of the disk image.
fn root_of(image: &Path) -> BTreeMap<String, (BTreeMap<String, Vec<u8>>, String)> {
    let mut file = File::open(image).unwrap();
    let table = Table::read(&mut file, Copy::Primary).unwrap();
    let (start, length) = table.extent(table.find(part::PRIMARY).unwrap().1);
    let mut region = Region::new(file, start, length);
    let squash = squashfs::Image::open(&mut region).unwrap();
    let mut text = String::new();
    squash.file(slot::ROOT_INDEX).unwrap().reader(&mut region).read_to_string(&mut text).unwrap();
    let index: Index = text.parse().unwrap();
    let mut found = BTreeMap::new();
    let mut root = squash.file(slot::ROOT).unwrap().reader(&mut region);
    read_root("root", &index, &mut root, |_frame, entry, _content| {
        found.insert(entry.path.to_string(), (entry.xattrs.clone(), entry.kind.word().to_owned()));
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn packages_of_our_own_become_an_image_that_boots() {
    let test = "packages_of_our_own_become_an_image_that_boots";
    if !allowed(test, Level::Offline) {
        return;
    }
    let sources = match (release("esos-image"), Sources::find()) {
        (Ok(_), Ok(sources)) => sources,
        (Err(why), _) | (_, Err(why)) => return skip(test, &why),
    };
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let (debs, out) = (dir.path().join("debs"), dir.path().join("out"));
    fs::create_dir(&debs).unwrap();
    sources.write(&debs).unwrap();
    let manifest = dir.path().join("tiny.toml");
    fs::write(&manifest, MANIFEST).unwrap();
    let [debs, out_text, manifest] = [&debs, &out, &manifest].map(|p| p.to_str().unwrap().to_owned());

    tool(&["build", "--out", &out_text, "--manifest", &manifest, "--mirror", &debs, "--offline"]);
    let image = out.join("esos.img");
    tool(&["verify", image.to_str().unwrap()]);
    let listing = tool(&["inspect", image.to_str().unwrap(), "--json"]);
    assert!(listing.contains("tiny-cap") && listing.contains("esos_primary"), "{listing}");

    let root = root_of(&image);
    assert_eq!(root["usr/bin/tiny-ping"].0["security.capability"], CAPABILITY);
    assert_eq!(root["usr/share/tiny/two"].1, "hard link");
    assert_eq!(root["bin"].1, "symbolic link", "/usr is merged");
    assert!(root.contains_key("usr/bin/busybox") && root.contains_key("usr/bin/greet.plain"));

    for firmware in Firmware::ALL {
        let machine = Machine::new("tiny-root").firmware(firmware).memory(Bytes::gib(1)).processors(1);
        let guest = machine.disk(Disk::new(&image, Bus::Usb)).start().unwrap();
        let ready = guest.console().wait_for(Mark::default(), "TINY-READY", LIMIT).unwrap();
        let text = guest.console().text();
        for line in
            ["TINY-ROOT type=tmpfs bin=usr/bin conf=shipped", "TINY-LINKS same", "TINY-DIVERTED HELLO hello"]
        {
            assert!(text.contains(line), "no `{line}` in\n{}", guest.console().tail(40));
        }
        println!("{firmware}: {:.1} s to the tiny root", guest.console().time_of(ready).as_secs_f64());
    }
}
