//! Supervise any program: start it, see that it is ready, ask it to stop, escalate, prove that nothing is left, and report.
//!
//! [`run`] is one loop on one thread: it waits for signals and controls, for the program, and for the next point in
//! time, all at once, and asks `winddown_core` what to do.

mod definition;
mod error;
mod judge;
mod options;
mod ready;
mod requests;
mod service;
mod stopping;
mod supervisor;
mod timeline;

pub use definition::{Definition, DefinitionError};
pub use error::Error;
pub use options::{ReadyWhen, RunOptions, StopWhen};
pub use service::run;
pub use supervisor::Outcome;
pub use timeline::{Moment, Observer};
