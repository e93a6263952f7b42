//! `/proc/mdstat`. Its last line is `unused devices:`.
use crate::model::put;
use crate::text::{lines, number};
use crate::{Array, ArrayState, Details, Facts, Level, Member, Problem, ProblemKind, Size, Task, TaskKind};
use nom::bytes::complete::{tag, take_until, take_while1};
use nom::character::complete::{char, digit1, space0};
use nom::combinator::{opt, recognize};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};
use serde_json::Number;

pub(super) fn read(text: &str, facts: &mut Facts) {
    // Whether the last array's lines may go on.
    let mut open = false;
    let mut complete = false;
    let mut personalities = false;
    // Growing step by step would copy all of them some times.
    facts.arrays.reserve(memchr::memmem::find_iter(text.as_bytes(), "\nmd").count());
    for (no, line) in lines(text) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            close(&mut open, facts);
        } else if trimmed.starts_with("unused devices:") {
            complete = true;
        } else if trimmed.starts_with("Personalities") {
            personalities = true;
        } else if let Some((name, rest)) = head(line) {
            close(&mut open, facts);
            let array = array(name, rest);
            open = array.is_some();
            facts.arrays.extend(array);
            if !open {
                let mut problem = Problem::said(ProblemKind::Unparsable, line);
                problem.line = Some(no);
                facts.fail(problem);
                facts.malformed_rows.push(trimmed.to_owned());
            }
        } else if let Some(array) = facts.arrays.last_mut().filter(|_| open) {
            let again = array.size.is_some() && trimmed.contains(" blocks");
            if again {
                facts.doubt(Some(no), format!("the first line of an array is missing before line {no}"));
            } else {
                detail(trimmed, array);
            }
        } else if is_detail(trimmed) && facts.malformed_rows.is_empty() {
            facts.doubt(Some(no), format!("line {no} belongs to no array: `{trimmed}`"));
        }
    }
    close(&mut open, facts);
    if !complete {
        let known = personalities || !facts.arrays.is_empty();
        facts.fail(Problem::new(if known { ProblemKind::Truncated } else { ProblemKind::Unparsable }));
    }
}

/// Whether a line is one that only an array has.
fn is_detail(line: &str) -> bool {
    line.contains(" blocks") || line.starts_with("md") || (line.contains('[') && line.contains("]"))
}

/// Ends an array, and looks whether its parts agree.
fn close(open: &mut bool, facts: &mut Facts) {
    let Some(array) = facts.arrays.last_mut().filter(|_| std::mem::take(open)) else { return };
    finish(array);
    let told: Vec<String> = doubts(array).iter().map(|doubt| format!("{}: {doubt}", array.id)).collect();
    told.into_iter().for_each(|message| facts.doubt(None, message));
}

/// Words for levels without redundancy, of which no `[n/m]` is printed.
fn is_plain(level: &Level) -> bool {
    match level {
        Level::Raid0 | Level::Linear => true,
        Level::Other(word) => word == "faulty" || word == "container",
        _ => false,
    }
}

/// What contradicts what within one array.
fn doubts(array: &Array) -> Vec<String> {
    let get = |name: &str| array.details.get(name).and_then(serde_json::Value::as_u64);
    let active = array.details.get("active").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let mut told = Vec::new();
    if array.size.is_none() {
        told.push("its line with the number of blocks is missing".to_owned());
    }
    if !active {
        return told;
    }
    let Some(level) = &array.level else {
        told.push("it is active, and its level is missing".to_owned());
        return told;
    };
    if matches!(level, Level::Other(word) if !["raid4", "multipath", "faulty", "container"].contains(&word.as_str()))
    {
        told.push(format!("its level `{}` is not known", array.level_raw.as_deref().unwrap_or_default()));
    }
    if is_plain(level) {
        return told;
    }
    let slots = array.details.get("slots").and_then(serde_json::Value::as_str);
    match (get("raid_disks"), get("working"), slots) {
        (Some(all), Some(working), Some(slots)) => {
            let up = slots.chars().filter(|c| *c == 'U').count();
            if u64::try_from(slots.len()) != Ok(all) || u64::try_from(up) != Ok(working) {
                told.push(format!("[{all}/{working}] and [{slots}] disagree"));
            }
            let idle = |flags: &serde_json::Value| {
                flags.as_array().is_some_and(|list| list.iter().any(|f| f == "F" || f == "S" || f == "J"))
            };
            let members = array.members.iter().flatten();
            let busy = members.filter(|m| !m.details.get("flags").is_some_and(idle)).count();
            if u64::try_from(busy).is_ok_and(|busy| busy < working) {
                told.push(format!("{working} members work, and only {busy} are listed"));
            }
        }
        _ => told.push("how many of its members work is missing".to_owned()),
    }
    told
}

/// `md0 : active raid1 sdb[1](F) sda[0]`: a name in the first column, then a colon.
fn head(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.starts_with("md").then(|| line.split_once(' ')).flatten()?;
    let rest = rest.strip_prefix(": ")?;
    (!name.contains(char::is_whitespace)).then_some((name, rest))
}

/// A member: `sdb[1](F)`.
fn member(input: &str) -> IResult<&str, (&str, &str, &str)> {
    let name = take_while1(|c: char| !c.is_whitespace() && c != '[');
    let flag = delimited(char('('), take_until(")"), char(')'));
    (preceded(space0, name), delimited(char('['), digit1, char(']')), recognize(many0_count(flag)))
        .parse(input)
}

fn array(name: &str, rest: &str) -> Option<Array> {
    // Active, metadata, how many and how many work, which.
    let details = Details::with_room(5);
    let mut array = Array { id: name.to_owned(), details, ..Array::default() };
    let mut words = rest.split_ascii_whitespace();
    let active = match words.next()? {
        "active" => true,
        "inactive" | "broken" => false,
        _ => return None,
    };
    put(&mut array.details, "active", active);
    let mut members = Vec::with_capacity(words.clone().filter(|word| word.contains('[')).count());
    for word in words {
        if let Some(mode) = word.strip_prefix('(').and_then(|w| w.strip_suffix(')')) {
            put(&mut array.details, "read_only", mode);
        } else if let Ok(("", (key, index, flags))) = member(word) {
            members.push(one_member(key, index, flags)?);
        } else if members.is_empty() && array.level.is_none() && !word.contains('[') {
            array.level = Some(Level::of(word));
            array.level_raw = Some(word.to_owned());
        } else {
            return None;
        }
    }
    let number = |m: &Member| m.details.get("number").and_then(serde_json::Value::as_u64);
    members.sort_by(|a: &Member, b: &Member| a.key.cmp(&b.key).then_with(|| number(a).cmp(&number(b))));
    array.members = Some(members);
    Some(array)
}

fn one_member(key: &str, index: &str, flags: &str) -> Option<Member> {
    let mut member = Member { key: Some(key.to_owned()), ..Member::default() };
    put(&mut member.details, "number", index.parse::<u64>().ok()?);
    if !flags.is_empty() {
        let each = flags.split_terminator(')').filter_map(|flag| flag.strip_prefix('('));
        put(&mut member.details, "flags", each.collect::<Vec<_>>());
    }
    Some(member)
}

fn detail(line: &str, array: &mut Array) {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if let Some((count, rest)) = line.split_at_checked(digits)
        && let Some(rest) = rest.strip_prefix(" blocks")
        && let Ok(count) = count.parse::<u64>()
    {
        array.size = Size::blocks(count);
        shape(rest, array);
        return;
    }
    if line.starts_with("bitmap:") {
        put(&mut array.details, "bitmap", true);
    } else if let Some(task) = task(line) {
        array.op = Some(Box::new(task));
    }
}

/// ` super 1.2 level 5, 64k chunk, algorithm 2 [3/2] [UU_]`
fn shape(rest: &str, array: &mut Array) {
    let mut words = rest.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let next = words.peek().copied().unwrap_or_default();
        match word {
            "super" if !next.is_empty() && next != "non-persistent" => {
                put(&mut array.details, "metadata", next);
            }
            "algorithm" => {
                if let Some(n) = number(next) {
                    put(&mut array.details, "algorithm", n);
                }
            }
            _ if next.trim_end_matches(',').starts_with("chunk") => {
                if let Some(k) = word.strip_suffix(['k', 'K']).and_then(|w| w.parse::<u64>().ok()) {
                    put(&mut array.details, "chunk_kib", k);
                }
            }
            _ => {}
        }
        let Some(inner) = word.strip_prefix('[').and_then(|w| w.strip_suffix(']')) else { continue };
        if let Some((all, working)) = inner.split_once('/') {
            if let (Ok(all), Ok(working)) = (all.parse::<u64>(), working.parse::<u64>()) {
                put(&mut array.details, "raid_disks", all);
                put(&mut array.details, "working", working);
            }
        } else if !inner.is_empty() && inner.chars().all(|c| c == 'U' || c == '_') {
            put(&mut array.details, "slots", inner);
        }
    }
}

fn kind(word: &str) -> Option<TaskKind> {
    Some(match word {
        "resync" => TaskKind::Resync,
        "recovery" => TaskKind::Recovery,
        "reshape" => TaskKind::Reshape,
        "check" | "repair" => TaskKind::Check,
        _ => return None,
    })
}

/// `[>....]  recovery =  4.7% (3328/64512) finish=0.6min speed=1664K/sec` or `resync=DELAYED`
fn task(line: &str) -> Option<Task> {
    let (_, (_, word, _, _)) =
        (opt(bar), take_while1(|c: char| c.is_ascii_lowercase()), space0, char('=')).parse(line).ok()?;
    let (_, value) = line.split_once(word).and_then(|(_, r)| r.split_once('='))?;
    let mut task = Task { kind: Some(kind(word)?), ..Task::default() };
    let value = value.trim();
    if let Some(waiting) = ["DELAYED", "PENDING", "REMOTE"].into_iter().find(|w| value.starts_with(w)) {
        put(&mut task.details, "waiting", waiting);
        return Some(task);
    }
    let (percent, rest) = value.split_once('%')?;
    task.percent = percent.trim().parse::<f64>().ok().and_then(Number::from_f64);
    if let Some((done, total)) =
        rest.split_once('(').and_then(|(_, r)| r.split_once(')')).and_then(|(r, _)| r.split_once('/'))
        && let (Ok(done), Ok(total)) = (done.parse::<u64>(), total.parse::<u64>())
    {
        put(&mut task.details, "done_kib", done);
        put(&mut task.details, "total_kib", total);
    }
    for word in rest.split_whitespace() {
        if let Some(minutes) = word.strip_prefix("finish=").and_then(|w| w.strip_suffix("min")) {
            if let Some(n) = minutes.parse::<f64>().ok().and_then(Number::from_f64) {
                put(&mut task.details, "finish_min", n);
            }
        } else if let Some(speed) = word.strip_prefix("speed=").and_then(number) {
            put(&mut task.details, "speed_kib_s", speed);
        }
    }
    Some(task)
}

fn bar(input: &str) -> IResult<&str, &str> {
    let (rest, inner) = delimited(tag("["), take_until("]"), tag("]")).parse(input)?;
    let (rest, _) = space0(rest)?;
    Ok((rest, inner))
}

/// The kernel's view: how many are missing, against what the level can bear.
fn finish(array: &mut Array) {
    let get = |name: &str| array.details.get(name).and_then(serde_json::Value::as_u64);
    let active = array.details.get("active").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let state = match (get("raid_disks"), get("working")) {
        _ if !active => ArrayState::Inactive,
        (None, _) | (_, None) if !array.level.as_ref().is_some_and(is_plain) => {
            ArrayState::Other("how many of its members work is missing".to_owned())
        }
        (Some(all), Some(working)) if working < all => {
            let level = array.level.clone().unwrap_or(Level::Other(String::new()));
            let missing = all.saturating_sub(working);
            let four = matches!(&level, Level::Other(word) if word == "raid4");
            let bears = if four { 1 } else { level.tolerates(all) };
            if missing > bears && !striped_mirror_stands(&level, array) {
                ArrayState::Failed
            } else {
                ArrayState::Degraded
            }
        }
        _ => ArrayState::Optimal,
    };
    array.state = Some(state);
    array.os_device = Some(["/dev/", &array.id].concat());
}

/// Near-2 RAID10 survives while no pair has lost both.
fn striped_mirror_stands(level: &Level, array: &Array) -> bool {
    let slots = array.details.get("slots").and_then(serde_json::Value::as_str).unwrap_or_default();
    *level == Level::Raid10 && !slots.is_empty() && !slots.as_bytes().chunks(2).any(|pair| pair == b"__")
}
