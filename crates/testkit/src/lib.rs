//! Test how a program stops.

mod census;
mod clock;
mod stubborn;
mod watchdog;

pub use census::{Census, Survivor};
pub use clock::FakeClock;
pub use stubborn::stubborn_program;
pub use watchdog::Watchdog;
