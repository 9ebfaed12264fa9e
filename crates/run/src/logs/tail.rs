//! The last lines of a service, and who follows them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use winddown_sys::{Descriptor, Waitable, Wake};

use super::line::{Line, Output, lines};

/// How many bytes of a service's last lines are kept for those who come later.
const KEPT: usize = 64 * 1024;

/// How many bytes wait for one subscriber before it loses the oldest.
const WAITING: usize = 1024 * 1024;

/// What a line costs besides its text.
const OVERHEAD: usize = 64;

/// Lines, oldest first, up to a number of bytes.
#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
}

impl Lines {
    /// Adds a line, and says how many old ones had to go.
    fn push(&mut self, line: &Arc<Line>, limit: usize) -> u64 {
        self.lines.push_back(Arc::clone(line));
        self.bytes += line.text.len() + OVERHEAD;
        let mut gone = 0;
        while self.bytes > limit && self.lines.len() > 1 {
            if let Some(line) = self.lines.pop_front() {
                self.bytes -= line.text.len() + OVERHEAD;
                gone += 1;
            }
        }
        gone
    }
}

/// The last lines of one service.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    kept: Lines,
    subscribers: Vec<Weak<Feed>>,
}

impl Tail {
    /// Takes a piece of the output of run number `run`, and says how many lines it is.
    pub(crate) fn push(&mut self, run: u64, output: Output, time: Timestamp, piece: &[u8]) -> u64 {
        let feeds: Vec<Arc<Feed>> = self.subscribers.iter().filter_map(Weak::upgrade).collect();
        if feeds.len() < self.subscribers.len() {
            self.subscribers.retain(|feed| feed.strong_count() > 0);
        }
        let mut count = 0;
        for (text, partial) in lines(piece) {
            count += 1;
            let line = Arc::new(Line {
                time,
                output,
                text: text.to_vec(),
                partial,
            });
            self.kept.push(&line, KEPT);
            let wants = |feed: &&Arc<Feed>| feed.run.is_none_or(|wanted| wanted == run);
            for feed in feeds.iter().filter(wants) {
                feed.push(&line);
            }
        }
        count
    }

    /// A subscription that begins with the last `last` lines, as far as they are kept.
    pub(crate) fn subscribe(&mut self, last: usize) -> winddown_sys::Result<Subscription> {
        let feed = Feed::new(None)?;
        let skip = self.kept.lines.len().saturating_sub(last);
        for line in self.kept.lines.iter().skip(skip) {
            feed.push(line);
        }
        self.subscribers.push(Arc::downgrade(&feed));
        Ok(Subscription(feed))
    }

    /// A subscription to what comes from run number `run` alone.
    pub(crate) fn subscribe_to(&mut self, run: u64) -> winddown_sys::Result<Subscription> {
        let feed = Feed::new(Some(run))?;
        self.subscribers.push(Arc::downgrade(&feed));
        Ok(Subscription(feed))
    }
}

#[derive(Debug)]
struct Feed {
    /// The number of the run that alone is listened to.
    run: Option<u64>,
    waiting: Mutex<Waiting>,
    wake: Wake,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Lines,
    lost: u64,
}

impl Feed {
    fn new(run: Option<u64>) -> winddown_sys::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            run,
            waiting: Mutex::default(),
            wake: Wake::new()?,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &Arc<Line>) {
        let mut waiting = self.lock();
        let first = waiting.lines.lines.is_empty();
        waiting.lost += waiting.lines.push(line, WAITING);
        if first {
            self.wake.wake();
        }
    }
}

/// The lines of a service as they come. It is ready (see [`wait_any`](winddown_sys::wait_any)) when there are some.
///
/// Dropping it ends it. Up to a mebibyte waits for it: who is slower than that loses the oldest lines, and holds up nobody.
#[derive(Debug)]
pub struct Subscription(Arc<Feed>);

/// What a [`Subscription`] has for its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// How many lines were lost before these, because they were not fetched in time.
    pub lost: u64,
    /// The lines, oldest first.
    pub lines: Vec<Arc<Line>>,
}

impl Subscription {
    /// Takes what has come since the last call. Never blocks.
    #[must_use]
    pub fn take(&self) -> News {
        self.0.wake.clear();
        let mut waiting = self.0.lock();
        let waiting = std::mem::take(&mut *waiting);
        News {
            lost: waiting.lost,
            lines: waiting.lines.lines.into(),
        }
    }
}

impl Waitable for Subscription {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.wake.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use winddown_sys::wait_any;

    use super::*;

    fn texts(news: &News) -> Vec<&str> {
        let text = |line: &Arc<Line>| std::str::from_utf8(&line.text).map(str::len);
        assert!(news.lines.iter().all(|line| text(line).is_ok()));
        news.lines
            .iter()
            .map(|line| std::str::from_utf8(&line.text).unwrap())
            .collect()
    }

    fn is_ready(subscription: &Subscription) -> bool {
        wait_any(&[subscription], Some(Duration::ZERO))[0]
    }

    #[test]
    fn a_subscriber_gets_the_last_lines_and_then_each_new_one() {
        let mut tail = Tail::default();
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(tail.push(1, Output::Stdout, now, b"one\ntwo\nthree\n"), 3);
        let (some, none) = (tail.subscribe(2).unwrap(), tail.subscribe(0).unwrap());
        assert_eq!((is_ready(&some), is_ready(&none)), (true, false));
        assert_eq!(texts(&some.take()), ["two", "three"]);
        assert!(!is_ready(&some));
        tail.push(1, Output::Stderr, now, b"four");
        assert_eq!((is_ready(&some), is_ready(&none)), (true, true));
        let news = none.take();
        assert_eq!(texts(&news), ["four"]);
        assert!(news.lines[0].partial && news.lines[0].output == Output::Stderr);
        drop(none);
        tail.push(1, Output::Stderr, now, b"five\n");
        assert_eq!(tail.subscribers.len(), 1);
        let second = tail.subscribe_to(2).unwrap();
        tail.push(1, Output::Stdout, now, b"of the first run\n");
        assert!(!is_ready(&second));
        tail.push(2, Output::Stdout, now, b"of the second\n");
        assert_eq!(texts(&second.take()), ["of the second"]);
    }

    #[test]
    fn wd_156_a_slow_subscriber_loses_the_oldest_with_a_count() {
        let mut tail = Tail::default();
        let slow = tail.subscribe(0).unwrap();
        let line = [vec![b'x'; 9_999], b"\n".to_vec()].concat();
        for _ in 0..200 {
            tail.push(1, Output::Stdout, Timestamp::UNIX_EPOCH, &line);
        }
        let news = slow.take();
        assert_eq!(news.lost + news.lines.len() as u64, 200);
        assert_eq!(news.lines.len(), WAITING / (9_999 + OVERHEAD));
        assert_eq!(slow.take(), News::default());
        assert!(tail.kept.bytes <= KEPT);
    }
}
