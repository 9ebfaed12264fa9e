//! One absolute deadline for a stop, divided over its phases.

use std::time::Duration;

use crate::{Phase, Timestamp};

/// The time that a stop has: it begins, and it ends; nothing moves the end later (WD-30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    start: Timestamp,
    deadline: Timestamp,
}

/// The largest part of a budget that is kept for the report and the end itself.
const LARGEST_RESERVE: Duration = Duration::from_secs(1);

/// How much of a limit of the host's is for a stop: a twentieth is left to the host, which else would end the process at the very moment
/// at which it ends itself (WD-30).
#[must_use]
pub fn host_share(limit: Duration) -> Duration {
    limit - limit / 20
}

impl Budget {
    /// A stop that began at `start` and may take `limit`.
    #[must_use]
    pub fn new(start: Timestamp, limit: Duration) -> Self {
        Self {
            start,
            deadline: start + limit,
        }
    }

    /// When the stop began.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// When the process must have ended.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Moves the deadline to `deadline` if that is earlier; never later (WD-13).
    pub fn tighten(&mut self, deadline: Timestamp) {
        self.deadline = self.deadline.min(deadline);
    }

    /// The part at the end that no phase may use: a twentieth of the whole, at most 1 s (WD-31).
    #[must_use]
    pub fn reserve(&self) -> Duration {
        (self.deadline.since(self.start) / 20).min(LARGEST_RESERVE)
    }

    /// When `phase` must have ended, `busy` saying which phases have anything to do.
    ///
    /// Of the whole less the reserve, each busy phase after `phase` keeps its share by [`Phase::weight`]; all the time before
    /// those shares may be used up, so what earlier phases left over is not lost (WD-32).
    #[must_use]
    pub fn phase_deadline(&self, phase: Phase, busy: impl Fn(Phase) -> bool) -> Timestamp {
        let end = self.deadline - self.reserve();
        let weigh =
            |phases: &mut dyn Iterator<Item = Phase>| phases.map(Phase::weight).sum::<u32>();
        let all = weigh(&mut Phase::ALL.into_iter().filter(|p| *p == phase || busy(*p)));
        let later = weigh(&mut Phase::ALL.into_iter().filter(|p| *p > phase && busy(*p)));
        end - end.since(self.start) * later / all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(SECOND * seconds as u32)
    }

    #[test]
    fn wd_31_shares_add_up_to_the_whole_less_the_reserve() {
        let budget = Budget::new(at(100), SECOND * 20);
        assert_eq!(budget.reserve(), SECOND);
        let ends: Vec<_> = Phase::ALL
            .map(|phase| {
                budget
                    .phase_deadline(phase, |_| true)
                    .since(at(100))
                    .as_millis()
            })
            .into();
        assert_eq!(ends, [1_900, 3_800, 13_300, 17_100, 19_000]);
    }

    #[test]
    fn wd_30_a_part_of_the_hosts_limit_is_the_hosts() {
        assert_eq!(host_share(SECOND * 20), SECOND * 19);
        assert_eq!(host_share(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn wd_32_idle_phases_give_their_share_away() {
        let budget = Budget::new(at(0), SECOND * 20);
        assert_eq!(budget.phase_deadline(Phase::Drain, |_| false), at(19));
    }

    #[test]
    fn wd_13_a_deadline_is_shortened_and_never_lengthened() {
        let mut budget = Budget::new(at(0), SECOND * 20);
        budget.tighten(at(30));
        assert_eq!(budget.deadline(), at(20));
        budget.tighten(at(5));
        assert_eq!(budget.deadline(), at(5));
    }

    proptest! {
        #[test]
        fn wd_30_no_phase_ends_after_the_deadline_or_before_an_earlier_one(
            limit in 0u64..100_000, busy in prop::array::uniform5(any::<bool>())
        ) {
            let budget = Budget::new(at(1), Duration::from_millis(limit));
            let ends = Phase::ALL.map(|phase| budget.phase_deadline(phase, |p| busy[p as usize]));
            for pair in ends.windows(2).enumerate().filter(|(i, _)| busy[*i] && busy[i + 1]) {
                prop_assert!(pair.1[0] <= pair.1[1]);
            }
            prop_assert!(ends.iter().all(|end| *end <= budget.deadline() && *end >= budget.start()));
        }
    }
}
