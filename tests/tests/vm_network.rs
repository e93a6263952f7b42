//! A box that is set up by the answer file of its stick, and the network of `/etc/network.conf`, by DHCP
//! and static, as a second machine sees it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::image::{self, Kind};
use esos_tests::tiny::{self, Tiny};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::boot::until_login;
use esos_vm::{Bus, Disk, Guest, Keep, Machine, Mark, Net, Segment};
use std::path::Path;
use std::time::Duration;

/// Of the password that [`esos_vm::Person`] types.
const HASH: &str =
    "$6$testtest$.8FwxKbGHSkJZKcg0EzLTsWQA/8BukiC/O0Lh98uM0qPBAPW90nERqZGi07Bzm4Be1oV8Ju14aDxuiKGHRYZr0";

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHlj6sJfC2xAAAAb1q5s0l0f1d5p6n1f0d1s2k3 answers";

/// What somebody who has the stick in another computer does.
fn write_answers(tiny: &Tiny, image: &Path, stick: &Path) {
    let disk = Disk::new(image, Bus::Virtio).keep(Keep::Overlay(stick.to_owned()));
    let laptop = tiny::up(tiny.machine("laptop").disk(disk)).unwrap();
    let mount = "mkdir -p /stick && for p in /dev/vda?; do mount -t vfat -o codepage=437,iocharset=ascii $p /stick && \
                 [ -d /stick/esos ] && exit 0; umount /stick; done; exit 1";
    let mounted = laptop.run(mount).unwrap();
    assert!(mounted.success(), "{mounted:?}");
    let text =
        format!("password_hash={HASH}\r\nhostname=san7\r\ntimezone=Europe/Berlin\r\nssh_key={KEY}\r\n");
    laptop.write_file("/stick/esos/answers.conf", text.as_bytes()).unwrap();
    let done = laptop.run("umount /stick && sync").unwrap();
    assert!(done.success(), "{done:?}");
    laptop.console().send_line("exit").unwrap();
    laptop.wait_end(Duration::from_secs(60)).unwrap();
}

/// A machine with an address of each family that gives out one address.
fn neighbour(tiny: &Tiny, segment: &Segment) -> Guest {
    let guest = tiny::up(tiny.machine("neighbour").net(Net::Segment(segment.clone()))).unwrap();
    let config = "start 10.9.0.50\nend 10.9.0.50\ninterface eth0\noption subnet 255.255.255.0\n\
                  lease_file /tmp/leases\npidfile /tmp/pid\n";
    guest.run("mkdir -p /etc").unwrap();
    guest.write_file("/etc/udhcpd.conf", config.as_bytes()).unwrap();
    let up = guest
        .run(
            "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set lo up && ip link set eth0 up && ip addr add 10.9.0.1/24 dev eth0 && \
             ip -6 addr add 2001:db8:9::1/64 dev eth0 && >/tmp/leases && { udhcpd -f /etc/udhcpd.conf >/tmp/log 2>&1 & }",
        )
        .unwrap();
    assert!(up.success(), "{up:?}");
    guest
}

fn ping(from: &Guest, address: &str) {
    let program = if address.contains(':') { "ping6" } else { "ping" };
    let sent =
        || from.run_within(&format!("{program} -c 3 -W 5 {address}"), Duration::from_secs(60)).unwrap();
    let answer =
        image::eventually(&format!("{address} answers"), Duration::from_secs(120), || sent().success());
    assert_eq!(answer, Ok(()), "{}", from.run("cat /tmp/log; ifconfig eth0; ps").unwrap().text());
    println!("{}", sent().text().lines().rev().take(2).collect::<Vec<_>>().join("; "));
}

#[test]
fn a_box_set_up_by_its_stick_is_reached_by_dhcp_and_static() {
    let test = "a_box_set_up_by_its_stick_is_reached_by_dhcp_and_static";
    if !allowed(test, Level::All) {
        return;
    }
    let tiny = match (image::release("esos-image"), Tiny::new()) {
        (Ok(_), Ok(tiny)) => tiny,
        (Err(why), _) | (_, Err(why)) => return skip(test, &why),
    };
    let path = image::find(Kind::Default).unwrap();
    let _turn = image::turn();
    let stick = tiny.path("stick.qcow2");
    write_answers(&tiny, &path, &stick);

    let segment = Segment::new().unwrap();
    let other = neighbour(&tiny, &segment);
    let boot = image::boot(&path, esos_vm::Firmware::Bios, Bus::Usb);
    let machine = Machine::new("box")
        .memory(Bytes::gib(3))
        .disk(Disk::new(&path, Bus::Usb).keep(Keep::Overlay(stick)).id("stick"))
        .net(Net::Segment(segment));
    let guest = machine.start().unwrap();
    until_login(&guest, boot.limit).unwrap();
    guest.log_in(&boot.person, boot.limit).unwrap();

    // Nothing was asked but name and password.
    let said = guest.console().since(Mark::default());
    assert!(said.contains("san7 login:") && !said.contains("New password"), "{}", guest.console().tail(60));
    let facts = guest.run("hostname; cat /etc/timezone; readlink /etc/localtime; date +%Z").unwrap().text();
    assert!(facts.starts_with("san7\nEurope/Berlin\n/usr/share/zoneinfo/Europe/Berlin\nCE"), "{facts}");
    let keys =
        guest.run("cat /root/.ssh/authorized_keys; stat -c %a /root/.ssh/authorized_keys").unwrap().text();
    assert_eq!(keys, format!("{KEY}\n600"));
    let root = guest.run("grep ^root: /etc/shadow").unwrap().text();
    assert_eq!(root.split(':').nth(1), Some(HASH));
    guest.run("logger -t witness here").unwrap();
    let log = guest.run("grep -h witness /var/log/messages /var/log/syslog 2>/dev/null").unwrap().text();
    assert!(log.contains(" san7 witness"), "{log}");

    ping(&other, "10.9.0.50");

    let conf = "[general]\nhostname = san8\n\n[eth0]\nbootproto = static\nipaddr = 10.9.0.70/24\n\
                ip6addr = 2001:db8:9::70/64\n";
    let card = guest.run("ls /sys/class/net | grep -v '^lo$'").unwrap().text();
    guest.write_file("/etc/network.conf", conf.replace("eth0", card.trim()).as_bytes()).unwrap();
    let applied = guest.run("esos net check && esos net apply").unwrap();
    assert!(applied.success(), "{applied:?}");
    ping(&other, "10.9.0.70");
    ping(&other, "2001:db8:9::70");
    let old = other.run_within("ping -c 2 -W 2 10.9.0.50", Duration::from_secs(30)).unwrap();
    assert!(!old.success(), "the leased address is still there");
}
