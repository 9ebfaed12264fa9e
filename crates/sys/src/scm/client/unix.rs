use std::time::Duration;

use winddown_core::scm::{Control, ScmError, code};

use super::{NewService, Seen};

/// The answer that Windows gives where a function does not exist on a system.
fn unsupported<T>(call: &'static str) -> Result<T, ScmError> {
    Err(ScmError::Os {
        call,
        code: code::ERROR_CALL_NOT_IMPLEMENTED,
    })
}

pub(super) fn create(_name: &str, _new: &NewService) -> Result<(), ScmError> {
    unsupported("CreateServiceW")
}

pub(super) fn start(_name: &str, _arguments: &[&str]) -> Result<(), ScmError> {
    unsupported("StartServiceW")
}

pub(super) fn control(_name: &str, _control: Control) -> Result<(), ScmError> {
    unsupported("ControlService")
}

pub(super) fn status(_name: &str) -> Result<Seen, ScmError> {
    unsupported("QueryServiceStatusEx")
}

pub(super) fn preshutdown_timeout(_name: &str) -> Result<Duration, ScmError> {
    unsupported("QueryServiceConfig2W")
}

pub(super) fn set_preshutdown_timeout(_name: &str, _timeout: Duration) -> Result<(), ScmError> {
    unsupported("ChangeServiceConfig2W")
}

pub(super) fn delete(_name: &str) -> Result<(), ScmError> {
    unsupported("DeleteService")
}
