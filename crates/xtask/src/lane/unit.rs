use super::Lane;
use crate::command::Cmd;
use crate::error::Error;
use crate::session::Session;
use crate::{targets, workspace};

pub(super) const LANE: Lane = Lane {
    name: "unit",
    shows: "rules, tables, snapshots and examples in the documentation",
    needs: &[],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    let names = targets::of_lane("unit")?;
    session.check(
        runner()
            .args(["--workspace", "--all-features", "--lib", "--bins"])
            .args(targets::arguments(&names))
            .limit_seconds(1200),
    )?;
    session.check(
        Cmd::cargo()
            .args(["test", "--workspace", "--all-features", "--doc"])
            .limit_seconds(900),
    )
}

/// nextest, or what comes with cargo: this one lane runs wherever Rust is.
fn runner() -> Cmd {
    match workspace::find_program("cargo-nextest") {
        Some(_) => Cmd::cargo().args(["nextest", "run"]),
        None => Cmd::cargo().args(["test", "--no-fail-fast"]),
    }
}
