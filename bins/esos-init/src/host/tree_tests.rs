//! Real directories: what the unpacker makes, and what it refuses. Needs root for owners and devices,
//! and says so where it is not.
use super::tree::HostTree;
use esos_initramfs::{TarReader, Tree};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

/// Unpacks what `tar` gives for a shell script run in an empty directory.
fn unpack(tar: &[u8], into: &std::path::Path) -> Result<u64, String> {
    let tree = HostTree::open(into.to_str().unwrap()).unwrap();
    let mut hand = tree.worker();
    let mut reader = TarReader::new(tar);
    while let Some(entry) = reader.next_entry().map_err(|e| e.to_string())? {
        hand.make(&entry, &mut reader).map_err(|e| format!("{e}: {}", e.source))?;
    }
    drop(hand);
    tree.finish().map_err(|e| e.to_string())?;
    Ok(reader.entries())
}

fn gnu_tar(directory: &std::path::Path) -> Vec<u8> {
    let mut tar = Command::new("tar");
    tar.args(["--format=pax", "--xattrs", "--xattrs-include=*", "--sort=name", "-C"]);
    tar.arg(directory).args(["-cf", "-", "."]).stdin(Stdio::null()).output().unwrap().stdout
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: owners and devices: not root");
    }
    root
}

#[test]
fn a_tree_comes_back_as_gnu_tar_saw_it() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = "mkdir -p a/b c && echo hello >a/b/f && head -c 700000 /dev/urandom >c/big && ln a/b/f c/hard && \
                  ln -s ../a/b/f c/soft && mkfifo c/pipe && chmod 4751 c/big && chmod 1777 c && touch -d @1234567890.5 a/b/f && \
                  touch -h -d @1000000000 c/soft && touch -d @1100000000 a/b a && : >empty";
    let made = Command::new("sh").arg("-ec").arg(script).current_dir(from.path()).status().unwrap();
    assert!(made.success());
    if is_root() {
        let script = "chown 12:34 a/b && chown -h 5:6 c/soft && chown 1000:1000 c/big && chmod 4751 c/big && mknod c/null c 1 3 && \
                      touch -d @1100000000 a/b a";
        assert!(
            Command::new("sh").arg("-ec").arg(script).current_dir(from.path()).status().unwrap().success()
        );
    }
    unpack(&gnu_tar(from.path()), to.path()).unwrap();
    // And so does one that is copied from there, but for what stays behind.
    fs::create_dir_all(to.path().join("usr/a")).unwrap();
    let third = tempfile::tempdir().unwrap();
    let [second, copied] = [&to, &third].map(|dir| dir.path().to_str().unwrap());
    assert_eq!(super::copy::copy(second, copied, "usr").unwrap(), 700_006);
    fs::remove_dir_all(to.path().join("usr")).unwrap();
    let list = |dir: &std::path::Path| {
        let format = "%P %y %m %U %G %s %n %T@ %l\\n";
        let out = Command::new("find")
            .arg(dir)
            .args(["!", "-type", "d", "-printf", format])
            .output()
            .unwrap()
            .stdout;
        let dirs = Command::new("find")
            .arg(dir)
            .args(["-mindepth", "1", "-type", "d", "-printf", "%P %m %U %G %T@\\n"])
            .output()
            .unwrap()
            .stdout;
        let text = String::from_utf8(out).unwrap() + &String::from_utf8(dirs).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for made in [&to, &third] {
        assert_eq!(list(made.path()), list(from.path()));
    }
    assert_eq!(fs::read(to.path().join("c/big")).unwrap(), fs::read(from.path().join("c/big")).unwrap());
    for made in [&to, &third] {
        let inode = |name: &str| fs::metadata(made.path().join(name)).unwrap().ino();
        assert_eq!(inode("a/b/f"), inode("c/hard"));
    }
}

#[test]
fn a_link_never_leads_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    let escape = outside.path().to_str().unwrap();
    // An archive whose second part goes through a link of its first part.
    for script in [
        format!("ln -s {escape} way && tar -cf ../one.tar way && rm way && mkdir way && echo x >way/in && tar -cf ../two.tar way/in"),
        format!("ln -s {escape} way && tar -cf ../one.tar way && rm way && mkdir way && tar -cf ../two.tar way"),
        "ln -s ../../../../etc/hostname way && tar -cf ../one.tar way && rm way && echo x >way && tar -cf ../two.tar way".to_owned(),
        format!("ln -s {escape} way && tar -cf ../one.tar way && rm way && mkdir way && echo x >way/f && ln way/f g && tar -cf ../two.tar --transform 's,^way/f$,zzz,' way/f && tar -cf ../two.tar way/f g"),
    ] {
        let (base, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = base.path().join("d");
        fs::create_dir(&dir).unwrap();
        assert!(Command::new("sh").arg("-ec").arg(&script).current_dir(&dir).status().unwrap().success());
        unpack(&fs::read(base.path().join("one.tar")).unwrap(), to.path()).unwrap();
        let refused = unpack(&fs::read(base.path().join("two.tar")).unwrap(), to.path()).unwrap_err();
        assert!(refused.contains("cannot make /way"), "{refused}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{script}");
    }
}
