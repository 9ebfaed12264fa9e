//! Who sent a signal.
#![cfg(target_os = "linux")]

mod linux_support;

use std::fs::File;
use std::io::Write;
use std::ptr;

use linux_support::{fork, lead_session_on, receive, signals, terminal};
use rustix::process::{geteuid, getpid, getuid};
use winddown_core::Signal::{self, Alrm, Chld, Int, Term};
use winddown_sys::{Sources, signal};

/// WD-80: pid, uid and name of the sender are recorded; tried as a user other than root where that is possible.
#[test]
fn wd_80_the_sender_is_named() {
    fork(|line| {
        if geteuid().is_root() {
            // SAFETY: the call takes no pointers.
            assert_eq!(unsafe { libc::setuid(65534) }, 0);
        }
        let sources = Sources::attach([Term]).unwrap();
        let target = std::process::id();
        let mut sender = fork(|line| {
            rustix::thread::set_name(c"the sender").unwrap();
            signal::send(target, Term).unwrap();
            // Its name can be looked up while it lives.
            line.hear();
        });
        let arrivals = receive(&sources);
        let origin = &arrivals[0].origin;
        assert_eq!(origin.pid, Some(sender.pid()));
        assert_eq!(origin.uid, Some(getuid().as_raw()));
        let name = signal::sender_name(sender.pid());
        assert_eq!(name.as_deref(), Some("the sender"));
        assert!(!arrivals[0].interactive);
        sender.say("enough");
        sender.finish();
        line.say("done");
    })
    .finish();
}

/// WD-80: a sender is known by whichever call it sends.
#[test]
fn wd_80_every_way_of_sending_names_the_sender() {
    fork(|_| {
        let sources = Sources::attach([Term]).unwrap();
        let pid = getpid().as_raw_nonzero().get();
        let ways: [fn(i32) -> i32; 3] = [
            // SAFETY: kill takes no pointers.
            |pid| unsafe { libc::kill(pid, libc::SIGTERM) },
            |pid| {
                let value = libc::sigval {
                    sival_ptr: ptr::null_mut(),
                };
                // SAFETY: the value is only passed on, and nobody follows it.
                unsafe { libc::sigqueue(pid, libc::SIGTERM, value) }
            },
            // SAFETY: raise, which is tgkill, takes no pointers.
            |_| unsafe { libc::raise(libc::SIGTERM) },
        ];
        for way in ways {
            assert_eq!(way(pid), 0);
            let arrivals = receive(&sources);
            assert_eq!(arrivals[0].origin.pid, Some(pid as u32));
            assert_eq!(arrivals[0].origin.uid, Some(getuid().as_raw()));
        }
    })
    .finish();
}

/// WD-80: what the kernel sends has no sender; not even a child that ended, whose pid comes with it.
#[test]
fn wd_80_the_kernel_has_no_pid() {
    fork(|_| {
        let sources = Sources::attach([Alrm, Chld]).unwrap();
        // SAFETY: all zero is a valid timer, and the pointers are valid or null.
        unsafe {
            let mut timer: libc::itimerval = std::mem::zeroed();
            timer.it_value.tv_usec = 1;
            libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut());
        }
        kernel_sent(&sources, Alrm);
        fork(|_| ()).finish();
        kernel_sent(&sources, Chld);
    })
    .finish();
}

fn kernel_sent(sources: &Sources, signal: Signal) {
    let arrivals = receive(sources);
    assert_eq!(signals(&arrivals), [signal]);
    let origin = &arrivals[0].origin;
    assert_eq!((origin.pid, origin.uid, &origin.name), (None, None, &None));
}

/// WD-14: only a key pressed on the controlling terminal is interactive; the same signal from a program is not.
#[test]
fn wd_14_a_key_press_is_told_from_a_program() {
    let (keyboard, terminal) = terminal();
    let mut child = fork(|line| {
        lead_session_on(&terminal);
        let sources = Sources::attach([Int]).unwrap();
        for interactive in [true, false] {
            line.say("ready");
            let arrivals = receive(&sources);
            assert_eq!(signals(&arrivals), [Int]);
            assert_eq!(arrivals[0].interactive, interactive);
            assert_eq!(arrivals[0].origin.pid.is_none(), interactive);
        }
    });
    const CTRL_C: u8 = 3;
    child.expect("ready");
    File::from(keyboard.try_clone().unwrap())
        .write_all(&[CTRL_C])
        .unwrap();
    child.expect("ready");
    child.send(Int);
    child.finish();
}
