//! What only Linux has of settings.

use std::io;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, CpuSet, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, sched_setaffinity, set_capabilities,
    set_keep_capabilities, set_no_new_privs,
};

use super::super::{Capability, Resource, Settings};
use crate::{Error, Result};

/// One more than the highest number that a kernel can give a capability: its sets are 64 bits wide.
const CAPABILITIES_END: u32 = 64;

pub(in crate::process) enum Change {
    /// The text that is written for it.
    OomScore(String),
    Affinity(CpuSet, String),
    /// These go from the bounding set, for ever.
    Bounding(CapabilitySet),
    KeepCapabilities,
    Capabilities(CapabilitySet),
    NoNewPrivileges,
}

/// What takes the rights of this process, or is the user's no more to change.
pub(super) fn while_privileged(settings: &Settings) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let score = settings.oom_score_adjust;
    changes.extend(score.map(|score| Change::OomScore(score.to_string())));
    if !settings.affinity.is_empty() {
        changes.push(affinity(&settings.affinity)?);
    }
    if let Some(kept) = &settings.capabilities {
        let kept = kept_of(kept)?;
        changes.push(Change::Bounding(bounding_without(kept)));
        changes.push(Change::KeepCapabilities);
    }
    Ok(changes)
}

/// What the change of the user would take away again.
pub(super) fn as_the_user(settings: &Settings) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(kept) = &settings.capabilities {
        changes.push(Change::Capabilities(set(kept)));
    }
    if settings.no_new_privileges {
        changes.push(Change::NoNewPrivileges);
    }
    changes
}

fn affinity(processors: &[usize]) -> Result<Change> {
    let mut set = CpuSet::new();
    for &processor in processors {
        if processor >= CpuSet::MAX_CPU {
            return Err(Error::Setting {
                what: format!("bind to processor {processor}"),
                source: Errno::INVAL.into(),
                remedy: Some("the highest number is 1023"),
            });
        }
        set.set(processor);
    }
    let list: Vec<String> = processors.iter().map(usize::to_string).collect();
    Ok(Change::Affinity(set, list.join(",")))
}

fn set(capabilities: &[Capability]) -> CapabilitySet {
    let one = |capability: &Capability| CapabilitySet::from_bits_retain(1 << capability.number());
    capabilities.iter().map(one).collect()
}

/// `capabilities` as a set, all of which this process has.
fn kept_of(kept: &[Capability]) -> Result<CapabilitySet> {
    let own = capabilities(None).map_err(|error| Error::os("capget", error))?;
    let missing = kept
        .iter()
        .find(|capability| !own.permitted.contains(set(&[**capability])));
    match missing {
        None => Ok(set(kept)),
        Some(missing) => Err(Error::Setting {
            what: format!("keep {missing}"),
            source: io::ErrorKind::PermissionDenied.into(),
            remedy: Some(
                "winddown does not have it itself: run it as root, or give it to winddown first",
            ),
        }),
    }
}

/// What the bounding set of this process holds besides `kept`.
fn bounding_without(kept: CapabilitySet) -> CapabilitySet {
    (0..CAPABILITIES_END)
        .map(|number| CapabilitySet::from_bits_retain(1 << number))
        .filter(|one| !kept.contains(*one) && capability_is_in_bounding_set(*one) == Ok(true))
        .collect()
}

pub(super) fn resource(resource: Resource) -> Option<rustix::process::Resource> {
    use rustix::process::Resource as Native;
    Some(match resource {
        Resource::Cpu => Native::Cpu,
        Resource::Fsize => Native::Fsize,
        Resource::Data => Native::Data,
        Resource::Stack => Native::Stack,
        Resource::Core => Native::Core,
        Resource::Rss => Native::Rss,
        Resource::Nproc => Native::Nproc,
        Resource::Nofile => Native::Nofile,
        Resource::Memlock => Native::Memlock,
        Resource::As => Native::As,
        Resource::Locks => Native::Locks,
        Resource::Sigpending => Native::Sigpending,
        Resource::Msgqueue => Native::Msgqueue,
        Resource::Nice => Native::Nice,
        Resource::Rtprio => Native::Rtprio,
        Resource::Rttime => Native::Rttime,
    })
}

impl Change {
    pub(super) fn make(&self) -> Result<(), Errno> {
        match self {
            Self::OomScore(score) => {
                let file = open(c"/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty())?;
                rustix::io::write(&file, score.as_bytes()).map(drop)
            }
            Self::Affinity(processors, _) => sched_setaffinity(None, processors),
            Self::Bounding(dropped) => each(*dropped, remove_capability_from_bounding_set),
            Self::KeepCapabilities => set_keep_capabilities(true),
            Self::Capabilities(kept) => {
                clear_ambient_capability_set()?;
                let sets = CapabilitySets {
                    effective: *kept,
                    permitted: *kept,
                    inheritable: *kept,
                };
                set_capabilities(None, sets)?;
                each(*kept, |one| configure_capability_in_ambient_set(one, true))
            }
            Self::NoNewPrivileges => set_no_new_privs(true),
        }
    }

    pub(super) fn explain(&self, refused: bool) -> (String, Option<&'static str>) {
        match self {
            Self::OomScore(score) => (
                format!("set the OOM score adjustment to {score}"),
                refused.then_some(
                    "below winddown's own it takes root (CAP_SYS_RESOURCE): write a higher one",
                ),
            ),
            Self::Affinity(_, list) => (
                format!("bind to the processors {list}"),
                Some("name processors that this machine has and that winddown itself may use"),
            ),
            Self::Bounding(_) => (
                "drop capabilities".to_owned(),
                refused
                    .then_some("it takes root (CAP_SETPCAP); `no-new-privileges` needs no rights"),
            ),
            Self::KeepCapabilities | Self::Capabilities(_) => {
                ("keep capabilities".to_owned(), None)
            }
            Self::NoNewPrivileges => ("set no_new_privs".to_owned(), None),
        }
    }
}

/// Calls `change` for each capability of `set`, without allocating.
fn each(
    set: CapabilitySet,
    change: impl FnMut(CapabilitySet) -> Result<(), Errno>,
) -> Result<(), Errno> {
    (0..CAPABILITIES_END)
        .map(|number| CapabilitySet::from_bits_retain(1 << number))
        .filter(|one| set.contains(*one))
        .try_for_each(change)
}
