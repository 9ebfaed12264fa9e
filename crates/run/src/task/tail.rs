//! The last bytes of a stream.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use winddown_sys::{Error, Waitable, Wake};

/// How much is kept.
const KEPT: usize = 4096;
/// All that a thread needs that only reads.
const STACK: usize = 64 * 1024;

/// The last [`KEPT`] bytes of a stream, which a thread reads to its end so that nobody who writes is ever blocked.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Mutex<VecDeque<u8>>,
    is_complete: AtomicBool,
    completion: Wake,
}

impl Tail {
    pub(super) fn read(stream: File) -> Result<Arc<Self>, Error> {
        let tail = Arc::new(Self {
            bytes: Mutex::default(),
            is_complete: AtomicBool::new(false),
            completion: Wake::new()?,
        });
        let reader = Arc::clone(&tail);
        thread::Builder::new()
            .name("output".to_owned())
            .stack_size(STACK)
            .spawn(move || reader.read_all(stream))
            .map_err(|error| Error::os("starting a thread", error))?;
        Ok(tail)
    }

    fn read_all(&self, mut stream: File) {
        let mut buffer = [0; KEPT];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => self.keep(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.is_complete.store(true, Ordering::Release);
        self.completion.wake();
    }

    fn keep(&self, new: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend(new);
        let surplus = bytes.len().saturating_sub(KEPT);
        bytes.drain(..surplus);
    }

    /// Whether the stream has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Ready for ever once the stream has ended.
    pub(super) const fn completion(&self) -> &dyn Waitable {
        &self.completion
    }

    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let plain = |c: &char| *c == '\n' || !c.is_control();
        text.trim().chars().filter(plain).collect()
    }
}
