//! [`Pending`]: where a signal handler leaves what arrived, without locks and without ever being full.
//!
//! One slot for each signal number. Standard signals merge in the kernel already; here too, the ones of a number that
//! arrive before the slot was taken merge into the first, whose sender is kept: the first reason wins (WD-12).
//!
//! Invariants:
//! 1. A slot belongs to the handler that claimed it from then until it set the slot's bit, and to the taker from when it took the
//!    bit until it freed the slot. Whoever owns it alone touches it, so that what is taken is whole.
//! 2. A handler that finds the slot claimed merges into what the owner has; that is taken by a take that ends later.
//! 3. Hence for each arrival there is a take that ends after it and has it, or the one it merged into: nothing is lost.
//!
//! A handler must be followed by a wake of the taker: the owner's comes after its bit is set.

use crate::sync::{AtomicU64, Ordering};

/// One more than the largest signal number that can be noted.
pub const SIGNAL_SLOTS: usize = 65;

/// What a handler notes: safe to write from a signal handler, on any thread, nested.
#[derive(Debug)]
pub struct Pending {
    /// Bit `n - 1` is set when slot `n` has something to take.
    bits: AtomicU64,
    /// Counts arrivals, so that takers can tell their order.
    order: AtomicU64,
    slots: [Slot; SIGNAL_SLOTS],
}

#[derive(Debug)]
struct Slot {
    /// `CLAIMED | uid << 32 | pid` while something is there, else 0.
    sender: AtomicU64,
    order: AtomicU64,
    at_nanos: AtomicU64,
}

/// A signal that was taken from [`Pending`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The signal's number.
    pub number: u32,
    /// The sender's pid; 0 when the kernel sent it.
    pub pid: u32,
    /// The sender's uid; `None` when the kernel sent it.
    pub uid: Option<u32>,
    /// When it arrived, in nanoseconds of the caller's clock.
    pub at_nanos: u64,
    /// Rises with each arrival.
    pub order: u64,
}

const CLAIMED: u64 = 1 << 63;
const UID_KNOWN: u64 = 1 << 62;
/// Pids are below 2^22 on Linux and below 2^30 elsewhere, so that 30 bits hold them.
const PID_BITS: u32 = 30;
const PID_MASK: u64 = (1 << PID_BITS) - 1;

impl Pending {
    /// Empty slots.
    #[must_use]
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            bits: AtomicU64::new(0),
            order: AtomicU64::new(0),
            slots: [const { Slot::new() }; SIGNAL_SLOTS],
        }
    }

    /// Empty slots.
    #[must_use]
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            bits: AtomicU64::new(0),
            order: AtomicU64::new(0),
            slots: std::array::from_fn(|_| Slot::new()),
        }
    }

    /// Notes signal `number` from `pid` and `uid` (`None` where the kernel sent it), arrived at `at_nanos`.
    ///
    /// Async-signal-safe: only atomics. A number outside 1 to 64 is ignored, no such signal exists.
    pub fn note(&self, number: u32, pid: u32, uid: Option<u32>, at_nanos: u64) {
        let Some(slot) = self.slots.get(number as usize).filter(|_| number != 0) else {
            return;
        };
        let sender = CLAIMED
            | uid.map_or(0, |uid| UID_KNOWN | u64::from(uid) << PID_BITS)
            | (u64::from(pid) & PID_MASK);
        let claimed = slot
            .sender
            .compare_exchange(0, sender, Ordering::Acquire, Ordering::Relaxed);
        if claimed.is_ok() {
            let order = self.order.fetch_add(1, Ordering::Relaxed);
            slot.order.store(order, Ordering::Relaxed);
            slot.at_nanos.store(at_nanos, Ordering::Relaxed);
            self.bits.fetch_or(1 << (number - 1), Ordering::Release);
        }
    }

    /// Whether there is anything to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits.load(Ordering::Acquire) == 0
    }

    /// Takes all that was noted, in the order of arrival.
    ///
    /// Callers take one at a time (under a lock of theirs), so that the order between takes is one order.
    pub fn take(&self) -> Vec<Noted> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut bits = self.bits.swap(0, Ordering::Acquire);
        let mut taken = Vec::new();
        while bits != 0 {
            let number = bits.trailing_zeros() + 1;
            bits &= bits - 1;
            let slot = &self.slots[number as usize];
            let sender = slot.sender.load(Ordering::Relaxed);
            taken.push(Noted {
                number,
                pid: (sender & PID_MASK) as u32,
                uid: (sender & UID_KNOWN != 0).then_some((sender >> PID_BITS) as u32),
                at_nanos: slot.at_nanos.load(Ordering::Relaxed),
                order: slot.order.load(Ordering::Relaxed),
            });
            slot.sender.store(0, Ordering::Release);
        }
        taken.sort_unstable_by_key(|noted| noted.order);
        taken
    }
}

impl Default for Pending {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    #[cfg(not(loom))]
    const fn new() -> Self {
        Self {
            sender: AtomicU64::new(0),
            order: AtomicU64::new(0),
            at_nanos: AtomicU64::new(0),
        }
    }

    #[cfg(loom)]
    fn new() -> Self {
        Self {
            sender: AtomicU64::new(0),
            order: AtomicU64::new(0),
            at_nanos: AtomicU64::new(0),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// WD-12: the first sender of a merged signal is the one that is reported.
    #[test]
    fn wd_12_the_first_sender_is_kept() {
        let pending = Pending::new();
        pending.note(15, 100, Some(1000), 7);
        pending.note(15, 200, Some(0), 8);
        let taken = pending.take();
        assert_eq!(taken.len(), 1);
        assert_eq!(
            (taken[0].pid, taken[0].uid, taken[0].at_nanos),
            (100, Some(1000), 7)
        );
        assert!(pending.take().is_empty());
    }

    #[test]
    fn signals_come_out_in_the_order_they_came_in() {
        let pending = Pending::new();
        for number in [15, 1, 64, 2] {
            pending.note(number, 0, None, 0);
        }
        let order: Vec<_> = pending.take().iter().map(|noted| noted.number).collect();
        assert_eq!(order, [15, 1, 64, 2]);
    }

    #[test]
    fn the_largest_ids_fit() {
        let pending = Pending::new();
        pending.note(1, (1 << 30) - 1, Some(u32::MAX), 0);
        let noted = pending.take()[0];
        assert_eq!((noted.pid, noted.uid), ((1 << 30) - 1, Some(u32::MAX)));
    }

    #[test]
    fn numbers_that_are_no_signals_are_ignored() {
        let pending = Pending::new();
        pending.note(0, 1, None, 0);
        pending.note(65, 1, None, 0);
        assert!(pending.is_empty());
    }
}
