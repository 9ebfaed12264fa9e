//! Supervise any program: start it, see that it is ready, ask it to stop, escalate, prove that nothing is left, and report.
//!
//! [`run`] is one loop on one thread: it waits for signals and controls, for the program, and for the next point in
//! time, all at once, and asks `winddown_core` what to do.

pub mod control;
mod definition;
pub mod environment;
mod error;
pub mod history;
mod hosting;
pub mod logs;
mod options;
mod outcome;
mod probe;
mod process;
mod requests;
mod service;
mod signals;
mod supervisor;
mod task;
mod timeline;

pub use definition::{Definition, DefinitionError, Hook, Hooks, Listen, service_name};
pub use error::Error;
pub use hosting::{decline, run};
pub use options::{HealthOptions, ReadyWhen, Reread, RunOptions, ServiceOptions, StopWhen};
pub use outcome::Outcome;
pub use probe::{HttpUrl, LogPattern, ProbeTarget, ProbeTargetError, TcpAddress};
pub use process::{ProcessOptions, Stdin};
pub use signals::{SignalAction, SignalMap, SignalMapError};
pub use timeline::{Moment, Observer};
