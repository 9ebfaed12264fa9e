//! Dying of a signal.
#![cfg(target_os = "linux")]

mod linux_support;

use linux_support::{block_all, fork};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use winddown_core::Signal::{Int, Quit, Term, Winch};
use winddown_sys::{Sources, signal};

/// WD-72: whoever waits sees the signal, although it was handled and blocked; and a clean end leaves no core behind.
#[test]
fn wd_72_the_death_shows_the_signal() {
    for (signal, number) in [
        (Int, libc::SIGINT),
        (Term, libc::SIGTERM),
        (Quit, libc::SIGQUIT),
    ] {
        let status = fork(|_| {
            let _sources = Sources::attach([signal]).unwrap();
            block_all();
            let cores = getrlimit(Resource::Core);
            let allowed = Rlimit {
                current: cores.maximum,
                ..cores
            };
            setrlimit(Resource::Core, allowed).unwrap();
            signal::die_of(signal);
        })
        .end();
        assert_eq!(status.terminating_signal(), Some(number));
        assert!(!libc::WCOREDUMP(status.as_raw()));
    }
}

/// WD-72: a signal that kills nobody ends the process all the same.
#[test]
fn wd_72_a_harmless_signal_gives_its_number() {
    let status = fork(|_| signal::die_of(Winch)).end();
    assert_eq!(status.exit_status(), Some(128 + libc::SIGWINCH));
}
