//! Archives that lose no line, and bundles that hold no secret.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

struct Case(esos_hostfs::TempDir);

impl Case {
    fn new() -> Self {
        let case = Self(esos_hostfs::TempDir::new("logs").unwrap());
        for dir in ["store", "box/var/log/chrony", "box/etc"] {
            fs::create_dir_all(case.path(dir)).unwrap();
        }
        case.write("box/etc/hostname", "san1\n");
        case.write("box/etc/esos-release", "5.0.0\n");
        case
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }
    fn run(&self, words: &[&str]) -> (i32, Value) {
        let output = Command::new(env!("CARGO_BIN_EXE_esos-logs"))
            .args(words)
            .args(["--json", "--root", self.path("box").to_str().unwrap()])
            .args(["--store", self.path("store").to_str().unwrap()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
    }
    /// Everything in all archives.
    fn archived(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(self.path("store")).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_str().unwrap().ends_with(".tar.zst") {
                continue;
            }
            let mut tar = tar::Archive::new(zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap());
            for entry in tar.entries().unwrap() {
                let mut entry = entry.unwrap();
                let name = entry.path().unwrap().to_str().unwrap().to_owned();
                entry.read_to_string(all.entry(name).or_default()).unwrap();
            }
        }
        all
    }
}

#[test]
fn what_is_archived_is_gone_from_memory_and_nothing_else_is() {
    let case = Case::new();
    case.write("box/var/log/syslog", "one\ntwo\n");
    case.write("box/var/log/chrony/x.log", "three\n");
    case.write("box/var/log/wtmp", "binary");
    let (exit, json) = case.run(&["archive"]);
    assert_eq!(exit, 0, "{json}");
    let all = case.archived();
    assert_eq!(all["var/log/syslog"], "one\ntwo\n");
    assert_eq!(all["var/log/chrony/x.log"], "three\n");
    assert!(!case.path("box/var/log/syslog").exists() && !case.path("box/var/log/.archive").exists());
    assert_eq!(fs::read_to_string(case.path("box/var/log/wtmp")).unwrap(), "binary");
    assert_eq!(case.run(&["archive"]).1["data"]["archive"], Value::Null);
}

/// A store that takes nothing: the lines wait, and are there the next time.
#[test]
fn a_stick_that_is_gone_loses_nothing() {
    let case = Case::new();
    case.write("box/var/log/syslog", "one\n");
    fs::rename(case.path("store"), case.path("away")).unwrap();
    let (exit, json) = case.run(&["archive"]);
    assert_eq!((exit, json["error"]["code"].as_str()), (7, Some("logs::gone")));
    assert_eq!(fs::read_to_string(case.path("box/var/log/syslog")).unwrap(), "one\n");
    fs::rename(case.path("away"), case.path("store")).unwrap();
    assert_eq!(case.run(&["archive"]).0, 0);
    assert_eq!(case.archived()["var/log/syslog"], "one\n");
}

/// One file stays open all the time, another is opened for each line; archives run meanwhile. Every number is there
/// once.
#[test]
fn every_line_once_while_a_writer_writes() {
    let case = Case::new();
    let end = AtomicBool::new(false);
    let (held, short) = (case.path("box/var/log/held.log"), case.path("box/var/log/short.log"));
    let written = thread::scope(|scope| {
        // A child: this process's own files would not be seen as another's.
        let mut child = Command::new("/bin/sh")
            .args([
                "-c",
                r#"exec 3>>"$0"; while read n; do echo "line $n" >&3; done"#,
                held.to_str().unwrap(),
            ])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let (end, short) = (&end, &short);
        let writer = scope.spawn(move || {
            let mut n = 0u32;
            while !end.load(Ordering::Relaxed) {
                for _ in 0..10 {
                    writeln!(input, "{n}").unwrap();
                    let mut file = OpenOptions::new().create(true).append(true).open(short).unwrap();
                    writeln!(file, "line {n}").unwrap();
                    n += 1;
                }
                thread::sleep(Duration::from_millis(10));
            }
            n
        });
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(300));
            let (exit, json) = case.run(&["archive"]);
            assert_eq!(exit, 0, "{json}");
        }
        end.store(true, Ordering::Relaxed);
        let written = writer.join().unwrap();
        child.wait().unwrap();
        written
    });
    case.run(&["archive"]);
    let all = case.archived();
    for name in ["held.log", "short.log"] {
        let mut found: Vec<u32> = all
            .iter()
            .filter(|(path, _)| path.contains(name))
            .flat_map(|(_, text)| text.lines())
            .map(|line| line.strip_prefix("line ").unwrap_or_else(|| panic!("{line:?}")).parse().unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(found.len(), usize::try_from(written).unwrap(), "{name}");
        assert!(found.iter().enumerate().all(|(i, n)| u32::try_from(i) == Ok(*n)), "{name}");
    }
}

#[test]
fn the_policy_and_what_it_never_touches() {
    let case = Case::new();
    for (name, len) in [
        ("store/logs-san1-20240101T000000Z.tar.zst", 5000),
        ("store/logs-san1-20261001T000000Z.tar.zst", 5000),
        ("store/logs-san1-20261101T000000Z.tar.zst", 5000),
        ("store/dumpfile-1600000000", 90_000),
        ("store/crash/1600000000/vmcore", 90_000),
        ("store/mine.txt", 90_000),
    ] {
        case.write(name, &"x".repeat(len));
    }
    let (exit, json) = case.run(&["prune", "--budget", "9000", "--keep", "1", "--need", "0"]);
    assert_eq!(exit, 0, "{json}");
    let removed = json["data"]["removed"].as_array().unwrap();
    assert_eq!(removed.len(), 2, "{json}");
    for name in
        ["logs-san1-20261101T000000Z.tar.zst", "dumpfile-1600000000", "crash/1600000000/vmcore", "mine.txt"]
    {
        assert!(case.path("store").join(name).exists(), "{name}");
    }
    let (exit, json) = case.run(&["prune", "--need", "999999999999999"]);
    assert_eq!(exit, 1, "{json}");
    assert!(json["data"]["short_bytes"].as_u64().unwrap() > 0, "it says that it cannot");
}

fn bundle(path: &Path) -> String {
    // With nothing of ours.
    let output = Command::new("tar").args(["xzOf", path.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn base64(text: &str) -> String {
    let output = Command::new("sh").args(["-c", "printf %s \"$0\" | base64 -w0", text]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Where further services of a storage box keep a secret, which stands for `{}`.
const SERVICES: [(&str, &str); 16] = [
    ("etc/chrony/chrony.keys", "1 SHA256 ASCII:{}\n"),
    ("etc/ipmi/config", "user admin\npassword {}\n"),
    ("etc/msmtprc", "account x\nuser esos\npassword {}\n"),
    ("etc/cron.d/bmc", "* * * * * root ipmitool -H 10.0.0.7 -U admin -P {} sdr\n"),
    ("etc/rsyncd.secrets", "backup:{}\n"),
    ("etc/ppp/chap-secrets", "joe * {} *\n"),
    ("etc/ldap.conf", "host ldap1\nbindpw {}\n"),
    ("etc/samba/smbcredentials", "username=joe\npassword={}\n"),
    ("etc/default/snmp-trap", "TRAP_COMMUNITY={}\n"),
    ("etc/sysctl.d/90-iscsi.conf", "# node.session.auth.password_in = {}\nkernel.panic_on_oops = 1\n"),
    ("etc/ssl/private/box.key", "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"),
    ("root/.netrc", "machine updates login joe password {}\n"),
    ("root/.pgpass", "db:5432:*:esos:{}\n"),
    ("root/.my.cnf", "[client]\npassword=\"{}\"\n"),
    ("var/lib/esos/update.toml", "url = \"https://joe:{}@updates/esos\"\n"),
    (
        "var/lib/pacemaker/cib/cib.xml",
        "<primitive id=\"f\" type=\"fence_ipmilan\"><nvpair name=\"password\" value=\"{}\"/></primitive>\n",
    ),
];

#[test]
fn no_secret_in_any_form_and_the_facts_are_there() {
    let case = Case::new();
    let secret = |n: usize| format!("S3cr{n}et-Qz{}w", n * 7919);
    let mut planted: Vec<String> = (0..44).map(secret).collect();
    let s = |n: usize| secret(n);
    // Where the original leaks from.
    case.write("box/etc/shadow", &format!("root:$6${}$abc:1::\nesos:$y$j9T${}:1::\n", s(0), s(1)));
    case.write("box/etc/scst.conf", &format!("TARGET_DRIVER iscsi {{\n\tIncomingUser \"joe {}\"\n\tOutgoingUser \"{}\"\n\tTARGET iqn.2026-11.io.esos:store1 {{\n\t\tIncomingUser \"ann {}\" \n\t\tLUN 0 vol01\n\t}}\n}}\n", s(2), s(3), s(4)));
    case.write("box/etc/.git/config", &format!("url = https://u:{}@git/x\n", s(5)));
    case.write("box/etc/ssmtp/ssmtp.conf", &format!("mailhub=mail\nAuthUser=esos\nAuthPass={}\n", s(6)));
    case.write("box/etc/esos/mail.toml", &format!("to=[\"a@b\"]\n[smtp]\npassword = \"{}\"\n", s(7)));
    case.write("box/etc/corosync/authkey", &s(8));
    case.write("box/etc/pacemaker/authkey", &s(9));
    case.write("box/etc/ceph/ceph.client.admin.keyring", &format!("[client.admin]\n\tkey = {}==\n", s(10)));
    case.write(
        "box/etc/drbd.d/r0.res",
        &format!("resource r0 {{\n net {{ shared-secret \"{}\"; }}\n device /dev/drbd0;\n}}\n", s(11)),
    );
    case.write(
        "box/etc/iscsi/iscsid.conf",
        &format!(
            "node.session.auth.password = {}\ndiscovery.sendtargets.auth.password_in = {}\n",
            s(12),
            s(13)
        ),
    );
    case.write(
        "box/etc/snmp/snmpd.conf",
        &format!("rocommunity {} default\ncreateUser u SHA \"{}\"\n", s(14), s(15)),
    );
    case.write(
        "box/etc/stunnel/stunnel.pem",
        &format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", s(16)),
    );
    case.write(
        "box/root/.ssh/id_ed25519",
        &format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n", s(17)),
    );
    case.write(
        "box/root/.bash_history",
        &format!("mysql --password={}\ncurl -u admin:{} http://x\n", s(18), s(19)),
    );
    case.write("box/etc/nut/upsd.users", &format!("[admin]\n password = {}\n", s(20)));
    case.write("box/etc/multipath.conf", "defaults {\n user_friendly_names yes\n}\n");
    case.write("box/etc/fstab", &format!("//nas/x /mnt cifs username=a,password={} 0 0\n", s(21)));
    case.write(
        "box/etc/cron.d/backup",
        &format!("0 1 * * * root rsync --password-file=/x a; curl ftp://joe:{}@host/\n", s(22)),
    );
    case.write(
        "box/etc/network.conf",
        &format!("[general]\nhostname = san1\n# wifi_psk = {}\n[eth0]\nipaddr = 192.0.2.10/24\n", s(23)),
    );
    // In files and keys that no rule names.
    case.write("box/etc/myapp/token", &s(24));
    case.write("box/etc/vendor/agent.token", &format!("{}\n", s(25)));
    case.write("box/etc/default/agent", &format!("DB_URL=postgres://svc:{}@db/x\n", s(26)));
    case.write(
        "box/etc/sysctl.d/note.conf",
        &format!(
            "# -----BEGIN PRIVATE KEY-----\n# {}\n# -----END PRIVATE KEY-----\nkernel.panic = 5\n",
            s(27)
        ),
    );
    let jwt = format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{}", s(28));
    let log = format!(
        "sshd: Failed password for root from 10.0.0.9\nkernel: md0: Disk failure on sdc, disabling device.\napp: login joe with password {} ok\napp: the password is {}\n\
         app: GET https://api:{}@host/v1?a=1\napp: Authorization: Basic {}\napp: bearer {jwt}\napp: token={} secret: '{}'\n\
         app: {{\"api_key\":\"{}\",\"x\":1}}\napp: passphrase \"{} x\"\nblob {}\nurl %53 {}\nhex {}\nplain {} plain {}\n",
        s(29),
        s(30),
        s(31),
        base64(&format!("joe:{}", s(32))),
        s(33),
        s(34),
        s(35),
        s(36),
        base64(&s(7)),
        s(2).replace('-', "%2D"),
        s(6).bytes().map(|b| format!("{b:02x}")).collect::<String>(),
        s(12),
        s(24)
    );
    case.write("box/var/log/syslog", &log);
    // Each is also met in a log, without a word that would give it away.
    let mut met = String::new();
    for (n, (path, text)) in (44..).zip(SERVICES) {
        case.write(&format!("box/{path}"), &text.replace("{}", &s(n)));
        met += &format!("app: tried {} {}\n", s(n), base64(&s(n)));
        planted.push(s(n));
    }
    case.write("box/var/log/met.log", &met);
    case.write(
        "box/var/log/app.log",
        &format!("cred={} pwd={}\npw:{}\n# pass {}\nPGPASSWORD={} psql\n", s(37), s(38), s(39), s(40), s(41)),
    );
    case.write(
        "box/sys/kernel/scst_tgt/targets/iscsi/iqn.2026-11.io.esos:store1/IncomingUser",
        &format!("joe {}\n", s(42)),
    );
    case.write("box/proc/cmdline", &format!("slot=P crashkernel=512M rd.luks.key={} quiet\n", "x"));
    case.write("box/proc/mdstat", "md0 : active raid1 sdb[1] sda[0]\n");
    case.write("box/proc/meminfo", "MemTotal: 16316412 kB\n");
    case.write("box/sys/class/dmi/id/product_name", "PowerEdge R740xd\n");
    case.write(
        "box/etc/modprobe.d/x.conf",
        &format!("# old: {}\noptions qla2xxx qlini_mode=disabled\n", "Tr0ub4dor&3"),
    );
    planted.push("Tr0ub4dor&3".to_owned());
    planted.push(jwt);
    let (exit, json) = case.run(&["support"]);
    assert_eq!(exit, 0, "{json}");
    let text = bundle(Path::new(json["data"]["bundle"].as_str().unwrap()));
    let whole = format!("{text}\n{json}");
    let mut leaks = Vec::new();
    for secret in planted.iter().filter(|p| *p != &s(43)) {
        let encoded = base64(secret);
        let forms = [
            secret.clone(),
            encoded.trim_end_matches('=').to_owned(),
            secret.replace('-', "%2D"),
            secret.replace('&', "%26"),
        ];
        leaks.extend(forms.iter().filter(|f| whole.contains(f.as_str())).map(|f| format!("{secret} as {f}")));
    }
    assert!(leaks.is_empty(), "{} leak: {leaks:#?}\n", leaks.len());
    for fact in [
        "san1",
        "5.0.0",
        "iqn.2026-11.io.esos:store1",
        "LUN 0 vol01",
        "md0 : active raid1",
        "Disk failure on sdc",
        "Failed password for root from 10.0.0.9",
        "/dev/drbd0",
        "192.0.2.10/24",
        "16316412 kB",
        "PowerEdge R740xd",
        "qlini_mode=disabled",
        "crashkernel=512M",
        "user_friendly_names yes",
        "kernel.panic = 5",
        "/etc/shadow",
    ] {
        assert!(text.contains(fact), "{fact} is not in the bundle");
    }
    assert!(text.contains("not on the list of what a bundle holds"), "the manifest says why");
}
