//! What a stop came to: its report, and the exit that follows from it.

use jiff::Timestamp as WallTime;

use super::*;

/// What is left to do once the stop has ended, without the engine's lock: code of the program is called.
pub(crate) struct Ending {
    pub(crate) exit: Exit,
    report: StopReport,
    sink: ReportSink,
    limit: Duration,
}

impl Ending {
    /// Writes the report.
    pub(crate) fn write(self) {
        self.sink.write_within(self.report, self.limit);
    }
}

impl Engine {
    /// What the stop came to; nothing of it runs any more that is waited for.
    pub(super) fn finish(&mut self, runtime: &Arc<Runtime>, now: Timestamp) -> Ending {
        self.sequence.cut(now);
        let report = self.report(runtime, now);
        let exit = self.exit_for(&report);
        let deadline = self.stop_deadline().unwrap_or(now);
        Ending {
            exit,
            report: StopReport {
                exit: Some(record_of(exit)),
                ..report
            },
            sink: std::mem::take(&mut self.settings.sink),
            limit: deadline.since(now),
        }
    }

    /// Ends the service: the last that the host hears (WD-53).
    pub(crate) fn end(&mut self, runtime: &Runtime, exit: Exit) {
        self.worker = None;
        self.host.stopped(exit);
        self.exit = Some(exit);
        runtime.release_sources();
        runtime.set_finished();
    }

    fn report(&self, runtime: &Arc<Runtime>, now: Timestamp) -> StopReport {
        let stop = self.stop.as_ref().expect("only a stop finishes a service");
        let asked_at = stop.budget.start();
        let took = now.since(asked_at);
        let phases = self.sequence.records(asked_at);
        let mut stragglers = runtime.guards.stragglers();
        stragglers.extend(self.sequence.unfinished().map(|(name, place)| Straggler {
            kind: "hook".to_owned(),
            name: name.to_owned(),
            origin: place.to_string(),
            count: 1,
        }));
        if matches!(self.body, Body::Running) {
            stragglers.push(Straggler {
                kind: "body".to_owned(),
                name: self.settings.name.clone(),
                origin: "the closure given to run".to_owned(),
                count: 1,
            });
        }
        let outcomes = || {
            phases
                .iter()
                .flat_map(|phase| &phase.hooks)
                .map(|hook| &hook.outcome)
        };
        let skipped = outcomes().any(|outcome| *outcome == HookOutcome::Skipped);
        let broken =
            outcomes().any(|o| matches!(o, HookOutcome::Failed(_) | HookOutcome::Panicked(_)));
        let body_error = match &self.body {
            Body::Returned(Err((_, message))) => Some(message),
            _ => None,
        };
        let verdict = if !stragglers.is_empty() || skipped {
            Verdict::Forced
        } else if broken || body_error.is_some() {
            Verdict::Failed
        } else {
            Verdict::Graceful
        };
        StopReport {
            service: self.settings.name.clone(),
            pid: std::process::id(),
            verdict,
            asked_by: stop.asker.origin().into(),
            also_asked: stop
                .also
                .iter()
                .map(|asker| asker.origin().into())
                .collect(),
            // Looked at only now: a stop is heard that much earlier.
            at: WallTime::now().checked_sub(took).unwrap_or(WallTime::MIN),
            deadline: rounded(stop.limit),
            seconds: rounded(took),
            phases,
            ladder: Vec::new(),
            stragglers,
            survivors: 0,
            proof: Proof::ProcessExit,
            exit: None,
            evidence: Vec::new(),
            notes: body_error.into_iter().cloned().collect(),
        }
    }

    fn exit_for(&self, report: &StopReport) -> Exit {
        let stop = self.stop.as_ref().expect("only a stop finishes a service");
        match (report.verdict, stop.asker.mechanism()) {
            (Verdict::Forced, _) => Exit::Forced,
            (Verdict::Graceful, Mechanism::Signal(signal @ (Signal::Int | Signal::Quit)))
                if stop.interactive =>
            {
                Exit::Died(*signal)
            }
            (Verdict::Graceful, _) => Exit::Clean,
            _ => Exit::Failed(self.failure_code()),
        }
    }

    /// The code that the body or else the first failed hook asked for.
    fn failure_code(&self) -> u8 {
        match &self.body {
            Body::Returned(Err((code, _))) => *code,
            _ => self.hook_failure.unwrap_or(1),
        }
    }
}

fn record_of(exit: Exit) -> ExitRecord {
    match exit {
        Exit::Died(signal) => ExitRecord::Signal(signal.to_string()),
        other => ExitRecord::Code(i32::from(other.code())),
    }
}
