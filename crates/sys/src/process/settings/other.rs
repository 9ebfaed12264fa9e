//! What only Linux has of settings, elsewhere.

use rustix::io::Errno;

use super::super::{Resource, Settings};
use crate::{Error, Result};

pub(in crate::process) enum Change {}

pub(super) fn while_privileged(settings: &Settings) -> Result<Vec<Change>> {
    let asked = [
        (settings.oom_score_adjust.is_some(), "an OOM score"),
        (!settings.affinity.is_empty(), "a choice of processors"),
        (settings.capabilities.is_some(), "keeping capabilities"),
        (settings.no_new_privileges, "no_new_privs"),
    ];
    match asked.iter().find(|(asked, _)| *asked) {
        None => Ok(Vec::new()),
        Some((_, what)) => Err(Error::Unsupported {
            what: (*what).to_owned(),
            instead: "only Linux has it",
        }),
    }
}

pub(super) fn as_the_user(_settings: &Settings) -> Vec<Change> {
    Vec::new()
}

pub(super) fn resource(resource: Resource) -> Option<rustix::process::Resource> {
    use rustix::process::Resource as Native;
    match resource {
        Resource::Cpu => Some(Native::Cpu),
        Resource::Fsize => Some(Native::Fsize),
        Resource::Data => Some(Native::Data),
        Resource::Stack => Some(Native::Stack),
        Resource::Core => Some(Native::Core),
        Resource::Rss => Some(Native::Rss),
        Resource::Nproc => Some(Native::Nproc),
        Resource::Nofile => Some(Native::Nofile),
        Resource::Memlock => Some(Native::Memlock),
        #[cfg(not(target_os = "openbsd"))]
        Resource::As => Some(Native::As),
        _ => None,
    }
}

impl Change {
    pub(super) fn make(&self) -> Result<(), Errno> {
        match *self {}
    }

    pub(super) fn explain(&self, _refused: bool) -> (String, Option<&'static str>) {
        match *self {}
    }
}
