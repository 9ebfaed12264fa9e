//! How long the whole stop of a large tree takes that must be killed: until winddown has gone too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::super::measure::{millis, monotonic, percentile};
use super::super::pause;
use super::super::section::{Goal, Section};
use super::super::subject::Subject;
use crate::command::Cmd;
use crate::error::Error;
use crate::workspace;

const BUDGET: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(30);
/// Until all of a tree sleeps.
const SETTLE: Duration = Duration::from_millis(500);

/// What each tree is, and the script that makes it: none of its processes heeds `SIGTERM`.
const TREES: [(&str, &str); 2] = [
    (
        "500 children",
        "trap '' TERM; i=1; while [ $i -lt 500 ]; do sleep 300 & i=$((i+1)); done; echo up; wait",
    ),
    (
        "1000 daemons",
        "trap '' TERM; i=0; while [ $i -lt 1000 ]; do setsid sleep 300 & i=$((i+1)); done; echo up; wait",
    ),
];

/// An ordinary user may make no cgroup.
const ORDINARY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

pub(super) fn measure(rounds: u32) -> Result<Section, Error> {
    let directory = tempfile::tempdir().map_err(Error::file(Path::new("a temporary directory")))?;
    let winddown = directory.path().join("winddown");
    let all = || fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), all()).map_err(Error::file(directory.path()))?;
    fs::copy(workspace::target("release/winddown"), &winddown).map_err(Error::file(&winddown))?;

    let users: &[(&str, &[&str])] = match rustix::process::geteuid().is_root() {
        true => &[("root", &["env"]), ("an ordinary user", &ORDINARY)],
        false => &[("an ordinary user", &["env"])],
    };
    let mut rows = Vec::new();
    for (tree, script) in TREES {
        for (user, become_user) in users {
            let mut late = Vec::new();
            for _ in 0..rounds {
                late.push(stop(&winddown, become_user, script)?);
            }
            let values = [50, 0, 100].map(|percent| Some(millis(percentile(&late, percent))));
            rows.push((format!("{tree}, {user}"), values.to_vec()));
        }
    }
    let latest = rows.iter().filter_map(|(_, values)| values[2]);
    let goal = Goal {
        what: "the latest end after the limit",
        at_most: 100.0,
        is: latest.fold(0.0, f64::max),
        unit: " ms",
    };
    Ok(Section {
        key: "large_trees",
        title: format!(
            "A tree that ignores SIGTERM, with a limit of {} ms: the end of winddown run after the limit, {rounds} rounds",
            BUDGET.as_millis()
        ),
        columns: &[("median ms", 1), ("min ms", 1), ("max ms", 1)],
        rows,
        goals: vec![goal],
    })
}

/// The nanoseconds from the limit to the end of winddown.
fn stop(winddown: &Path, become_user: &[&str], script: &str) -> Result<u64, Error> {
    let command = Cmd::new(become_user[0])
        .args(&become_user[1..])
        .arg(winddown)
        .args(["run", "--stop-timeout", "1s", "--", "sh", "-c", script])
        .env("WINDDOWN_STATE_DIRECTORY", "");
    let mut subject = Subject::start("winddown run", command)?;
    while subject.line(LIMIT)? != "up" {}
    pause(SETTLE)?;
    let asked = monotonic();
    subject.signal(Signal::TERM)?;
    subject.wait(LIMIT)?;
    let budget = u64::try_from(BUDGET.as_nanos()).expect("it is short");
    Ok((monotonic() - asked).saturating_sub(budget))
}
