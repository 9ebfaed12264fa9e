//! What supervisors of one idle program cost: `cargo xtask bench idle`, and a part of `supervise`.

use std::time::Duration;

use super::child::Behaviour;
use super::measure::millis;
use super::pause;
use super::peers::{Peer, Started};
use super::processes::{self, Memory, Usage};
use super::section::Section;
use crate::error::Error;

/// How long a supervisor may still be busy with a start after its program runs.
const SETTLED: Duration = Duration::from_secs(3);
/// What a supervisor may take to stop.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs them all at once, and watches them for so long.
pub(super) fn measure(peers: &[&Peer], seconds: u64) -> Result<Section, Error> {
    let mut running = Vec::new();
    for peer in &peers[1..] {
        let (started, birth) = peer.start_one(Behaviour::Stop)?;
        let supervising = processes::tree(started.subject.pid(), &[birth.pid]);
        running.push((*peer, started, supervising));
    }
    pause(SETTLED)?;
    let before: Vec<_> = running.iter().map(|(.., pids)| Usage::of(pids)).collect();
    pause(Duration::from_secs(seconds))?;
    let rows = running
        .iter()
        .zip(before)
        .map(|((peer, _, pids), before)| {
            let usage = Usage::of(pids).since(before);
            let memory = Memory::of(pids);
            let threads: usize = pids.iter().map(|pid| processes::threads(*pid).len()).sum();
            let values = [
                memory.rss_kb as f64,
                memory.pss_kb as f64,
                threads as f64,
                usage.wake_ups as f64,
                millis(usage.cpu_nanos),
            ];
            (peer.name.to_owned(), values.map(Some).to_vec())
        })
        .collect();
    for (peer, Started { subject, .. }, _) in running {
        subject.signal(peer.stop)?;
        subject.wait(LIMIT)?;
    }
    Ok(Section {
        key: "idle",
        title: format!("One idle program each; wake-ups and CPU time in {seconds} s, all at once"),
        columns: &[
            ("RSS kB", 0),
            ("PSS kB", 0),
            ("threads", 0),
            ("wake-ups", 0),
            ("CPU ms", 2),
        ],
        rows,
        goals: Vec::new(),
    })
}
