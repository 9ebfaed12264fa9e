//! Who looks first spares the receiver's wake for a moment, and no more than that.
#![cfg(target_os = "linux")]

mod linux_support;

use std::thread;
use std::time::Duration;

use linux_support::{WATCHDOG, fork, signals};
use winddown_core::Signal::{Hup, Term};
use winddown_sys::{Sources, wait_any};

/// Interrupts the calling thread.
fn raise(signal: i32) {
    // SAFETY: takes no pointers.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// Whether the wake and the backstop get ready within `timeout`.
fn ready(sources: &Sources, timeout: Duration) -> Vec<bool> {
    let backstop = sources.backstop().expect("Linux has one");
    wait_any(&[sources.wake(), backstop], Some(timeout))
}

/// WD-11: the thread that looks first never does.
#[test]
fn wd_11_what_nobody_takes_is_heard_of_soon() {
    fork(|_| {
        let sources = Sources::attach([Term]).unwrap();
        for _ in 0..2 {
            let _first = sources.look_first();
            raise(libc::SIGTERM);
            assert_eq!(ready(&sources, WATCHDOG), [false, true]);
            sources.clear();
            assert_eq!(ready(&sources, Duration::ZERO), [false, false]);
            assert_eq!(signals(&sources.drain()), [Term]);
        }
    })
    .finish();
}

/// WD-11: signals that keep coming do not put the receiver off.
#[test]
fn wd_11_a_second_signal_is_heard_of_at_once() {
    fork(|_| {
        let sources = Sources::attach([Term, Hup]).unwrap();
        let _first = sources.look_first();
        raise(libc::SIGTERM);
        raise(libc::SIGHUP);
        assert_eq!(wait_any(&[sources.wake()], Some(Duration::ZERO)), [true]);
        assert_eq!(signals(&sources.drain()), [Term, Hup]);
    })
    .finish();
}

/// WD-11: another thread than the one that looks first is interrupted, or none looks first any more.
#[test]
fn wd_11_others_than_the_first_set_the_wake() {
    fork(|_| {
        let sources = Sources::attach([Term]).unwrap();
        let first = sources.look_first();
        thread::spawn(|| raise(libc::SIGTERM)).join().unwrap();
        assert_eq!(ready(&sources, Duration::ZERO), [true, false]);
        sources.clear();
        drop(first);
        raise(libc::SIGTERM);
        assert_eq!(ready(&sources, Duration::ZERO), [true, false]);
    })
    .finish();
}

#[cfg(feature = "tokio")]
mod tasks {
    use tokio::runtime::{Builder, Runtime};
    use tokio::time;

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_task_hears_of_each_arrival() {
        fork(|_| {
            let sources = Sources::attach([Term]).unwrap();
            runtime().block_on(async {
                let watch = sources.watch().unwrap();
                for _ in 0..3 {
                    raise(libc::SIGTERM);
                    time::timeout(WATCHDOG, watch.arrived()).await.unwrap();
                    assert_eq!(signals(&sources.drain()), [Term]);
                    assert_eq!(ready(&sources, WATCHDOG), [false, true]);
                    sources.clear();
                }
            });
        })
        .finish();
    }

    /// WD-11: the runtime whose tasks look first never runs again.
    #[test]
    fn wd_11_what_no_task_takes_is_heard_of_soon() {
        fork(|_| {
            let sources = Sources::attach([Term]).unwrap();
            let runtime = runtime();
            let watch = runtime.block_on(async { sources.watch().unwrap() });
            raise(libc::SIGTERM);
            assert_eq!(ready(&sources, WATCHDOG), [false, true]);
            sources.clear();
            drop(watch);
            raise(libc::SIGTERM);
            assert_eq!(ready(&sources, Duration::ZERO), [true, false]);
        })
        .finish();
    }

    #[test]
    fn many_tasks_of_one_runtime_can_watch() {
        fork(|_| {
            let sources = Sources::attach([Term]).unwrap();
            let (one, other) = (runtime(), runtime());
            let watch = one.block_on(async {
                let [watch, second] = [sources.watch().unwrap(), sources.watch().unwrap()];
                raise(libc::SIGTERM);
                let either = async {
                    tokio::select! {
                        () = watch.arrived() => {}
                        () = second.arrived() => {}
                    }
                };
                time::timeout(WATCHDOG, either).await.unwrap();
                assert!(watch.is_of_this_runtime());
                watch
            });
            other.block_on(async { assert!(!watch.is_of_this_runtime()) });
        })
        .finish();
    }
}
