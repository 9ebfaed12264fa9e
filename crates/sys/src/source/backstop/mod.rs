//! [`Backstop`]: the wake that comes a moment later, for what somebody else looks at first.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "none.rs")]
mod imp;

pub(super) use imp::Backstop;
