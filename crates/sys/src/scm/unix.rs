use std::sync::Arc;
use std::time::Duration;

use winddown_core::scm::{Control, Scm, ScmError, ServiceProgram, ServiceStatus};

/// The SCM of this system: there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemScm;

impl Scm for SystemScm {
    fn run(&self, _name: &str, _program: Arc<dyn ServiceProgram>) -> Result<(), ScmError> {
        Err(ScmError::NotStartedByScm)
    }

    fn set_status(&self, _status: ServiceStatus) -> Result<(), ScmError> {
        Err(ScmError::NotStartedByScm)
    }

    fn limit(&self, _control: Control) -> Option<Duration> {
        None
    }
}
