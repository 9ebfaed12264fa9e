use super::Lane;
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;
use crate::targets;

pub(super) const LANE: Lane = Lane {
    name: "linux",
    shows: "real processes on Linux: signals, supervision, and the stop of well-known servers",
    needs: &[
        Need::Subcommand("cargo-nextest"),
        Need::Package {
            name: "gcc",
            provides: "cc",
        },
        Need::Package {
            name: "procps",
            provides: "ps",
        },
        Need::Package {
            name: "python3",
            provides: "python3",
        },
        Need::Package {
            name: "nginx-light",
            provides: "nginx",
        },
        Need::Package {
            name: "redis-server",
            provides: "redis-server",
        },
        Need::Package {
            name: "postgresql",
            provides: "/usr/lib/postgresql",
        },
        Need::Package {
            name: "nodejs",
            provides: "node",
        },
        Need::Package {
            name: "default-jdk-headless",
            provides: "javac",
        },
        Need::Package {
            name: "golang-go",
            provides: "go",
        },
        Need::Package {
            name: "golang-github-kardianos-service-dev",
            provides: "/usr/share/gocode/src/github.com/kardianos/service",
        },
        Need::Package {
            name: "tini",
            provides: "tini",
        },
        Need::Package {
            name: "dumb-init",
            provides: "dumb-init",
        },
        Need::Package {
            name: "catatonit",
            provides: "catatonit",
        },
        Need::Package {
            name: "s6",
            provides: "s6-svscan",
        },
        Need::Package {
            name: "runit",
            provides: "runsv",
        },
        Need::Package {
            name: "supervisor",
            provides: "supervisord",
        },
        Need::Package {
            name: "wrk",
            provides: "wrk",
        },
        Need::Package {
            name: "uvicorn",
            provides: "uvicorn",
        },
        Need::Package {
            name: "mandoc",
            provides: "mandoc",
        },
    ],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    let names = targets::of_lane("linux")?;
    targets::build_programs(session)?;
    session.check(
        Cmd::cargo()
            .args(["nextest", "run", "--workspace", "--profile=processes"])
            .args(targets::arguments(&names))
            .limit_seconds(1200),
    )
}
