//! How exactly a supervisor keeps the limit at which it kills a program that ignores `SIGTERM`.

use std::time::Duration;

use super::super::child::Behaviour;
use super::super::ends::Ends;
use super::super::measure::{millis, monotonic, percentile};
use super::super::pause;
use super::super::peers::{Peer, STOP_LIMIT, Started};
use super::super::section::{Goal, Section};
use crate::error::Error;

const LIMIT: Duration = Duration::from_secs(20);
/// Between two requests, so that no two kills fall together.
const APART: Duration = Duration::from_millis(20);

pub(super) fn measure(peers: &[&Peer], rounds: u32) -> Result<Section, Error> {
    let peers: Vec<&Peer> = peers.iter().copied().filter(|peer| peer.kills).collect();
    let mut late = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        for (late, nanos) in late.iter_mut().zip(round(&peers)?) {
            late.push(nanos);
        }
    }
    let limit = millis(u64::try_from(STOP_LIMIT.as_nanos()).expect("it is short"));
    let rows: Vec<_> = peers
        .iter()
        .zip(&late)
        .map(|(peer, nanos)| {
            let values = [50, 0, 100].map(|percent| millis(percentile(nanos, percent)) - limit);
            (super::name(peer), values.map(Some).to_vec())
        })
        .collect();
    let goal = super::of_winddown(&rows)
        .and_then(|values| values[2])
        .map(|is| Goal {
            what: "the latest kill after the limit",
            at_most: 5.0,
            is,
            unit: " ms",
        });
    Ok(Section {
        key: "kill_accuracy",
        title: format!(
            "A program that ignores SIGTERM, with a limit of {limit} ms: its end after the limit, {rounds} rounds; \
             the others set no limit"
        ),
        columns: &[("median ms", 1), ("min ms", 1), ("max ms", 1)],
        rows,
        goals: goal.into_iter().collect(),
    })
}

/// Asks each, and gives the nanoseconds until its program had ended.
fn round(peers: &[&Peer]) -> Result<Vec<u64>, Error> {
    let mut running = Vec::new();
    let mut pids = Vec::new();
    for peer in peers {
        let (started, birth) = peer.start_one(Behaviour::Deaf)?;
        pids.push(birth.pid);
        running.push((*peer, started));
    }
    let ends = Ends::of(&pids)?;
    let mut asked = Vec::new();
    for (peer, started) in &running {
        asked.push(monotonic());
        started.subject.signal(peer.stop)?;
        pause(APART)?;
    }
    let ends = ends.wait(LIMIT)?;
    let mut nanos = Vec::new();
    for (((_, Started { subject, .. }), end), asked) in running.into_iter().zip(ends).zip(asked) {
        let end = end.ok_or_else(|| subject.failed("did not kill its program"))?;
        nanos.push(end.saturating_sub(asked));
        subject.wait(LIMIT)?;
    }
    Ok(nanos)
}
