//! What the handler does, and leaves alone.
#![cfg(target_os = "linux")]

mod linux_support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use linux_support::{WATCHDOG, fork, receive, signals};
use tokio::signal::unix::{SignalKind, signal as listener};
use winddown_core::Signal::Term;
use winddown_sys::{Sources, Wake, signal, wait_any};

/// WD-80, signal-hook #191 and #194: the interrupted code finds `errno` as it left it.
#[test]
fn wd_80_errno_is_kept() {
    fork(|_| {
        let sources = Sources::attach([Term]).unwrap();
        // SAFETY: an action that writes errno is async-signal-safe; it stands for any that makes system calls.
        unsafe { signal_hook_registry::register(libc::SIGTERM, || set_errno(4711)) }.unwrap();
        for errno in 1..100 {
            set_errno(errno);
            // SAFETY: raise takes no pointers.
            unsafe { libc::raise(libc::SIGTERM) };
            // SAFETY: the location is this thread's, and valid while it lives.
            assert_eq!(unsafe { *libc::__errno_location() }, errno);
        }
        assert_eq!(signals(&receive(&sources)), [Term]);
    })
    .finish();
}

fn set_errno(errno: i32) {
    // SAFETY: the location is this thread's, and valid while it lives.
    unsafe { *libc::__errno_location() = errno };
}

/// WD-81: a handler that was there before, other users of signal-hook's registry, and tokio's listeners each see the signal.
#[test]
fn wd_81_other_handlers_still_run() {
    static BY_C: AtomicU32 = AtomicU32::new(0);
    static BY_REGISTRY: AtomicU32 = AtomicU32::new(0);

    extern "C" fn by_c(_: i32) {
        BY_C.fetch_add(1, Ordering::Relaxed);
    }

    fork(|_| {
        let handler: extern "C" fn(i32) = by_c;
        // SAFETY: the handler only counts.
        unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
        let count = || {
            BY_REGISTRY.fetch_add(1, Ordering::Relaxed);
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut before = listener(SignalKind::terminate()).unwrap();
            let sources = Sources::attach([Term]).unwrap();
            let mut after = listener(SignalKind::terminate()).unwrap();
            // SAFETY: the action only counts.
            unsafe { signal_hook_registry::register(libc::SIGTERM, count) }.unwrap();
            signal::send(std::process::id(), Term).unwrap();
            let all = async {
                before.recv().await.unwrap();
                after.recv().await.unwrap();
            };
            tokio::time::timeout(WATCHDOG, all).await.unwrap();
            assert_eq!(signals(&receive(&sources)), [Term]);
            assert_eq!(BY_C.load(Ordering::Relaxed), 1);
            assert_eq!(BY_REGISTRY.load(Ordering::Relaxed), 1);

            // They do so, too, after ours has gone.
            drop(sources);
            signal::send(std::process::id(), Term).unwrap();
            tokio::time::timeout(WATCHDOG, before.recv()).await.unwrap();
            assert_eq!(BY_C.load(Ordering::Relaxed), 2);
        });
    })
    .finish();
}

/// A handler on the waiting thread ends its wait, so that it looks at what the handler did.
#[test]
fn a_handler_ends_the_wait_of_its_thread() {
    let mut child = fork(|line| {
        let sources = Sources::attach([Term]).unwrap();
        let never = Wake::new().unwrap();
        line.say("ready");
        let start = Instant::now();
        assert_eq!(wait_any(&[&never], Some(2 * WATCHDOG)), [false]);
        assert!(start.elapsed() < 2 * WATCHDOG);
        assert_eq!(signals(&sources.drain()), [Term]);
        line.say("seen");
    });
    child.expect("ready");
    // Until the child sleeps in its wait, a signal does not interrupt it.
    let start = Instant::now();
    while !sleeps(child.pid()) {
        assert!(start.elapsed() < WATCHDOG);
        std::thread::sleep(Duration::from_millis(1));
    }
    child.send(Term);
    child.expect("seen");
    child.finish();
}

fn sleeps(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.starts_with(" S")
}
