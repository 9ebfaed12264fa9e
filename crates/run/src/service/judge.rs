//! What the end of a program says about its stop (WD-95).

use winddown_core::Signal;
use winddown_core::exit::{CONTROL_C_EXIT, OtherCode};
use winddown_core::report::Verdict;
use winddown_sys::process::{Exit, Facts, Runtime};

/// What is known of a stop when the program has ended.
pub(crate) struct Evidence<'a> {
    /// How the program ended.
    pub(crate) exit: Exit,
    /// The signal that asked it.
    pub(crate) signal: Signal,
    /// Its number, on systems with signals.
    pub(crate) number: Option<i32>,
    /// What was known of the program just before it was asked.
    pub(crate) facts: Option<&'a Facts>,
    /// Whether it said `STOPPING=1`.
    pub(crate) said_stopping: bool,
    /// Whether anything of it had to be killed.
    pub(crate) killed: bool,
}

/// The verdict, and the reason for it where it is not plain.
pub(crate) fn judge(evidence: &Evidence<'_>) -> (Verdict, Option<String>) {
    let signal = evidence.signal;
    if evidence.killed {
        return (Verdict::Forced, None);
    }
    match evidence.exit {
        Exit::Code(0) => (Verdict::Graceful, None),
        Exit::Code(CONTROL_C_EXIT) => (
            Verdict::Unhandled,
            Some("it died of Ctrl+C's default action".to_owned()),
        ),
        Exit::Code(code) if evidence.number.is_some_and(|number| code == 128 + number) => {
            (Verdict::Graceful, None)
        }
        Exit::Code(code) if OtherCode(code).is_crash() => (
            Verdict::Failed,
            Some(format!("it crashed with {}", OtherCode(code))),
        ),
        Exit::Code(code) => (
            Verdict::Failed,
            Some(format!("it handled the stop and exited with code {code}")),
        ),
        Exit::Signal {
            signal: Some(died_of),
            ..
        } if signal == Signal::Kill && died_of == signal => (
            Verdict::Unhandled,
            Some("SIGKILL, which no program can handle, ended it".to_owned()),
        ),
        Exit::Signal {
            signal: Some(died_of),
            ..
        } if died_of == signal => died_of_request(evidence),
        exit => (
            Verdict::Failed,
            Some(format!("it was asked by {signal} and died of {exit}")),
        ),
    }
}

fn died_of_request(evidence: &Evidence<'_>) -> (Verdict, Option<String>) {
    let signal = evidence.signal;
    if evidence.said_stopping {
        return (Verdict::Graceful, None);
    }
    let default_action =
        || format!("it has no handler for SIG{signal}, whose default action ended it");
    let Some(facts) = evidence.facts else {
        return (Verdict::Unhandled, Some(default_action()));
    };
    if facts.takes_default(signal) {
        return (Verdict::Unhandled, Some(default_action()));
    }
    // These runtimes catch the signal for themselves and die of it again: no code of the program ran.
    let own_handler = match facts.runtime {
        Some(Runtime::Go) => Some("the Go runtime (no signal.Notify)"),
        Some(Runtime::Node) => Some("node itself (no process.on)"),
        _ => None,
    };
    match own_handler {
        Some(whose) => (
            Verdict::Unhandled,
            Some(format!(
                "SIG{signal} was left to {whose}, which ended the program at once"
            )),
        ),
        None => (
            Verdict::Graceful,
            Some(format!(
                "it handled SIG{signal} and then died of it, as it should"
            )),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use winddown_sys::process::State;

    const TERM: Exit = Exit::Signal {
        number: 15,
        signal: Some(Signal::Term),
        core_dumped: false,
    };

    /// A program of this runtime that catches `TERM` or does not, was asked by it, and ended by itself.
    fn asked(exit: Exit, catches: bool, runtime: Option<Runtime>) -> (Verdict, Option<String>) {
        let facts = Facts {
            caught: catches.then_some(Signal::Term).into_iter().collect(),
            ignored: Vec::new(),
            blocked: Vec::new(),
            awaited: Vec::new(),
            init: false,
            state: State::Sleeping,
            runtime,
        };
        judge(&evidence(exit, Some(&facts)))
    }

    fn evidence(exit: Exit, facts: Option<&Facts>) -> Evidence<'_> {
        Evidence {
            exit,
            signal: Signal::Term,
            number: Some(15),
            facts,
            said_stopping: false,
            killed: false,
        }
    }

    #[test]
    fn wd_95_the_way_a_program_ended_is_its_verdict() {
        let killed = Exit::Signal {
            number: 9,
            signal: Some(Signal::Kill),
            core_dumped: false,
        };
        for (exit, catches, runtime, verdict, why) in [
            (Exit::Code(0), true, None, Verdict::Graceful, ""),
            (Exit::Code(143), true, None, Verdict::Graceful, ""),
            (Exit::Code(130), true, None, Verdict::Failed, "code 130"),
            (Exit::Code(3), true, None, Verdict::Failed, "code 3"),
            (
                Exit::Code(0xC000_0005_u32 as i32),
                true,
                None,
                Verdict::Failed,
                "it crashed with 0xC0000005",
            ),
            (
                // An exception of .NET that nothing caught.
                Exit::Code(0xE043_4352_u32 as i32),
                true,
                None,
                Verdict::Failed,
                "it crashed with 0xE0434352",
            ),
            (killed, true, None, Verdict::Failed, "died of SIGKILL"),
            (TERM, true, None, Verdict::Graceful, "as it should"),
            (TERM, false, None, Verdict::Unhandled, "no handler"),
            (TERM, true, Some(Runtime::Go), Verdict::Unhandled, "Go"),
            (TERM, true, Some(Runtime::Node), Verdict::Unhandled, "node"),
            (
                Exit::Code(CONTROL_C_EXIT),
                true,
                None,
                Verdict::Unhandled,
                "Ctrl+C",
            ),
        ] {
            let (judged, note) = asked(exit, catches, runtime);
            assert_eq!(judged, verdict, "{exit}: {note:?}");
            let note = note.unwrap_or_default();
            assert_eq!(why.is_empty(), note.is_empty(), "{exit}: {note}");
            assert!(note.contains(why), "{exit}: {note}");
        }
        let (judged, _) = judge(&evidence(TERM, None));
        assert_eq!(judged, Verdict::Unhandled, "where nothing is known of it");
    }

    /// No program has a handler for it, and none is at fault for that.
    #[test]
    fn wd_95_who_is_asked_by_kill_cannot_handle_it() {
        let killed = Exit::Signal {
            number: 9,
            signal: Some(Signal::Kill),
            core_dumped: false,
        };
        let evidence = Evidence {
            signal: Signal::Kill,
            number: Some(9),
            ..evidence(killed, None)
        };
        let (verdict, note) = judge(&evidence);
        assert_eq!(verdict, Verdict::Unhandled);
        let note = note.unwrap_or_default();
        assert!(note.contains("no program can handle"), "{note}");
    }

    /// It said so, hence code of its own ran: that it died of the request then is as it should be.
    #[test]
    fn wd_95_a_program_that_said_stopping_handled_the_stop() {
        let evidence = Evidence {
            said_stopping: true,
            ..evidence(TERM, None)
        };
        assert_eq!(judge(&evidence), (Verdict::Graceful, None));
    }

    #[test]
    fn wd_70_whatever_else_is_known_a_kill_was_forced() {
        let evidence = Evidence {
            killed: true,
            said_stopping: true,
            ..evidence(Exit::Code(0), None)
        };
        assert_eq!(judge(&evidence), (Verdict::Forced, None));
    }
}
