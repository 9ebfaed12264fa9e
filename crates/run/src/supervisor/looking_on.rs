//! What a person at a terminal sees of what takes long.

use std::time::Duration;

use winddown_core::Timestamp;

use super::Supervisor;

/// How often it is told what is waited for, and how long that takes before it is told at all.
const EVERY: Duration = Duration::from_secs(1);

/// How many services are named at once.
const MOST_NAMED: usize = 3;

impl Supervisor<'_> {
    /// Tells whoever looks on what stops and restarts wait for (WD-182); when to call again.
    pub(super) fn tell_waits(&mut self, now: Timestamp) -> Timestamp {
        if !self.looked_on {
            return Timestamp::NEVER;
        }
        let mut waits: Vec<String> = Vec::new();
        let mut others = 0;
        for service in &self.services {
            match service.waits(now) {
                None => {}
                Some(_) if waits.len() == MOST_NAMED => others += 1,
                Some(what) if self.common.alone.get() => waits.push(what),
                Some(what) => waits.push(format!("{}: {what}", service.options().name)),
            }
        }
        if waits.is_empty() {
            if self.tell_waits_at.take().is_some() {
                self.observer.borrow_mut().waits(None);
            }
            return Timestamp::NEVER;
        }
        let at = *self.tell_waits_at.get_or_insert(now + EVERY);
        if now < at {
            return at;
        }
        let mut text = format!("winddown: {}", waits.join("; "));
        if others > 0 {
            text += &format!("; {others} more");
        }
        self.observer.borrow_mut().waits(Some(&text));
        self.tell_waits_at = Some(now + EVERY);
        now + EVERY
    }
}
