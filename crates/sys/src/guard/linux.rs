//! The guard on Linux: a forked process that waits for the end of a pipe.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libc::c_int;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal,
};

use crate::process::{procfs, registry};
use crate::tree::{Group, mark};
use crate::{Descriptor, Error, Result, Waitable, memory, pipe, signal};

const NAME: &CStr = c"winddown-guard";
/// How long it goes on killing what does not go, or what keeps appearing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two rounds of killing.
const PAUSE: Duration = Duration::from_millis(2);
/// After this the start of what is guarded is over.
const SETTLED: Duration = Duration::from_millis(100);
/// How many rounds in a row must find nothing: in one, something may have appeared behind its back.
const QUIET_ROUNDS: u32 = 2;

#[derive(Debug)]
pub(super) struct Guard {
    /// `None` as process 1, which needs no guard.
    watcher: Option<Watcher>,
    /// That of the trees: it is the guard that removes it after a kill.
    group: Option<Arc<Group>>,
}

#[derive(Debug)]
struct Watcher {
    pid: Pid,
    pipe: File,
    released: AtomicBool,
}

impl Guard {
    pub(super) fn start() -> Result<Self> {
        let group = Group::of_this_process().ok();
        if std::process::id() == 1 {
            if let Some(group) = &group {
                Group::remove_abandoned_beside(group.directory());
            }
            let watcher = None;
            return Ok(Self { watcher, group });
        }
        has_one_thread()?;
        let own = mark::of_this_process();
        let (reader, writer) = pipe::pair(0)?;
        // It has its name, and no signal reaches it, from the beginning.
        let blocked = signal::block_all_on_this_thread();
        let name = rustix::thread::name().map_err(|error| Error::os("prctl", error))?;
        let _ = rustix::thread::set_name(NAME);
        // SAFETY: this process has one thread, so that the new one finds everything in order, and it never returns from here.
        let forked = unsafe { fork_unnoticed() };
        if let Ok(None) = forked {
            watch(reader, own, group.as_deref().map(Group::directory))
        }
        let _ = rustix::thread::set_name(&name);
        drop(blocked);
        match forked {
            Err(error) => Err(Error::os("starting the guard", error)),
            Ok(pid) => {
                let pid = pid.expect("this is the process that has forked");
                // Of no tree.
                registry::lock().inherit(pid.as_raw_nonzero().get().unsigned_abs(), None);
                let watcher = Watcher {
                    pid,
                    pipe: writer,
                    released: AtomicBool::new(false),
                };
                Ok(Self {
                    watcher: Some(watcher),
                    group,
                })
            }
        }
    }

    pub(super) fn end(&self) -> Option<&dyn Waitable> {
        self.watcher.as_ref().map(|watcher| watcher as _)
    }

    pub(super) fn is_released(&self) -> bool {
        let released = |watcher: &Watcher| watcher.released.load(Ordering::Relaxed);
        self.watcher.as_ref().is_none_or(released)
    }

    pub(super) fn release(&self) {
        if let Some(watcher) = &self.watcher {
            if !watcher.released.swap(true, Ordering::Relaxed) {
                // A child that was not waited for, so that the number is nobody else's.
                let _ = kill_process(watcher.pid, Signal::KILL);
            }
        }
    }

    pub(super) fn dismiss(mut self) {
        self.release();
        // Meanwhile it ends.
        drop(self.group.take());
        if let Some(watcher) = self.watcher.take() {
            wait_for(watcher.pid);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            watcher.reap();
        }
    }
}

/// The pipe has an error once nobody is left who could read from it.
impl Waitable for Watcher {
    fn descriptor(&self) -> Descriptor<'_> {
        self.pipe.as_fd()
    }
}

impl Watcher {
    /// Closes the pipe and waits for the end of the guard.
    fn reap(self) {
        let Self { pid, pipe, .. } = self;
        drop(pipe);
        if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
            let patience = Timespec::try_from(PATIENCE + Duration::from_secs(1)).ok();
            let mut end = [PollFd::new(&pidfd, PollFlags::IN)];
            let _ = rustix::io::retry_on_intr(|| poll(&mut end, patience.as_ref()));
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        }
        wait_for(pid);
    }
}

fn wait_for(pid: Pid) {
    let wclone = WaitOptions::from_bits_retain(libc::__WCLONE as u32);
    let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), wclone));
    registry::lock().forget(pid.as_raw_nonzero().get().unsigned_abs());
}

fn has_one_thread() -> Result<()> {
    match procfs::own_threads().map_err(Error::Proc)? {
        1 => Ok(()),
        several => Err(Error::Unsupported {
            what: format!("a guard in a process with {several} threads"),
            instead: "start it before the first thread",
        }),
    }
}

/// `fork(2)`, but that the end of the new process sends no signal. `None` in the new process.
///
/// # Safety
///
/// As for `fork(2)`, and besides: handlers registered with `pthread_atfork(3)` do not run.
unsafe fn fork_unnoticed() -> io::Result<Option<Pid>> {
    // SAFETY: no flags and no stack of its own: a copy of this process. The order of the arguments, which differs between
    // architectures, does not matter as all are 0; the signal is in the flags.
    match unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid as libc::pid_t)),
    }
}

/// What the guard does.
fn watch(mut pipe: File, own: &str, group: Option<&Path>) -> ! {
    // Not a word goes up from here: the caller's frames belong to the other process.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let _ = rustix::process::setsid();
        let _ = rustix::process::chdir("/");
        close_all_but(&pipe);
        memory::give_back_code();
        if let Some(group) = group.filter(|_| is_quiet(&pipe, SETTLED)) {
            // Here and now, since nobody waits for it.
            Group::remove_abandoned_beside(group);
            memory::give_back_code();
        }
        // The end of the pipe means that nobody lives who could have written to it.
        if let Ok(0) = pipe.read(&mut [0]) {
            sweep(own, group);
        }
    }));
    // SAFETY: ends the process without running anything of the other's.
    unsafe { libc::_exit(0) }
}

/// Whether nothing happens for so long.
fn is_quiet(pipe: &File, time: Duration) -> bool {
    let timeout = Timespec::try_from(time).ok();
    matches!(
        poll(&mut [PollFd::new(pipe, PollFlags::IN)], timeout.as_ref()),
        Ok(0)
    )
}

/// Also standard output and error: whoever reads what the other process wrote waits for their end.
fn close_all_but(kept: &File) {
    let kept = kept.as_raw_fd();
    // SAFETY: nothing in this process uses any other descriptor from here on.
    let close = |first: c_int, last: c_int| unsafe {
        first > last || libc::syscall(libc::SYS_close_range, first, last, 0) == 0
    };
    if close(0, kept - 1) && close(kept + 1, c_int::MAX) {
        return;
    }
    // Linux before 5.9.
    for descriptor in procfs::numbers_in("/proc/self/fd").unwrap_or_default() {
        if i64::from(descriptor) != i64::from(kept) {
            // SAFETY: as above.
            unsafe { libc::close(descriptor as libc::c_int) };
        }
    }
}

/// Kills whatever is in the group or carries the mark, until nothing is left, and removes the group.
fn sweep(own: &str, group: Option<&Path>) {
    let until = Instant::now() + PATIENCE;
    let mut quiet = 0;
    while quiet < QUIET_ROUNDS && Instant::now() < until {
        let populated = group.is_some_and(|group| {
            let _ = Group::kill(group).and_then(|()| Group::kill_headless(group));
            Group::is_populated(group).unwrap_or(false)
        });
        let marked = kill_marked(own);
        quiet = if populated || marked > 0 {
            0
        } else {
            quiet + 1
        };
        thread::sleep(PAUSE);
    }
    if let Some(group) = group {
        Group::remove(group);
    }
}

/// How many there were.
fn kill_marked(own: &str) -> usize {
    let pids = procfs::numbers_in("/proc").unwrap_or_default();
    let carried = |pid: &u32| mark::is_carried_by(*pid, own);
    let killed = |pid: u32| {
        // Open first, check then, send last: what the descriptor refers to cannot change in between.
        let pidfd = pidfd_open(Pid::from_raw(pid as i32)?, PidfdFlags::empty()).ok()?;
        carried(&pid).then(|| pidfd_send_signal(&pidfd, Signal::KILL))
    };
    pids.into_iter().filter(carried).filter_map(killed).count()
}
