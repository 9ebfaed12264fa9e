use super::Lane;
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;
use crate::targets;

pub(super) const LANE: Lane = Lane {
    name: "pid1",
    shows: "process 1 of a pid namespace, as in a container",
    needs: &[
        Need::Root,
        Need::Subcommand("cargo-nextest"),
        Need::Package {
            name: "util-linux",
            provides: "unshare",
        },
    ],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    let names = targets::of_lane("pid1")?;
    targets::build_programs(session)?;
    session.check(
        Cmd::cargo()
            .args(["nextest", "run", "--workspace", "--profile=processes"])
            .args(targets::arguments(&names))
            .limit_seconds(900),
    )
}
