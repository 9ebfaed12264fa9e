//! What waits to be written to one destination: bounded, and with a mark where something had to be dropped.

use std::collections::VecDeque;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

use serde::Serialize;

use super::drain::Drain;
use super::outlet::Store;

/// The size up to which data is put together to be written at once.
const CHUNK: usize = 64 * 1024;

/// What had to be dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// How many bytes, as they would have been written.
    pub bytes: u64,
    /// How many lines.
    pub lines: u64,
}

impl Lost {
    /// Whether nothing was.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.bytes == 0
    }
}

impl AddAssign for Lost {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines ({} bytes)", self.lines, self.bytes)
    }
}

/// Whole lines, or a piece of one, that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Data {
    /// What was dropped right before it.
    pub(crate) after: Lost,
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: u64,
}

/// What a writer does next.
pub(crate) enum Item {
    Data(Data),
    /// Get ready.
    Begin,
    /// Begin a new file.
    Rotate,
    /// Go on elsewhere.
    Move(Box<dyn Store>),
    /// All before this is written: bring it to the disk, and say so.
    Flush(Arc<Drain>),
}

/// A queue with an upper bound. When it is full, the oldest goes: the last words of a program matter most.
pub(crate) struct Queue {
    items: VecDeque<Item>,
    /// Bytes in the queue and in the writer's hands.
    bytes: usize,
    limit: usize,
    /// Dropped while there was no data behind it that could be marked.
    unmarked: Lost,
    dropped: Lost,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            limit,
            unmarked: Lost::default(),
            dropped: Lost::default(),
        }
    }

    /// Appends data, of which at most [`super::split::LONGEST`] bytes or some lines come at once.
    pub(crate) fn push(&mut self, bytes: &[u8], lines: u64) {
        while self.bytes + bytes.len() > self.limit && self.drop_oldest() {}
        self.bytes += bytes.len();
        match self.items.back_mut() {
            Some(Item::Data(last)) if last.bytes.len() + bytes.len() <= CHUNK => {
                last.bytes.extend_from_slice(bytes);
                last.lines += lines;
            }
            _ => self.items.push_back(Item::Data(Data {
                after: std::mem::take(&mut self.unmarked),
                bytes: bytes.to_vec(),
                lines,
            })),
        }
    }

    pub(crate) fn push_control(&mut self, item: Item) {
        self.items.push_back(item);
    }

    fn drop_oldest(&mut self) -> bool {
        let is_data = |item: &Item| matches!(item, Item::Data(_));
        let Some(Item::Data(oldest)) = self
            .items
            .iter()
            .position(is_data)
            .and_then(|at| self.items.remove(at))
        else {
            return false;
        };
        let lost = Lost {
            bytes: oldest.bytes.len() as u64,
            lines: oldest.lines,
        };
        self.bytes -= oldest.bytes.len();
        self.dropped += lost;
        let next = self.items.iter_mut().find_map(|item| match item {
            Item::Data(data) => Some(&mut data.after),
            _ => None,
        });
        let gap = next.unwrap_or(&mut self.unmarked);
        *gap += oldest.after;
        *gap += lost;
        true
    }

    /// Takes what comes next. The bytes of data still count until the writer is [`done`](Self::done) with them.
    pub(crate) fn take(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    /// The writer has this many bytes more in its hands.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// The writer has let go of this many bytes.
    pub(crate) fn done(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }

    /// From now on this is the bound.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// All that was dropped so far.
    pub(crate) fn dropped(&self) -> Lost {
        self.dropped
    }

    /// What is not written yet, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take_all(queue: &mut Queue) -> (Vec<u8>, Lost) {
        let (mut bytes, mut lost) = (Vec::new(), Lost::default());
        while let Some(item) = queue.take() {
            if let Item::Data(data) = item {
                lost += data.after;
                queue.done(data.bytes.len());
                bytes.extend(data.bytes);
            }
        }
        (bytes, lost)
    }

    #[test]
    fn wd_150_the_oldest_is_dropped_and_its_place_is_marked() {
        let mut queue = Queue::new(3 * CHUNK);
        for byte in 0..5 {
            queue.push(&vec![byte; CHUNK], 2);
        }
        let Some(Item::Data(first)) = queue.take() else {
            panic!("data was pushed");
        };
        assert_eq!(first.bytes[0], 2);
        let lost = Lost {
            bytes: 2 * CHUNK as u64,
            lines: 4,
        };
        assert_eq!(first.after, lost);
        assert_eq!(queue.dropped(), lost);
        // What the writer holds counts: there is room for two more.
        queue.push(&vec![9; CHUNK], 1);
        assert_eq!(queue.dropped().lines, 6);
        let Some(Item::Data(second)) = queue.take() else {
            panic!("data was pushed");
        };
        assert_eq!((second.bytes[0], second.after.lines), (4, 2));
    }

    #[test]
    fn a_request_to_the_writer_is_never_dropped() {
        let mut queue = Queue::new(CHUNK);
        queue.push(&[1; CHUNK], 1);
        queue.push_control(Item::Rotate);
        queue.push(&[2; CHUNK], 1);
        assert!(matches!(queue.take(), Some(Item::Rotate)));
        assert!(matches!(queue.take(), Some(Item::Data(data)) if data.after.lines == 1));
    }

    proptest! {
        #[test]
        fn wd_150_what_comes_out_and_what_was_dropped_is_all(
            pushes in prop::collection::vec((1..CHUNK, prop::bool::weighted(0.1)), 1..60),
            limit in CHUNK..4 * CHUNK,
        ) {
            let mut queue = Queue::new(limit);
            let (mut all, mut out, mut lost) = (Vec::new(), Vec::new(), Lost::default());
            for (at, (size, take)) in pushes.iter().enumerate() {
                let piece = vec![at as u8; *size];
                queue.push(&piece, 1);
                all.extend(piece);
                prop_assert!(queue.bytes() <= limit);
                if *take {
                    let (bytes, dropped) = take_all(&mut queue);
                    out.extend(bytes);
                    lost += dropped;
                }
            }
            let (bytes, dropped) = take_all(&mut queue);
            prop_assert!(all.ends_with(&bytes));
            out.extend(bytes);
            lost += dropped;
            lost += queue.unmarked;
            prop_assert_eq!(lost, queue.dropped());
            prop_assert_eq!(out.len() as u64 + lost.bytes, all.len() as u64);
            prop_assert_eq!(queue.bytes(), 0);
        }
    }
}
