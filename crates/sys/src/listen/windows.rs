//! No descriptors: nothing on Windows sets `LISTEN_PID`.

use std::convert::Infallible;
use std::net::TcpListener;

use winddown_core::ListenAddress;

use super::ListenFd;
use crate::process::SpawnOptions;
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

pub(super) fn open(address: &ListenAddress, _name: &str) -> Result<ListenFd> {
    Err(no_protocol(address.to_string()))
}

pub(super) fn pass(_sockets: &[ListenFd], _options: &mut SpawnOptions) -> Result<()> {
    Err(no_protocol("passing sockets on".to_owned()))
}

fn no_protocol(what: String) -> Error {
    Error::Unsupported {
        what,
        instead: "let the program open its own sockets: Windows has no protocol to pass them",
    }
}
