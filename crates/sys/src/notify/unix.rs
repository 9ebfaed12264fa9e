//! Datagram sockets of the Unix domain.

mod client;
mod server;

pub(super) use client::Socket;
pub use server::NotifyServer;

/// What can come with a notification.
pub(super) type Descriptor = std::os::fd::OwnedFd;

/// Whether no other thread can be reading the environment.
pub(super) fn environment_is_ours() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

impl super::Received {
    /// Takes the descriptors that came with `FDSTORE=1` or `BARRIER=1`; all others were closed on receipt.
    pub fn take_descriptors(&mut self) -> Vec<std::os::fd::OwnedFd> {
        std::mem::take(&mut self.descriptors)
    }
}
