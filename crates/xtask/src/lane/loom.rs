use super::Lane;
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;
use crate::{targets, workspace};

pub(super) const LANE: Lane = Lane {
    name: "loom",
    shows: "that no interleaving of threads loses a stop or runs a cleanup twice",
    needs: &[Need::Subcommand("cargo-nextest")],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    let names = targets::of_lane("loom")?;
    session.check(
        Cmd::cargo()
            .args(["nextest", "run", "--package=winddown-core"])
            .args(targets::arguments(&names))
            .env("RUSTFLAGS", "--cfg loom")
            // Every test runs thousands of times.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "2")
            .env("CARGO_TARGET_DIR", workspace::target("loom"))
            .limit_seconds(900),
    )
}
