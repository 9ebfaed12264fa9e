//! A console is shared by all who are attached to it.

use crate::Result;
use crate::process::Child;

pub(super) const fn screen() -> Option<(u16, u16)> {
    None
}

#[derive(Debug)]
pub(super) struct Terminal;

impl Terminal {
    pub(super) fn of_this_process() -> Option<Self> {
        None
    }

    pub(super) fn give_to(&self, _child: &Child) -> Result<()> {
        Ok(())
    }

    pub(super) fn follow(&self, _child: &Child) -> Result<()> {
        Ok(())
    }
}
