//! Systems that do not say how a process treats signals.

use std::fs::File;

use winddown_core::Signal;

use super::{Evidence, Facts, Glance, Runtime};

pub(super) fn facts(_pid: u32) -> Option<Facts> {
    None
}

pub(super) fn glance(_pid: u32, _signals: &[Signal]) -> Option<Glance> {
    None
}

pub(super) fn runtime(_executable: &File) -> Option<Runtime> {
    None
}

pub(super) fn evidence(_pid: u32) -> Option<Evidence> {
    None
}
