//! The end of a run: its verdict and its report.

use winddown_core::report::{ExitRecord, Proof, Remains, RungRecord, StopReport, Verdict, rounded};
use winddown_core::{Mechanism, Timestamp, exit, restart};
use winddown_sys::process::Exit;
use winddown_sys::signal;

use super::judge::{Evidence, judge};
use super::request::StopRequest;
use super::run::Run;
use crate::logs::{Capture, Summary};
use crate::options::ServiceOptions;

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) report: StopReport,
    pub(crate) exit: Exit,
    /// Whether somebody had asked for it.
    pub(crate) asked: bool,
    /// How it counts for a restart.
    pub(crate) how: restart::Ended,
    /// When its stop began, and by when it was to end.
    pub(super) begun: Timestamp,
    pub(super) deadline: Timestamp,
}

impl Ended {
    /// Adds what was done after it.
    pub(super) fn append(&mut self, record: RungRecord, now: Timestamp) {
        self.report.ladder.push(record);
        self.report.seconds = rounded(now.since(self.begun));
    }
}

/// The stop of a service of which no program ran.
pub(super) fn stopped_without_a_run(
    options: &ServiceOptions,
    request: &StopRequest,
    note: &str,
    now: Timestamp,
) -> Ended {
    let origin = &request.arrival.origin;
    let report = StopReport {
        service: options.name.clone(),
        pid: 0,
        verdict: Verdict::Graceful,
        asked_by: origin.into(),
        also_asked: Vec::new(),
        at: jiff::Timestamp::now(),
        deadline: rounded(options.policy.timeout),
        seconds: rounded(now.since(request.arrival.at)),
        phases: Vec::new(),
        ladder: Vec::new(),
        stragglers: Vec::new(),
        survivors: 0,
        proof: Proof::NothingRan,
        exit: None,
        evidence: Vec::new(),
        notes: vec![note.to_owned()],
    };
    Ended {
        report,
        exit: Exit::Code(0),
        asked: true,
        how: restart::Ended::Code(0),
        begun: now,
        deadline: now + options.policy.timeout,
    }
}

impl Run {
    /// Judges and reports; for a run whose state is `Stopped`.
    pub(super) fn conclude(mut self, now: Timestamp) -> Ended {
        let mut stop = self.stop.take().expect("only a stop ends a run");
        stop.tell(&self.timeline, now);
        let exit = self
            .exit
            .unwrap_or(Exit::Code(i32::from(exit::FORCED.code)));
        let asked = stop.origin.mechanism != Mechanism::Finished;
        let (verdict, note) = if asked {
            judge(&Evidence {
                exit,
                signal: stop.signal,
                number: signal::number(stop.signal),
                said_stopping: self.ready.said_stopping,
                killed: stop.has_killed(),
                facts: stop.facts(),
            })
        } else {
            ended_by_itself(exit, stop.has_killed(), self.rehearsal)
        };
        let mut notes: Vec<String> = note.into_iter().collect();
        if !asked && stop.has_asked_the_rest() {
            notes.push(
                "it left processes behind, which were asked to stop too: keep it in the foreground"
                    .to_owned(),
            );
        }
        let verdict = match (verdict, &self.failure) {
            (Verdict::Forced, _) | (_, None) => verdict,
            (_, Some(why)) => {
                notes.push(why.clone());
                Verdict::Failed
            }
        };
        let summary = self.capture.as_ref().map(Capture::summary);
        notes.extend(summary.iter().flat_map(Summary::troubles));
        let Remains { survivors, proof } = self.tree.proof();
        let what = match survivors {
            0 => format!("nothing is left: {proof}"),
            left => format!("{left} left: {proof}"),
        };
        self.timeline.add(now, what);
        let deadline = stop.deadline() + stop.reserve;
        let report = StopReport {
            service: self.options.name.clone(),
            pid: self.child.pid(),
            verdict,
            asked_by: (&stop.origin).into(),
            also_asked: stop.also.iter().map(Into::into).collect(),
            at: stop.at,
            deadline: rounded(deadline.since(stop.begun)),
            seconds: rounded(now.since(stop.begun)),
            phases: Vec::new(),
            ladder: stop.rungs,
            stragglers: stop.stragglers,
            survivors,
            proof,
            exit: Some(record(exit)),
            evidence: stop.evidence,
            notes,
        };
        let how = match (self.failure.take(), exit) {
            (Some(why), _) => restart::Ended::Failed(why),
            (None, Exit::Code(code)) => restart::Ended::Code(code),
            (None, Exit::Signal { number, signal, .. }) => {
                restart::Ended::Signal { number, signal }
            }
        };

        Ended {
            report,
            exit,
            asked,
            how,
            begun: stop.begun,
            deadline,
        }
    }
}

fn record(exit: Exit) -> ExitRecord {
    match exit {
        Exit::Code(code) => ExitRecord::Code(code),
        Exit::Signal {
            signal: Some(signal),
            ..
        } => ExitRecord::Signal(signal.to_string()),
        Exit::Signal { number, .. } => ExitRecord::Signal(number.to_string()),
    }
}

/// The verdict on a program that nobody asked to stop: in a rehearsal, that it did not wait for it is a failure.
fn ended_by_itself(exit: Exit, killed: bool, rehearsal: bool) -> (Verdict, Option<String>) {
    let note = match rehearsal {
        true => format!("it ended before it was asked to stop: {exit}"),
        false => format!("it ended by itself: {exit}"),
    };
    let verdict = match exit {
        _ if killed => Verdict::Forced,
        Exit::Code(0) if !rehearsal => Verdict::Graceful,
        _ => Verdict::Failed,
    };
    (verdict, Some(note))
}
