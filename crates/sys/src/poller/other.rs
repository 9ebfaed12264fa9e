//! One wait on all sources, duplicated so that they stay open while they are watched.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Error, OwnedDescriptor, Result, Waitable, wait_any};

#[derive(Debug)]
pub(super) struct Poller {
    watched: BTreeMap<usize, Vec<OwnedDescriptor>>,
}

impl Poller {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            watched: BTreeMap::new(),
        })
    }

    pub(super) fn watch(&mut self, owner: usize, sources: &[&dyn Waitable]) -> Result<()> {
        self.watched.remove(&owner);
        let duplicates: Vec<OwnedDescriptor> = sources
            .iter()
            .map(|source| source.descriptor().try_clone_to_owned())
            .collect::<Result<_, _>>()
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
