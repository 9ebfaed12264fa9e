//! Make every stop request reach your program, whatever asks for it: the Windows Service Control Manager, systemd, a container
//! runtime, a console, another process.
//!
//! One `main` for all of them:
//!
//! ```no_run
//! use std::time::Duration;
//! use winddown::{Event, Phase, Service};
//!
//! fn main() -> winddown::Exit {
//!     Service::new("orders").stop_within(Duration::from_secs(20)).reloads().run(|ctx| {
//!         ctx.on_stop(Phase::Close, "database", |_stop| println!("database closed"))?;
//!         ctx.ready()?;
//!         for event in ctx.events() {
//!             match event {
//!                 Event::Reload(reload) => println!("reload asked by {}", reload.origin()),
//!                 Event::Stop(stop) => println!("stop asked by {}", stop.reason()),
//!                 _ => {}
//!             }
//!         }
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # What a request means
//!
#![doc = include_str!("control-map.md")]
//!
//! # Limits
//! - One service in a process. A second [`Service::run`] at the same time fails.
//! - A stop can be bounded only from inside: nothing in a process survives `SIGKILL`, `TerminateProcess` or a kernel that
//!   hangs. Put the program behind `winddown run` to have it bounded from outside too.
//! - As PID 1 of a container a program must also reap orphans, which a library cannot do without taking the program's own
//!   children away from it. `winddown run` does it.
//! - Standard signals of one kind that arrive while none of them was taken are one. This is the kernel's rule.
//!
//! The rules are numbered (WD-n) in `docs/spec.md`.

mod asker;
#[cfg(feature = "tokio")]
mod asynchronous;
mod context;
mod engine;
mod environment;
mod error;
mod event;
mod exit;
mod guard;
pub mod host;
mod runtime;
mod service;
mod sink;
mod stop;
mod subscription;
mod worker;

pub use context::Context;
pub use environment::Environment;
pub use error::{BoxError, Error, Failure, HookResult};
pub use event::{Event, Reload, Request, SystemEvent, UserEvent};
pub use exit::Exit;
pub use guard::Guard;
pub use service::{DEFAULT_PROGRESS_LEASE, DEFAULT_STOP_WITHIN, Service};
pub use stop::{Stop, StopToken};
pub use subscription::Events;
pub use winddown_core::report::{self, StopReport, Verdict};
pub use winddown_core::scm::Accepted;
pub use winddown_core::{ConsoleEvent, Mechanism, Origin, Phase, Signal, State};
pub use winddown_sys::listen::ListenFd;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
