//! The semantics of winddown: states, stop reasons, budgets, ladders and reports.
//!
//! Nothing here reads a clock, does I/O or differs between systems: time and facts are arguments. The rules are numbered
//! (WD-n) in `docs/spec.md`, and the tests name them.

mod budget;
mod lease;
mod pending;
mod phase;
mod reason;
pub mod scm;
mod signal;
mod state;
mod sync;
mod time;

pub use budget::Budget;
pub use lease::{Extension, Lease};
pub use pending::{Noted, Pending, SIGNAL_SLOTS};
pub use phase::Phase;
pub use reason::{Arrival, AskedBy, ConsoleEvent, Mechanism, Origin};
pub use signal::{ParseSignalError, RT_MAX, Signal};
pub use state::{Effect, Input, State, transition};
pub use time::{Clock, ParseDurationError, Timestamp, format_duration, parse_duration};
