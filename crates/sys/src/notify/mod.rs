//! Telling the manager how it stands (`sd_notify`): [`Notifier`] for a service, [`NotifyServer`] for whoever supervises one,
//! and [`Environment`], which takes the manager's variables away before children inherit them.
//!
//! | System | What it does |
//! |---|---|
//! | Linux | datagrams to and from a path or an abstract name; the kernel names the sender |
//! | other Unix | datagrams to and from a path; the sender is unknown |
//! | Windows | there is nobody to notify: [`Notifier::to`] and [`NotifyServer::bind`] answer `Unsupported` |
//!
//! Source: `sd_notify(3)`; the words are in [`winddown_core::notify`].

mod environment;
mod notifier;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as imp;
#[cfg(windows)]
use windows as imp;

use winddown_core::notify::Notification;

pub use environment::{Environment, MANAGER_VARIABLES};
pub use imp::NotifyServer;
pub use notifier::Notifier;

/// The process that sent a notification, as the kernel names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its pid; `None` where it is outside this pid namespace.
    pub pid: Option<u32>,
    /// Its user.
    pub uid: u32,
}

/// One notification that [`NotifyServer::receive`] received.
///
/// Keep it until it was acted upon: dropping it closes the descriptors that came with it, which is the answer to a barrier.
#[derive(Debug)]
pub struct Received {
    /// Who sent it; `None` where the system does not tell. Anybody who can reach the socket can send: compare it with the
    /// supervised processes before believing.
    pub sender: Option<Sender>,
    /// What it says.
    pub notification: Notification,
    #[cfg(unix)]
    descriptors: Vec<imp::Descriptor>,
}
