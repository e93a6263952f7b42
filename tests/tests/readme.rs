//! The console blocks of README.md do what they show.
//!
//! A block is run line by line: `$ command`, then what it prints (both streams), then `? N` where its
//! exit code is not 0. `[..]` stands for anything within a line, `...` alone for any lines. A block
//! behind the comment `<!-- vm -->` needs a virtual machine; it runs with `ESOS_VM=all`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::{Level, allowed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[derive(Debug, PartialEq)]
struct Step {
    line: usize,
    command: String,
    output: Vec<String>,
    exit: i32,
    vm: bool,
}

fn steps(text: &str) -> Vec<Step> {
    let (mut steps, mut inside, mut vm) = (Vec::<Step>::new(), false, false);
    for (n, line) in text.lines().enumerate() {
        match (inside, line) {
            (false, "<!-- vm -->") => vm = true,
            (false, "```console") => inside = true,
            (true, "```") => (inside, vm) = (false, false),
            (true, _) => match (line.strip_prefix("$ "), line.strip_prefix("? "), steps.last_mut()) {
                (Some(command), ..) => steps.push(Step {
                    line: n + 1,
                    command: command.to_owned(),
                    output: Vec::new(),
                    exit: 0,
                    vm,
                }),
                (None, Some(code), Some(step)) => step.exit = code.parse().unwrap(),
                (None, None, Some(step)) => step.output.push(line.to_owned()),
                _ => unreachable!("README.md:{}: output before a command", n + 1),
            },
            _ => {}
        }
    }
    steps
}

/// Whether a line is as shown; `[..]` stands for anything.
fn line_fits(shown: &str, line: &str) -> bool {
    let mut parts = shown.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether the lines are as shown; `...` stands for any lines.
fn fits(shown: &[String], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((dots, more)) if dots == "..." => (0..=lines.len()).any(|n| fits(more, &lines[n..])),
        Some((first, more)) => {
            lines.split_first().is_some_and(|(line, rest)| line_fits(first, line) && fits(more, rest))
        }
    }
}

/// The binaries as cargo builds them for tests.
fn binaries() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--bins", "--exclude", "esos-init", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    // This test lies in `deps` beside them.
    std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned()
}

#[test]
fn what_readme_shows_is_what_happens() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let steps = steps(&text);
    assert!(steps.len() > 5, "README.md has only {} commands", steps.len());
    let path = format!("{}:{}", binaries().display(), std::env::var("PATH").unwrap());
    for step in steps {
        if step.vm && !allowed(&format!("README.md:{} `{}`", step.line, step.command), Level::All) {
            continue;
        }
        let output = Command::new("bash")
            .args(["-c", &format!("exec 2>&1; {}", step.command)])
            .current_dir(root())
            .env("PATH", &path)
            .env("COLUMNS", "100")
            .env_remove("CLICOLOR_FORCE")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
        let shown = step.output.join("\n");
        assert!(
            fits(&step.output, &lines),
            "README.md:{}: `{}` shows\n{shown}\nbut prints\n{said}",
            step.line,
            step.command
        );
        assert_eq!(
            output.status.code(),
            Some(step.exit),
            "README.md:{}: `{}`\n{said}",
            step.line,
            step.command
        );
    }
}

#[test]
fn wildcards_are_no_blank_cheque() {
    let shown: Vec<String> = ["a [..] c", "...", "end"].map(str::to_owned).to_vec();
    assert!(fits(&shown, &["a b c", "x", "y", "end"]) && fits(&shown, &["a  c", "end"]));
    assert!(!fits(&shown, &["a b", "end"]) && !fits(&shown, &["a b c", "end", "more"]));
    assert!(!fits(&["x".to_owned()], &[]) && fits(&[], &[]));
    let parsed = steps("```console\n$ false\n? 1\n```\n");
    assert_eq!((parsed[0].exit, parsed[0].output.len()), (1, 0));
}
