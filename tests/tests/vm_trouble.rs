//! A box of the default image whose stick is removed, turns read-only, gives I/O errors, is full, is slow, or lies: it
//! serves on, says what is wrong once and soon, and what was synced during the trouble is on the stick after it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_layout::part;
use esos_tests::image;
use esos_tests::smtp::{Sink, plain};
use esos_tests::stick::{Stick, partition};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine, Net, free_port};
use std::fs::File;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An alert comes within this time, by the host's clock.
const SOON: Duration = Duration::from_secs(60);
/// The trouble lasts at least as long, so that a second mail would have been seen.
const LASTS: Duration = Duration::from_secs(70);

struct Trouble {
    name: &'static str,
    /// The event that is mailed, and words of that mail.
    event: &'static str,
    words: &'static [&'static str],
    /// What `esos-conf sync` by hand ends with, and says.
    by_hand: (i32, &'static str),
    begin: fn(&Guest),
    end: fn(&Guest),
}

const TROUBLES: &[Trouble] = &[
    Trouble {
        name: "lying",
        event: "conf/sync",
        words: &["the configuration is not on the stick", "does not keep what is written to it"],
        by_hand: (1, "the stick says that it has written what it drops: replace it"),
        begin: |g| Stick::of(g).lies().unwrap(),
        // What is half kept and half dropped is a damaged file system, another trouble.
        end: |g| {
            Stick::of(g).between_syncs().unwrap();
            Stick::of(g).mend().unwrap();
        },
    },
    Trouble {
        name: "slow",
        event: "conf/sync",
        words: &["the stick is slow or hangs", "longer than 20 s"],
        by_hand: (0, ""),
        begin: |g| Stick::of(g).takes_a_second(2048).unwrap(),
        end: |g| Stick::of(g).takes_a_second(0).unwrap(),
    },
    Trouble {
        name: "full",
        event: "conf/sync",
        words: &["the configuration is not on the stick", "full: there is no room"],
        by_hand: (1, "full: there is no room in the store"),
        begin: |g| on_the_partition(g, "cat /dev/zero >/mnt/photos 2>/dev/null; [ -s /mnt/photos ]"),
        end: |g| on_the_partition(g, "rm /mnt/photos"),
    },
    Trouble {
        name: "I/O errors of everything",
        event: "stick/present",
        words: &["cannot be read", "Input/output error"],
        by_hand: (7, "Input/output error"),
        begin: |g| Stick::of(g).fails().unwrap(),
        end: |g| Stick::of(g).mend().unwrap(),
    },
    Trouble {
        name: "removed",
        event: "stick/present",
        words: &["was pulled or died", "the box goes on from memory"],
        by_hand: (7, "was pulled or died"),
        begin: |g| g.pull("stick").unwrap(),
        end: |g| g.plug("stick").unwrap(),
    },
    Trouble {
        name: "read-only",
        event: "conf/sync",
        words: &["the configuration is not on the stick", "read-only: nothing can be written"],
        by_hand: (1, "a stick that turns read-only is dying: replace it"),
        begin: |g| Stick::of(g).write_protect().unwrap(),
        end: |g| Stick::of(g).unprotect().unwrap(),
    },
    Trouble {
        name: "I/O errors of writes",
        event: "conf/sync",
        words: &["the configuration is not on the stick", "EIO (I/O error)"],
        by_hand: (7, "EIO (I/O error)"),
        begin: |g| Stick::of(g).fails_writes().unwrap(),
        end: |g| Stick::of(g).mend().unwrap(),
    },
];

/// Does something with the mounted partition of the configuration, at `/mnt`.
fn on_the_partition(guest: &Guest, script: &str) {
    let device = partition(guest, part::CONF).unwrap();
    let script =
        format!("mount -t ext4 {device} /mnt && {{ {script}; s=$?; sync -f /mnt; umount /mnt; exit $s; }}");
    let answer = guest.run_within(&script, Duration::from_secs(300)).unwrap();
    assert!(answer.success(), "{script}: {answer:?}");
}

/// A client of the box's network from outside: sshd greets, again and again.
struct Client {
    over: Arc<AtomicBool>,
    asks: JoinHandle<(u32, u32, Duration)>,
}

impl Client {
    fn start(port: u16) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let asks = std::thread::spawn(move || {
            let (mut served, mut missed, mut worst) = (0, 0, Duration::ZERO);
            while !ends.load(Ordering::Relaxed) {
                let begun = Instant::now();
                match greeting(port) {
                    Ok(text) if text.starts_with("SSH-2.0") => served += 1,
                    other => {
                        println!("  sshd: {other:?}");
                        missed += 1;
                    }
                }
                worst = worst.max(begun.elapsed());
                std::thread::sleep(Duration::from_secs(1));
            }
            (served, missed, worst)
        });
        Self { over, asks }
    }

    fn stop(self) -> (u32, u32, Duration) {
        self.over.store(true, Ordering::Relaxed);
        self.asks.join().unwrap()
    }
}

fn greeting(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut text = [0; 7];
    stream.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A box on a stick whose writes are kept.
fn up(image: &Path, stick: &Path, port: u16) -> Guest {
    let boot = image::boot(image, Firmware::Bios, Bus::Usb);
    let machine = Machine::new("trouble")
        .memory(Bytes::gib(3))
        .disk(Disk::new(image, Bus::Usb).id("stick").keep(Keep::Overlay(stick.to_owned())))
        .net(Net::User { forward: vec![(port, 22)], closed: false });
    let guest = image::up(machine, &boot).unwrap();
    println!("up after {:.0?}", guest.elapsed());
    guest
}

/// Whether the newest generation on the stick has the file as it is.
fn is_kept(guest: &Guest, path: &str) -> bool {
    guest.run(&format!("esos-conf diff {path}")).unwrap().status == 0
}

/// The alerts before belong to another trouble: one event is mailed three times an hour.
fn forget_alerts(guest: &Guest) {
    let script = "cd /var/lib/esos/alert && flock lock rm -f book.json";
    assert!(guest.run(script).unwrap().success());
}

fn try_one(trouble: &Trouble, guest: &Guest, sink: &Sink, port: u16) {
    let Trouble { name, event, words, by_hand: (status, says), begin, end } = trouble;
    let file = format!("/etc/during-{}", name.replace(['/', ' '], "-"));
    forget_alerts(guest);
    let from = sink.mails().len();
    let client = Client::start(port);
    let begun = Instant::now();
    begin(guest);
    assert!(guest.run(&format!("echo {name} >{file}")).unwrap().success());
    let told = || sink.of(event, from).iter().any(|mail| words.iter().all(|word| mail.contains(word)));
    let alert = image::eventually(&format!("{name}: a mail of {event}: {words:?}"), SOON, told);
    let after = begun.elapsed();
    if let Err(why) = alert {
        let state = guest
            .run("cat /run/esos/conf.json /run/esos/stick.json; esos-monitor list; tail -20 /var/log/syslog");
        assert!(told(), "{why}: {:#?}\n{}", sink.mails().get(from..), state.unwrap().text());
    }
    let asked = Instant::now();
    let answer = guest.run_within("esos-conf sync", Duration::from_secs(400)).unwrap();
    println!("{name}: by hand after {:.1?}: {answer:?}", asked.elapsed());
    // By hand it may be in each other's way with the watcher.
    assert!(
        [*status, 8].contains(&answer.status) && (answer.status == 8 || answer.error_text().contains(says))
    );
    let shown = guest.run("esos status").unwrap().text();
    assert!(*name == "slow" || shown.contains("not on the stick") || shown.contains("GONE"), "{shown}");
    std::thread::sleep(LASTS.saturating_sub(begun.elapsed()));
    assert!(*name == "slow" || !is_kept(guest, &file), "{name}: nothing can have been written");
    end(guest);
    let ended = Instant::now();
    let kept = image::eventually("it is on the stick", Duration::from_secs(180), || is_kept(guest, &file));
    assert!(
        kept.is_ok(),
        "{name}: {}",
        guest.run("esos-conf status; tail -30 /var/log/syslog").unwrap().text()
    );
    let kept = ended.elapsed();
    let cleared = || sink.of(event, from).iter().any(|mail| mail.contains("cleared:"));
    image::eventually(&format!("{name}: it has cleared"), SOON, cleared).unwrap();
    let (served, missed, worst) = client.stop();
    let mails = sink.of(event, from);
    let raised: Vec<&String> = mails.iter().filter(|mail| !mail.contains("cleared:")).collect();
    let what =
        |mail: &str| mail.lines().find_map(|l| l.strip_prefix("What:")).unwrap_or_default().trim().to_owned();
    let subject = what(raised[0]);
    let others =
        sink.mails().into_iter().skip(from).map(|mail| what(&plain(&mail))).filter(|w| *w != subject);
    others.for_each(|other| println!("  mail: {other}"));
    println!(
        "{name}: `{subject}` after {after:.1?}, {} mail(s) of {event}, {} of {event} in all, {} of everything; on the \
         stick {kept:.1?} after the end; sshd answered {served} times, at the latest after {worst:.1?}, {missed} missed",
        raised.len(),
        mails.len(),
        sink.mails().len() - from,
    );
    assert_eq!((raised.len(), mails.len(), missed), (1, 2, 0), "{name}: {mails:#?}");
    assert!(served > 10);
}

#[test]
fn a_box_serves_on_through_every_trouble_of_its_stick() {
    let test = "a_box_serves_on_through_every_trouble_of_its_stick";
    if !allowed(test, Level::All) {
        return;
    }
    let Some(image) = image::shipped(test) else { return };
    let _turn = image::turn();
    let dir = tempfile::tempdir_in(image::target_dir().unwrap()).unwrap();
    through_every_trouble(&image, dir.path());
}

/// The same of a box that has its programs on the stick.
#[test]
fn with_esos_persist_a_box_serves_on_too() {
    let test = "with_esos_persist_a_box_serves_on_too";
    if !allowed(test, Level::All) {
        return;
    }
    let Some(image) = image::shipped(test) else { return };
    let tool = match image::release("esos-image") {
        Ok(tool) => tool,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let dir = tempfile::tempdir_in(image::target_dir().unwrap()).unwrap();
    let stick = dir.path().join("large.img");
    File::create(&stick).unwrap().set_len(Bytes::gib(6).get()).unwrap();
    let written = Command::new(tool)
        .arg("write")
        .args([&image, &stick])
        .args(["--yes-erase", "large.img"])
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    // The console of the guest is its serial line: the word for the other one is as long.
    let menus = replace(&stick, Bytes::mib(300).get(), b" console=tty0 ", b" esos_persist ");
    assert!(menus > 0, "no menu on {}", stick.display());
    let guest = through_every_trouble(&stick, dir.path());
    let mounts = guest.run("cat /proc/self/mounts").unwrap().text();
    assert!(mounts.contains("overlay /usr overlay"), "{mounts}");
}

/// Writes one text over another of its length at the beginning of a file; how often.
fn replace(path: &Path, within: u64, from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(within).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from).map(|(at, _)| at).collect();
    places.iter().for_each(|at| file.write_all_at(to, *at as u64).unwrap());
    places.len()
}

/// Every trouble, one after the other, then the power goes: the box that comes up from what is on the stick.
fn through_every_trouble(image: &Path, dir: &Path) -> Guest {
    let sink = Sink::start().unwrap();
    let (stick, port) = (dir.join("stick.qcow2"), free_port().unwrap());

    let guest = up(image, &stick, port);
    guest.write_file("/etc/esos/mail.toml", sink.settings().as_bytes()).unwrap();
    let answer = guest.run("esos-conf sync && esos-monitor test").unwrap();
    assert!(answer.success() && !sink.mails().is_empty(), "{answer:?}");
    let quiet = || {
        is_kept(&guest, "/etc")
            && guest.run("grep -q '\"problem\": null' /run/esos/conf.json").unwrap().success()
    };
    image::eventually("the watcher has come to rest", Duration::from_secs(180), quiet).unwrap();
    for trouble in TROUBLES {
        try_one(trouble, &guest, &sink, port);
    }
    guest.cut_power();

    // All of it is there for the next boot.
    let guest = up(image, &stick, port);
    for Trouble { name, .. } in TROUBLES {
        let file = format!("/etc/during-{}", name.replace(['/', ' '], "-"));
        assert_eq!(guest.run(&format!("cat {file}")).unwrap().text(), *name);
    }
    let verify = guest.run("esos-conf verify").unwrap();
    assert!(verify.success(), "{verify:?}");
    guest
}
