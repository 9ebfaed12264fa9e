//! Every interleaving of signal handlers and the thread that takes what they noted.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p winddown-core --test loom_pending --release`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use winddown_core::{Noted, Pending};

const TERM: u32 = 1;
const HUP: u32 = 2;

/// A handler: notes `number` from `pid`, whose time is `pid * 10`.
fn handler(pending: &Arc<Pending>, number: u32, pid: u32) -> thread::JoinHandle<()> {
    let pending = Arc::clone(pending);
    thread::spawn(move || pending.note(number, pid, Some(pid), u64::from(pid) * 10))
}

/// Everything that was noted is one sender's, with that sender's time.
fn assert_whole(noted: &[Noted]) {
    for noted in noted {
        assert_eq!(noted.uid, Some(noted.pid));
        assert_eq!(noted.at_nanos, u64::from(noted.pid) * 10);
    }
}

/// WD-11: what arrives while another is taken is in this take or the next.
#[test]
fn wd_11_no_arrival_is_lost_to_a_take() {
    loom::model(|| {
        let pending = Arc::new(Pending::new());
        pending.note(TERM, 1, Some(1), 10);
        let second = handler(&pending, TERM, 2);
        let mut taken = pending.take();
        second.join().unwrap();
        let after = pending.take();
        // The second either merged into the first before it was taken, or is taken after it.
        taken.extend(after);
        assert_whole(&taken);
        assert_eq!(taken[0].pid, 1);
        assert!(taken.len() <= 2);
        assert!(pending.is_empty());
    });
}

/// WD-11, WD-12: of two handlers at once one sender is taken, whole, and at least one take after the last handler ends sees it.
#[test]
fn wd_12_merged_handlers_leave_one_whole_sender() {
    loom::model(|| {
        let pending = Arc::new(Pending::new());
        let handlers = [handler(&pending, TERM, 1), handler(&pending, TERM, 2)];
        let mut taken = pending.take();
        for handler in handlers {
            handler.join().unwrap();
        }
        taken.extend(pending.take());
        assert_whole(&taken);
        assert!((1..=2).contains(&taken.len()));
    });
}

/// WD-11: different signals do not disturb each other.
#[test]
fn wd_11_each_signal_is_taken_once() {
    loom::model(|| {
        let pending = Arc::new(Pending::new());
        let handlers = [handler(&pending, TERM, 1), handler(&pending, HUP, 2)];
        let mut taken = pending.take();
        for handler in handlers {
            handler.join().unwrap();
        }
        taken.extend(pending.take());
        assert_whole(&taken);
        let mut numbers: Vec<_> = taken.iter().map(|noted| noted.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [TERM, HUP]);
    });
}

/// WD-11: whoever sees that there is something, and takes, has it.
#[test]
fn wd_11_what_is_seen_is_taken() {
    loom::model(|| {
        let pending = Arc::new(Pending::new());
        let handler = handler(&pending, TERM, 1);
        if !pending.is_empty() {
            let taken = pending.take();
            assert_eq!(taken.len(), 1);
            assert_whole(&taken);
        }
        handler.join().unwrap();
    });
}

/// WD-11: a taker that takes only when it was woken, and clears the wake first, misses nothing, although handlers that merge wake
/// it as well, and before there is anything.
#[test]
fn wd_11_a_taker_who_is_only_woken_misses_nothing() {
    loom::model(|| {
        let pending = Arc::new(Pending::new());
        let wake = Arc::new(AtomicBool::new(false));
        let handlers = [1, 2].map(|pid| {
            let (pending, wake) = (Arc::clone(&pending), Arc::clone(&wake));
            thread::spawn(move || {
                pending.note(TERM, pid, Some(pid), u64::from(pid) * 10);
                // As a descriptor's wake is, which the kernel orders with the one before.
                wake.swap(true, Ordering::AcqRel);
            })
        });
        let take_if_woken = || {
            if wake.swap(false, Ordering::AcqRel) {
                assert_whole(&pending.take());
            }
        };
        take_if_woken();
        for handler in handlers {
            handler.join().unwrap();
        }
        take_if_woken();
        assert!(pending.is_empty());
    });
}
