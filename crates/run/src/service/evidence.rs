//! What is written down of processes that are about to be killed.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use winddown_sys::process;
use winddown_sys::tree::Tree;
use winddown_sys::{Error, Monotonic};

use winddown_core::{Clock, Timestamp};

/// Of how many processes.
const MOST: usize = 8;
/// How long all the services are waited for together within [`MOMENT`]: they are stopped in turn, and each after this.
///
/// The system holds up who asks for a command line while that process changes its memory, as one does that forks without end or
/// whose disk does not answer.
const PATIENCE: Duration = Duration::from_millis(30);
const MOMENT: Duration = Duration::from_secs(1);
const STACK: usize = 256 * 1024;
const NONE_LEFT: &str = "nothing written down: what was forced just before took the time for it";

/// What is left of [`PATIENCE`].
struct Patience {
    since: Timestamp,
    left: Duration,
}

static LEFT: Mutex<Patience> = Mutex::new(Patience {
    since: Timestamp::ZERO,
    left: PATIENCE,
});

impl Patience {
    fn at(&mut self, now: Timestamp) -> Duration {
        if now.since(self.since) >= MOMENT {
            *self = Self {
                since: now,
                left: PATIENCE,
            };
        }
        self.left
    }

    fn take(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }
}

/// The evidence of some of a tree's processes, and how it went.
pub(super) fn gather(tree: &Tree) -> Result<(Vec<String>, String), Error> {
    let members = tree.some_members(MOST)?;
    let pids: Vec<u32> = members.iter().map(|member| member.pid).collect();
    let mut patience = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let began = Monotonic.now();
    let until = began + patience.at(began);
    if until == began {
        return Ok((Vec::new(), NONE_LEFT.to_owned()));
    }
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
    let mut looked_at = 0;
    let mut evidence = Vec::new();
    while let Ok(found) = finds.recv_timeout(until.since(Monotonic.now())) {
        looked_at += 1;
        evidence.extend(found);
    }
    patience.take(Monotonic.now().since(began));
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn wd_113_services_that_are_forced_together_are_waited_for_together() {
        let now = Timestamp::ZERO + Duration::from_secs(9);
        let mut patience = Patience {
            since: Timestamp::ZERO,
            left: Duration::ZERO,
        };
        assert_eq!(patience.at(now), PATIENCE);
        patience.take(ms(20));
        assert_eq!(patience.at(now + ms(20)), ms(10));
        patience.take(ms(25));
        assert_eq!(patience.at(now + ms(45)), Duration::ZERO);
        assert_eq!(patience.at(now + MOMENT), PATIENCE);
    }
}
