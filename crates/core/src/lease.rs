//! More time from the host, and only for real progress: [`Lease`].

use std::time::Duration;

use crate::Timestamp;

/// Decides when the host is told that work advances, and for how much longer (WD-40).
///
/// Each piece of progress is worth one lease from then on. The host is told at most four times a lease, so that ten
/// thousand finished requests are not ten thousand messages; and never past the stop's own deadline (WD-41).
#[derive(Clone, Debug)]
pub struct Lease {
    length: Duration,
    granted_until: Timestamp,
    told_at: Option<Timestamp>,
    progress_at: Option<Timestamp>,
    count: u32,
}

/// What to tell the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// How long from now the host should wait for more: the systemd `EXTEND_TIMEOUT_USEC`, the SCM's wait hint.
    pub wait: Duration,
    /// Rises by one each time: the SCM's checkpoint.
    pub checkpoint: u32,
}

impl Lease {
    /// A lease of `length` for each piece of progress.
    #[must_use]
    pub const fn new(length: Duration) -> Self {
        Self {
            length,
            granted_until: Timestamp::ZERO,
            told_at: None,
            progress_at: None,
            count: 0,
        }
    }

    /// Notes that work advanced at `now`.
    pub const fn progress(&mut self, now: Timestamp) {
        self.progress_at = Some(now);
    }

    /// Notes that whoever works needs `length` from `now` on: that is the lease from here.
    pub const fn ask(&mut self, now: Timestamp, length: Duration) {
        self.length = length;
        self.progress(now);
    }

    /// What to tell the host now, if anything; `deadline` is the stop's own.
    pub fn tell(&mut self, now: Timestamp, deadline: Timestamp) -> Option<Extension> {
        if now < self.due()? {
            return None;
        }
        let progress_at = self.progress_at.take()?;
        let until = (progress_at + self.length).min(deadline);
        self.told_at = Some(now);
        if until <= self.granted_until || until <= now {
            return None;
        }
        self.granted_until = until;
        self.count += 1;
        Some(Extension {
            wait: until.since(now),
            checkpoint: self.count,
        })
    }

    /// When [`Lease::tell`] is worth a call; `None` while nothing has advanced since it told last.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let progress_at = self.progress_at?;
        Some(
            self.told_at
                .map_or(progress_at, |told| told + self.length / 4),
        )
    }

    /// Until when the host has been asked to wait.
    #[must_use]
    pub const fn granted_until(&self) -> Timestamp {
        self.granted_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u32) -> Timestamp {
        Timestamp::from_origin(MS * millis)
    }

    #[test]
    fn wd_40_no_progress_no_extension() {
        let mut lease = Lease::new(MS * 1_000);
        assert_eq!(lease.tell(at(0), Timestamp::NEVER), None);
        lease.progress(at(10));
        assert_eq!(
            lease.tell(at(10), Timestamp::NEVER),
            Some(Extension {
                wait: MS * 1_000,
                checkpoint: 1
            })
        );
        assert_eq!(lease.tell(at(900), Timestamp::NEVER), None);
        assert_eq!(lease.due(), None);
    }

    #[test]
    fn wd_43_what_is_asked_for_is_the_lease() {
        let mut lease = Lease::new(MS);
        lease.ask(at(0), MS * 2_000);
        let told = lease.tell(at(0), at(5_000)).unwrap();
        assert_eq!((told.wait, told.checkpoint), (MS * 2_000, 1));
        lease.ask(at(100), MS * 10);
        assert_eq!(lease.tell(at(110), at(5_000)), None, "it is granted more");
        lease.ask(at(1_000), MS * 9_000);
        assert_eq!(lease.due(), Some(at(2_360)));
        assert_eq!(lease.tell(at(2_360), at(5_000)).unwrap().wait, MS * 2_640);
    }

    #[test]
    fn wd_42_the_host_hears_of_it_at_most_four_times_a_lease_and_of_the_last() {
        let mut lease = Lease::new(MS * 1_000);
        let told: Vec<_> = (0..1_000)
            .filter_map(|ms| {
                lease.progress(at(ms));
                lease.tell(at(ms), Timestamp::NEVER)
            })
            .collect();
        assert_eq!(
            told.iter().map(|e| e.checkpoint).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert_eq!(lease.due(), Some(at(1_000)));
        assert_eq!(
            lease.tell(at(1_000), Timestamp::NEVER).unwrap().wait,
            MS * 999
        );
    }

    #[test]
    fn wd_41_no_extension_goes_past_the_deadline() {
        let mut lease = Lease::new(MS * 1_000);
        lease.progress(at(0));
        assert_eq!(lease.tell(at(0), at(300)).unwrap().wait, MS * 300);
        lease.progress(at(260));
        assert_eq!(lease.tell(at(260), at(300)), None);
    }
}
