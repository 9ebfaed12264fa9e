//! The sockets of a service: opened before its first run, and kept until its last has ended.

use winddown_core::ListenAddress;
use winddown_sys::listen::{self, ListenFd};
use winddown_sys::process::SpawnOptions;

use crate::definition::Listen;
use crate::error::Error;

/// Sockets that no service has.
#[derive(Default)]
pub(crate) struct SpareSockets {
    /// What the host passed to winddown itself; each socket goes to the first service that wants it.
    inherited: Vec<ListenFd>,
    /// What a reload has taken from one service and may give to another: whoever had it may still run, so that it cannot be opened again.
    opened: Vec<(ListenAddress, ListenFd)>,
}

impl SpareSockets {
    pub(crate) fn new(inherited: Vec<ListenFd>) -> Self {
        Self {
            inherited,
            opened: Vec::new(),
        }
    }

    /// Closes those that were opened for addresses that are not wanted any more.
    pub(crate) fn keep_for<'a>(&mut self, wanted: impl Iterator<Item = &'a Listen>) {
        let wanted: Vec<_> = wanted.filter_map(|entry| entry.address.as_ref()).collect();
        self.opened.retain(|(address, _)| wanted.contains(&address));
    }

    fn put(&mut self, sockets: Sockets) {
        for (address, socket) in sockets.addresses.into_iter().zip(sockets.sockets) {
            match address {
                Some(address) => self.opened.push((address, socket)),
                None => self.inherited.push(socket),
            }
        }
    }

    fn take(&mut self, entry: &Listen) -> Result<ListenFd, Error> {
        let Some(wanted) = &entry.address else {
            let mut inherited = self.inherited.iter();
            return match inherited.position(|it| it.name() == Some(&entry.name)) {
                Some(place) => Ok(self.inherited.remove(place)),
                None => Err(Error::NoSuchSocket(entry.name.clone())),
            };
        };
        match self.opened.iter().position(|(it, _)| it == wanted) {
            Some(place) => Ok(self.opened.remove(place).1.renamed(&entry.name)),
            None => Ok(listen::open(wanted, &entry.name)?),
        }
    }
}

/// The sockets of a service.
pub(crate) struct Sockets {
    sockets: Vec<ListenFd>,
    /// Where each of them listens, unless the host passed it.
    addresses: Vec<Option<ListenAddress>>,
}

impl Sockets {
    /// Opens what is listed. The only service of winddown that lists nothing is given all that the host passed.
    pub(crate) fn open(
        listed: &[Listen],
        alone: bool,
        spare: &mut SpareSockets,
    ) -> Result<Self, Error> {
        if alone && listed.is_empty() {
            let sockets = std::mem::take(&mut spare.inherited);
            let addresses = sockets.iter().map(|_| None).collect();
            return Ok(Self { sockets, addresses });
        }
        let mut opened = Self {
            sockets: Vec::with_capacity(listed.len()),
            addresses: Vec::with_capacity(listed.len()),
        };
        for entry in listed {
            match spare.take(entry) {
                Ok(socket) => {
                    opened.sockets.push(socket);
                    opened.addresses.push(entry.address.clone());
                }
                Err(error) => {
                    // What the host passed comes once.
                    opened.give_up(spare);
                    return Err(error);
                }
            }
        }
        Ok(opened)
    }

    /// Leaves them to other services.
    pub(crate) fn give_up(self, spare: &mut SpareSockets) {
        spare.put(self);
    }

    /// Has a program given all of them.
    pub(crate) fn pass(&self, options: &mut SpawnOptions) -> Result<(), Error> {
        Ok(listen::pass(&self.sockets, options)?)
    }
}
