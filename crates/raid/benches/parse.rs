//! Megabytes per second of each reader on made-up outputs, and whether eight times the drives cost eight times the time.
//! With names of tools (`cargo bench -p esos-raid --bench parse -- ssacli`) only theirs.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark measures, runs its peers, and tells"
)]
use esos_raid::{Capture, Tool, parse};
use std::fmt::Write;
use std::time::Duration;

fn drives(tool: Tool, count: usize) -> (&'static str, String) {
    let mut out = String::new();
    let mut put = |text: String| out.write_str(&text).is_ok();
    let cmd = match tool {
        Tool::Megacli => {
            put("Adapter #0\n\n".to_owned());
            for n in 0..count {
                put(format!(
                    "Enclosure Device ID: 8\nSlot Number: {n}\nDevice Id: {n}\nMedia Error Count: 0\nPredictive Failure Count: 0\nCoerced Size: 931.0 GB [0x74600000 Sectors]\nFirmware state: Online, Spun Up\nInquiry Data: TOSHIBA MK1001TRKB      01068280A00QFM16\nForeign State: None\n\n"
                ));
            }
            put("Exit Code: 0x00\n".to_owned());
            "MegaCli64 -PDList -aALL -NoLog"
        }
        Tool::Arcconf => {
            put("Controllers found: 1\nPhysical Device information\n".to_owned());
            for n in 0..count {
                put(format!(
                    "      Device #{n}\n         Device is a Hard drive\n         State                              : Online\n         Reported Channel,Device(T:L)       : 0,{n}({n}:0)\n         Vendor                             : WDC\n         Model                              : WD20EFRX-68EUZN0\n         Serial number                      : WD-{n:08}\n         Total Size                         : 1907729 MB\n         S.M.A.R.T.                         : No\n"
                ));
            }
            put("Command completed successfully.\n".to_owned());
            "arcconf GETCONFIG 1 PD"
        }
        Tool::Storcli => {
            put("Controller = 0\nStatus = Success\nDescription = None\n\nPD LIST :\n=======\n\n-----\nEID:Slt DID State DG Size Intf Med SED PI SeSz Model Sp\n-----\n".to_owned());
            for n in 0..count {
                put(format!("24:{n}     {n} Onln   0 278.464 GB SAS  HDD N   Y  512B AL13SEB300       U\n"));
            }
            put("-----\n".to_owned());
            "storcli64 /c0 show all"
        }
        Tool::Perccli => {
            put("{\"Controllers\":[{\"Command Status\":{\"Controller\":0,\"Status\":\"Success\"},\"Response Data\":{\"Drive Information\":[".to_owned());
            for n in 0..count {
                let comma = if n == 0 { "" } else { "," };
                put(format!(
                    "{comma}{{\"EID:Slt\":\"65:{n}\",\"DID\":{n},\"State\":\"Onln\",\"DG\":0,\"Size\":\"1.089 TB\",\"Intf\":\"SAS\",\"Med\":\"HDD\",\"Model\":\"ST1200MM0009    \",\"Sp\":\"U\"}}"
                ));
            }
            put("]}}]}".to_owned());
            "perccli64 /c0/eall/sall show J"
        }
        Tool::Ssacli => {
            put("\nSmart Array P840 in Slot 1 (HBA Mode)\n\n   HBA Drives\n\n".to_owned());
            for n in 0..count {
                put(format!("      physicaldrive 1I:1:{n} (port 1I:box 1:bay {n}, SAS, 6001.1 GB, OK)\n"));
            }
            "ssacli ctrl slot=1 pd all show"
        }
        Tool::Areca => {
            put("  # Ch# ModelName                       Capacity  Usage\n=====\n".to_owned());
            for n in 1..=count {
                put(format!(" {n} {n}  WDC WD7500AYYS-01RCA0            750.2GB  data\n"));
            }
            put("=====\nGuiErrMsg<0x00>: Success.\n".to_owned());
            "cli64 disk info"
        }
        Tool::TwCli => {
            put("Port   Status           Unit   Size        Blocks        Serial\n-----\n".to_owned());
            for n in 0..count {
                put(format!("p{n}     OK               -      931.51 GB   1953525168    9QJ1X1YY\n"));
            }
            "tw_cli info c0 drivestatus"
        }
        _ => {
            put("Personalities : [raid1]\n".to_owned());
            for n in 0..count {
                put(format!(
                    "md{n} : active raid1 sdb{n}[1] sda{n}[0]\n      64512 blocks super 1.2 [2/2] [UU]\n\n"
                ));
            }
            put("unused devices: <none>\n".to_owned());
            "cat /proc/mdstat"
        }
    };
    (cmd, out)
}

/// Seconds that this thread was on a processor: others may use the machine too.
fn spent() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
        .as_secs_f64()
}

const ROUNDS: usize = 41;

/// glibc gives free memory back to the kernel, which hands it out again page by page, zeroed: for the large
/// outputs alone, as those of the small ones stay below its threshold. What is measured is the reader, so
/// the heap is kept (`first` is the rate with all of that: the first reading of the process).
const KEPT: &str = "glibc.malloc.trim_threshold=1073741824:glibc.malloc.mmap_threshold=1073741824";

fn case(tool: Tool, count: usize) -> [Capture; 1] {
    let (cmd, out) = drives(tool, count);
    [Capture::new("x", cmd, out)]
}

fn seconds(tool: Tool, capture: &[Capture; 1], count: usize) -> f64 {
    let start = spent();
    let facts = parse(tool, capture);
    let took = spent() - start;
    assert_eq!(facts.drives.len().max(facts.arrays.len()), count, "{tool}");
    took
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> std::process::ExitCode {
    if std::env::var_os("GLIBC_TUNABLES").is_none() {
        let me = std::env::current_exe().map(std::process::Command::new);
        let run =
            me.and_then(|mut me| me.args(std::env::args_os().skip(1)).env("GLIBC_TUNABLES", KEPT).status());
        return if run.is_ok_and(|status| status.success()) {
            std::process::ExitCode::SUCCESS
        } else {
            std::process::ExitCode::FAILURE
        };
    }
    measure();
    std::process::ExitCode::SUCCESS
}

fn measure() {
    let only: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    for tool in [
        Tool::Megacli,
        Tool::Storcli,
        Tool::Perccli,
        Tool::Arcconf,
        Tool::Ssacli,
        Tool::Areca,
        Tool::TwCli,
        Tool::Mdstat,
    ] {
        if !only.is_empty() && !only.iter().any(|name| name == tool.name()) {
            continue;
        }
        let (small, large) = (case(tool, 1000), case(tool, 8000));
        let cold = seconds(tool, &large, 8000);
        let (mut fast, mut slow, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            // Side by side, so that both have the same machine.
            let eight: f64 = (0..8).map(|_| seconds(tool, &small, 1000)).sum();
            let one = seconds(tool, &large, 8000);
            fast.push(eight / 8.0);
            slow.push(one);
            ratios.push(one * 8.0 / eight);
        }
        let size = large.first().map_or(0, |c| c.out.len());
        let megabytes = f64::from(u32::try_from(size).unwrap_or(0)) / 1e6;
        println!(
            "{tool:9} {:6.0} MB/s (best {:.0}, first {:.0}); 8000 drives cost {:.1} times 1000 (best {:.1})",
            megabytes / median(&mut slow),
            megabytes / slow.iter().copied().fold(f64::MAX, f64::min),
            megabytes / cold,
            median(&mut ratios),
            slow.iter().copied().fold(f64::MAX, f64::min) / fast.iter().copied().fold(f64::MAX, f64::min),
        );
    }
    if only.is_empty() {
        whole_survey();
        peers();
    }
}

/// A box with eight controllers of 240 drives each: our own time of a survey.
fn whole_survey() {
    let mut list = String::new();
    for controller in 0..8 {
        let (_, one) = drives(Tool::Megacli, 240);
        let one = one.replace("Adapter #0", &format!("Adapter #{controller}"));
        list.push_str(one.trim_end_matches("Exit Code: 0x00\n"));
    }
    list.push_str("Exit Code: 0x00\n");
    let capture = [Capture::new("pdlist", "MegaCli64 -PDList -aALL -NoLog", list)];
    let size = capture.first().map_or(0, |c| c.out.len());
    let mut best = f64::MAX;
    for _ in 0..40 {
        let start = spent();
        let facts = parse(Tool::Megacli, &capture);
        best = best.min(spent() - start);
        assert_eq!(facts.drives.len(), 8 * 240);
    }
    println!("8 controllers of 240 drives, {size} bytes: {:.1} ms", best * 1e3);
}

/// Packaged readers of the same output, where `ESOS_RAID_PEERS` is a path on which Python finds them:
/// pymdstat 0.5.1 and megacli 0.0.11 of PyPI.
fn peers() {
    let Some(path) = std::env::var_os("ESOS_RAID_PEERS") else {
        println!("skipped: peers: ESOS_RAID_PEERS names no path of Python packages");
        return;
    };
    let mdstat = "import sys,time,pymdstat\ns=time.process_time()\nm=pymdstat.MdStat(sys.argv[1])\ne=time.process_time()-s\nprint(len(m.get_stats()['arrays']),e)";
    // What its `execute` does with the lines belongs to the reading.
    let megacli = concat!(
        "import sys,time,re,megacli\n",
        "m=megacli.MegaCLI('/bin/true')\n",
        "d=open(sys.argv[1]).read()\n",
        "norm=lambda l:re.sub(':$','',re.sub(r'\\s*:\\s*',':',re.sub(r'(^\\s*|\\s*$)','',l)).lower())\n",
        "m.execute=lambda c:[norm(l) for l in d.rstrip().split('\\n') if l]\n",
        "s=time.process_time()\nn=len(m.physicaldrives())\nprint(n,time.process_time()-s)",
    );
    for (tool, name, script) in
        [(Tool::Mdstat, "pymdstat 0.5.1", mdstat), (Tool::Megacli, "megacli 0.0.11", megacli)]
    {
        let (cmd, out) = drives(tool, 1000);
        let file = std::env::temp_dir().join(format!("esos-raid-peer-{}", std::process::id()));
        if std::fs::write(&file, &out).is_err() {
            continue;
        }
        let capture = [Capture::new("x", cmd, out)];
        let mut best = f64::MAX;
        for _ in 0..40 {
            let start = spent();
            let facts = parse(tool, &capture);
            best = best.min(spent() - start);
            assert_eq!(facts.drives.len().max(facts.arrays.len()), 1000);
        }
        let run = std::process::Command::new("python3")
            .arg("-c")
            .arg(script)
            .arg(&file)
            .env("PYTHONPATH", &path)
            .output();
        let text = run
            .map(|o| String::from_utf8_lossy(&o.stdout).into_owned() + &String::from_utf8_lossy(&o.stderr));
        let text = text.unwrap_or_default();
        let mut words = text.split_whitespace();
        let (read, theirs) = (words.next().unwrap_or("?"), words.next().and_then(|w| w.parse::<f64>().ok()));
        match theirs {
            Some(theirs) => println!(
                "{name}: {read} of 1000 read in {:.1} ms, ours in {:.2} ms: {:.4} of it",
                theirs * 1e3,
                best * 1e3,
                best / theirs
            ),
            None => println!("{name}: {text}"),
        }
        let _gone = std::fs::remove_file(&file);
    }
}
