//! Prints the table of included software, as `docs/software.md` has it.
#![expect(clippy::print_stdout, reason = "it prints a document")]
fn main() -> Result<(), esos_diag::ParseError> {
    print!("{}", esos_bootimg::manifest::software::markdown()?);
    Ok(())
}
