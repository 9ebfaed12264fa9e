//! The words of the Windows Service Control Manager (SCM): controls, accepted controls, states, statuses, error codes,
//! and [`Scm`], the calls that a service makes to it.
//!
//! Plain data on every system, so that the rules can be tested anywhere.
//!
//! Source: <https://learn.microsoft.com/windows/win32/services/service-control-manager>.

use std::ops::{BitOr, BitOrAssign};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Windows error codes that the SCM answers with.
///
/// Source: <https://learn.microsoft.com/windows/win32/debug/system-error-codes>.
pub mod code {
    /// The call was accepted.
    pub const NO_ERROR: u32 = 0;
    /// A handler's answer to a control that it does not handle.
    pub const ERROR_CALL_NOT_IMPLEMENTED: u32 = 120;
    /// A parameter is wrong, such as a control code of no known meaning.
    pub const ERROR_INVALID_PARAMETER: u32 = 87;
    /// Running services depend on the one to stop.
    pub const ERROR_DEPENDENT_SERVICES_RUNNING: u32 = 1051;
    /// The service does not accept this control.
    pub const ERROR_INVALID_SERVICE_CONTROL: u32 = 1052;
    /// The service did not answer the start or control request in time.
    pub const ERROR_SERVICE_REQUEST_TIMEOUT: u32 = 1053;
    /// An instance of the service is already running.
    pub const ERROR_SERVICE_ALREADY_RUNNING: u32 = 1056;
    /// The service is disabled.
    pub const ERROR_SERVICE_DISABLED: u32 = 1058;
    /// There is no service of this name.
    pub const ERROR_SERVICE_DOES_NOT_EXIST: u32 = 1060;
    /// The service cannot take the control in its present state.
    pub const ERROR_SERVICE_CANNOT_ACCEPT_CTRL: u32 = 1061;
    /// The service has not been started.
    pub const ERROR_SERVICE_NOT_ACTIVE: u32 = 1062;
    /// The process was not started by the SCM.
    pub const ERROR_FAILED_SERVICE_CONTROLLER_CONNECT: u32 = 1063;
    /// The service reported an error of its own: see its service-specific exit code.
    pub const ERROR_SERVICE_SPECIFIC_ERROR: u32 = 1066;
    /// The process ended without reporting `STOPPED`.
    pub const ERROR_PROCESS_ABORTED: u32 = 1067;
    /// The service was marked for deletion.
    pub const ERROR_SERVICE_MARKED_FOR_DELETE: u32 = 1072;
    /// A service of this name exists.
    pub const ERROR_SERVICE_EXISTS: u32 = 1073;
    /// A service that this one depends on does not exist.
    pub const ERROR_SERVICE_DEPENDENCY_DELETED: u32 = 1075;
    /// A service that this one depends on failed to start.
    pub const ERROR_SERVICE_DEPENDENCY_FAIL: u32 = 1068;
    /// The system is shutting down.
    pub const ERROR_SHUTDOWN_IN_PROGRESS: u32 = 1115;
}

/// A control that the SCM delivers to a service's handler.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nc-winsvc-lphandler_function_ex>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Control {
    /// `SERVICE_CONTROL_STOP`.
    Stop,
    /// `SERVICE_CONTROL_PAUSE`.
    Pause,
    /// `SERVICE_CONTROL_CONTINUE`.
    Continue,
    /// `SERVICE_CONTROL_INTERROGATE`.
    Interrogate,
    /// `SERVICE_CONTROL_SHUTDOWN`.
    Shutdown,
    /// `SERVICE_CONTROL_PARAMCHANGE`.
    ParamChange,
    /// `SERVICE_CONTROL_NETBIND*` and other codes that only kernel or legacy services see, by code.
    Legacy(u32),
    /// `SERVICE_CONTROL_HARDWAREPROFILECHANGE` with its event type.
    HardwareProfileChange(u32),
    /// `SERVICE_CONTROL_POWEREVENT` with its event type (`PBT_*`).
    PowerEvent(u32),
    /// `SERVICE_CONTROL_SESSIONCHANGE` with its event type (`WTS_*`) and the session's number.
    SessionChange {
        /// `WTS_SESSION_LOGON` (5) and its like.
        event: u32,
        /// The session it happened in.
        session: u32,
    },
    /// `SERVICE_CONTROL_PRESHUTDOWN`.
    Preshutdown,
    /// `SERVICE_CONTROL_TIMECHANGE`.
    TimeChange,
    /// `SERVICE_CONTROL_TRIGGEREVENT`.
    TriggerEvent,
    /// `SERVICE_CONTROL_USERMODEREBOOT`.
    UserModeReboot,
    /// A control of the service's own, 128 to 255.
    Custom(u8),
}

impl Control {
    /// The control of a code, with the event type and session that came beside it; `None` for a code of no known meaning.
    #[must_use]
    pub const fn from_code(code: u32, event: u32, session: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Stop,
            2 => Self::Pause,
            3 => Self::Continue,
            4 => Self::Interrogate,
            5 => Self::Shutdown,
            6 => Self::ParamChange,
            7..=11 => Self::Legacy(code),
            12 => Self::HardwareProfileChange(event),
            13 => Self::PowerEvent(event),
            14 => Self::SessionChange { event, session },
            15 => Self::Preshutdown,
            16 => Self::TimeChange,
            32 => Self::TriggerEvent,
            64 => Self::UserModeReboot,
            128..=255 => Self::Custom(code as u8),
            _ => return None,
        })
    }

    /// The code of this control.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Stop => 1,
            Self::Pause => 2,
            Self::Continue => 3,
            Self::Interrogate => 4,
            Self::Shutdown => 5,
            Self::ParamChange => 6,
            Self::Legacy(code) => code,
            Self::HardwareProfileChange(_) => 12,
            Self::PowerEvent(_) => 13,
            Self::SessionChange { .. } => 14,
            Self::Preshutdown => 15,
            Self::TimeChange => 16,
            Self::TriggerEvent => 32,
            Self::UserModeReboot => 64,
            Self::Custom(code) => code as u32,
        }
    }

    /// What a service must accept to be sent this control; empty where it is sent without being asked for.
    #[must_use]
    pub const fn accepted_by(self) -> Accepted {
        match self {
            Self::Stop => Accepted::STOP,
            Self::Pause | Self::Continue => Accepted::PAUSE_CONTINUE,
            Self::Shutdown => Accepted::SHUTDOWN,
            Self::ParamChange => Accepted::PARAM_CHANGE,
            Self::Legacy(7..=10) => Accepted::NETBIND_CHANGE,
            Self::HardwareProfileChange(_) => Accepted::HARDWARE_PROFILE_CHANGE,
            Self::PowerEvent(_) => Accepted::POWER_EVENT,
            Self::SessionChange { .. } => Accepted::SESSION_CHANGE,
            Self::Preshutdown => Accepted::PRESHUTDOWN,
            Self::TimeChange => Accepted::TIME_CHANGE,
            Self::TriggerEvent => Accepted::TRIGGER_EVENT,
            Self::UserModeReboot => Accepted::USER_MODE_REBOOT,
            Self::Interrogate | Self::Legacy(_) | Self::Custom(_) => Accepted::NONE,
        }
    }
}

/// The set of controls that a service accepts: `dwControlsAccepted`.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_status>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accepted(u32);

#[allow(missing_docs, reason = "the names are those of SERVICE_ACCEPT_*")]
impl Accepted {
    pub const NONE: Self = Self(0);
    pub const STOP: Self = Self(0x1);
    pub const PAUSE_CONTINUE: Self = Self(0x2);
    pub const SHUTDOWN: Self = Self(0x4);
    pub const PARAM_CHANGE: Self = Self(0x8);
    pub const NETBIND_CHANGE: Self = Self(0x10);
    pub const HARDWARE_PROFILE_CHANGE: Self = Self(0x20);
    pub const POWER_EVENT: Self = Self(0x40);
    pub const SESSION_CHANGE: Self = Self(0x80);
    pub const PRESHUTDOWN: Self = Self(0x100);
    pub const TIME_CHANGE: Self = Self(0x200);
    pub const TRIGGER_EVENT: Self = Self(0x400);
    pub const USER_MODE_REBOOT: Self = Self(0x800);

    /// The bits as `dwControlsAccepted` has them.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether every control of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Accepted {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Accepted {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The state of a service as the SCM sees it: `dwCurrentState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are those of SERVICE_STATUS")]
pub enum ServiceState {
    Stopped,
    StartPending,
    StopPending,
    Running,
    ContinuePending,
    PausePending,
    Paused,
}

impl ServiceState {
    /// The value as `dwCurrentState` has it, 1 to 7.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Stopped => 1,
            Self::StartPending => 2,
            Self::StopPending => 3,
            Self::Running => 4,
            Self::ContinuePending => 5,
            Self::PausePending => 6,
            Self::Paused => 7,
        }
    }

    /// The state of a `dwCurrentState`; `None` outside 1 to 7.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Stopped,
            2 => Self::StartPending,
            3 => Self::StopPending,
            4 => Self::Running,
            5 => Self::ContinuePending,
            6 => Self::PausePending,
            7 => Self::Paused,
            _ => return None,
        })
    }

    /// Whether this is a state on the way to another, in which checkpoints and wait hints count.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(
            self,
            Self::StartPending | Self::StopPending | Self::ContinuePending | Self::PausePending
        )
    }
}

/// What a service tells the SCM: `SERVICE_STATUS` of a `SERVICE_WIN32_OWN_PROCESS`.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_status>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceStatus {
    /// The present state.
    pub state: ServiceState,
    /// Which controls may be sent now; empty in every pending state.
    pub accepted: Accepted,
    /// `dwWin32ExitCode`; [`code::ERROR_SERVICE_SPECIFIC_ERROR`] where `specific_exit_code` counts.
    pub exit_code: u32,
    /// `dwServiceSpecificExitCode`.
    pub specific_exit_code: u32,
    /// Rises with real progress in a pending state; 0 in the others.
    pub checkpoint: u32,
    /// How long until the next checkpoint in a pending state; zero in the others.
    pub wait_hint: Duration,
}

impl ServiceStatus {
    /// A status of `state` that accepts nothing, with no error, checkpoint or hint.
    #[must_use]
    pub const fn of(state: ServiceState) -> Self {
        Self {
            state,
            accepted: Accepted::NONE,
            exit_code: 0,
            specific_exit_code: 0,
            checkpoint: 0,
            wait_hint: Duration::ZERO,
        }
    }
}

/// Why a call to the SCM failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScmError {
    /// The process was not started by the SCM: run as a console program instead.
    #[error("not started by the service control manager (1063)")]
    NotStartedByScm,
    /// Windows refused the call.
    #[error("{call} failed: windows error {code}")]
    Os {
        /// The Windows function.
        call: &'static str,
        /// What `GetLastError` gave.
        code: u32,
    },
}

/// What the SCM calls in a service's process.
///
/// One value serves one service of its own process.
pub trait ServiceProgram: Send + Sync {
    /// The body of the service, with the arguments of its start; the first is the service's name.
    ///
    /// Called once, on a thread of the SCM's. Returning does not stop the service: reporting `STOPPED` does.
    fn service_main(&self, arguments: Vec<String>);

    /// A control; the answer is [`code::NO_ERROR`] or [`code::ERROR_CALL_NOT_IMPLEMENTED`].
    ///
    /// Must only note the control and return: controls are delivered one at a time across services, and the SCM gives up
    /// after 30 s.
    fn control(&self, control: Control) -> u32;
}

/// The calls that a service makes to the SCM: the real one in `winddown-sys`, a fake one in `winddown-testkit`.
pub trait Scm: Send + Sync {
    /// Connects this process to the SCM and serves `program` as service `name`; returns when the service has stopped.
    ///
    /// Registers the control handler before it calls [`ServiceProgram::service_main`].
    ///
    /// # Errors
    /// [`ScmError::NotStartedByScm`] where nothing started this process as a service: nothing was called then.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-startservicectrldispatcherw>.
    fn run(&self, name: &str, program: std::sync::Arc<dyn ServiceProgram>) -> Result<(), ScmError>;

    /// Tells the SCM the status of the service that [`Scm::run`] serves.
    ///
    /// `STOPPED` is the last status: the process may be ended at any moment after it.
    ///
    /// # Errors
    /// [`ScmError::Os`] where the SCM refused it.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-setservicestatus>.
    fn set_status(&self, status: ServiceStatus) -> Result<(), ScmError>;

    /// How long this service may take for `control` before the system ends it; `None` where nothing bounds it.
    ///
    /// `SHUTDOWN` has the registry's `WaitToKillServiceTimeout`, `PRESHUTDOWN` the service's own preshutdown timeout.
    fn limit(&self, control: Control) -> Option<Duration>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_code_is_read_back() {
        for code in 0..=255 {
            if let Some(control) = Control::from_code(code, 5, 1) {
                assert_eq!(control.code(), code);
            } else {
                assert!(matches!(code, 0 | 17..=31 | 33..=63 | 65..=127), "{code}");
            }
        }
        assert_eq!(Control::from_code(256, 0, 0), None);
    }

    #[test]
    fn every_state_is_read_back() {
        for code in 1..=7 {
            assert_eq!(
                ServiceState::from_code(code).map(ServiceState::code),
                Some(code)
            );
        }
        assert_eq!(ServiceState::from_code(0), None);
        assert_eq!(ServiceState::from_code(8), None);
    }
}
