//! One run of one lane: what it checked and what failed.

use std::thread;
use std::time::{Duration, Instant};

use crate::census;
use crate::command::Cmd;
use crate::error::Error;
use crate::tally::Tally;

/// How long processes may take to go once a lane has asked them to.
const CENSUS_GRACE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Session {
    pub(crate) tally: Tally,
    pub(crate) failures: Vec<String>,
}

impl Session {
    /// Runs a check or a test run and counts it; the lane goes on when it fails.
    ///
    /// A command that reports no tests counts as one check.
    ///
    /// # Errors
    /// Only when the command cannot be started or the whole run was interrupted.
    pub(crate) fn check(&mut self, command: Cmd) -> Result<(), Error> {
        println!("\n$ {}", command.line());
        let (result, mut tally) = command.run()?;
        match result {
            Ok(()) if tally.is_empty() => tally.passed = 1,
            Ok(()) => {}
            Err(error) => {
                self.failures.push(error.to_string());
                tally.failed = tally.failed.max(1);
            }
        }
        self.tally += tally;
        Ok(())
    }

    /// Runs a step that the rest of the lane cannot do without. Not counted.
    pub(crate) fn prepare(&mut self, command: Cmd) -> Result<(), Error> {
        println!("\n$ {}", command.line());
        command.run()?.0
    }

    /// Records a failure that is not a command's.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
        self.tally.failed += 1;
    }

    /// Counts as a failure, and kills, what the lane left running.
    pub(crate) fn take_census(&mut self) {
        let deadline = Instant::now() + CENSUS_GRACE;
        let mut survivors = census::survivors();
        while !survivors.is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
            survivors = census::survivors();
        }
        for survivor in survivors {
            survivor.kill();
            self.fail(format!("left running: {survivor}"));
        }
    }
}
