//! A program that crashes at once, again and again, under each supervisor's own defaults.

use std::time::Duration;

use super::super::child::Behaviour;
use super::super::measure::millis;
use super::super::pause;
use super::super::peers::{Peer, Started};
use super::super::processes::{self, Usage};
use super::super::section::Section;
use crate::error::Error;

const LIMIT: Duration = Duration::from_secs(30);

/// Runs them all at once for so long, from the first crash of each.
pub(super) fn measure(peers: &[&Peer], seconds: u64) -> Result<Section, Error> {
    let peers = peers.iter().copied().filter(|peer| peer.restarts);
    let mut running = Vec::new();
    for peer in peers {
        let mut started = peer.start(1, Behaviour::Crash)?;
        let births = started.births.wait(1, LIMIT, peer.name)?.len();
        let before = usage(&started);
        running.push((peer, started, births, before));
    }
    pause(Duration::from_secs(seconds))?;
    let mut rows = Vec::new();
    for (peer, mut started, births, before) in running {
        let births = births + started.births.take()?.len();
        let used = usage(&started).since(before);
        let values = [births as f64, millis(used.cpu_nanos), used.wake_ups as f64];
        rows.push((super::name(peer), values.map(Some).to_vec()));
        // One that has given up may have gone by itself.
        let _ = started.subject.signal(peer.stop);
        started.subject.wait(LIMIT)?;
    }
    Ok(Section {
        key: "restart_storm",
        title: format!(
            "A program that crashes at once, {seconds} s with each supervisor's defaults, all at once: starts, and what \
             the supervisor itself used"
        ),
        columns: &[("starts", 0), ("CPU ms", 2), ("wake-ups", 0)],
        rows,
        goals: Vec::new(),
    })
}

fn usage(started: &Started) -> Usage {
    Usage::of(&processes::tree(started.subject.pid(), &[]))
}
