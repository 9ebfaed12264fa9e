//! A program whose own threads never come back still receives its stop.
#![cfg(target_os = "linux")]

mod linux_support;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Barrier;
use std::thread;

use linux_support::{Line, block_all, fork, receive, signals};
use winddown_core::Signal::{Term, Usr1};
use winddown_sys::{Sources, signal};

/// A program with threads that do as `busy` does, the main one and four more, beside the one that receives.
fn received_although(busy: fn(&Sources)) {
    let mut child = fork(|line| {
        let sources = Sources::attach([Term]).unwrap();
        // Threads of the program may have blocked the signal; the receiver starts from one of them.
        block_all();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| busy(&sources));
            }
            scope.spawn(|| report(&sources, line));
            busy(&sources);
        });
    });
    child.expect("receiving");
    child.send(Term);
    child.expect("received");
}

fn report(sources: &Sources, line: &mut Line) {
    sources.unblock_on_this_thread();
    line.say("receiving");
    assert_eq!(signals(&receive(sources)), [Term]);
    line.say("received");
}

/// WD-11.
#[test]
fn wd_11_every_thread_spins() {
    received_although(|sources| {
        sources.unblock_on_this_thread();
        loop {
            std::hint::spin_loop();
        }
    });
}

/// WD-11.
#[test]
fn wd_11_every_thread_is_in_a_call_that_never_returns() {
    received_although(|sources| {
        sources.unblock_on_this_thread();
        let (_open, mut silent) = UnixStream::pair().unwrap();
        let _ = silent.read(&mut [0]);
        unreachable!("nobody writes");
    });
}

/// WD-11.
#[test]
fn wd_11_every_thread_blocks_every_signal() {
    received_although(|_| {
        loop {
            thread::park();
        }
    });
}

/// WD-81: a signal that the program blocks everywhere, and waits for itself, does not meet its default action in the receiver.
#[test]
fn wd_81_the_receiver_takes_nothing_that_is_not_attached() {
    fork(|_| {
        let mut waited_for = std::mem::MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set, and the other calls read it.
        let waited_for = unsafe {
            libc::sigemptyset(waited_for.as_mut_ptr());
            libc::sigaddset(waited_for.as_mut_ptr(), libc::SIGUSR1);
            libc::pthread_sigmask(libc::SIG_BLOCK, waited_for.as_ptr(), std::ptr::null_mut());
            waited_for.assume_init()
        };
        let sources = Sources::attach([Term]).unwrap();
        let receiving = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                sources.unblock_on_this_thread();
                receiving.wait();
                assert_eq!(signals(&receive(&sources)), [Term]);
            });
            receiving.wait();
            signal::send(std::process::id(), Usr1).unwrap();
            let mut number = 0;
            // SAFETY: the set is initialised, and `number` valid.
            assert_eq!(unsafe { libc::sigwait(&waited_for, &mut number) }, 0);
            assert_eq!(number, libc::SIGUSR1);
            signal::send(std::process::id(), Term).unwrap();
        });
    })
    .finish();
}
