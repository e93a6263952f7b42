//! The stick is pulled from a running box of the default image: the box goes on, says so, refuses a
//! stick that only looks like it, and takes the old one again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::image::{self, Kind};
use esos_tests::ssh::Key;
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Machine, Net, free_port};
use std::time::{Duration, Instant};

/// How long after a change the watcher's document says a word.
fn says(guest: &Guest, word: &str, limit: Duration) -> Duration {
    let start = Instant::now();
    let state = format!("\"state\":\"{word}\"");
    let told = || guest.run("tr -d ' \\n' < /run/esos/stick.json").unwrap().text().contains(&state);
    image::eventually(&format!("the stick is {word}"), limit, told).unwrap();
    start.elapsed()
}

/// Programs that were never run before, one a second for five minutes; none may fail to be read.
const COMMANDS: &str = r#"
n=0; bad=
for p in $(ls /usr/bin); do
  [ $n -lt 300 ] || break
  [ -f /usr/bin/$p ] || continue
  timeout 20 /usr/bin/$p --help </dev/null >/tmp/said 2>&1; s=$?
  case $s in
    126|135) bad="$bad $p:$s";;
    # The image has no Python; scripts of packages that want it say so.
    127) grep -q python3 /tmp/said || bad="$bad $p:$s";;
  esac
  ! grep -q 'Input/output error' /tmp/said || bad="$bad $p:io"
  n=$((n + 1)); sleep 1
done
echo "$n commands"; [ -z "$bad" ] || { echo "failed:$bad"; exit 1; }
"#;

#[test]
fn a_box_goes_on_without_its_stick() {
    let test = "a_box_goes_on_without_its_stick";
    if !allowed(test, Level::All) {
        return;
    }
    if let Err(why) = image::release("esos-image") {
        return skip(test, &why);
    }
    let path = image::find(Kind::Default).unwrap();
    let _turn = image::turn();
    let boot = image::boot(&path, Firmware::Bios, Bus::Usb);
    let port = free_port().unwrap();
    let machine = Machine::new("stick")
        .memory(Bytes::gib(3))
        .disk(Disk::new(&path, Bus::Usb).id("stick").serial("TAKEN1"))
        .disk(Disk::new(&path, Bus::Usb).id("twin").serial("TWIN22").absent())
        .net(Net::User { forward: vec![(port, 22)], closed: false });
    let guest = image::up(machine, &boot).unwrap();

    let key = Key::new().unwrap();
    key.allow(&guest).unwrap();
    says(&guest, "present", Duration::from_secs(60));

    std::thread::sleep(Duration::from_secs(10));
    let from = guest.console().mark();
    guest.pull("stick").unwrap();
    println!("gone after {:.1?}", says(&guest, "gone", Duration::from_secs(10)));
    guest.console().wait_for(from, "stick", Duration::from_secs(10)).unwrap();
    let log = guest.run("grep -h esos-stick /var/log/syslog /var/log/messages 2>/dev/null").unwrap().text();
    assert!(log.contains("esos-stick"), "nothing in the log");
    let status = guest.run("esos status").unwrap().text();
    assert!(status.lines().any(|l| l.contains("stick") && l.contains("GONE")), "{status}");

    let commands = guest.run_within(COMMANDS, Duration::from_secs(2400)).unwrap();
    println!("{}", commands.text());
    assert!(commands.success(), "{}", commands.text());
    let read = "find / -xdev -type f -print0 | xargs -0 cat > /dev/null && find / -xdev -type f | wc -l";
    let files = guest.run_within(read, Duration::from_secs(900)).unwrap();
    assert!(files.success(), "{files:?}");
    println!("{} files read", files.text());
    let login = key.ssh(port, "echo in").unwrap();
    assert!(login.status.success(), "{}", String::from_utf8_lossy(&login.stderr));

    guest.plug("twin").unwrap();
    println!("twin refused after {:.1?}", says(&guest, "refused", Duration::from_secs(30)));
    guest.pull("twin").unwrap();
    says(&guest, "gone", Duration::from_secs(30));
    guest.plug("stick").unwrap();
    println!("taken again after {:.1?}", says(&guest, "present", Duration::from_secs(30)));
    // It may be called something else now; the boot report goes with it.
    let nodes = r#"grep -o '"/dev/[^"]*"' /run/esos/boot.json | tr -d '"' | sort -u | xargs ls"#;
    let there = || guest.run(nodes).unwrap().success();
    image::eventually("the boot report names the stick as it is", Duration::from_secs(30), there).unwrap();
    println!("{}", guest.run(nodes).unwrap().text());
}
