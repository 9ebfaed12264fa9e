//! Systems without a timer that a signal handler may set: nobody looks first.

use crate::{Result, Waitable};

#[derive(Debug)]
pub(in crate::source) struct Backstop;

impl Backstop {
    pub(in crate::source) fn new() -> Result<Self> {
        Ok(Self)
    }

    pub(in crate::source) fn arm(&self) -> bool {
        false
    }

    pub(in crate::source) fn clear(&self) {}

    pub(in crate::source) fn waitable(&self) -> Option<&dyn Waitable> {
        None
    }
}
