//! Many pipes read by one thread: [`pair`], [`Pipes`].
//!
//! | | Linux | other Unix | Windows |
//! |---|---|---|---|
//! | one wait for all pipes | `epoll(7)` | `poll(2)` | a thread for each pipe, which hands over what it read |
//! | a larger pipe | `F_SETPIPE_SZ` | not possible | the size is a hint |

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use crate::{Result, Wake};

/// How much one read takes at most.
pub const AT_ONCE: usize = 64 * 1024;

/// The reading and the writing end of a new pipe. Children inherit neither; give them the writing end as
/// [`Stream::File`](crate::process::Stream::File), and close it here: only then does the reading end come to its end.
///
/// `size` is how many bytes it should hold; the system may give less.
///
/// # Errors
/// [`Error::Os`](crate::Error::Os) when the process or the system has no descriptor left.
///
/// Source: `pipe(7)`, "Pipe capacity"; `CreatePipe`.
pub fn pair(size: usize) -> Result<(File, File)> {
    imp::pair(size)
}

/// What came out of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// These bytes; at most [`AT_ONCE`].
    Data(&'a [u8]),
    /// Nothing more: every writing end is closed, it was [finished](Pipes::finish), or the system refuses to read on. The pipe is
    /// closed and its number is free.
    End,
}

/// The reading ends of pipes, each known by a number, that one thread reads.
#[derive(Debug)]
pub struct Pipes(imp::Pipes);

impl Pipes {
    /// No pipes. Setting `wake` ends a [`wait`](Self::wait).
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) when the process or the system has no descriptor left.
    pub fn new(wake: Arc<Wake>) -> Result<Self> {
        imp::Pipes::new(wake).map(Self)
    }

    /// Reads this pipe too, as number `id`, which must be free.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) when the pipe cannot be watched; on Windows, when there is no thread for it.
    pub fn add(&mut self, id: usize, pipe: File) -> Result<()> {
        self.0.add(id, pipe)
    }

    /// Has pipe `id` end with what is in it now, although it may still be open somewhere: the next waits give the rest, at most
    /// 2 MiB of it, and then [`Read::End`]. Without effect on a pipe that has ended.
    pub fn finish(&mut self, id: usize) {
        self.0.finish(id);
    }

    /// Waits until a pipe has something, the wake is set, or `timeout` has passed; `None` waits without end. Gives `take` what
    /// there is, one read a pipe, so that none starves the others. The wake is clear afterwards.
    ///
    /// # Panics
    /// When the system cannot wait at all.
    pub fn wait(&mut self, timeout: Option<Duration>, mut take: impl FnMut(usize, Read<'_>)) {
        self.0.wait(timeout, &mut take);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;
    use std::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Reads until `ends` pipes have ended, and gives what each gave.
    fn read_all(pipes: &mut Pipes, ends: usize) -> Vec<(usize, Vec<u8>)> {
        let mut read: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut ended = 0;
        let deadline = Instant::now() + LIMIT;
        while ended < ends {
            assert!(Instant::now() < deadline, "{ended} of {ends} pipes ended");
            pipes.wait(Some(Duration::from_secs(1)), |id, what| match what {
                Read::Data(data) => match read.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, bytes)) => bytes.extend_from_slice(data),
                    None => read.push((id, data.to_vec())),
                },
                Read::End => ended += 1,
            });
        }
        read.sort();
        read
    }

    #[test]
    fn each_pipe_gives_its_own_bytes_and_its_end() {
        let mut pipes = Pipes::new(Arc::new(Wake::new().unwrap())).unwrap();
        let writers: Vec<_> = (0..5)
            .map(|id| {
                let (reader, mut writer) = pair(4096).unwrap();
                pipes.add(id, reader).unwrap();
                thread::spawn(move || writer.write_all(&vec![id as u8; 300_000]).unwrap())
            })
            .collect();
        let read = read_all(&mut pipes, 5);
        let expected: Vec<_> = (0..5).map(|id| (id, vec![id as u8; 300_000])).collect();
        assert!(read == expected);
        for writer in writers {
            writer.join().unwrap();
        }
    }

    #[test]
    fn a_finished_pipe_gives_the_rest_though_somebody_holds_it() {
        let mut pipes = Pipes::new(Arc::new(Wake::new().unwrap())).unwrap();
        let (reader, mut writer) = pair(AT_ONCE).unwrap();
        writer.write_all(b"the rest").unwrap();
        pipes.add(3, reader).unwrap();
        pipes.finish(3);
        pipes.finish(4);
        assert_eq!(read_all(&mut pipes, 1), [(3, b"the rest".to_vec())]);
        drop(writer);
    }

    #[test]
    fn a_pipe_that_is_written_to_without_end_can_be_finished() {
        let mut pipes = Pipes::new(Arc::new(Wake::new().unwrap())).unwrap();
        let (reader, mut writer) = pair(AT_ONCE).unwrap();
        pipes.add(3, reader).unwrap();
        let flood = thread::spawn(move || while writer.write_all(&[b'x'; 4096]).is_ok() {});
        pipes.finish(3);
        read_all(&mut pipes, 1);
        flood.join().unwrap();
    }

    #[test]
    fn the_wake_ends_a_wait_and_is_clear_then() {
        let wake = Arc::new(Wake::new().unwrap());
        let mut pipes = Pipes::new(Arc::clone(&wake)).unwrap();
        wake.wake();
        pipes.wait(None, |_, _| unreachable!());
        assert_eq!(crate::wait_any(&[&*wake], Some(Duration::ZERO)), [false]);
    }
}
