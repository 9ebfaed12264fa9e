//! The operating-system half of winddown: signals, clocks, waiting, processes and hosts, behind safe and small interfaces.
//!
//! Every `unsafe` block and every `cfg` of an operating system of the workspace is in this crate. Each module documents one
//! interface for all systems; the platform files beside it offer the same functions in the same order.
//!
//! # Limits
//! Signals, masks and dispositions belong to the whole process. At most one of [`Sources`] and [`SignalQueue`] is attached
//! at a time.

mod clock;
pub mod courier;
mod error;
pub mod event;
mod exit;
pub mod file;
pub mod guard;
pub mod host;
pub mod listen;
pub mod local_socket;
pub mod memory;
pub mod notify;
pub mod pipe;
mod poller;
pub mod process;
mod queue;
pub mod record;
pub mod schedule;
pub mod scm;
pub mod signal;
mod source;
pub mod storage;
pub mod terminal;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tree;
mod wake;
#[cfg(windows)]
mod windows;

pub use clock::Monotonic;
pub use error::{Error, Result};
pub use exit::exit_now;
pub use poller::Poller;
pub use queue::SignalQueue;
#[cfg(feature = "tokio")]
pub use source::Watch;
pub use source::{FirstLook, Sources};
pub use wake::{Descriptor, OwnedDescriptor, Waitable, Wake, wait_any};
