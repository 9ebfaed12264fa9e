//! The sockets of a service: opened before its first run, and kept until its last has ended.

use winddown_sys::listen::{self, ListenFd};
use winddown_sys::process::SpawnOptions;

use crate::definition::Listen;
use crate::error::Error;

/// What the host passed to winddown itself; each socket goes to the first service that wants it.
pub(crate) type Inherited = Vec<ListenFd>;

/// The sockets of a service.
pub(crate) struct Sockets(Vec<ListenFd>);

impl Sockets {
    /// Opens what is listed. The only service of winddown that lists nothing is given all that the host passed.
    pub(crate) fn open(
        listed: &[Listen],
        alone: bool,
        inherited: &mut Inherited,
    ) -> Result<Self, Error> {
        if alone && listed.is_empty() {
            return Ok(Self(std::mem::take(inherited)));
        }
        listed
            .iter()
            .map(|entry| match &entry.address {
                Some(address) => Ok(listen::open(address, &entry.name)?),
                None => take(&entry.name, inherited),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Has a program given all of them.
    pub(crate) fn pass(&self, options: &mut SpawnOptions) -> Result<(), Error> {
        Ok(listen::pass(&self.0, options)?)
    }
}

fn take(name: &str, inherited: &mut Inherited) -> Result<ListenFd, Error> {
    let place = inherited
        .iter()
        .position(|socket| socket.name() == Some(name));
    match place {
        Some(place) => Ok(inherited.remove(place)),
        None => Err(Error::NoSuchSocket(name.to_owned())),
    }
}
