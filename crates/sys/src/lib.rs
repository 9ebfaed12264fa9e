//! The operating-system half of winddown.

pub mod scm;
#[cfg(windows)]
mod windows;
