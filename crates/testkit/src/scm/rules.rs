//! The SCM's rules as pure functions.

use std::fmt;
use std::time::Duration;

use winddown_core::Timestamp;
use winddown_core::scm::{Accepted, Control, ServiceState, ServiceStatus, code};

/// How long a process may take to call the dispatcher.
pub(super) const DISPATCHER_LIMIT: Duration = Duration::from_secs(30);
/// How long a handler may take, and how long a client waits for one that is busy.
pub(super) const HANDLER_LIMIT: Duration = Duration::from_secs(30);
/// How long a starting service may stay silent, on top of its last wait hint.
pub(super) const START_LIMIT: Duration = Duration::from_secs(80);

/// The status that the SCM sets when it starts a service.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-startservicew>.
pub(super) const STARTED: ServiceStatus = ServiceStatus {
    wait_hint: Duration::from_secs(2),
    ..ServiceStatus::of(ServiceState::StartPending)
};

/// Something that a service told or answered the SCM against the rules. The SCM itself does not refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The service.
    pub service: String,
    /// When it did so.
    pub at: Timestamp,
    /// Which rule it broke.
    pub rule: Rule,
    /// The status that it reported, or the last one before its handler answered.
    pub status: ServiceStatus,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.since_origin();
        write!(f, "{} at {at:?}: {}", self.service, self.rule)
    }
}

/// A rule that a [`Violation`] broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Only certain changes of state are valid; after `STOP_PENDING` it is `STOPPED` alone.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/services/service-status-transitions>.
    Transition {
        /// The state before.
        from: ServiceState,
        /// The state that was reported.
        to: ServiceState,
    },
    /// No control is accepted in `START_PENDING`, "or the service can crash", nor in another pending state.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-setservicestatus>.
    AcceptsWhilePending,
    /// Checkpoint and wait hint are zero outside pending states.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_status>.
    CheckpointOutsidePending,
    /// A checkpoint never goes down within one pending state.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_status>.
    CheckpointWentDown,
    /// `STOPPED` is reported once and last: another call "can cause the process to crash".
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-setservicestatus>.
    ReportAfterStopped,
    /// `INTERROGATE`, and an accepted `STOP`, `SHUTDOWN` or `PRESHUTDOWN`, are answered with `NO_ERROR`.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nc-winsvc-lphandler_function_ex>.
    Refused {
        /// The control.
        control: Control,
        /// What the handler answered.
        answer: u32,
    },
    /// A handler returns within 30 s.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/services/service-control-handler-function>.
    SlowHandler(Control),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition { from, to } => write!(f, "{to:?} must not follow {from:?}"),
            Self::AcceptsWhilePending => f.write_str("accepts controls in a pending state"),
            Self::CheckpointOutsidePending => {
                f.write_str("has a checkpoint or a wait hint outside pending states")
            }
            Self::CheckpointWentDown => f.write_str("the checkpoint went down"),
            Self::ReportAfterStopped => f.write_str("reports a status after STOPPED"),
            Self::Refused { control, answer } => {
                write!(f, "answers {control} with {answer} instead of NO_ERROR")
            }
            Self::SlowHandler(control) => write!(f, "handles {control} for more than 30 s"),
        }
    }
}

/// The rules that a status breaks when it follows `before`.
pub(super) fn broken(before: &ServiceStatus, status: &ServiceStatus) -> Vec<Rule> {
    let (from, to) = (before.state, status.state);
    let mut broken = Vec::new();
    if !follows(from, to) {
        broken.push(Rule::Transition { from, to });
    }
    if to.is_pending() {
        if status.accepted != Accepted::NONE {
            broken.push(Rule::AcceptsWhilePending);
        }
        if from == to && status.checkpoint < before.checkpoint {
            broken.push(Rule::CheckpointWentDown);
        }
    } else if status.checkpoint != 0 || status.wait_hint != Duration::ZERO {
        broken.push(Rule::CheckpointOutsidePending);
    }
    broken
}

fn follows(from: ServiceState, to: ServiceState) -> bool {
    use ServiceState::{
        ContinuePending, PausePending, Paused, Running, StartPending, StopPending, Stopped,
    };
    match (from, to) {
        (Stopped, _) => false,
        (_, Stopped | StopPending) => true,
        (StopPending, _) => false,
        (StartPending | ContinuePending | Paused, Running) => true,
        (Running | PausePending, Paused) => true,
        (Running, PausePending) | (Paused, ContinuePending) => true,
        (from, to) => from == to,
    }
}

/// Whether a status shows progress after `before`: another state, or a higher checkpoint.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_status>.
pub(super) fn progressed(before: &ServiceStatus, status: &ServiceStatus) -> bool {
    before.state != status.state || status.checkpoint > before.checkpoint
}

/// Whether a client may ask for this control; the others come from the system only.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-controlservice>.
pub(super) fn may_be_requested(control: Control) -> bool {
    matches!(
        control,
        Control::Stop
            | Control::Pause
            | Control::Continue
            | Control::Interrogate
            | Control::ParamChange
            | Control::Legacy(7..=10)
            | Control::Custom(128..)
    )
}

/// Whether a control is sent to a service in this status, or the error instead.
///
/// Microsoft's table sends `STOP` in `START_PENDING` where it is accepted; where it is not, Windows answers 1061 there.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-controlservice>.
pub(super) fn may_be_sent(status: &ServiceStatus, control: Control) -> Result<(), u32> {
    let accepts = status.accepted.contains(control.accepted_by());
    match status.state {
        ServiceState::Stopped => Err(code::ERROR_SERVICE_NOT_ACTIVE),
        ServiceState::StopPending => Err(code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL),
        ServiceState::StartPending if control == Control::Stop && accepts => Ok(()),
        ServiceState::StartPending => Err(code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL),
        _ if accepts => Ok(()),
        _ => Err(code::ERROR_INVALID_SERVICE_CONTROL),
    }
}

/// Whether a handler must answer this control with `NO_ERROR`.
pub(super) fn must_be_taken(control: Control) -> bool {
    control == Control::Interrogate || ends(control)
}

/// Whether no other control is sent after this one.
pub(super) fn ends(control: Control) -> bool {
    matches!(
        control,
        Control::Stop | Control::Shutdown | Control::Preshutdown
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ServiceState::{
        ContinuePending, PausePending, Paused, Running, StartPending, StopPending, Stopped,
    };

    const ALL: [ServiceState; 7] = [
        Stopped,
        StartPending,
        StopPending,
        Running,
        ContinuePending,
        PausePending,
        Paused,
    ];

    /// The table of the page of `ControlService`, with 1061 where `STOP` is not accepted in `START_PENDING`.
    #[test]
    fn each_state_takes_the_controls_of_microsofts_table() {
        for state in ALL {
            let with = |accepted| ServiceStatus {
                accepted,
                ..ServiceStatus::of(state)
            };
            let stop = may_be_sent(&with(Accepted::STOP), Control::Stop);
            let deaf = may_be_sent(&with(Accepted::NONE), Control::Stop);
            let custom = may_be_sent(&with(Accepted::NONE), Control::Custom(128));
            let (expected_stop, expected_deaf, expected_custom) = match state {
                Stopped => (Err(1062), Err(1062), Err(1062)),
                StopPending => (Err(1061), Err(1061), Err(1061)),
                StartPending => (Ok(()), Err(1061), Err(1061)),
                _ => (Ok(()), Err(1052), Ok(())),
            };
            assert_eq!(stop, expected_stop, "{state:?}");
            assert_eq!(deaf, expected_deaf, "{state:?}");
            assert_eq!(custom, expected_custom, "{state:?}");
        }
    }

    #[test]
    fn only_stopped_follows_stop_pending_and_nothing_follows_stopped() {
        for to in ALL {
            assert_eq!(
                follows(StopPending, to),
                matches!(to, StopPending | Stopped)
            );
            assert!(!follows(Stopped, to));
        }
    }

    #[test]
    fn a_service_never_goes_back_to_starting_and_pauses_only_from_running() {
        for from in ALL {
            assert_eq!(follows(from, StartPending), from == StartPending);
            let pauses = matches!(from, Running | PausePending);
            assert_eq!(follows(from, PausePending), pauses);
        }
    }

    #[test]
    fn system_controls_and_codes_below_128_cannot_be_requested() {
        for control in [
            Control::Shutdown,
            Control::Preshutdown,
            Control::PowerEvent(4),
            Control::SessionChange {
                event: 5,
                session: 1,
            },
            Control::TimeChange,
            Control::TriggerEvent,
            Control::UserModeReboot,
            Control::HardwareProfileChange(1),
            Control::Legacy(11),
            Control::Custom(127),
        ] {
            assert!(!may_be_requested(control), "{control}");
        }
    }
}
