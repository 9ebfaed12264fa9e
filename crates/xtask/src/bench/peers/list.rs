//! The supervisors.

use std::time::Duration;

use rustix::process::Signal;

use super::{Peer, SETTLED, files};
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::workspace;

/// The first, no supervisor at all, is what the others are compared with.
pub(in crate::bench) const PEERS: [Peer; 12] = [
    Peer {
        through: Some(|program| Cmd::new(&program[0]).args(&program[1..])),
        ..Peer::new("direct", &[])
    },
    Peer {
        through: Some(|program| files::winddown_run().arg("--").args(program)),
        by_files: Some(files::winddown_definition),
        most: usize::MAX,
        kills: true,
        restarts: true,
        ..Peer::new("winddown run", &[])
    },
    Peer {
        through: Some(|program| Cmd::new("tini").args(["-s", "--"]).args(program)),
        ..Peer::new("tini", &[package("tini", "tini")])
    },
    Peer {
        through: Some(|program| Cmd::new("dumb-init").args(program)),
        ..Peer::new("dumb-init", &[package("dumb-init", "dumb-init")])
    },
    Peer {
        through: Some(|program| Cmd::new("catatonit").arg("--").args(program)),
        ..Peer::new("catatonit", &[package("catatonit", "catatonit")])
    },
    Peer {
        by_files: Some(files::s6_supervise),
        kills: true,
        restarts: true,
        ..Peer::new("s6-supervise", &[package("s6", "s6-supervise")])
    },
    Peer {
        by_files: Some(files::s6_svscan),
        most: usize::MAX,
        kills: true,
        ..Peer::new("s6-svscan", &[package("s6", "s6-svscan")])
    },
    Peer {
        by_files: Some(files::runsv),
        restarts: true,
        // It does not react in the first second.
        settled: Duration::from_millis(1_100),
        every: 10,
        ..Peer::new("runsv", &[package("runit", "runsv")])
    },
    Peer {
        by_files: Some(files::runsvdir),
        most: 1_000,
        stop: Signal::HUP,
        settled: Duration::from_millis(1_100),
        every: 10,
        ..Peer::new("runsvdir", &[package("runit", "runsvdir")])
    },
    Peer {
        by_files: Some(files::supervisord),
        most: usize::MAX,
        kills: true,
        restarts: true,
        every: 20,
        ..Peer::new("supervisord", &[package("supervisor", "supervisord")])
    },
    Peer {
        by_files: Some(files::circus),
        most: usize::MAX,
        kills: true,
        restarts: true,
        every: 20,
        ..Peer::new("circus", &[CIRCUS])
    },
    Peer {
        by_files: Some(files::pm2),
        // Some 70 kB of definition and 50 ms for each.
        most: 200,
        kills: true,
        restarts: true,
        settled: SETTLED,
        every: 40,
        ..Peer::new("pm2", &[package("npm", "npm"), PM2])
    },
];

const fn package(name: &'static str, provides: &'static str) -> Need {
    Need::Package { name, provides }
}

const CIRCUS: Need = Need::Made {
    what: "circus",
    is_there: || files::circusd().exists(),
    make: || {
        let python = workspace::target("tools/python");
        let venv = Cmd::new("python3").args(["-m", "venv"]).arg(&python);
        venv.run()?.0?;
        let pip = Cmd::new(python.join("bin/pip")).args(["install", "--quiet", "circus"]);
        run(pip)
    },
};

const PM2: Need = Need::Made {
    what: "pm2",
    is_there: || files::pm2_runtime().exists(),
    make: || {
        let npm = Cmd::new("npm").args(["install", "--silent", "--prefix"]);
        run(npm.arg(workspace::target("tools/node")).arg("pm2"))
    },
};

fn run(command: Cmd) -> Result<(), Error> {
    command.limit_seconds(900).run()?.0
}
