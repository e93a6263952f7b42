//! From text to commands.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use esos_exec::{Cmd, ExecError, Exit, Output, Runner, ScriptedRunner};
use esos_network::{Facts, Link, Outcome, Plan, apply, parse, plan};
use proptest::prelude::*;
use std::cell::RefCell;

fn link(name: &str) -> Link {
    Link { name: name.parse().unwrap(), wired: true, carrier: true, software: false }
}

fn facts(names: &[&str]) -> Facts {
    Facts { links: Some(names.iter().map(|n| link(n)).collect()), ..Facts::default() }
}

fn commands(plan: &Plan, interface: &str) -> Vec<String> {
    let found = plan.interfaces.iter().find(|i| i.name.as_str() == interface).unwrap();
    found.steps.iter().map(|s| s.cmd.to_string()).collect()
}

/// Messages with their lines.
fn findings(text: &str) -> Vec<String> {
    let (_, found) = parse("network.conf", text);
    found.iter().map(|d| format!("{}: {}: {}", d.position(text).unwrap(), d.severity, d.message)).collect()
}

#[test]
fn the_original_s_own_file() {
    let text = "[general]\nhostname=esos1\ndomainname=example.org\ndefaultgw=192.0.2.1\nnameserver1=192.0.2.53\nnameserver2=\n\
                [eth0]\nbootproto=static\nipaddr=192.0.2.10\nnetmask=255.255.255.0\nbroadcast=192.0.2.255\nmtu=9000\n\
                ethtoolopts=-G eth0 rx 4096; speed 10000 duplex full\n";
    let (config, found) = parse("network.conf", text);
    assert_eq!(found, []);
    let plan = plan(&config, &facts(&["eth0", "eth1"]));
    assert_eq!(
        commands(&plan, "eth0"),
        [
            "/usr/sbin/ip address flush dev eth0 scope global",
            "/usr/sbin/ip link set dev eth0 mtu 9000",
            "/usr/sbin/ethtool -G eth0 rx 4096",
            "/usr/sbin/ethtool -s eth0 speed 10000 duplex full",
            "/usr/sbin/sysctl -q -w net/ipv6/conf/eth0/disable_ipv6=0",
            "/usr/sbin/sysctl -q -w net/ipv6/conf/eth0/accept_ra=1",
            "/usr/sbin/ip link set dev eth0 up",
            "/usr/sbin/ip address replace 192.0.2.10/24 broadcast 192.0.2.255 dev eth0",
        ]
    );
    assert_eq!(
        plan.last.iter().map(|s| s.cmd.to_string()).collect::<Vec<_>>(),
        ["/usr/sbin/ip -4 route replace default via 192.0.2.1"]
    );
    let file = |path: &str| plan.files.iter().find(|f| f.path == path).unwrap().text.clone();
    assert!(file("/etc/hosts").contains("127.0.1.1\tesos1.example.org esos1\n"));
    assert_eq!(
        file("/etc/resolv.conf"),
        "# Written by esos-net from /etc/network.conf.\nsearch example.org\nnameserver 192.0.2.53\n"
    );
    assert_eq!(plan.interfaces.len(), 1, "eth1 is not configured, so it is left alone");
}

#[test]
fn a_bridge_on_a_vlan_on_a_bond_comes_up_from_below() {
    let text = "[br0]\nbootproto=static\nip6addr=2001:db8::2/64\ngateway6=fe80::1\nbrmembers=bond0.7\n\
                [bond0.7]\nvlanegressmap=0:1,3:5\n[bond0]\nslaves=eth0,eth1 eth9\nbondopts=mode=802.3ad,lacp_rate=fast\n";
    let (config, found) = parse("network.conf", text);
    assert_eq!(found, []);
    let plan = plan(&config, &facts(&["eth0", "eth1"]));
    let order: Vec<&str> = plan.interfaces.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(order, ["bond0", "bond0.7", "br0"]);
    assert_eq!(
        commands(&plan, "bond0")[..5],
        [
            "/usr/sbin/ip link add name bond0 type bond mode 802.3ad lacp_rate fast miimon 100",
            "/usr/sbin/ip link set dev eth0 down",
            "/usr/sbin/ip address flush dev eth0 scope global",
            "/usr/sbin/ip link set dev eth0 master bond0",
            "/usr/sbin/ip link set dev eth0 up",
        ]
    );
    assert_eq!(
        commands(&plan, "bond0.7")[1],
        "/usr/sbin/ip link add link bond0 name bond0.7 type vlan id 7 egress-qos-map 0:1 3:5"
    );
    assert!(commands(&plan, "br0").ends_with(&[
        "/usr/sbin/ip address replace 2001:db8::2/64 dev br0".to_owned(),
        "/usr/sbin/ip -6 route replace default via fe80::1 dev br0".to_owned(),
    ]));
    assert_eq!(
        plan.skipped,
        [("eth9".to_owned(), "there is no such interface; bond0 does without it".to_owned())]
    );
}

#[test]
fn a_fresh_box_asks_everywhere_by_one_client() {
    let (config, found) = parse("network.conf", "# nothing\n[general]\n");
    assert_eq!(found, []);
    let mut facts = facts(&["eth0", "enx0050b6aabbcc"]);
    facts.links.as_mut().unwrap().push(Link { wired: false, ..link("wlan0") });
    let made = plan(&config, &facts);
    assert_eq!(made.dhcp.len(), 2);
    assert_eq!(made.last.last().unwrap().cmd.to_string(), "/usr/sbin/dhcpcd -q -b -f /run/esos/dhcpcd.conf");
    assert!(!made.files.iter().any(|f| f.path == "/etc/resolv.conf"), "that is the client's to write");
    // Every section broken is as good as no section: somebody must be able to reach the box.
    let (config, found) = parse("network.conf", "[eth0]\nbootproto=static\n");
    assert_eq!((found.len(), plan(&config, &facts).dhcp.len()), (1, 2));
}

#[test]
fn doing_it_again_removes_what_was_made() {
    let (config, _) = parse("x", "[br0]\nbootproto=dhcp\nbrmembers=eth0\n");
    let mut facts = facts(&["eth0"]);
    facts.links.as_mut().unwrap().push(Link { software: true, wired: false, ..link("br0") });
    facts.dhcp_running = true;
    let made = plan(&config, &facts);
    let first: Vec<String> = made.first.iter().map(|s| s.cmd.to_string()).collect();
    assert_eq!(
        first,
        ["/usr/sbin/dhcpcd -x", "/usr/sbin/ip link set dev lo up", "/usr/sbin/ip link delete dev br0"]
    );
    // What an earlier file made and this one does not name goes too, the upper one first.
    let (empty, _) = parse("x", "[eth0]\nbootproto=dhcp\n");
    facts.made = vec!["bond0".parse().unwrap(), "br0".parse().unwrap()];
    let gone = plan(&empty, &facts);
    assert!(gone.first.iter().any(|s| s.cmd.to_string() == "/usr/sbin/ip link delete dev br0"));
    assert!(!gone.first.iter().any(|s| s.cmd.to_string().contains("bond0")), "it is not there any more");
    assert!(gone.files.iter().any(|f| f.path == esos_network::MADE && f.text.is_empty()));
    facts.made.clear();
    // A card that has the name of a bridge is not removed.
    facts.links.as_mut().unwrap().last_mut().unwrap().software = false;
    let made = plan(&config, &facts);
    assert_eq!(made.skipped, [("br0".to_owned(), "a card of this machine has this name".to_owned())]);
}

#[test]
fn faults_have_places_and_cost_one_interface_only() {
    let text = "[general]\ndefaultgw=10.0.0.1\nhostname=-bad-\n[eth0]\nbootproto=static\nipaddr=192.0.2.300/24\n\
                [eth1]\nbootproto=static\nipaddr=192.0.2.10\n[eth2]\nbootproto=dhcp\nmtuu=9000\n[a b]\n[eth2]\nmtu=1\n[eth3\n";
    assert_eq!(
        findings(text),
        [
            "3:10: error: hostname: `-bad-` is no host name: letters, digits and hyphens, 1 to 63 between two dots",
            "4:1: error: [eth0] is static and has no address",
            "6:8: error: ipaddr: `192.0.2.300` is no IPv4 or IPv6 address",
            "7:1: error: [eth1] is static and has no address",
            "9:8: error: 192.0.2.10 has no netmask",
            "12:1: warning: `mtuu` is not known here and has no effect",
            "13:1: error: `a b` is no interface name: 1 to 15 characters without `/`, `:` and blanks",
            "14:1: error: section [eth2] stands twice",
            "16:1: error: this is no section",
        ]
    );
    let good = format!("{text}\n[eth4]\nbootproto=dhcp\n");
    let (config, _) = parse("x", &good);
    assert_eq!(config.interfaces.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["eth4"]);
    assert_eq!(config.broken.len(), 5);
}

#[test]
fn relations_that_cannot_be() {
    let lines = |text: &str| findings(text).join("\n");
    assert!(lines("[br0]\nbrmembers=eth0\n[br1]\nbrmembers=eth0\n").contains("eth0 is in br0 and in br1"));
    assert!(
        lines("[bond0]\nslaves=bond1\n[bond1]\nslaves=eth0\n")
            .contains("bond1 is a bond and cannot be a member")
    );
    assert!(lines("[br0]\nbrmembers=br1\n[br1]\nbrmembers=eth0\n").contains("br1 is a bridge"));
    assert!(lines("[br0]\nbrmembers=br0.1\n[br0.1]\n").contains("br0 is made of itself"));
    assert!(lines("[a]\nvlandev=eth0\nvlanid=3\n[eth0.3]\n").contains("are both VLAN 3 of eth0"));
    assert!(
        lines(
            "[eth0]\nbootproto=static\nipaddr=192.0.2.1/24\n[eth1]\nbootproto=static\nipaddr=192.0.2.1/25\n"
        )
        .contains("is the address of eth0 already")
    );
    assert!(
        lines(
            "[eth0]\nbootproto=static\nipaddr=192.0.2.1/24\n[eth1]\nbootproto=static\nipaddr=192.0.2.2/24\n"
        )
        .contains("are both in 192.0.2.0/24")
    );
    assert!(lines("[bond0]\nslaves=eth0\n[eth0]\nbootproto=dhcp\n").contains("eth0 is a member of bond0"));
    assert!(
        lines("[general]\ndefaultgw=10.0.0.1\n[eth0]\nbootproto=static\nipaddr=192.0.2.1/24\n")
            .contains("is in no network of this box")
    );
    assert!(lines("[eth0]\nbondopts=mode=1\n").contains("bondopts without slaves"));
    assert!(lines("[bond0]\nslaves=eth0\nbondopts=mode\n").contains("`mode` is not option=value"));
    assert!(lines("[eth0]\nroute1=10.1.2.3/8 via 192.0.2.1\n").contains("10.1.2.3/8 is a host in a network"));
}

#[test]
fn one_that_fails_stops_only_those_above_it() {
    let text = "[bond0]\nslaves=eth0\n[bond0.5]\nbootproto=dhcp\n[eth1]\nbootproto=dhcp\n";
    let (config, _) = parse("x", text);
    let plan = plan(&config, &facts(&["eth0", "eth1"]));
    struct NoBonds(RefCell<usize>);
    impl Runner for NoBonds {
        fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
            *self.0.borrow_mut() += 1;
            let bond = cmd.to_string().contains("type bond");
            let stderr = if bond { &b"RTNETLINK answers: Operation not supported\n"[..] } else { b"" };
            Ok(Output {
                status: Exit::Code(if bond { 2 } else { 0 }),
                stdout: Vec::new(),
                stderr: stderr.into(),
            })
        }
    }
    let report = apply(&plan, &NoBonds(RefCell::new(0)), |_, _| Err("read-only file system".into()));
    let outcome = |n: &str| report.interfaces.iter().find(|(i, _)| i.as_str() == n).unwrap().1.clone();
    assert!(
        matches!(outcome("bond0"), Outcome::Failed { why, .. } if why == "RTNETLINK answers: Operation not supported (exit status 2)")
    );
    assert_eq!(outcome("bond0.5"), Outcome::Blocked { by: "bond0".parse().unwrap() });
    assert_eq!(outcome("eth1"), Outcome::Up);
    assert!(!report.is_whole() && !report.warnings.is_empty());
    // A program that is not there is told, not swallowed.
    let report = apply(&plan, &ScriptedRunner::new(), |_, _| Ok(()));
    assert!(report.interfaces.iter().all(|(_, o)| *o != Outcome::Up));
}

proptest! {
    #[test]
    fn any_text_is_survived_and_planned(text in "(\\[(eth0|br0|bond0|eth0\\.5|general|[a-z ]{0,4})\\]\n|(ipaddr|slaves|brmembers|mtu|bootproto|route1|vlandev|vlanid|ethtoolopts|bondopts|[a-z]{1,4}) ?= ?[a-z0-9 ,.:/;=-]{0,16}\n|.{0,9}\n){0,14}") {
        let (config, _) = parse("x", &text);
        let plan = plan(&config, &facts(&["eth0", "eth1"]));
        // What is usable is planned or skipped with a reason, never lost.
        for interface in &config.interfaces {
            let planned = plan.interfaces.iter().any(|i| i.name == interface.name);
            let skipped = plan.skipped.iter().any(|(n, _)| n == interface.name.as_str());
            prop_assert!(planned || skipped, "{} is lost", interface.name);
        }
        // No interface is touched before one that it is made of.
        for (at, one) in plan.interfaces.iter().enumerate() {
            for need in &one.needs {
                prop_assert!(plan.interfaces.iter().take(at).any(|i| i.name == *need) || !plan.interfaces.iter().any(|i| i.name == *need));
            }
        }
    }
}
