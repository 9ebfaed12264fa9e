//! What became of what was supervised.

use winddown_core::report::{StopReport, Verdict};
use winddown_core::{Signal, exit, restart};
use winddown_sys::process::Exit;

use crate::service::Ended;

/// What became of every service: how its last run ended.
#[derive(Debug)]
pub struct Outcome {
    ended: Vec<Ended>,
    not_started: bool,
}

impl Outcome {
    /// Of several services `not_started` says whether one could not be.
    pub(crate) const fn new(ended: Vec<Ended>, not_started: bool) -> Self {
        Self { ended, not_started }
    }

    /// The reports of the last stop of each service, in the order of the definition.
    pub fn reports(&self) -> impl Iterator<Item = &StopReport> {
        self.ended.iter().map(|ended| &ended.report)
    }

    /// The code that winddown exits with. Of one program: its own, 128 + n for a signal, 124 where it was forced (WD-72), 1 where
    /// it failed and exited with 0, or died of being asked, all the same. Of several: 124 where one was forced, 1 where one failed, else 0.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if let ([only], false) = (self.ended.as_slice(), self.not_started) {
            return exit_code_of(only);
        }
        let worst = |verdict| self.reports().any(|report| report.verdict == verdict);
        let code = match (
            worst(Verdict::Forced),
            self.not_started || worst(Verdict::Failed),
        ) {
            (true, _) => exit::FORCED,
            (false, true) => exit::FAILED,
            (false, false) => exit::OK,
        };
        i32::from(code.code)
    }

    /// The signal that the one program died of and that winddown should die of too, so that whoever started it sees the same.
    #[must_use]
    pub fn died_of(&self) -> Option<Signal> {
        let ([only], false) = (self.ended.as_slice(), self.not_started) else {
            return None;
        };
        match (only.report.verdict, only.exit) {
            (Verdict::Forced, _) => None,
            // It did as winddown asked, and its own end says nothing.
            _ if matches!(only.how, restart::Ended::Failed(_)) => None,
            (_, Exit::Signal { signal, .. }) => signal,
            _ => None,
        }
    }

    /// What the host hears.
    pub(crate) fn as_exit(&self) -> winddown::Exit {
        let clean = |ended: &Ended| {
            ended.asked && matches!(ended.report.verdict, Verdict::Graceful | Verdict::Unhandled)
        };
        if !self.not_started && self.ended.iter().all(clean) {
            return winddown::Exit::Clean;
        }
        match u8::try_from(self.exit_code()) {
            Ok(0) => winddown::Exit::Clean,
            Ok(code) if code == exit::FORCED.code => winddown::Exit::Forced,
            Ok(code) => winddown::Exit::Failed(code),
            Err(_) => winddown::Exit::Failed(exit::FAILED.code),
        }
    }
}

fn exit_code_of(ended: &Ended) -> i32 {
    match (ended.report.verdict, ended.exit) {
        (Verdict::Forced, _) => i32::from(exit::FORCED.code),
        (Verdict::Failed, Exit::Code(0)) => i32::from(exit::FAILED.code),
        (Verdict::Failed, Exit::Signal { .. })
            if matches!(ended.how, restart::Ended::Failed(_)) =>
        {
            i32::from(exit::FAILED.code)
        }
        (_, Exit::Code(code)) => code,
        (_, Exit::Signal { number, .. }) => 128 + number,
    }
}
