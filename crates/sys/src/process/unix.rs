//! Children on Unix: fork, exec, and a pipe that says what failed in between.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::process::{WaitOptions, waitpid};
use winddown_core::Signal;

use super::failure::Failure;
use super::fork::{Forked, fork};
use super::handle::Handle;
use super::image::Image;
use super::registry::{self, Record, TreeId};
use super::{Exit, SpawnOptions, Stream};
use crate::{Descriptor, Error, Result, Waitable, pipe, signal, wait_any};

/// The first word of a child.
const ALIVE: u8 = b'.';

/// What a child is born into.
pub(crate) struct Boundary<'a> {
    pub(crate) tree: TreeId,
    /// The directory of the tree's cgroup.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// An environment variable, and its value, by which members are known.
    pub(crate) mark: Option<(&'static str, OsString)>,
    pub(crate) die_with_parent: bool,
}

#[derive(Debug)]
pub(super) struct Child(Arc<Record>);

impl Child {
    pub(super) fn pid(&self) -> u32 {
        self.0.pid()
    }

    pub(super) fn try_wait(&self) -> Result<Option<Exit>> {
        self.0.try_wait()
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.0.signal(signal)
    }

    pub(super) fn close_windows(&self) -> Result<()> {
        Err(no_messages("WM_CLOSE"))
    }

    pub(super) fn quit_threads(&self) -> Result<()> {
        Err(no_messages("WM_QUIT"))
    }
}

fn no_messages(what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        instead: "ask by a signal",
    }
}

impl Waitable for Child {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.descriptor()
    }
}

pub(crate) fn spawn_into(
    options: &SpawnOptions,
    tree: Option<Boundary<'_>>,
) -> Result<super::Child> {
    let mut streams = Streams::default();
    let descriptors = streams.open(options)?;
    let image = Image::new(options, descriptors, tree.as_ref())?;
    keep_exit_statuses();

    let id = tree.as_ref().map(|tree| tree.tree);
    let (child, message) = match image.cgroup {
        Some(cgroup) => {
            let born = start(&image, id, first_free(options), Some(cgroup))?;
            match born {
                // It never ran: see `fork`.
                (stillborn, message) if message.is_empty() => {
                    end_of(&stillborn);
                    start(&image, id, first_free(options), None)?
                }
                born => born,
            }
        }
        None => start(&image, id, first_free(options), None)?,
    };
    if let Some(failure) = Failure::from_bytes(message.get(1..).unwrap_or_default()) {
        end_of(&child);
        return Err(failure.explain(options, &image));
    }
    Ok(super::Child {
        imp: child,
        stdin: streams.stdin,
        stdout: streams.stdout,
        stderr: streams.stderr,
    })
}

/// Starts a child, in `cgroup` from its birth if that can be. Gives what it had to say before it became the program: [`ALIVE`],
/// and what failed.
fn start(
    image: &Image<'_>,
    tree: Option<TreeId>,
    first_free: RawFd,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<(Child, Vec<u8>)> {
    let (mut report, low_end) = pipe::pair(0)?;
    let report_end = above(low_end.as_fd(), first_free)?;
    drop(low_end);
    let child = {
        let mut registry = registry::lock();
        let blocked = signal::block_all_on_this_thread();
        // SAFETY: the child does nothing but what is async-signal-safe: two writes, `Image::exec` and `_exit`.
        match unsafe { fork(cgroup) } {
            Err(error) => return Err(Error::os("fork", error)),
            Ok(Forked::Child(in_cgroup)) => {
                let _ = rustix::io::write(&report_end, &[ALIVE]);
                // SAFETY: this is the new child, every signal is blocked, and `report_end` is above the targets.
                let failure = unsafe { image.exec(in_cgroup) };
                let _ = rustix::io::write(&report_end, &failure.to_bytes());
                // SAFETY: ends the child without running anything of the parent's.
                unsafe { libc::_exit(127) }
            }
            Ok(Forked::Parent(pid)) => {
                drop(blocked);
                match Handle::open(pid) {
                    Ok(handle) => Child(registry.add(pid, tree, handle)),
                    Err(error) => {
                        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                        let _ = waitpid(Some(pid), WaitOptions::empty());
                        return Err(error);
                    }
                }
            }
        }
    };
    drop(report_end);
    // Exec closes the child's end.
    let mut message = Vec::new();
    report
        .read_to_end(&mut message)
        .map_err(|error| Error::os("reading what a child failed at", error))?;
    Ok((child, message))
}

fn end_of(child: &Child) {
    while let Ok(None) = child.try_wait() {
        let _ = wait_any(&[child], None);
    }
}

/// This process's ends of the pipes.
#[derive(Default)]
struct Streams {
    stdin: Option<File>,
    stdout: Option<File>,
    stderr: Option<File>,
}

impl Streams {
    /// Opens what the child gets, as (source, number that the child gets it at), each source above every such number.
    fn open(&mut self, options: &SpawnOptions) -> Result<Vec<(OwnedFd, RawFd)>> {
        let minimum = first_free(options);
        let mut descriptors = Vec::new();
        let streams = [
            (&options.stdin, &mut self.stdin),
            (&options.stdout, &mut self.stdout),
            (&options.stderr, &mut self.stderr),
        ];
        for (target, (stream, ours)) in (0..).zip(streams) {
            let source = match stream {
                Stream::Inherit => continue,
                Stream::File(file) => above(file.as_fd(), minimum)?,
                Stream::Null => {
                    let null = File::options().read(true).write(true).open("/dev/null");
                    let null = null.map_err(|error| Error::os("opening /dev/null", error))?;
                    above(null.as_fd(), minimum)?
                }
                Stream::Pipe => {
                    let (reader, writer) = pipe::pair(0)?;
                    let (theirs, kept) = if target == 0 {
                        (reader, writer)
                    } else {
                        (writer, reader)
                    };
                    *ours = Some(kept);
                    above(theirs.as_fd(), minimum)?
                }
            };
            descriptors.push((source, target));
        }
        for (descriptor, target) in &options.pass_fds {
            descriptors.push((above(descriptor.as_fd(), minimum)?, *target));
        }
        Ok(descriptors)
    }
}

/// Above the standard streams and every number that a descriptor is passed at.
fn first_free(options: &SpawnOptions) -> RawFd {
    let passed = options.pass_fds.iter().map(|(_, target)| *target);
    passed.fold(2, RawFd::max).saturating_add(1)
}

/// A duplicate at `minimum` or above, close-on-exec.
fn above(descriptor: BorrowedFd<'_>, minimum: RawFd) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(descriptor, minimum)
        .map_err(|error| Error::os("duplicating a descriptor for a child", error))
}

/// While `SIGCHLD` is ignored, the system reaps children itself and nobody learns how they ended.
fn keep_exit_statuses() {
    if signal::is_ignored(libc::SIGCHLD) {
        // SAFETY: the default action runs no code.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    }
}
