//! Settings as flags of a new process and a mask of its processors.

use windows_sys::Win32::System::Threading::{
    ABOVE_NORMAL_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS, HIGH_PRIORITY_CLASS,
    IDLE_PRIORITY_CLASS, NORMAL_PRIORITY_CLASS, PROCESS_CREATION_FLAGS, REALTIME_PRIORITY_CLASS,
};

use super::Settings;
use crate::{Error, Result};

/// Refuses what Windows does not have.
pub(in crate::process) fn check(settings: &Settings) -> Result<()> {
    let asked = [
        (
            settings.account.is_some(),
            "another user",
            "give the service that account",
        ),
        (
            settings.umask.is_some(),
            "a umask",
            "give the directory the permissions that its files shall have",
        ),
        (
            !settings.limits.is_empty(),
            "a limit of resources",
            "use a job object's",
        ),
        (
            settings.oom_score_adjust.is_some(),
            "an OOM score",
            "only Linux has it",
        ),
        (
            settings.no_new_privileges,
            "no_new_privs",
            "only Linux has it",
        ),
        (
            settings.capabilities.is_some(),
            "keeping capabilities",
            "give the service an account with few rights",
        ),
    ];
    match asked.into_iter().find(|(asked, ..)| *asked) {
        None => Ok(()),
        Some((_, what, instead)) => Err(Error::Unsupported {
            what: what.to_owned(),
            instead,
        }),
    }
}

/// The priority class that libuv's `uv_os_setpriority` gives the same number.
pub(in crate::process) fn priority_class(settings: &Settings) -> Option<PROCESS_CREATION_FLAGS> {
    Some(match settings.nice? {
        ..-14 => REALTIME_PRIORITY_CLASS,
        -14..-7 => HIGH_PRIORITY_CLASS,
        -7..0 => ABOVE_NORMAL_PRIORITY_CLASS,
        0..10 => NORMAL_PRIORITY_CLASS,
        10..19 => BELOW_NORMAL_PRIORITY_CLASS,
        19.. => IDLE_PRIORITY_CLASS,
    })
}

/// The mask of the processors, or `None` for all.
pub(in crate::process) fn affinity_mask(settings: &Settings) -> Result<Option<usize>> {
    let mut mask = 0;
    for &processor in &settings.affinity {
        let Some(bit) = u32::try_from(processor)
            .ok()
            .and_then(|bit| 1usize.checked_shl(bit))
        else {
            return Err(Error::Unsupported {
                what: format!("binding to processor {processor}"),
                instead: "a mask has room for those of one processor group, 0 to 63",
            });
        };
        mask |= bit;
    }
    Ok((mask != 0).then_some(mask))
}
