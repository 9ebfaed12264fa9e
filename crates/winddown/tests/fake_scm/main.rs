//! The library as a Windows service, on the fake Service Control Manager and a clock that the test moves: on any system.
//!
//! What Wine's SCM gets wrong or lacks is shown here: SHUTDOWN, PRESHUTDOWN, handler return codes, simultaneous STOPs,
//! dependencies, failure actions.

mod controls;
mod ends;
mod stops;
mod support;
