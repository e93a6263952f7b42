//! Replays recorded writes: `replay REPLAY.json`. Prints per transcript what was equal; exits 0 when
//! everything was.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an example is a program"
)]
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: replay REPLAY.json");
        return ExitCode::from(2);
    };
    let dir = Path::new(&file).parent().unwrap_or(Path::new("."));
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).map_err(|e| e.to_string());
    let replayed = std::fs::read_to_string(&file)
        .map_err(|e| format!("{file}: {e}"))
        .and_then(|text| esos_scst_sim::replay::replay(&text, &read).map_err(|e| e.to_string()));
    let scores = match replayed {
        Ok(scores) => scores,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(3);
        }
    };
    let mut equal = true;
    for score in &scores {
        println!(
            "{}: {} operations, {} results equal, {} of {} deltas equal",
            score.transcript, score.operations, score.results_equal, score.deltas_equal, score.deltas
        );
        score.differences.iter().for_each(|d| println!("  {d}"));
        equal &= score.is_equal();
    }
    if equal { ExitCode::SUCCESS } else { ExitCode::from(4) }
}
