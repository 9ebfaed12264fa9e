//! `clone3(2)`, which puts a process into a cgroup as it is made.
//!
//! To move one that exists, the kernel waits until every processor has passed a quiet point: milliseconds, and for everybody.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::process::Pid;

/// `CLONE_INTO_CGROUP`, since Linux 5.7.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which of the two processes this is.
pub(super) enum Forked {
    Parent(Pid),
    /// Whether it is in the cgroup.
    Child(bool),
}

/// `fork(2)` into the cgroup of this directory; beside it, where the kernel or a filter refuses.
///
/// Since Linux 6.14, and the stable releases of that time, a child does not reach its first instruction if its cgroup and that of
/// its parent were killed a different number of times: the kernel, which looks whether its cgroup is killed while it is
/// made (`kill_seq`), compares the two.
///
/// # Safety
///
/// As for `fork(2)`; and the child must not call what relies on handlers registered with `pthread_atfork(3)`.
pub(super) unsafe fn fork(cgroup: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
    if let Some(cgroup) = cgroup {
        // SAFETY: all zero is valid: no flags, no stack of its own, nothing to be written anywhere.
        let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
        args.flags = INTO_CGROUP;
        args.exit_signal = libc::SIGCHLD as u64;
        args.cgroup = cgroup.as_raw_fd() as u64;
        // SAFETY: the arguments are those of a fork and of the size said; the rest is the caller's promise.
        match unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) } {
            -1 => {}
            pid => return Ok(forked(pid as libc::pid_t, true)),
        }
    }
    // SAFETY: the caller's promise.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(forked(pid, false)),
    }
}

fn forked(pid: libc::pid_t, in_cgroup: bool) -> Forked {
    match Pid::from_raw(pid) {
        Some(pid) => Forked::Parent(pid),
        None => Forked::Child(in_cgroup),
    }
}
