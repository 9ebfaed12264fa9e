//! From `SIGTERM` at a supervisor to the end of its program, and to its own.

use std::time::Duration;

use super::super::child::Behaviour;
use super::super::ends::Ends;
use super::super::measure::{millis, monotonic, percentile};
use super::super::peers::Peer;
use super::super::section::{Goal, Section};
use crate::error::Error;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Times {
    /// From the start to the program's first instruction.
    start: Vec<u64>,
    /// From the request to the end of the program.
    child: Vec<u64>,
    /// From the request to the end of the supervisor.
    supervisor: Vec<u64>,
}

pub(super) fn measure(peers: &[&Peer], rounds: u32) -> Result<Section, Error> {
    let mut measured: Vec<_> = peers.iter().map(|peer| (*peer, Times::default())).collect();
    for round in 0..rounds {
        // As in `stop_latency`: not always behind the same one.
        let mut order: Vec<_> = measured.iter_mut().collect();
        fastrand::shuffle(&mut order);
        for (peer, times) in order {
            if round % peer.every == 0 {
                stop(peer, times)?;
            }
        }
    }
    let direct = percentile(&measured[0].1.supervisor, 50) as f64;
    let rows: Vec<_> = measured
        .iter()
        .map(|(peer, times)| {
            let supervisor = percentile(&times.supervisor, 50);
            let values = [
                millis(percentile(&times.start, 50)),
                millis(percentile(&times.child, 50)),
                millis(percentile(&times.child, 99)),
                millis(supervisor),
                millis(percentile(&times.supervisor, 99)),
                supervisor as f64 / direct,
                times.child.len() as f64,
            ];
            (super::name(peer), values.map(Some).to_vec())
        })
        .collect();
    let goal = super::of_winddown(&rows)
        .and_then(|values| values[5])
        .map(|is| Goal {
            what: "SIGTERM to winddown gone, compared with no supervisor",
            at_most: 2.6,
            is,
            unit: " x",
        });
    Ok(Section {
        key: "stop_latency",
        title: format!(
            "SIGTERM to the end of the program and of the supervisor, {rounds} rounds in turn"
        ),
        columns: &[
            ("start ms", 2),
            ("child ms", 3),
            ("child p99", 2),
            ("gone ms", 3),
            ("gone p99", 2),
            ("times direct", 2),
            ("rounds", 0),
        ],
        rows,
        goals: goal.into_iter().collect(),
    })
}

fn stop(peer: &Peer, times: &mut Times) -> Result<(), Error> {
    let (started, birth) = peer.start_one(Behaviour::Stop)?;
    let subject = started.subject;
    let ends = Ends::of(&[birth.pid, subject.pid()])?;
    let asked = monotonic();
    subject.signal(peer.stop)?;
    let &[Some(child), Some(supervisor)] = ends.wait(LIMIT)?.as_slice() else {
        return Err(subject.failed("did not end"));
    };
    subject.wait(LIMIT)?;
    times.start.push(birth.at.saturating_sub(started.at));
    times.child.push(child - asked);
    times.supervisor.push(supervisor - asked);
    Ok(())
}
