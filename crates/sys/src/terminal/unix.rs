//! Foreground groups.

use std::io::{stderr, stdin};

use rustix::process::{
    Pid, Signal as Raw, WaitId, WaitIdOptions, getpid, kill_process, kill_process_group, waitid,
};
use rustix::termios::{
    OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetpgrp,
};

use crate::process::Child;
use crate::{Error, Result};

pub(super) fn screen() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stderr()).ok()?;
    (tcgetpgrp(stderr()).ok()? == own_group()?).then_some((size.ws_row, size.ws_col))
}

/// `None` where the group's leader is outside of the pid namespace.
fn own_group() -> Option<Pid> {
    // SAFETY: takes no pointers, and only asks.
    Pid::from_raw(unsafe { libc::getpgrp() })
}

#[derive(Debug)]
pub(super) struct Terminal {
    own_group: Pid,
    settings: Termios,
}

impl Terminal {
    pub(super) fn of_this_process() -> Option<Self> {
        let settings = tcgetattr(stdin()).ok()?;
        let own_group = own_group()?;
        (tcgetpgrp(stdin()).ok()? == own_group).then_some(Self {
            own_group,
            settings,
        })
    }

    pub(super) fn give_to(&self, child: &Child) -> Result<()> {
        let Some(group) = group_of(child) else {
            return Ok(());
        };
        // It may have been stopped for reading too early.
        let given = tcsetpgrp(stdin(), group).and_then(|()| kill_process_group(group, Raw::CONT));
        match given {
            // It has ended already.
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::PERM) | Ok(()) => Ok(()),
            Err(errno) => Err(Error::os("handing over the terminal", errno)),
        }
    }

    pub(super) fn follow(&self, child: &Child) -> Result<()> {
        let Some(pid) = group_of(child) else {
            return Ok(());
        };
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        if !matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_))) {
            return Ok(());
        }
        let settings = tcgetattr(stdin());
        self.take_back();
        // Returns once somebody continues this process.
        let _ = kill_process(getpid(), Raw::STOP);
        if let Ok(settings) = settings {
            let _ = tcsetattr(stdin(), OptionalActions::Drain, &settings);
        }
        self.give_to(child)
    }

    fn take_back(&self) {
        // The terminal may have gone.
        let _ = tcsetpgrp(stdin(), self.own_group);
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.settings);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
    }
}

fn group_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.pid()).ok()?)
}
