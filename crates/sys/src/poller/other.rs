//! One wait on all sources, duplicated so that they stay open while they are watched.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Descriptor, Error, OwnedDescriptor, Result, Waitable, wait_any};

#[derive(Debug)]
pub(super) struct Poller {
    watched: BTreeMap<usize, Vec<Duplicate>>,
}

#[derive(Debug)]
struct Duplicate {
    descriptor: OwnedDescriptor,
    waits_for_room: bool,
}

impl Waitable for Duplicate {
    fn descriptor(&self) -> Descriptor<'_> {
        self.descriptor.descriptor()
    }

    fn waits_for_room(&self) -> bool {
        self.waits_for_room
    }
}

impl Poller {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            watched: BTreeMap::new(),
        })
    }

    pub(super) fn watch(&mut self, owner: usize, sources: &[&dyn Waitable]) -> Result<()> {
        self.watched.remove(&owner);
        let duplicates: Vec<Duplicate> = sources
            .iter()
            .map(|source| {
                Ok(Duplicate {
                    descriptor: source.descriptor().try_clone_to_owned()?,
                    waits_for_room: source.waits_for_room(),
                })
            })
            .collect::<std::io::Result<_>>()
            .map_err(|error| Error::os("watching a descriptor", error))?;
        if !duplicates.is_empty() {
            self.watched.insert(owner, duplicates);
        }
        Ok(())
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Vec<usize> {
        let (owners, sources): (Vec<usize>, Vec<&dyn Waitable>) = self
            .watched
            .iter()
            .flat_map(|(owner, sources)| {
                sources
                    .iter()
                    .map(move |source| (*owner, source as &dyn Waitable))
            })
            .unzip();
        let ready = wait_any(&sources, timeout);
        let mut owners: Vec<usize> = owners
            .into_iter()
            .zip(ready)
            .filter_map(|(owner, ready)| ready.then_some(owner))
            .collect();
        owners.dedup();
        owners
    }
}
