use std::time::Duration;

/// How a service is set up: what `CreateServiceW` and `ChangeServiceConfig2W` take, as far as stopping depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// The name of the service.
    pub name: String,
    /// Whether it can be started.
    pub start_type: StartType,
    /// The services that must run before it, by name. They are started with it.
    pub dependencies: Vec<String>,
    /// How long the system waits for it after `PRESHUTDOWN`: 10 s by default, since Windows build 15063.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_preshutdown_info>.
    pub preshutdown_timeout: Duration,
    /// What is done on the first, second, ... failure. The last one is repeated; none at all does nothing.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_failure_actionsw>.
    pub failure_actions: Vec<FailureAction>,
    /// The time without failure after which they are counted from the beginning; `None` for never.
    pub failure_reset_period: Option<Duration>,
    /// Whether `STOPPED` with an exit code is a failure too, and not only a process that ends without `STOPPED`.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_failure_actions_flag>.
    pub failure_actions_on_non_crash_failures: bool,
}

impl ServiceConfig {
    /// A service that is started on demand, with no dependencies and no failure actions.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            start_type: StartType::Demand,
            dependencies: Vec::new(),
            preshutdown_timeout: Duration::from_secs(10),
            failure_actions: Vec::new(),
            failure_reset_period: None,
            failure_actions_on_non_crash_failures: false,
        }
    }
}

/// When a service is started: `dwStartType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartType {
    /// `SERVICE_DEMAND_START`: when somebody asks for it.
    Demand,
    /// `SERVICE_DISABLED`: never, not even by a failure action.
    Disabled,
}

/// What the SCM does when a service fails: `SC_ACTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// `SC_ACTION_NONE`.
    Nothing,
    /// `SC_ACTION_RESTART`: starts it again after this delay, with no arguments. It cannot be called off.
    Restart(Duration),
}
