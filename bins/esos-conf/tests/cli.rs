//! The tool on a copied tree and a directory that stands for the partition.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "test helpers")]
mod common;

use common::{Case, code};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn sync_change_diff_restore() {
    let case = Case::new();
    let (exit, json, _) = case.run("a", &["status"]);
    assert_eq!((exit, code(&json)), (7, "conf::no-repository"));
    let (exit, json, _) = case.run("a", &["sync"]);
    assert_eq!((exit, &json["data"]["generation"], &json["data"]["made"]), (0, &1.into(), &true.into()));
    assert_eq!(case.run("a", &["status"]).0, 0);
    assert_eq!(case.run("a", &["sync"]).1["data"]["made"], false);

    fs::write(case.path("a/etc/motd.tail"), "hello\nworld\n").unwrap();
    fs::write(case.path("a/etc/shadow"), "root:$6$changed\n").unwrap();
    let (exit, json, _) = case.run("a", &["diff"]);
    let text = json.to_string();
    assert!(exit == 4 && text.contains("+world"), "{json}");
    assert!(!text.contains("$6$") && text.contains("not shown"), "{json}");
    assert_eq!(case.run("a", &["status"]).0, 4);
    assert_eq!(case.run("a", &["sync"]).1["data"]["generation"], 2);
    let (exit, json, _) = case.run("a", &["diff", "@1", "@2", "/etc/motd.tail"]);
    assert_eq!((exit, json["data"].as_array().unwrap().len()), (4, 1), "{json}");
    assert_eq!(case.run("a", &["log"]).1["data"]["generations"].as_array().unwrap().len(), 2);

    // Elsewhere: not without being told to, and then whole.
    fs::create_dir_all(case.path("b/etc")).unwrap();
    fs::write(case.path("b/etc/esos-release"), "5.0.0\n").unwrap();
    fs::write(case.path("b/etc/default-only"), "x").unwrap();
    let (exit, json, _) = case.run("b", &["restore"]);
    assert_eq!((exit, code(&json)), (5, "refused"));
    let (exit, json, err) = case.run("b", &["restore", "--yes"]);
    assert_eq!((exit, &json["data"]["complete"]), (0, &true.into()), "{json} {err}");
    let b = |name: &str| case.path("b/etc").join(name);
    assert_eq!(fs::read_to_string(b("motd.same")).unwrap(), "hello\nworld\n");
    assert_eq!(fs::metadata(b("motd.same")).unwrap().ino(), fs::metadata(b("motd.tail")).unwrap().ino());
    assert_eq!((mode(&b("shadow")), mode(&b("ssh/key"))), (0o600, 0o400));
    assert_eq!(fs::read_link(b("link")).unwrap(), Path::new("../proc/self/mounts"));
    assert!(!b("default-only").exists());
    assert_eq!(
        fs::metadata(b("motd.tail")).unwrap().mtime_nsec(),
        fs::metadata(case.path("a/etc/motd.tail")).unwrap().mtime_nsec()
    );
    assert_eq!(case.run("b", &["status"]).0, 0, "{}", case.run("b", &["status"]).1);

    // One file of an old generation; then the whole of it.
    assert_eq!(case.run("b", &["restore", "@1", "/etc/motd.tail", "--yes"]).0, 0);
    assert_eq!(fs::read_to_string(b("motd.tail")).unwrap(), "hello\n");
    assert_eq!(case.run("b", &["restore", "@1", "/etc/nothing", "--yes"]).0, 1);
    assert_eq!(case.run("b", &["restore", "@1", "--yes"]).0, 0);
    assert_eq!(fs::read_to_string(b("shadow")).unwrap(), "root:$6$secret\n");
    let (exit, json, _) = case.run("b", &["restore", "@9", "--yes"]);
    assert_eq!((exit, code(&json)), (1, "conf::not-found"));
    for entry in fs::read_dir(case.path("store")).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()) & 0o077, 0, "secrets lie in it");
    }
}

#[test]
fn a_restore_that_is_not_whole_forbids_the_next_sync() {
    let case = Case::new();
    case.run("a", &["sync"]);
    // Something is in the way that cannot be replaced.
    fs::create_dir_all(case.path("b/etc")).unwrap();
    fs::create_dir_all(case.path("elsewhere")).unwrap();
    symlink(case.path("elsewhere"), case.path("b/var")).unwrap();
    let (exit, json, _) = case.run("b", &["restore", "--yes"]);
    assert_eq!(exit, 1, "{json}");
    assert_eq!(
        fs::read_dir(case.path("elsewhere"))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name() != "lib")
            .count(),
        0
    );
    let (exit, json, _) = case.run("b", &["sync"]);
    assert_eq!((exit, code(&json)), (5, "conf::incomplete-restore"));
    assert_eq!(case.run("a", &["log"]).1["data"]["generations"].as_array().unwrap().len(), 1);
}

#[test]
fn a_restore_that_failed_forbids_no_sync_onto_an_empty_stick() {
    let case = Case::new();
    // As at a boot whose stick could not be mounted.
    fs::write(case.path("no-directory"), "").unwrap();
    let (exit, json, _) = case.on("no-directory", "a", &["restore", "--boot", "--yes"]);
    assert_ne!(exit, 0, "{json}");
    let (exit, json, _) = case.run("a", &["sync"]);
    assert_eq!((exit, &json["data"]["generation"]), (0, &1.into()), "{json}");
}

#[test]
fn damage_is_said_and_the_one_before_is_taken() {
    let case = Case::new();
    case.run("a", &["sync"]);
    fs::write(case.path("a/etc/motd.tail"), "second\n").unwrap();
    case.run("a", &["sync"]);
    let newest = case.path("store/gen-0000000002.esc");
    let mut bytes = fs::read(&newest).unwrap();
    let at = bytes.len() - 40;
    bytes[at] ^= 1;
    fs::write(&newest, bytes).unwrap();
    assert_eq!(case.run("a", &["verify"]).0, 3);
    let (exit, json, err) = case.run("b", &["restore", "--yes", "--boot"]);
    assert_eq!((exit, &json["data"]["generation"]), (0, &1.into()), "{json}");
    assert!(err.contains("@2 was not restored: gen-0000000002.esc: its index does not match"), "{err}");
    let (exit, json, _) = case.run("b", &["restore", "@2", "--yes"]);
    assert_eq!((exit, code(&json)), (3, "conf::damaged"));
    // The next sync makes a whole one again.
    fs::write(case.path("b/etc/motd.tail"), "third\n").unwrap();
    let (exit, json, _) = case.run("b", &["sync"]);
    assert_eq!((exit, &json["data"]["generation"]), (0, &3.into()), "{json}");
    let (exit, json, _) = case.run("b", &["restore", "@3", "--yes"]);
    assert_eq!(exit, 0, "{json}");
}

#[test]
fn an_upgrade_brings_new_defaults_and_keeps_what_was_changed() {
    let case = Case::new();
    let image = |root: &str, version: &str, sysctl: &str, extra: &str| {
        fs::create_dir_all(case.path(root).join("etc")).unwrap();
        fs::write(case.path(root).join("etc/esos-release"), version).unwrap();
        fs::write(case.path(root).join("etc/sysctl.conf"), sysctl).unwrap();
        fs::write(case.path(root).join("etc/rc.conf"), "a=1\nb=1\nc=1\nd=1\ne=1\n").unwrap();
        fs::write(case.path(root).join("etc").join(extra), "new").unwrap();
    };
    image("v1", "5.0.0", "x=1\n", "only-v1");
    assert_eq!(case.run("v1", &["restore", "--boot", "--yes"]).0, 0, "an empty store is no failure at boot");
    fs::write(case.path("v1/etc/rc.conf"), "a=1\nb=1\nc=1\nd=1\ne=mine\n").unwrap();
    fs::write(case.path("v1/etc/scst.conf"), "own").unwrap();
    assert_eq!(case.run("v1", &["sync"]).0, 0);
    image("v2", "5.1.0", "x=2\n", "only-v2");
    fs::write(case.path("v2/etc/rc.conf"), "a=2\nb=1\nc=1\nd=1\ne=1\n").unwrap();
    let (exit, json, _) = case.run("v2", &["restore", "--boot", "--yes"]);
    assert_eq!(exit, 0, "{json}");
    let v2 = |name: &str| fs::read_to_string(case.path("v2/etc").join(name)).ok();
    assert_eq!(v2("rc.conf").as_deref(), Some("a=2\nb=1\nc=1\nd=1\ne=mine\n"));
    assert_eq!(v2("sysctl.conf").as_deref(), Some("x=2\n"));
    assert_eq!(v2("scst.conf").as_deref(), Some("own"));
    assert_eq!((v2("only-v1"), v2("only-v2").as_deref()), (None, Some("new")));
    assert_eq!(v2("esos-release").as_deref(), Some("5.1.0"));
    assert_eq!(case.run("v2", &["sync"]).1["data"]["generation"], 2);
    // Back on v1: what v1 had; v2's is kept and listed.
    image("v1b", "5.0.0", "x=1\n", "only-v1");
    let (exit, json, _) = case.run("v1b", &["restore", "--boot", "--yes"]);
    assert_eq!(
        (exit, &json["data"]["generation"], &json["data"]["restored"]["newer"][0]),
        (0, &1.into(), &2.into())
    );
}

/// A stick of the original, as its scripts make it: git and rsync.
fn original(case: &Case) -> bool {
    let script = r#"set -e
        mkdir -p src/etc/ssh src/var/lib/scst src/opt/x src/root/.ssh store2/rsync_dirs
        cd src/etc
        echo root:x:0:0 >passwd; printf 'root:x:0:\ndaemon:x:1:\n' >group; echo 'root:$6$x' >shadow
        echo 'HANDLER vdisk_fileio {}' >scst.conf; printf '#!/bin/sh\n' >run.sh; chmod 755 run.sh; ln -s passwd link
        i=0; while [ $i -lt 40 ]; do echo "file $i" >f$i; i=$((i+1)); done
        printf "maybe chmod 0640 './shadow'\nmaybe chgrp daemon './shadow'\n" >.etckeeper
        export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@y GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@y
        git init -q -b master .; git add -A; git commit -qm one; echo two >>f1; git add -A; git commit -qm two
        git clone -q --bare . ../../store2/etckeeper.git
        cd ../..
        echo pr >src/var/lib/scst/pr; echo a >src/opt/x/a; ln src/opt/x/a src/opt/x/b; echo key >src/root/.ssh/authorized_keys
        mkdir -p src/var/lib/other; echo other >src/var/lib/other/f; chmod 600 src/root/.ssh/authorized_keys
        cp -a --parents src/var src/opt src/root store2/; mv store2/src/* store2/rsync_dirs/; rmdir store2/src
        rm -rf store; mv store2 store"#;
    let output = Command::new("sh").args(["-c", script]).current_dir(case.dir.path()).output().unwrap();
    if !output.status.success() {
        println!("skipped: original: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

#[test]
fn a_stick_of_the_original_comes_in_whole() {
    let case = Case::new();
    if !original(&case) {
        return;
    }
    let (exit, json, err) = case.run("b", &["import", "--yes"]);
    assert_eq!((exit, json["data"]["missing"].as_array().unwrap().len()), (0, 0), "{json} {err}");
    let b = |name: &str| case.path("b").join(name);
    assert_eq!(fs::read_to_string(b("etc/f1")).unwrap(), "file 1\ntwo\n");
    assert_eq!(
        (mode(&b("etc/shadow")), mode(&b("etc/run.sh")), mode(&b("etc/scst.conf"))),
        (0o640, 0o755, 0o600)
    );
    assert_eq!(
        fs::metadata(b("etc/shadow")).unwrap().gid(),
        if is_root() { 1 } else { fs::metadata(b("etc")).unwrap().gid() }
    );
    assert_eq!(fs::read_link(b("etc/link")).unwrap(), Path::new("passwd"));
    assert_eq!(fs::metadata(b("opt/x/a")).unwrap().ino(), fs::metadata(b("opt/x/b")).unwrap().ino());
    assert_eq!(mode(&b("root/.ssh/authorized_keys")), 0o600);
    assert_eq!(fs::read_to_string(b("var/lib/other/f")).unwrap(), "other\n");
    // It is a generation like any other, and the box goes on from it.
    assert_eq!(case.run("c", &["restore", "@1", "--yes"]).0, 0);
    let (exit, json, _) = case.run("b", &["sync"]);
    assert_eq!(exit, 0, "{json}");
    assert_eq!(case.run("d", &["restore", "--yes"]).0, 0);
    assert_eq!(
        fs::read_to_string(case.path("d/var/lib/other/f")).unwrap(),
        "other\n",
        "what came in is kept from now on"
    );
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn what_is_damaged_of_it_is_listed_and_the_rest_comes_in() {
    let case = Case::new();
    if !original(&case) {
        return;
    }
    // One object of git, one copy of rsync that was cut off.
    let script = r#"id=$(git --git-dir store/etckeeper.git rev-parse HEAD:scst.conf); cd store/etckeeper.git
        mkdir -p t && mv objects/pack t/ 2>/dev/null; for p in t/pack/*.pack; do [ -e "$p" ] && git --git-dir . unpack-objects -q <"$p"; done
        f=objects/$(echo $id | cut -c1-2)/$(echo $id | cut -c3-); chmod u+w $f; printf torn | dd of=$f bs=1 seek=3 conv=notrunc 2>/dev/null
        mv ../rsync_dirs/opt/x/b ../rsync_dirs/opt/x/.b.Xy12zQ"#;
    let output = Command::new("sh").args(["-c", script]).current_dir(case.dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (exit, json, _) = case.run("b", &["import", "--yes"]);
    let missing = json["data"]["missing"].to_string();
    assert_eq!((exit, json["data"]["missing"].as_array().unwrap().len()), (4, 2), "{json}");
    assert!(missing.contains("/etc/scst.conf") && missing.contains("/opt/x/b"), "{missing}");
    assert!(case.path("b/etc/f39").exists() && !case.path("b/etc/scst.conf").exists());
}

#[test]
fn backups_and_exports() {
    let case = Case::new();
    if !original(&case) {
        return;
    }
    let tar = |what: &str| {
        let status = Command::new("sh").args(["-c", what]).current_dir(case.dir.path()).status().unwrap();
        assert!(status.success());
    };
    tar("tar czf backup.tgz -C store . && rm -rf store && mkdir store");
    let backup = case.path("backup.tgz");
    let (exit, json, _) = case.run("b", &["import", backup.to_str().unwrap(), "--yes"]);
    assert_eq!(exit, 0, "{json}");
    assert_eq!(fs::read_to_string(case.path("b/var/lib/scst/pr")).unwrap(), "pr\n");
    assert_eq!(fs::metadata(case.path("b/opt/x/a")).unwrap().nlink(), 2);
    // Cut off.
    let bytes = fs::read(&backup).unwrap();
    fs::write(case.path("half.tgz"), &bytes[..bytes.len() / 2]).unwrap();
    let (exit, json, _) = case.run("h", &["import", case.path("half.tgz").to_str().unwrap(), "--yes"]);
    assert!((exit == 4 || exit == 3) && json.to_string().contains("cut off"), "{exit} {json}");

    // One file, encrypted; then on an empty box.
    fs::write(case.path("pass"), "correct horse\n").unwrap();
    let (file, pass) = (case.path("x.age"), case.path("pass"));
    let (file, pass) = (file.to_str().unwrap(), pass.to_str().unwrap());
    assert_eq!(case.run("b", &["export", file]).0, 5, "not without a passphrase");
    case.run("b", &["sync"]);
    let (exit, json, _) = case.run("b", &["export", file, "--passphrase-file", pass]);
    assert_eq!((exit, mode(Path::new(file))), (0, 0o600), "{json}");
    assert!(!String::from_utf8_lossy(&fs::read(file).unwrap()).contains("vdisk"));
    fs::rename(case.path("store"), case.path("store1")).unwrap();
    fs::create_dir(case.path("store")).unwrap();
    fs::write(case.path("wrong"), "x\n").unwrap();
    assert_eq!(case.run("e", &["import", file]).0, 5);
    assert_eq!(
        case.run("e", &["import", file, "--passphrase-file", case.path("wrong").to_str().unwrap()]).0,
        3
    );
    let (exit, json, _) = case.run("e", &["import", file, "--passphrase-file", pass, "--yes"]);
    assert_eq!(exit, 0, "{json}");
    let list = |root: &str| {
        // `.etckeeper` was for git; of links the time means nothing.
        let script = "find . -path ./var/lib/esos -prune -o ! -type d ! -name .etckeeper \\( -type l -printf '%p %l\\n' \
                      -o -printf '%p %y %m %U %G %s %n %T@\\n' \\) | sort";
        let output = Command::new("sh").args(["-c", script]).current_dir(case.path(root)).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(list("b"), list("e"), "the same tree");
}

#[test]
fn the_network_may_come_up_once_the_box_has_its_configuration() {
    let case = Case::new();
    let off = |root: &str| case.path(root).join("run/esos/network-off");
    let forbid = |root: &str| {
        fs::create_dir_all(case.path(root).join("run/esos")).unwrap();
        fs::write(off(root), "the stick was not there\n").unwrap();
    };
    forbid("a");
    assert_eq!(case.run("a", &["status"]).0, 7);
    assert!(off("a").exists(), "looking changes nothing");
    assert_eq!(case.run("a", &["sync"]).0, 0);
    assert!(!off("a").exists());

    forbid("b");
    assert_eq!(case.run("b", &["restore", "--dry-run"]).0, 0);
    assert_eq!(case.run("b", &["restore", "/etc/shadow", "--yes"]).0, 0);
    assert!(off("b").exists(), "one file is not the configuration");
    let (exit, _, said) = case.run("b", &["restore", "--yes"]);
    assert!(exit == 0 && !off("b").exists(), "{said}");
    assert!(said.contains("service esos-network start"), "{said}");

    // A restore that was not whole, and a sync that is refused for it, change nothing.
    forbid("a");
    let kept = r#"{"complete": false, "problem": "the stick was not there"}"#;
    fs::write(case.path("a/var/lib/esos/conf/restored.json"), kept).unwrap();
    let (exit, json, _) = case.run("a", &["sync"]);
    assert_eq!((exit, code(&json)), (5, "conf::incomplete-restore"));
    assert!(off("a").exists());
    assert_eq!(case.run("a", &["sync", "--yes"]).0, 0);
    assert!(!off("a").exists());
}

#[test]
fn a_second_store_follows() {
    let case = Case::new();
    fs::create_dir(case.path("second")).unwrap();
    let second = case.path("second");
    let second = second.to_str().unwrap();
    assert_eq!(case.run("a", &["mirror", second]).1["data"]["copied"].as_array().unwrap().len(), 0);
    case.run("a", &["sync"]);
    fs::write(case.path("a/etc/more"), "more\n").unwrap();
    case.run("a", &["sync"]);
    let (exit, json, _) = case.run("a", &["mirror", second]);
    assert_eq!((exit, json["data"]["copied"].as_array().unwrap().len()), (0, 2), "{json}");
    assert_eq!(case.on("second", "b", &["restore", "--yes"]).0, 0);
    assert_eq!(fs::read_to_string(case.path("b/etc/more")).unwrap(), "more\n");
    // The other box goes on with it: that is not thrown away unasked.
    fs::write(case.path("b/etc/more"), "even more\n").unwrap();
    assert_eq!(case.on("second", "b", &["sync"]).0, 0);
    let (exit, json, _) = case.run("a", &["mirror", second]);
    assert_eq!((exit, code(&json)), (5, "conf::foreign"), "{json}");
    assert_eq!(case.run("a", &["mirror", second, "--replace"]).0, 0);
    let (exit, json, _) = case.run("a", &["mirror", case.path("nowhere").to_str().unwrap()]);
    assert_eq!((exit, code(&json)), (7, "conf::gone"), "{json}");
}
