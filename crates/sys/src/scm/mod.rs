//! The real Service Control Manager (SCM): [`SystemScm`] for a service's own process, [`client`] for those who control one.
//!
//! | System | What it does |
//! |---|---|
//! | Windows | serves the process as a service of its own process (`SERVICE_WIN32_OWN_PROCESS`) |
//! | others | [`SystemScm::run`](winddown_core::scm::Scm::run) answers `NotStartedByScm`; the client answers error 120, "not supported" |
//!
//! Source: <https://learn.microsoft.com/windows/win32/services/service-programs>.

pub mod client;

#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub use unix::SystemScm;
#[cfg(windows)]
pub use windows::SystemScm;
