//! Sessions of initiators: what they did, and how fast.
use crate::args::Verb;
use crate::machine;
use esos_cli::{Exit, Failure, Table, Ui};
use esos_hostfs::{Clock, HostClock};
use esos_scst::{Live, LiveSession};
use esos_sysfs::AttrTree;
use esos_units::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, Clone, Serialize)]
struct Row {
    driver: String,
    target: String,
    session: String,
    initiator: String,
    group: Option<String>,
    connections: Vec<String>,
    commands: u64,
    active_commands: u64,
    read_bytes: u64,
    write_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    /// Microseconds, as SCST measures them; only while `measure_latency` is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<Latency>,
}

#[derive(Debug, Clone, Serialize)]
struct Rate {
    read_bytes_per_second: f64,
    write_bytes_per_second: f64,
    commands_per_second: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Latency {
    count: u64,
    average_us: f64,
    /// The longest that a command was in one state.
    worst_us: f64,
}

fn number(session: &LiveSession, name: &str) -> u64 {
    let value = session.attributes.get(name).and_then(|a| a.value.as_ref());
    value.and_then(|v| v.expose().trim().parse().ok()).unwrap_or(0)
}

fn rows(live: &Live) -> Vec<Row> {
    let mut rows = Vec::new();
    for (driver, d) in live.drivers.iter().filter(|(n, _)| n.as_str() != "copy_manager") {
        for (target, t) in &d.targets {
            for (session, s) in &t.sessions {
                // SCST counts KiB.
                let bytes = |name: &str| number(s, name).saturating_mul(1024);
                rows.push(Row {
                    driver: driver.to_string(),
                    target: target.to_string(),
                    session: session.clone(),
                    initiator: s.initiator.clone(),
                    group: s.group.clone(),
                    connections: s.connections.clone(),
                    commands: ["read_cmd_count", "write_cmd_count", "bidi_cmd_count", "none_cmd_count"]
                        .into_iter()
                        .fold(0, |sum, name| number(s, name).saturating_add(sum)),
                    active_commands: number(s, "active_commands"),
                    read_bytes: bytes("read_io_count_kb"),
                    write_bytes: bytes("write_io_count_kb"),
                    rate: None,
                    latency: None,
                });
            }
        }
    }
    rows
}

/// `latency/` of a session: one file for each direction and size.
fn latency(tree: &dyn AttrTree, row: &Row) -> Option<Latency> {
    let dir = format!("targets/{}/{}/sessions/{}/latency", row.driver, row.target, row.session);
    let files = tree.list(&dir).ok()?.into_iter();
    let texts = files.map(|entry| tree.read(&format!("{dir}/{}", entry.name)).unwrap_or_default());
    summed(texts)
}

/// A heading, then a line for each state that a command passes, `STATE count min max avg stddev us`, and one
/// for its whole way, `total count - - avg stddev us` (SCST 3.11). Only how long a state took has a maximum.
fn summed(texts: impl Iterator<Item = String>) -> Option<Latency> {
    let mut all = Latency::default();
    let mut time = 0.0;
    for text in texts {
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [state, count, _, max, average, ..] = words.as_slice() else { continue };
            if let ("total", Ok(count), Ok(average)) = (*state, count.parse::<u64>(), average.parse::<f64>())
            {
                all.count = all.count.saturating_add(count);
                time += average * count as f64;
            } else if let Ok(max) = max.parse::<f64>() {
                all.worst_us = all.worst_us.max(max);
            }
        }
    }
    all.average_us = if all.count > 0 { time / all.count as f64 } else { 0.0 };
    (all.count > 0).then_some(all)
}

fn with_rates(mut now: Vec<Row>, before: &[Row], seconds: f64) -> Vec<Row> {
    let key = |r: &Row| (r.driver.clone(), r.target.clone(), r.session.clone());
    let old: BTreeMap<_, &Row> = before.iter().map(|r| (key(r), r)).collect();
    for row in &mut now {
        let Some(old) = old.get(&key(row)) else { continue };
        let per_second = |now: u64, old: u64| now.saturating_sub(old) as f64 / seconds.max(0.001);
        row.rate = Some(Rate {
            read_bytes_per_second: per_second(row.read_bytes, old.read_bytes),
            write_bytes_per_second: per_second(row.write_bytes, old.write_bytes),
            commands_per_second: per_second(row.commands, old.commands),
        });
    }
    now
}

pub(crate) fn verb(ui: &mut Ui, verb: &Verb) -> Result<Exit, Failure> {
    let Verb::Sessions { state, watch, interval, count } = verb else { return Ok(Exit::Usage) };
    if !watch {
        return once(ui, state.as_deref());
    }
    if ui.json() && count.is_none() {
        return Err(Failure::new(Exit::Usage, "--watch with --json needs --count N: it is one document"));
    }
    let pause = Duration::try_from_secs_f64(interval.clamp(0.1, 3600.0)).unwrap_or(Duration::from_secs(2));
    let tree = machine::tree(ui.global());
    let mut before = rows(&machine::everything(&tree)?);
    let mut since = HostClock.monotonic();
    let mut left = count.unwrap_or(u64::MAX).max(1);
    loop {
        HostClock.sleep(pause);
        let now = HostClock.monotonic();
        let seconds = now.saturating_sub(since).as_secs_f64();
        let mut rows = with_rates(rows(&machine::everything(&tree)?), &before, seconds);
        rows.iter_mut().for_each(|r| r.latency = latency(&tree, r));
        (before, since) = (rows.clone(), now);
        left = left.saturating_sub(1);
        if left == 0 || !ui.json() {
            show(ui, &rows)?;
        }
        if left == 0 || machine::interrupted() {
            return Ok(Exit::Done);
        }
    }
}

fn once(ui: &mut Ui, state: Option<&Path>) -> Result<Exit, Failure> {
    let mut rows = rows(&crate::verbs::everything(ui, state)?);
    if state.is_none() {
        let tree = machine::tree(ui.global());
        rows.iter_mut().for_each(|r| r.latency = latency(&tree, r));
    }
    show(ui, &rows)?;
    Ok(Exit::Done)
}

fn show(ui: &mut Ui, rows: &[Row]) -> Result<(), Failure> {
    let rates = rows.iter().any(|r| r.rate.is_some());
    ui.emit("esos.scst.sessions/1", &rows, |human| {
        let (read, written) = if rates { ("READ/s", "WRITTEN/s") } else { ("READ", "WRITTEN") };
        let heads = ["DRIVER", "TARGET", "INITIATOR", "GROUP", read, written, "CMDS", "ACTIVE", "LATENCY"];
        let mut table = Table::new(heads).right(4).right(5).right(6).right(7).right(8);
        for r in rows {
            let size = |n: u64| Bytes::new(n).human();
            let (read, written, commands) = match &r.rate {
                // A rate of bytes is shown in whole bytes.
                Some(rate) => (
                    size(rate.read_bytes_per_second as u64),
                    size(rate.write_bytes_per_second as u64),
                    format!("{:.0}/s", rate.commands_per_second),
                ),
                None => (size(r.read_bytes), size(r.write_bytes), r.commands.to_string()),
            };
            let latency = r.latency.as_ref().map(|l| format!("{:.0} us", l.average_us)).unwrap_or_default();
            let group = r.group.clone().unwrap_or_default();
            let active = r.active_commands.to_string();
            table.row([
                r.driver.clone(),
                r.target.clone(),
                r.initiator.clone(),
                group,
                read,
                written,
                commands,
                active,
                latency,
            ]);
        }
        human.table(&table);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_as_the_kernel_prints_it() {
        // Seen with SCST 3.11 on 6.12.118.
        let writes = "state count min max avg stddev\nPARSE 64 1.6 16.9 4.9 3.9 us\n\
                      XMIT_WAIT 64 51.3 16789.9 783.6 2850.8 us\ntotal 64 - - 2397.6 21541.8 us\n";
        let reads =
            "state count min max avg stddev\nPARSE 16 1.6 24.5 9.7 7.5 us\ntotal 16 - - 400.0 1.0 us\n";
        let none = "state count min max avg stddev\n";
        let all = summed([writes, none, reads].into_iter().map(str::to_owned)).unwrap();
        assert_eq!((all.count, all.worst_us), (80, 16789.9));
        assert!((all.average_us - 1998.08).abs() < 0.01, "{}", all.average_us);
        assert!(summed([none.to_owned()].into_iter()).is_none());
    }
}
