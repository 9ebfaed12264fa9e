//! What the list of all members answers, on systems that have no shorter way.

use winddown_core::Signal;

use super::{Member, imp};
use crate::Result;

impl imp::Tree {
    pub(super) fn contains(&self, pid: u32) -> bool {
        self.members()
            .is_ok_and(|members| members.iter().any(|member| member.pid == pid))
    }

    pub(super) fn signal_member(&self, _: u32, _: Signal) -> Result<bool> {
        Ok(false)
    }

    pub(super) fn some_members(&self, most: usize) -> Result<Vec<Member>> {
        let mut members = self.members()?;
        members.truncate(most);
        Ok(members)
    }

    pub(super) fn kill_and_name(&self) -> (Vec<Member>, Result<()>) {
        (self.members().unwrap_or_default(), self.kill())
    }
}
