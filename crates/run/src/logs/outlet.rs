//! One destination: a queue that readers fill, and a store that one writer at a time empties it into.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::line::Output;
use super::notices::Notices;
use super::options::Format;
use super::queue::{Data, Item, Lost, Queue};

/// The first pause after an error, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How many chunks one outlet may write before others have their turn.
const TURN: usize = 16;

/// Where bytes end up.
pub(crate) trait Store: Send {
    /// Gets ready to write, so that errors show before there is anything to write.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Writes some of `bytes`, whole lines or pieces of one, and says how many. It may block.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Brings what was written to where it survives.
    fn flush(&mut self) -> io::Result<()>;
    /// Begins a new file, where there are files.
    fn rotate(&mut self) {}
    /// Its name in messages.
    fn name(&self) -> String;
}

/// What a writer does after a turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is nothing to write.
    Rest,
    /// There is more.
    Again,
    /// It failed; once more then.
    At(Instant),
}

/// How an outlet writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As lines of text.
    Text(Format),
    /// As records, for [`super::system::SystemStore`].
    Records,
}

pub(crate) struct Outlet {
    service: String,
    encoding: Encoding,
    notices: Arc<Notices>,
    queue: Mutex<Waiting>,
    writer: Mutex<Writer>,
}

struct Waiting {
    queue: Queue,
    /// Whether the pool knows that there is something to do.
    scheduled: bool,
}

struct Writer {
    store: Box<dyn Store>,
    /// What is being written, and how much of it is.
    hand: Option<(Data, usize)>,
    pause: Duration,
    line_open: bool,
}

impl Outlet {
    pub(crate) fn new(
        service: &str,
        encoding: Encoding,
        buffer: usize,
        store: Box<dyn Store>,
        notices: Arc<Notices>,
    ) -> Self {
        Self {
            service: service.to_owned(),
            encoding,
            notices,
            queue: Mutex::new(Waiting {
                queue: Queue::new(buffer),
                scheduled: false,
            }),
            writer: Mutex::new(Writer {
                store,
                hand: None,
                pause: FIRST_PAUSE,
                line_open: false,
            }),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Waiting> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a piece of output, and says whether a writer must be told.
    pub(crate) fn push(
        &self,
        output: Output,
        time: Timestamp,
        piece: &[u8],
        scratch: &mut Vec<u8>,
    ) -> bool {
        let lines = super::line::lines(piece).count() as u64;
        let mut waiting;
        match self.encoding {
            Encoding::Text(Format::Raw) => {
                waiting = self.queue();
                waiting.queue.push(piece, lines);
            }
            Encoding::Text(format) => {
                scratch.clear();
                format.write(&self.service, output, time, piece, scratch);
                waiting = self.queue();
                waiting.queue.push(scratch, lines);
            }
            Encoding::Records => {
                scratch.clear();
                super::system::write_records(output, piece, scratch);
                waiting = self.queue();
                waiting.queue.push(scratch, lines);
            }
        }
        !std::mem::replace(&mut waiting.scheduled, true)
    }

    /// Adds a request, and says whether a writer must be told.
    pub(crate) fn request(&self, item: Item) -> bool {
        let mut waiting = self.queue();
        waiting.queue.push_control(item);
        !std::mem::replace(&mut waiting.scheduled, true)
    }

    /// Has what comes from now on written to `store`, with `buffer` bytes of memory; says whether a writer must be told.
    pub(crate) fn move_to(&self, store: Box<dyn Store>, buffer: usize) -> bool {
        self.queue().queue.set_limit(buffer);
        self.request(Item::Move(store))
    }

    /// What was dropped so far, and what is not written yet, in bytes.
    pub(crate) fn missing(&self) -> (Lost, usize) {
        let waiting = self.queue();
        (waiting.queue.dropped(), waiting.queue.bytes())
    }

    /// Writes what there is, for a while. Called by one thread at a time.
    pub(crate) fn work(&self) -> Next {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TURN {
            if writer.hand.is_none() {
                let mut waiting = self.queue();
                let Some(item) = waiting.queue.take() else {
                    waiting.scheduled = false;
                    return Next::Rest;
                };
                drop(waiting);
                match item {
                    Item::Data(data) => writer.hand = Some((self.marked(data, &writer), 0)),
                    Item::Begin => {
                        if let Err(error) = writer.store.begin() {
                            return self.pause(&mut writer, &error);
                        }
                    }
                    Item::Move(store) => {
                        self.flush(&mut writer);
                        writer.store = store;
                    }
                    Item::Rotate => writer.store.rotate(),
                    Item::Flush(drain) => {
                        self.flush(&mut writer);
                        drain.flushed();
                    }
                }
            }
            if let Err(error) = self.write_hand(&mut writer) {
                return self.pause(&mut writer, &error);
            }
        }
        Next::Again
    }

    /// Puts the line in front that tells of what was dropped.
    fn marked(&self, mut data: Data, writer: &Writer) -> Data {
        let lost = std::mem::take(&mut data.after);
        if lost.is_nothing() {
            return data;
        }
        let now = Timestamp::now();
        let mut mark = Vec::new();
        match self.encoding {
            Encoding::Text(format) => {
                mark.extend(writer.line_open.then_some(b'\n'));
                mark.extend(format.lost(&self.service, lost, now));
            }
            Encoding::Records => {
                let text = Format::Raw.lost(&self.service, lost, now);
                super::system::write_records(Output::Stderr, &text, &mut mark);
            }
        }
        // The mark is ours, and not counted against the program's bytes.
        self.queue().queue.add(mark.len());
        mark.extend_from_slice(&data.bytes);
        data.bytes = mark;
        data
    }

    fn write_hand(&self, writer: &mut Writer) -> io::Result<()> {
        while let Some((data, written)) = &mut writer.hand {
            let rest = &data.bytes[*written..];
            let count = match writer.store.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                result => result?,
            };
            if count > 0 {
                writer.line_open = rest[count - 1] != b'\n';
                if writer.pause != FIRST_PAUSE {
                    writer.pause = FIRST_PAUSE;
                    let name = writer.store.name();
                    self.notices.ends(&trouble(&name), || self.recovered(&name));
                }
            }
            *written += count;
            self.queue().queue.done(count);
            if *written == data.bytes.len() {
                writer.hand = None;
            }
        }
        Ok(())
    }

    fn recovered(&self, name: &str) -> String {
        match self.missing().0 {
            lost if lost.is_nothing() => format!("writing {name} again; nothing was lost"),
            lost => format!("writing {name} again; {lost} were dropped"),
        }
    }

    fn pause(&self, writer: &mut Writer, error: &io::Error) -> Next {
        self.notices.begins(&trouble(&writer.store.name()), || {
            format!("{error}; output is kept in memory and this is tried again")
        });
        let pause = writer.pause;
        writer.pause = (pause * 2).min(LONGEST_PAUSE);
        Next::At(Instant::now() + pause)
    }

    fn flush(&self, writer: &mut Writer) {
        let name = writer.store.name();
        let trouble = format!("cannot bring {name} to the disk");
        match writer.store.flush() {
            Ok(()) => self
                .notices
                .ends(&trouble, || format!("{name} is on the disk")),
            Err(error) => self.notices.begins(&trouble, || error.to_string()),
        }
    }
}

fn trouble(name: &str) -> String {
    format!("cannot write {name}")
}
