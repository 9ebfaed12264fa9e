//! One supervisor of many programs.

use std::time::Duration;

use super::super::child::Behaviour;
use super::super::ends::Ends;
use super::super::measure::monotonic;
use super::super::pause;
use super::super::peers::Peer;
use super::super::processes::{self, Memory};
use super::super::section::{Goal, Section};
use crate::error::Error;

/// What a supervisor may take to start all, and to stop all.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a supervisor may still be busy with a start after its programs run.
const SETTLED: Duration = Duration::from_secs(2);

pub(super) fn measure(peers: &[&Peer], sizes: &[usize]) -> Result<Section, Error> {
    let mut rows = Vec::new();
    let mut goals = Vec::new();
    for size in sizes {
        for peer in peers.iter().filter(|peer| peer.most >= *size) {
            let figures = many(peer, *size)?;
            if peer.name == "winddown run" && *size >= 1_000 {
                goals = figures.goals();
            }
            rows.push((format!("{size} by {}", peer.name), figures.cells()));
        }
    }
    Ok(Section {
        key: "many",
        title: "Many programs, each a service: memory of all supervising processes, and the times until all have \
                begun, all have ended, and the supervisor has"
            .to_owned(),
        columns: &[
            ("RSS MB", 1),
            ("PSS MB", 1),
            ("begun s", 3),
            ("ended s", 3),
            ("gone s", 3),
        ],
        rows,
        goals,
    })
}

struct Figures {
    memory: Memory,
    begun: f64,
    ended: f64,
    gone: f64,
}

impl Figures {
    fn cells(&self) -> Vec<Option<f64>> {
        let megabytes = |kb: u64| kb as f64 / 1e3;
        let memory = [self.memory.rss_kb, self.memory.pss_kb].map(megabytes);
        let times = [self.begun, self.ended, self.gone];
        memory.into_iter().chain(times).map(Some).collect()
    }

    fn goals(&self) -> Vec<Goal> {
        let goal = |what, at_most, is, unit| Goal {
            what,
            at_most,
            is,
            unit,
        };
        vec![
            goal(
                "winddown and 1,000 programs gone",
                0.15,
                self.ended.max(self.gone),
                " s",
            ),
            goal(
                "RSS for 1,000 programs",
                5.0,
                self.memory.rss_kb as f64 / 1e3,
                " MB",
            ),
        ]
    }
}

fn many(peer: &Peer, size: usize) -> Result<Figures, Error> {
    let mut started = peer.start(size, Behaviour::Stop)?;
    let births = started.births.wait(size, LIMIT, peer.name)?;
    let subject = started.subject;
    let begun = births
        .iter()
        .map(|birth| birth.at)
        .max()
        .unwrap_or_default();
    pause(SETTLED)?;
    let mut pids: Vec<_> = births.iter().map(|birth| birth.pid).collect();
    let memory = Memory::of(&processes::tree(subject.pid(), &pids));

    pids.push(subject.pid());
    let ends = Ends::of(&pids)?;
    let asked = monotonic();
    subject.signal(peer.stop)?;
    let ends: Option<Vec<u64>> = ends.wait(LIMIT)?.into_iter().collect();
    let Some((gone, ended)) = ends.as_deref().and_then(<[u64]>::split_last) else {
        return Err(subject.failed("did not end all its programs and itself"));
    };
    subject.wait(LIMIT)?;
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e9;
    Ok(Figures {
        memory,
        begun: seconds(started.at, begun),
        ended: seconds(asked, ended.iter().copied().max().unwrap_or_default()),
        gone: seconds(asked, *gone),
    })
}
