//! systemd, which supervises as process 1 only: in a container, told by `systemctl`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::super::child::{self, Behaviour, Birth, Births};
use super::super::ends::Ends;
use super::super::measure::{millis, monotonic};
use super::super::pause;
use super::super::peers::{self, STOP_LIMIT};
use super::super::processes::{self, Memory, Usage};
use super::super::section::Section;
use super::super::subject::Subject;
use crate::command::Cmd;
use crate::error::Error;
use crate::lane::systemd as container;
use crate::workspace;

const LIMIT: Duration = Duration::from_secs(90);
const SETTLED: Duration = Duration::from_secs(2);

pub(super) fn is_there() -> bool {
    rustix::process::geteuid().is_root() && container::root_is_complete().exists()
}

pub(super) fn measure(sizes: &[usize], seconds: u64) -> Result<Section, Error> {
    let machine = Machine::boot()?;
    let mut rows = Vec::new();
    for size in sizes {
        let figures = machine.many(*size)?;
        rows.push((format!("{size} by systemd"), figures.map(Some).to_vec()));
    }
    let late = machine.kill()?;
    let [starts, cpu] = machine.storm(seconds)?;
    machine.power_off()?;
    let limit = STOP_LIMIT.as_millis();
    Ok(Section {
        key: "systemd",
        title: format!(
            "systemd in a container, from `systemctl` to the end of the programs and of the command; memory is that of \
             process 1. A program that ignores SIGTERM ended {late:.1} ms after its limit of {limit} ms; one that crashes \
             at once was started {starts} times in {seconds} s, for {cpu:.2} ms of CPU"
        ),
        columns: &[
            ("RSS MB", 1),
            ("PSS MB", 1),
            ("begun s", 3),
            ("ended s", 3),
            ("gone s", 3),
        ],
        rows,
        goals: Vec::new(),
    })
}

/// A container that runs.
struct Machine {
    nspawn: Subject,
    leader: Pid,
    directory: PathBuf,
}

impl Machine {
    fn boot() -> Result<Self, Error> {
        let bench = container::bind("--bind=", workspace::target("bench"));
        let nspawn = Subject::start_unheard("systemd-nspawn", container::boot(bench))?;
        let outside = nspawn.pid().as_raw_nonzero().get().unsigned_abs();
        let leader = container::wait_for_leader(outside)?;
        container::wait_until_booted(&leader)?;
        let leader = leader.parse().ok().and_then(Pid::from_raw);
        Ok(Self {
            nspawn,
            leader: leader.expect("it is a pid"),
            directory: peers::fresh_directory("systemd")?,
        })
    }

    fn systemctl(&self) -> Cmd {
        container::enter(&self.leader.as_raw_nonzero().to_string()).arg("systemctl")
    }

    /// Writes a template of units whose program behaves so; listens to its births.
    fn unit(&self, behaviour: Behaviour, settings: &str) -> Result<Births, Error> {
        let word = behaviour.word();
        let directory = self.directory.join(word);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        let unit = processes::directory(self.leader)
            .join(format!("root/run/systemd/system/{word}@.service"));
        let program = child::executable();
        let text = format!(
            "[Service]\nExecStart={} {} {word}\n{settings}",
            program.display(),
            Births::path(&directory).display()
        );
        fs::write(&unit, text).map_err(Error::file(&unit))?;
        self.systemctl().arg("daemon-reload").capture()?;
        Births::listen(&directory)
    }

    fn outside(&self, births: &[Birth]) -> Vec<Pid> {
        let numbers: Vec<Pid> = births.iter().map(|birth| birth.pid).collect();
        processes::numbered_by(self.leader, &numbers)
    }

    /// Memory, and the seconds until all have begun, all have ended, and the command has.
    fn many(&self, size: usize) -> Result<[f64; 5], Error> {
        let mut births = self.unit(Behaviour::Stop, "")?;
        let units = (1..=size).map(|number| format!("stop@{number}.service"));
        let began = monotonic();
        let start = Subject::start_unheard("systemctl", self.systemctl().arg("start").args(units))?;
        let births = births.wait(size, LIMIT, "systemd")?;
        start.wait(LIMIT)?;
        let begun = births.iter().map(|birth| birth.at).max();
        pause(SETTLED)?;
        let memory = Memory::of(&[self.leader]);
        let (ended, gone) = self.stop("stop@*.service", &self.outside(&births))?;
        Ok([
            memory.rss_kb as f64 / 1e3,
            memory.pss_kb as f64 / 1e3,
            begun.unwrap_or_default().saturating_sub(began) as f64 / 1e9,
            ended as f64 / 1e9,
            gone as f64 / 1e9,
        ])
    }

    /// Stops units: the nanoseconds until these programs have ended, and until the command has.
    fn stop(&self, units: &str, programs: &[Pid]) -> Result<(u64, u64), Error> {
        let ends = Ends::of(programs)?;
        let asked = monotonic();
        let stop = Subject::start_unheard("systemctl", self.systemctl().args(["stop", units]))?;
        let command = Ends::of(&[stop.pid()])?;
        let ended: Option<Vec<u64>> = ends.wait(LIMIT)?.into_iter().collect();
        let gone = command.wait(LIMIT)?[0];
        let (Some(ended), Some(gone)) = (ended, gone) else {
            return Err(stop.failed("did not stop everything"));
        };
        stop.wait(LIMIT)?;
        let ended = ended.into_iter().max().unwrap_or_default();
        Ok((ended.saturating_sub(asked), gone.saturating_sub(asked)))
    }

    /// How many milliseconds after its limit a program ends that ignores `SIGTERM`.
    fn kill(&self) -> Result<f64, Error> {
        let limit = format!("TimeoutStopSec={}\n", STOP_LIMIT.as_secs());
        let mut births = self.unit(Behaviour::Deaf, &limit)?;
        self.systemctl().args(["start", "deaf@1"]).capture()?;
        let births = births.wait(1, LIMIT, "systemd")?;
        let (ended, _) = self.stop("deaf@1.service", &self.outside(&births))?;
        Ok(millis(ended) - STOP_LIMIT.as_secs_f64() * 1e3)
    }

    /// How often a program is started that crashes at once, and the milliseconds of CPU of process 1.
    fn storm(&self, seconds: u64) -> Result<[f64; 2], Error> {
        let mut births = self.unit(Behaviour::Crash, "Restart=always\n")?;
        let before = Usage::of(&[self.leader]);
        self.systemctl().args(["start", "crash@1"]).capture()?;
        pause(Duration::from_secs(seconds))?;
        let used = Usage::of(&[self.leader]).since(before);
        Ok([births.take()?.len() as f64, millis(used.cpu_nanos)])
    }

    fn power_off(self) -> Result<(), Error> {
        self.nspawn.signal(Signal::TERM)?;
        self.nspawn.wait(LIMIT)
    }
}
