//! Bond, bridge and VLAN of `/etc/network.conf`, as a second machine sees them; and cards of other makers, whose
//! drivers come by themselves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::image::{self, Kind};
use esos_tests::tiny::{self, Tiny};
use esos_tests::{Level, allowed, skip};
use esos_vm::{Bus, Disk, Firmware, Guest, Machine, Net, Segment};
use std::time::Duration;

/// Devices of QEMU: how it is told of them, PCI vendor and device, and the driver that Linux has for them.
const CARDS: [(&str, &str, &str); 4] = [
    ("megasas,id=megasas", "0x1000:0x0060", "megaraid_sas"),
    ("mptsas1068,id=mptsas", "0x1000:0x0054", "mptsas"),
    ("e1000e,id=e1000e", "0x8086:0x10d3", "e1000e"),
    ("vmxnet3,id=vmxnet3", "0x15ad:0x07b0", "vmxnet3"),
];

/// Vendor, device and driver of everything on PCI.
const PCI: &str = r#"for d in /sys/bus/pci/devices/*; do
  echo "$(cat $d/vendor):$(cat $d/device) $(basename "$(readlink $d/driver)")"
done"#;

/// The virtio cards by their addresses, which count up as the machine was given them.
const VIRTIO: &str = r#"for n in /sys/class/net/*; do
  case "$(readlink -f $n/device/driver)" in */virtio_net) echo "$(cat $n/address) ${n##*/}";; esac
done | sort | cut -d' ' -f2"#;

fn answers(other: &Guest, address: &str) {
    let ping = format!("ping -c 3 -W 5 {address}");
    let sent = || other.run_within(&ping, Duration::from_secs(120)).unwrap();
    let told =
        image::eventually(&format!("{address} answers"), Duration::from_secs(300), || sent().success());
    assert_eq!(told, Ok(()), "{}", other.run("ifconfig -a").unwrap().text());
}

#[test]
fn bond_bridge_and_vlan_answer_and_drivers_come_by_themselves() {
    let test = "bond_bridge_and_vlan_answer_and_drivers_come_by_themselves";
    if !allowed(test, Level::All) {
        return;
    }
    let made = Tiny::new().and_then(|tiny| Ok((tiny, image::find(Kind::Default)?)));
    let (tiny, path) = match made {
        Ok(made) => made,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let [bonded, bridged] = [Segment::new().unwrap(), Segment::new().unwrap()];
    let net = |segment: &Segment| Net::Segment(segment.clone());
    let machine = tiny.machine("neighbour").net(net(&bonded)).net(net(&bridged));
    let other = tiny::up(machine).unwrap();
    let up = other
        .run(
            "ip link set lo up && ip link set eth0 up && ip link set eth1 up && vconfig add eth0 42 && \
             ip link set eth0.42 up && ip addr add 10.9.1.1/24 dev eth0 && ip addr add 10.9.2.1/24 dev eth1 && \
             ip addr add 10.9.3.1/24 dev eth0.42",
        )
        .unwrap();
    assert!(up.success(), "{up:?}");

    let boot = image::boot(&path, Firmware::Bios, Bus::Usb);
    // The bond has two cards on one segment, the bridge one on the other.
    let mut machine = Machine::new("box")
        .disk(Disk::new(&path, Bus::Usb).id("stick"))
        .net(net(&bonded))
        .net(net(&bonded))
        .net(net(&bridged));
    machine = machine.extra(CARDS.iter().flat_map(|(device, _, _)| ["-device", device]));
    let guest = image::up(machine, &boot).unwrap();

    let pci = guest.run(PCI).unwrap().text();
    for (_, id, driver) in CARDS {
        assert!(pci.lines().any(|l| l == format!("{id} {driver}")), "{id} has no {driver}:\n{pci}");
    }
    println!("drivers by themselves: {}", CARDS.map(|c| c.2).join(", "));
    let rxe = guest.run("modprobe rdma_rxe && ls /sys/module/rdma_rxe").unwrap();
    assert!(rxe.success(), "{rxe:?}");

    let cards = guest.run(VIRTIO).unwrap().text();
    let cards: Vec<&str> = cards.lines().collect();
    let [one, two, three] = cards[..] else { panic!("{cards:?}") };
    let conf = format!(
        "[general]\nhostname = san9\n\n[bond0]\nbootproto = static\nipaddr = 10.9.1.70/24\nslaves = {one} {two}\n\
         bondopts = mode=active-backup miimon=100\n\n[br0]\nbootproto = static\nipaddr = 10.9.2.70/24\n\
         brmembers = {three}\n\n[bond0.42]\nbootproto = static\nipaddr = 10.9.3.70/24\n"
    );
    guest.write_file("/etc/network.conf", conf.as_bytes()).unwrap();
    let applied = guest.run_within("esos net check && esos net apply", Duration::from_secs(300)).unwrap();
    assert!(applied.success(), "{applied:?}");
    for (link, address) in [("bond", "10.9.1.70"), ("bridge", "10.9.2.70"), ("VLAN on the bond", "10.9.3.70")]
    {
        answers(&other, address);
        println!("{link}: {address} answers");
    }
    // One cable of the bond is pulled, the one in use.
    let active = guest.run("cat /sys/class/net/bond0/bonding/active_slave").unwrap().text();
    let card = usize::from(active.trim() != one);
    guest.cable(card, false).unwrap();
    answers(&other, "10.9.1.70");
    let now = guest.run("cat /sys/class/net/bond0/bonding/active_slave").unwrap().text();
    assert_ne!(now, active, "the cable of {active} is pulled");
    println!("bond: answers over {} without the cable of {}", now.trim(), active.trim());
    let again = guest.run_within("esos net plan", Duration::from_secs(120)).unwrap();
    println!("plan after that: {}", again.text().lines().count());
}
