//! No descriptors: nothing on Windows sets `LISTEN_PID`.

use std::convert::Infallible;
use std::net::TcpListener;

use super::ListenFd;
use crate::{Error, Result};

/// What a manager passes: nothing.
#[derive(Debug)]
pub(super) struct Descriptor(Infallible);

impl From<Descriptor> for TcpListener {
    fn from(descriptor: Descriptor) -> Self {
        match descriptor.0 {}
    }
}

pub(super) fn adopt(_: Vec<Option<String>>) -> Result<Vec<ListenFd>> {
    Err(Error::Unsupported {
        what: "socket activation".to_owned(),
        instead: "on Windows a service opens its own sockets",
    })
}
