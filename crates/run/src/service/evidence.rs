//! What is written down of processes that are about to be killed.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use winddown_sys::process;
use winddown_sys::tree::Tree;
use winddown_sys::{Error, Monotonic};

use winddown_core::Clock;

/// Of how many processes.
const MOST: usize = 8;
/// How long it is waited for. The system holds up who asks for a command line while that process changes its memory, as one does that
/// forks without end or whose disk does not answer; and the kill comes after this.
const PATIENCE: Duration = Duration::from_millis(30);
const STACK: usize = 256 * 1024;

/// The evidence of some of a tree's processes, and how it went.
pub(super) fn gather(tree: &Tree) -> Result<(Vec<String>, String), Error> {
    let members = tree.some_members(MOST)?;
    let pids: Vec<u32> = members.iter().map(|member| member.pid).collect();
    let (found, finds) = mpsc::channel();
    thread::Builder::new()
        .name("capture".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            for pid in pids {
                // Nobody listens to what comes too late.
                let _ = found.send(process::evidence(pid).map(|evidence| evidence.to_string()));
            }
        })
        .map_err(|error| Error::os("starting a thread", error))?;
    let until = Monotonic.now() + PATIENCE;
    let mut looked_at = 0;
    let mut evidence = Vec::new();
    while let Ok(found) = finds.recv_timeout(until.since(Monotonic.now())) {
        looked_at += 1;
        evidence.extend(found);
    }
    let late = match members.len() - looked_at {
        0 => String::new(),
        late => format!(", {late} did not show themselves in time"),
    };
    let written = match evidence.len() {
        1 => "1 process".to_owned(),
        number => format!("{number} processes"),
    };
    Ok((evidence, format!("{written} written down{late}")))
}
