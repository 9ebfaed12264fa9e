use std::env;
use std::ffi::{OsStr, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use winddown_core::{Mechanism, Signal};

const STOP_REQUESTS: [(c_int, Signal); 4] = [
    (libc::SIGTERM, Signal::Term),
    (libc::SIGINT, Signal::Int),
    (libc::SIGHUP, Signal::Hup),
    (libc::SIGQUIT, Signal::Quit),
];

fn stop_requests() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that the other calls then change.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for (number, _) in STOP_REQUESTS {
            libc::sigaddset(set.as_mut_ptr(), number);
        }
        set.assume_init()
    }
}

pub(super) fn ignore_stop_requests() {
    for (number, _) in STOP_REQUESTS {
        // SAFETY: SIG_IGN runs no code of ours.
        unsafe { libc::signal(number, libc::SIG_IGN) };
    }
}

pub(super) fn hold_stop_requests() {
    // SAFETY: the set is initialised, and the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &stop_requests(), ptr::null_mut()) };
}

pub(super) fn await_stop_request() -> Mechanism {
    let mut number = 0;
    // SAFETY: both pointers are valid for the call.
    let failed = unsafe { libc::sigwait(&stop_requests(), &mut number) };
    assert_eq!(failed, 0, "sigwait takes these signals");
    let (_, signal) = STOP_REQUESTS
        .into_iter()
        .find(|(known, _)| *known == number)
        .expect("sigwait gives a signal of the set");
    Mechanism::Signal(signal)
}

pub(super) fn die_of(request: &Mechanism) -> ! {
    for (number, signal) in STOP_REQUESTS {
        if *request == Mechanism::Signal(signal) {
            // SAFETY: SIG_DFL runs no code of ours, and the set is initialised.
            unsafe {
                libc::signal(number, libc::SIG_DFL);
                libc::pthread_sigmask(libc::SIG_UNBLOCK, &stop_requests(), ptr::null_mut());
                libc::raise(number);
            }
        }
    }
    panic!("{request} has no default action that ends a process");
}

pub(super) fn detach(command: &mut Command) {
    // SAFETY: setsid is async-signal-safe, and nothing else happens between fork and exec.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        });
    }
}

pub(super) fn pause_self() -> io::Result<()> {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
    Ok(())
}

pub(super) fn await_window_message(_ready: impl FnOnce()) -> io::Result<&'static str> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn await_event(_name: &str, _ready: impl FnOnce()) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn notify(text: &str) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address(&name)?)?;
    Ok(())
}

fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => abstract_address(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn is_running(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};

    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(target_os = "linux")]
pub(super) fn kill_if(pid: u32, still_meant: impl FnOnce() -> bool) -> io::Result<bool> {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    let gone_is_no_error = |error| match error {
        rustix::io::Errno::SRCH => Ok(false),
        error => Err(io::Error::from(error)),
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(_) if !still_meant() => Ok(false),
        Ok(pinned) => pidfd_send_signal(&pinned, Signal::KILL)
            .map(|()| true)
            .or_else(gone_is_no_error),
        Err(error) => gone_is_no_error(error),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn kill_if(_pid: u32, _still_meant: impl FnOnce() -> bool) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
