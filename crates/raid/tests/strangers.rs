//! Captures as other people send them: written by another shell, mailed, pasted. The facts stay the same.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the captures are read in place, are whole, and counts are told"
)]
mod captures;

use captures::{captures, cases, corpus, name};
use esos_raid::{Capture, Facts, Tool, parse};

type Alter = fn(&[u8]) -> Vec<u8>;

fn lines(bytes: &[u8], each: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    bytes.split(|b| *b == b'\n').map(each).collect::<Vec<_>>().join(&b'\n')
}

const ALTERATIONS: [(&str, Alter); 6] = [
    ("line ends of Windows", |out| {
        lines(out, |line| [line.strip_suffix(b"\r").unwrap_or(line), b"\r"].concat())
    }),
    ("blanks behind every line", |out| {
        lines(out, |line| if line.trim_ascii().is_empty() { line.to_vec() } else { [line, b"   "].concat() })
    }),
    ("a byte order mark", |out| ["\u{feff}".as_bytes(), out].concat()),
    ("UTF-16", |out| {
        let text = String::from_utf8_lossy(out);
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect()
    }),
    ("no last line end", |out| out.trim_ascii_end().to_vec()),
    ("lines in front", |out| [b"\n\n", out].concat()),
];

/// Everything but the words of errors, which name lines and columns.
fn seen(facts: &Facts) -> String {
    let kinds: Vec<_> = facts.error.iter().chain(&facts.more_errors).map(|p| p.kind).collect();
    let doubts = facts.doubts.len();
    let lists = (&facts.controllers, &facts.groups, &facts.arrays, &facts.drives, &facts.bbu, &facts.ops);
    let more = (&facts.enclosures, &facts.results, &facts.empty_slots, &facts.malformed_rows, &facts.foreign);
    let counts = (facts.controller_count, &facts.foreign_configs, facts.foreign_pds, &facts.complete);
    format!("{lists:?} {more:?} {counts:?} {kinds:?} {doubts}")
}

#[test]
fn the_way_of_a_capture_does_not_change_it() {
    let Some(dir) = corpus() else { return };
    let mut count = 0;
    let mut wrong = Vec::new();
    for (tool, case, _) in cases(&dir) {
        let whole = captures(tool, &case);
        let before = seen(&parse(tool, &whole));
        for (what, alter) in ALTERATIONS {
            let mut altered = whole.clone();
            altered.iter_mut().for_each(|c| c.out = alter(&c.out));
            // What held nothing holds something now, and is told apart.
            if whole.iter().any(|c| c.out.trim_ascii().is_empty()) {
                continue;
            }
            count += 1;
            if seen(&parse(tool, &altered)) != before {
                wrong.push(format!("{tool}/{}: {what}", name(&case)));
            }
        }
    }
    println!("{count} altered cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_of_newer_tools() {
    let arcconf = |word: &str| {
        let out = format!(
            "Controllers found: 1\nLogical device information\nLogical Device number 0\n   \
             RAID level                               : 5\n   \
             Status of Logical Device                 : {word}\nCommand completed successfully.\n"
        );
        let facts = parse(Tool::Arcconf, &[Capture::new("x", "arcconf GETCONFIG 1 LD", out)]);
        facts.arrays[0].state.as_ref().unwrap().as_str().to_owned()
    };
    for (word, state) in [
        ("Ready for Rebuild", "degraded"),
        ("Recovering", "rebuilding"),
        ("Expanding", "migrating"),
        ("Logical Device is offline", "failed"),
        ("Degraded, Rebuilding", "degraded"),
        ("Something Else", "unknown"),
    ] {
        assert_eq!(arcconf(word), state, "{word}");
    }
    let storcli = |word: &str| {
        let out = format!(
            r#"{{"Controllers":[{{"Command Status":{{"Controller":0,"Status":"Success"}},"Response Data":{{"X":[{{"EID:Slt":"1:2","State":"{word}","DG":0,"Size":"1 TB","Alt-EID":"1","LU/NS Count":1}}]}}}}]}}"#
        );
        let facts = parse(Tool::Storcli, &[Capture::new("x", "storcli64 /c0/eall/sall show J", out)]);
        facts.drives[0].state.as_ref().unwrap().as_str().to_owned()
    };
    for (word, state) in [
        ("CFShld", "online"),
        ("HSPShld", "spare"),
        ("UBUnsp", "bad"),
        ("CBShld", "copyback"),
        ("UGShld", "unknown"),
    ] {
        assert_eq!(storcli(word), state, "{word}");
    }
}
