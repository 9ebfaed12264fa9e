//! The semantics of winddown: states, stop reasons, budgets, ladders and reports.
//!
//! Nothing here reads a clock, does I/O or differs between systems: time and facts are arguments. The rules are numbered
//! (WD-n) in `docs/spec.md`, and the tests name them.

mod budget;
mod control_map;
pub mod environment;
pub mod exit;
pub mod health;
pub mod host;
mod ladder;
mod lease;
mod listen;
pub mod notify;
pub mod order;
mod pending;
mod phase;
mod reason;
pub mod report;
pub mod restart;
pub mod scm;
mod sequence;
mod signal;
mod state;
mod sync;
mod text;
mod time;

pub use budget::{Budget, host_share};
pub use control_map::{CONTROL_MAP, FIRST_RT, FIRST_USER, MapRow, Meaning, Wants};
pub use ladder::{Climb, Ladder, Rung, StopPolicy};
pub use lease::{Extension, Lease};
pub use listen::{ListenAddress, ParseListenAddressError};
pub use pending::{Noted, Pending, SIGNAL_SLOTS};
pub use phase::Phase;
pub use reason::{Arrival, AskedBy, ConsoleEvent, Mechanism, Origin};
pub use sequence::{HookId, InFlight, Sequence, Step};
pub use signal::{ParseSignalError, RT_MAX, Signal};
pub use state::{Effect, Input, State, transition};
pub use text::{NotText, nearest, one_line, utf8};
pub use time::{Clock, ParseDurationError, Timestamp, format_duration, parse_duration};
