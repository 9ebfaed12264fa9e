//! A short-lived process of this executable that takes a console event to another console (Windows).
//!
//! An event reaches the programs of the sender's own console, so the sender must go to that of the receiver. A process that is alone on
//! its console cannot: the console would be closed behind it, and on it would end whatever it shows to a person.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

#[cfg(windows)]
pub(crate) use imp::send;

/// Where this process was started as a courier: sends the event, and ends the process. Otherwise it returns, and from then on this process
/// starts couriers where it needs some.
///
/// To be called first of all in `main`. Does nothing on Unix.
pub fn serve() {
    imp::serve();
}
