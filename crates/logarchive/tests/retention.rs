//! The law of retention, and that it notices when it is broken.
#![expect(clippy::disallowed_methods, reason = "test helpers")]
use esos_logarchive::{Budget, Class, Entry, Policy, Reason, Verdict, retain};
use std::collections::BTreeSet;

/// What must be so for any files whatever. Says what is not.
fn law(
    entries: &[Entry],
    policy: &Policy,
    now: i64,
    free: u64,
    needed: u64,
    verdict: &Verdict,
) -> Result<(), String> {
    let gone: BTreeSet<usize> = verdict.removals.iter().map(|(i, _)| *i).collect();
    let fail = |what: &str| Err(what.to_owned());
    if gone.len() != verdict.removals.len() || gone.iter().any(|i| *i >= entries.len()) {
        return fail("a file goes twice, or one that is not there");
    }
    if gone.iter().any(|i| entries[*i].class == Class::Unknown) {
        return fail("an unknown file goes");
    }
    let freed: u64 = gone.iter().map(|i| entries[*i].size).sum();
    if freed != verdict.freed_bytes {
        return fail("freed bytes are wrong");
    }
    let left = |class: Class| -> Vec<&Entry> {
        let stays = entries.iter().enumerate().filter(|(i, e)| e.class == class && !gone.contains(i));
        stays.map(|(_, e)| e).collect()
    };
    let removals = &verdict.removals;
    for (class, budget) in
        [(Class::Log, policy.logs), (Class::Dump, policy.dumps), (Class::Bundle, policy.bundles)]
    {
        let all = entries.iter().filter(|e| e.class == class).count();
        let (count, bytes) = left(class).iter().fold((0, 0), |(n, b), e| (n + 1, b + e.size));
        if count < all.min(budget.keep) {
            return fail("the minimum is not kept");
        }
        if bytes > budget.most && count > budget.keep {
            return fail("a class is above its budget");
        }
        // What stays is never older than what went.
        let oldest_left = left(class).iter().map(|e| (e.time, e.name.as_str())).min();
        let of_class = || removals.iter().filter(|(i, _)| entries[*i].class == class);
        let newest_gone = of_class().map(|(i, _)| (entries[*i].time, entries[*i].name.as_str())).max();
        if let (Some(left), Some(gone)) = (oldest_left, newest_gone)
            && left < gone
        {
            return fail("an older one stays while a newer one goes");
        }
        if count > budget.keep
            && budget.age > 0
            && left(class).iter().any(|e| now - e.time > budget.age as i64)
        {
            return fail("one that is too old stays");
        }
        // Nothing goes without need: before each removal there was a reason.
        let mut bytes: u64 = entries.iter().filter(|e| e.class == class).map(|e| e.size).sum();
        for (i, reason) in of_class() {
            let old = budget.age > 0 && now - entries[*i].time > budget.age as i64;
            let fine = match reason {
                Reason::Budget => bytes > budget.most,
                Reason::Age => old,
                Reason::Room => class != Class::Dump,
            };
            if !fine {
                return fail("one goes without a reason");
            }
            bytes -= entries[*i].size;
        }
    }
    let room: u64 = free.saturating_add(freed);
    let before_last = |(i, reason): &(usize, Reason)| {
        *reason == Reason::Room && room.saturating_sub(entries[*i].size) >= needed
    };
    if removals.last().is_some_and(before_last) {
        return fail("more goes than is needed");
    }
    if verdict.short_bytes != needed.saturating_sub(room) {
        return fail("it does not say what is missing");
    }
    if verdict.short_bytes > 0 {
        for (class, budget) in [(Class::Log, policy.logs), (Class::Bundle, policy.bundles)] {
            if left(class).len() > budget.keep {
                return fail("it says that it cannot, and could");
            }
        }
    }
    Ok(())
}

struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn budget(&mut self) -> Budget {
        let most = [0, 10, 100, u64::MAX][self.below(4) as usize];
        Budget { most, keep: self.below(4) as usize, age: self.below(3) * 40 }
    }
}

type Case = (Vec<Entry>, Policy, i64, u64, u64);

fn case(random: &mut Random, entries: &mut Vec<Entry>) -> (Policy, i64, u64, u64) {
    entries.clear();
    for n in 0..random.below(12) {
        let class = [Class::Log, Class::Dump, Class::Bundle, Class::Unknown][random.below(4) as usize];
        // Names say nothing about age.
        let name = format!("{}{n}", (b'a' + random.below(26) as u8) as char);
        let size = [0, 1, 7, 50, 1000][random.below(5) as usize];
        entries.push(Entry { name, size, time: random.below(100) as i64, class });
    }
    let policy = Policy::new(random.budget(), random.budget(), random.budget());
    (policy, random.below(120) as i64, random.below(60), random.below(200))
}

fn cases(
    count: u64,
    seed: u64,
    check: impl Fn(&[Entry], &Policy, i64, u64, u64) -> Result<(), String>,
) -> Result<(), Box<(String, Case)>> {
    let mut random = Random(seed);
    let mut entries = Vec::new();
    for _ in 0..count {
        let (policy, now, free, needed) = case(&mut random, &mut entries);
        if let Err(why) = check(&entries, &policy, now, free, needed) {
            return Err(Box::new((why, (entries, policy, now, free, needed))));
        }
    }
    Ok(())
}

fn holds(entries: &[Entry], policy: &Policy, now: i64, free: u64, needed: u64) -> Result<(), String> {
    law(entries, policy, now, free, needed, &retain(entries, policy, now, free, needed))
}

#[test]
fn for_any_files_whatever() {
    cases(100_000, 1, holds).unwrap();
}

/// Ten million; ESOS_SLOW=1, and `--release`: a minute of processor instead of half an hour.
#[test]
fn for_ten_million() {
    if std::env::var_os("ESOS_SLOW").is_none() {
        println!("skipped: for_ten_million: set ESOS_SLOW=1");
        return;
    }
    std::thread::scope(|scope| {
        for seed in 2..4 {
            scope.spawn(move || cases(5_000_000, seed, holds).unwrap());
        }
    });
    println!("10000000 cases");
}

/// Ten ways to get it wrong; the law notices each within a few thousand cases.
#[test]
fn ten_mutants_are_killed() {
    type Mutant = fn(&[Entry], &Policy, i64, u64, u64) -> Verdict;
    fn with(
        entries: &[Entry],
        policy: &Policy,
        now: i64,
        free: u64,
        needed: u64,
        change: impl Fn(usize, &mut Entry),
    ) -> Verdict {
        let mut changed = entries.to_vec();
        changed.iter_mut().enumerate().for_each(|(i, e)| change(i, e));
        retain(&changed, policy, now, free, needed)
    }
    fn budgets(policy: &Policy, change: impl Fn(Budget) -> Budget) -> Policy {
        Policy::new(change(policy.logs), change(policy.dumps), change(policy.bundles))
    }
    let mutants: [(&str, Mutant); 10] = [
        ("by the order of names, as the original", |e, p, now, f, n| {
            with(e, p, now, f, n, |_, e| e.time = i64::from(e.name.as_bytes()[0]) - 60)
        }),
        ("the newest first", |e, p, now, f, n| with(e, p, now, f, n, |_, e| e.time = 100 - e.time)),
        ("unknown files are logs", |e, p, now, f, n| {
            with(e, p, now, f, n, |_, e| {
                if e.class == Class::Unknown {
                    e.class = Class::Log;
                }
            })
        }),
        ("dumps are logs", |e, p, now, f, n| {
            with(e, p, now, f, n, |_, e| {
                if e.class == Class::Dump {
                    e.class = Class::Log;
                }
            })
        }),
        ("one less is kept", |e, p, now, f, n| {
            retain(e, &budgets(p, |b| Budget { keep: b.keep.saturating_sub(1), ..b }), now, f, n)
        }),
        ("one more is kept", |e, p, now, f, n| {
            retain(e, &budgets(p, |b| Budget { keep: b.keep + 1, ..b }), now, f, n)
        }),
        ("budgets are forgotten", |e, p, now, f, n| {
            retain(e, &budgets(p, |b| Budget { most: u64::MAX, ..b }), now, f, n)
        }),
        ("ages are forgotten", |e, p, now, f, n| {
            retain(e, &budgets(p, |b| Budget { age: 0, ..b }), now, f, n)
        }),
        ("twice the room", |e, p, now, f, n| retain(e, p, now, f, n * 2)),
        ("what is free is forgotten", |e, p, now, _, n| retain(e, p, now, 0, n)),
    ];
    for (name, mutant) in mutants {
        let killed = cases(20_000, 9, |e, p, now, f, n| law(e, p, now, f, n, &mutant(e, p, now, f, n)));
        let why = killed.expect_err(name).0;
        println!("{name}: {why}");
    }
}
