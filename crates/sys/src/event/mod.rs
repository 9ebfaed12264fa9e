//! Named events: how some Windows programs are asked to stop.

use crate::Result;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

/// Sets the event of this name, which somebody else made: `Global\\stop-orders`, or one of this session without a prefix.
///
/// Source: `OpenEventW`, `SetEvent`.
///
/// # Errors
/// [`Error::Os`](crate::Error::Os) where there is no such event or it may not be set,
/// [`Error::Unsupported`](crate::Error::Unsupported) on other systems than Windows.
pub fn set(name: &str) -> Result<()> {
    imp::set(name)
}
