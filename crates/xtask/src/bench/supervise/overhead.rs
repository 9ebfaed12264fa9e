//! The program `true` run through a supervisor.

use std::time::Duration;

use super::super::ends::Ends;
use super::super::measure::{millis, monotonic, percentile};
use super::super::peers::Peer;
use super::super::section::{Goal, Section};
use super::super::subject::Subject;
use crate::command::Cmd;
use crate::error::Error;

const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn measure(peers: &[&Peer], rounds: u32) -> Result<Section, Error> {
    let mut measured: Vec<_> = peers
        .iter()
        .filter_map(|peer| Some((*peer, peer.through?, Vec::new())))
        .collect();
    // The first start reads the program from disk.
    for round in 0..=rounds {
        let mut order: Vec<_> = measured.iter_mut().collect();
        fastrand::shuffle(&mut order);
        for (peer, through, nanos) in order {
            let took = time(peer.name, through(&["true".to_owned()]))?;
            if round > 0 {
                nanos.push(took);
            }
        }
    }
    let median = |name: &str| {
        let (.., nanos) = measured.iter().find(|(peer, ..)| peer.name == name)?;
        Some(percentile(nanos, 50) as f64)
    };
    let direct = median("direct").unwrap_or(f64::NAN);
    let rows = measured.iter().map(|(peer, _, nanos)| {
        let middle = percentile(nanos, 50);
        let values = [
            millis(middle),
            millis(percentile(nanos, 99)),
            middle as f64 / direct,
        ];
        (super::name(peer), values.map(Some).to_vec())
    });
    let goal = median("winddown run")
        .zip(median("tini"))
        .map(|(winddown, tini)| Goal {
            what: "median of winddown, compared with tini",
            at_most: 1.3,
            is: winddown / tini,
            unit: " x",
        });
    Ok(Section {
        key: "start_overhead",
        title: format!("`true` run through each, {rounds} rounds in turn"),
        columns: &[("median ms", 3), ("p99 ms", 3), ("times direct", 2)],
        rows: rows.collect(),
        goals: goal.into_iter().collect(),
    })
}

/// From the start of a command to its end, in nanoseconds.
fn time(name: &'static str, command: Cmd) -> Result<u64, Error> {
    let began = monotonic();
    let subject = Subject::start_unheard(name, command)?;
    let ends = Ends::of(&[subject.pid()])?.wait(LIMIT)?;
    let ended = ends[0].ok_or_else(|| subject.failed("did not end"))?;
    subject.wait(LIMIT)?;
    Ok(ended - began)
}
