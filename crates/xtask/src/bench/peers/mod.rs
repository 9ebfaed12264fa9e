//! Supervisors that are measured, and how each is started and stopped. What they run is `assets/bench/child.c`.

mod files;
mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::child::{self, Behaviour, Birth, Births};
use super::measure::monotonic;
use super::pause;
use super::subject::Subject;
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::workspace;

pub(super) use list::PEERS;

/// How long a stop may take where a supervisor can be told.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(2);
/// What a supervisor may take to start one program.
const START_LIMIT: Duration = Duration::from_secs(30);
/// A supervisor is asked out of a sleep that has lasted for a while, as it is in its life, and not on the way into it.
const SETTLED: Duration = Duration::from_millis(150);

/// A supervisor.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) needs: &'static [Need],
    /// Runs a program with its arguments and ends with it.
    pub(super) through: Option<Through>,
    /// Runs what the files that it writes say.
    pub(super) by_files: Option<ByFiles>,
    /// How many services it can run; 0 where it is measured with one only.
    pub(super) most: usize,
    /// Whether it kills what has not ended within a limit.
    pub(super) kills: bool,
    /// Whether it starts again what has ended.
    pub(super) restarts: bool,
    /// What asks it to stop its services and itself.
    pub(super) stop: Signal,
    /// How long after a start it is as it will be.
    pub(super) settled: Duration,
    /// One that takes seconds to start is measured in one of so many rounds.
    pub(super) every: u32,
}

type Through = fn(&[String]) -> Cmd;
type ByFiles = fn(&Plan) -> Result<Cmd, Error>;

impl Peer {
    /// What the supervisors have in common.
    const fn new(name: &'static str, needs: &'static [Need]) -> Self {
        Self {
            name,
            needs,
            through: None,
            by_files: None,
            most: 0,
            kills: false,
            restarts: false,
            stop: Signal::TERM,
            settled: SETTLED,
            every: 1,
        }
    }

    /// Starts so many services of that behaviour.
    pub(super) fn start(&self, services: usize, behaviour: Behaviour) -> Result<Started, Error> {
        let directory = fresh_directory(self.name)?;
        let births = Births::listen(&directory)?;
        let plan = Plan {
            directory: &directory,
            services,
            behaviour,
        };
        // What else matters of the program is told by files, where there are any.
        let single = services == 1 && behaviour == Behaviour::Stop;
        let command = match (self.through, self.by_files) {
            (Some(through), by_files) if single || by_files.is_none() => through(&plan.program()),
            (_, Some(by_files)) => by_files(&plan)?,
            (_, None) => unreachable!("a supervisor runs a program in one way at least"),
        };
        let at = monotonic();
        Ok(Started {
            subject: Subject::start_unheard(self.name, command)?,
            births,
            at,
        })
    }

    /// Starts it around one program, and waits until both are at rest.
    pub(super) fn start_one(&self, behaviour: Behaviour) -> Result<(Started, Birth), Error> {
        let mut started = self.start(1, behaviour)?;
        let birth = started.births.wait(1, START_LIMIT, self.name)?[0];
        let subject = &started.subject;
        subject.wait_until("did not come to rest", START_LIMIT, Subject::sleeps)?;
        pause(self.settled)?;
        Ok((started, birth))
    }
}

/// A supervisor that was started, and the births of its programs.
pub(super) struct Started {
    pub(super) subject: Subject,
    pub(super) births: Births,
    /// When it was started, on `CLOCK_MONOTONIC` in nanoseconds.
    pub(super) at: u64,
}

/// What to run.
pub(super) struct Plan<'a> {
    pub(super) directory: &'a Path,
    services: usize,
    behaviour: Behaviour,
}

impl Plan<'_> {
    /// The program of a service, and its arguments.
    fn program(&self) -> [String; 3] {
        [
            child::executable().display().to_string(),
            Births::path(self.directory).display().to_string(),
            self.behaviour.word().to_owned(),
        ]
    }

    fn names(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.services).map(|number| format!("s{number:04}"))
    }
}

/// Those that are installed here; says in a line what is not.
pub(super) fn installed() -> Vec<&'static Peer> {
    let mut installed = Vec::new();
    for peer in &PEERS {
        match peer.needs.iter().find(|need| !need.is_met()) {
            Some(missing) => eprintln!(
                "note: {} is left out: {missing} is not installed; cargo xtask setup bench",
                peer.name
            ),
            None => installed.push(peer),
        }
    }
    installed
}

pub(super) fn fresh_directory(name: &str) -> Result<PathBuf, Error> {
    let directory = workspace::target("bench/peers").join(name.replace(' ', "-"));
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(Error::file(&directory))?;
    }
    fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
    Ok(directory)
}
