//! Nobody to notify: the SCM has the service's status.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::io;

use winddown_core::notify::Message;

use super::Received;
use crate::{Error, Result, Waitable};

/// Whether no other thread can be reading the environment: Windows locks it.
pub(super) fn environment_is_ours() -> bool {
    true
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        instead: "on Windows a service tells the SCM its status",
    }
}

/// There is none.
#[derive(Debug)]
pub(super) struct Socket(Infallible);

impl Socket {
    pub(super) fn to(_: &OsStr) -> Result<Self> {
        Err(unsupported("NOTIFY_SOCKET"))
    }

    pub(super) fn send(&self, _: &Message<'_>) -> io::Result<()> {
        match self.0 {}
    }
}

/// A socket that takes notifications: there is none on Windows.
#[derive(Debug)]
pub struct NotifyServer(Infallible);

impl NotifyServer {
    /// Never opens one.
    ///
    /// # Errors
    /// [`Error::Unsupported`], always.
    pub fn bind() -> Result<Self> {
        Err(unsupported("a socket for notifications"))
    }

    /// What to set `NOTIFY_SOCKET` to.
    #[must_use]
    pub fn address(&self) -> &OsStr {
        match self.0 {}
    }

    /// How many datagrams were dropped.
    #[must_use]
    pub fn refused(&self) -> u64 {
        match self.0 {}
    }

    /// Takes what has arrived.
    ///
    /// # Errors
    /// None.
    pub fn receive(&mut self) -> Result<Vec<Received>> {
        match self.0 {}
    }
}

impl Waitable for NotifyServer {
    fn descriptor(&self) -> crate::Descriptor<'_> {
        match self.0 {}
    }
}
