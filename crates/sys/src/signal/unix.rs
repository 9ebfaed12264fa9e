//! Signals of Unix.

use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::c_int;
use winddown_core::{RT_MAX, Signal};

use super::{Blocked, Inherited};
use crate::{Error, Result};

/// One more than the largest signal number.
#[cfg(target_os = "linux")]
const NUMBERS: c_int = 65;
/// One more than the largest signal number of any Unix.
#[cfg(not(target_os = "linux"))]
const NUMBERS: c_int = 129;

pub(super) fn inherited() -> &'static Inherited {
    INHERITED.get_or_init(|| {
        let mask = Mask::of_this_thread();
        let ignored = ignored();
        let known = || (1..NUMBERS).filter_map(|n| Some((n, from_number(n)?)));
        Inherited {
            blocked: known()
                .filter_map(|(n, signal)| mask.contains(n).then_some(signal))
                .collect(),
            ignored: known()
                .filter(|(n, _)| *n != libc::SIGPIPE && ignored.contains(*n))
                .map(|(_, signal)| signal)
                .collect(),
        }
    })
}

static INHERITED: OnceLock<Inherited> = OnceLock::new();

pub(super) fn number(signal: Signal) -> Option<c_int> {
    Some(match signal {
        Signal::Hup => libc::SIGHUP,
        Signal::Int => libc::SIGINT,
        Signal::Quit => libc::SIGQUIT,
        Signal::Ill => libc::SIGILL,
        Signal::Trap => libc::SIGTRAP,
        Signal::Abrt => libc::SIGABRT,
        Signal::Bus => libc::SIGBUS,
        Signal::Fpe => libc::SIGFPE,
        Signal::Kill => libc::SIGKILL,
        Signal::Usr1 => libc::SIGUSR1,
        Signal::Segv => libc::SIGSEGV,
        Signal::Usr2 => libc::SIGUSR2,
        Signal::Pipe => libc::SIGPIPE,
        Signal::Alrm => libc::SIGALRM,
        Signal::Term => libc::SIGTERM,
        Signal::Chld => libc::SIGCHLD,
        Signal::Cont => libc::SIGCONT,
        Signal::Stop => libc::SIGSTOP,
        Signal::Tstp => libc::SIGTSTP,
        Signal::Ttin => libc::SIGTTIN,
        Signal::Ttou => libc::SIGTTOU,
        Signal::Urg => libc::SIGURG,
        Signal::Xcpu => libc::SIGXCPU,
        Signal::Xfsz => libc::SIGXFSZ,
        Signal::Vtalrm => libc::SIGVTALRM,
        Signal::Prof => libc::SIGPROF,
        Signal::Winch => libc::SIGWINCH,
        Signal::Io => libc::SIGIO,
        #[cfg(target_os = "linux")]
        Signal::Pwr => libc::SIGPWR,
        Signal::Sys => libc::SIGSYS,
        // The C library keeps the first realtime signals for itself, and says where its program's begin.
        #[cfg(target_os = "linux")]
        Signal::Rt(n) => {
            Some(libc::SIGRTMIN() + c_int::from(n)).filter(|n| *n <= libc::SIGRTMAX())?
        }
        _ => return None,
    })
}

pub(super) fn from_number(wanted: c_int) -> Option<Signal> {
    static BY_NUMBER: OnceLock<Vec<Option<Signal>>> = OnceLock::new();

    let by_number = BY_NUMBER.get_or_init(|| {
        let mut by_number = vec![None; NUMBERS as usize];
        for signal in Signal::named().chain((0..=RT_MAX).map(Signal::Rt)) {
            if let Some(number) = number(signal) {
                by_number[number as usize] = Some(signal);
            }
        }
        by_number
    });
    *by_number.get(usize::try_from(wanted).ok()?)?
}

pub(super) fn sender_name(pid: u32) -> Option<String> {
    let mut file = File::open(format!("/proc/{pid}/comm")).ok()?;
    // A name has 15 bytes at most, and comes whole.
    let mut name = [0; 64];
    let length = file.read(&mut name).ok()?;
    Some(
        String::from_utf8_lossy(&name[..length])
            .trim_end()
            .to_owned(),
    )
}

pub(super) fn send(pid: u32, signal: Signal) -> Result<()> {
    let number = number(signal).ok_or(Error::NoSuchSignal(signal))?;
    let sent = match libc::pid_t::try_from(pid) {
        // SAFETY: kill takes no pointers.
        Ok(pid @ 1..) => match unsafe { libc::kill(pid, number) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        },
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    };
    sent.map_err(|error| Error::os(format!("kill of {pid} with {signal}"), error))
}

pub(super) fn block_all_on_this_thread() -> Blocked {
    block_on_this_thread(&Mask::full())
}

/// Makes `mask` the mask of the calling thread until the value is dropped.
pub(crate) fn block_on_this_thread(mask: &Mask) -> Blocked {
    Blocked {
        _before: MaskBefore(mask.set_on_this_thread()),
        _of_this_thread: PhantomData,
    }
}

/// The mask to put back.
#[derive(Debug)]
pub(super) struct MaskBefore(Mask);

impl Drop for MaskBefore {
    fn drop(&mut self) {
        self.0.set_on_this_thread();
    }
}

pub(super) fn clean_for_child() {
    let inherited = INHERITED.get();
    for number in 1..NUMBERS {
        let keep = match number {
            libc::SIGHUP => inherited.is_none_or(|it| it.keeps_ignored(Signal::Hup)),
            libc::SIGINT => inherited.is_none_or(|it| it.keeps_ignored(Signal::Int)),
            _ => false,
        };
        if !(keep && is_ignored(number)) {
            set_default(number);
        }
    }
    Mask::empty().set_on_this_thread();
}

pub(super) fn die_of(signal: Signal) -> ! {
    let Some(number) = number(signal) else {
        // SAFETY: _exit takes no pointers.
        unsafe { libc::_exit(128) }
    };
    dump_no_core();
    set_default(number);
    let mut only = Mask::empty();
    only.add(number);
    only.unblock_on_this_thread();
    // SAFETY: neither call takes pointers; raise returns when the signal has no effect.
    unsafe {
        libc::raise(number);
        libc::_exit(128 + number)
    }
}

/// A core is for a crash; this death was asked for. `timeout(1)` does the same.
fn dump_no_core() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(not(target_os = "linux"))]
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
}

/// Whether a program can receive `signal` and go on: not `KILL` and `STOP`, nor what a fault of its own raises.
pub(crate) fn is_receivable(signal: Signal) -> bool {
    !matches!(
        signal,
        Signal::Kill
            | Signal::Stop
            | Signal::Segv
            | Signal::Bus
            | Signal::Fpe
            | Signal::Ill
            | Signal::Abrt
            | Signal::Trap
            | Signal::Sys
    )
}

/// The signals whose disposition is to ignore them.
fn ignored() -> Mask {
    #[cfg(target_os = "linux")]
    if let Some(ignored) = crate::process::procfs::own_ignored() {
        return Mask::of_bits(ignored);
    }
    let mut ignored = Mask::empty();
    for number in (1..NUMBERS).filter(|number| is_ignored(*number)) {
        ignored.add(number);
    }
    ignored
}

/// Whether the disposition of `number` is to ignore it. Async-signal-safe.
pub(crate) fn is_ignored(number: c_int) -> bool {
    disposition(number).sa_sigaction == libc::SIG_IGN
}

fn disposition(number: c_int) -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the kernel writes a whole sigaction, or nothing for a number that is no signal; all zero is a valid one, too.
    unsafe {
        libc::sigaction(number, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    }
}

/// Without effect on signals whose disposition cannot be set. Async-signal-safe.
fn set_default(number: c_int) {
    set_disposition(number, &simple(libc::SIG_DFL));
}

fn simple(handler: libc::sighandler_t) -> libc::sigaction {
    // SAFETY: all zero is a valid sigaction: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action
}

fn set_disposition(number: c_int, action: &libc::sigaction) {
    // SAFETY: `action` is valid for the call. It is a default, an ignore, or what the kernel gave for this signal before.
    unsafe { libc::sigaction(number, action, ptr::null_mut()) };
}

/// A disposition that was replaced, and comes back on drop.
pub(crate) struct Replaced {
    number: c_int,
    before: libc::sigaction,
}

impl Replaced {
    pub(crate) fn by_ignore(number: c_int) -> Self {
        Self::by(number, libc::SIG_IGN)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn by_default(number: c_int) -> Self {
        Self::by(number, libc::SIG_DFL)
    }

    fn by(number: c_int, handler: libc::sighandler_t) -> Self {
        let before = disposition(number);
        set_disposition(number, &simple(handler));
        Self { number, before }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        set_disposition(self.number, &self.before);
    }
}

impl std::fmt::Debug for Replaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Replaced").field(&self.number).finish()
    }
}

/// A set of signals, by number. Its methods are async-signal-safe.
#[derive(Clone, Copy)]
pub(crate) struct Mask(libc::sigset_t);

impl Mask {
    pub(crate) fn empty() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set.
        Self(unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        })
    }

    /// Every signal but those that the C library keeps for itself.
    pub(crate) fn full() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set.
        Self(unsafe {
            libc::sigfillset(set.as_mut_ptr());
            set.assume_init()
        })
    }

    /// Of a set as `/proc` shows it: a bit for each number, beginning with 1.
    #[cfg(target_os = "linux")]
    fn of_bits(bits: u64) -> Self {
        let mut mask = Self::empty();
        for bit in (0..64).filter(|bit| bits & (1 << bit) != 0) {
            mask.add(bit + 1);
        }
        mask
    }

    pub(crate) fn add(&mut self, number: c_int) {
        // SAFETY: the set is initialised.
        unsafe { libc::sigaddset(&mut self.0, number) };
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn remove(&mut self, number: c_int) {
        // SAFETY: the set is initialised.
        unsafe { libc::sigdelset(&mut self.0, number) };
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn as_ptr(&self) -> *const libc::sigset_t {
        &self.0
    }

    pub(crate) fn contains(&self, number: c_int) -> bool {
        // SAFETY: the set is initialised; a number that is no signal gives -1.
        unsafe { libc::sigismember(&self.0, number) == 1 }
    }

    pub(crate) fn of_this_thread() -> Self {
        Self::empty().change(libc::SIG_BLOCK)
    }

    /// Gives the mask that was set before.
    pub(crate) fn set_on_this_thread(&self) -> Self {
        self.change(libc::SIG_SETMASK)
    }

    pub(crate) fn unblock_on_this_thread(&self) {
        self.change(libc::SIG_UNBLOCK);
    }

    fn change(&self, how: c_int) -> Self {
        let mut before = Self::empty();
        // SAFETY: both sets are initialised. It fails only for an unknown `how`.
        unsafe { libc::pthread_sigmask(how, &self.0, &mut before.0) };
        before
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries((1..NUMBERS).filter(|number| self.contains(*number)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_found_again() {
        for signal in Signal::named().chain((0..=RT_MAX).map(Signal::Rt)) {
            if let Some(number) = number(signal) {
                assert_eq!(from_number(number), Some(signal));
            }
        }
        assert_eq!(number(Signal::Term), Some(15));
        assert_eq!(from_number(0), None);
    }

    #[test]
    fn what_is_no_pid_of_a_process_is_not_signalled() {
        for pid in [0, u32::MAX, i32::MAX as u32 + 1] {
            let error = send(pid, Signal::Urg).unwrap_err();
            assert!(matches!(error, Error::Os { source, .. }
                if source.raw_os_error() == Some(libc::ESRCH)));
        }
    }

    #[test]
    fn what_is_ignored_is_found() {
        let _replaced = Replaced::by_ignore(libc::SIGWINCH);
        let ignored = ignored();
        for number in 1..NUMBERS {
            assert_eq!(ignored.contains(number), is_ignored(number), "{number}");
        }
        assert!(ignored.contains(libc::SIGWINCH));
    }

    #[test]
    fn a_block_ends_with_its_value() {
        let before = format!("{:?}", Mask::of_this_thread());
        {
            let _blocked = super::super::block_all_on_this_thread();
            assert!(Mask::of_this_thread().contains(libc::SIGTERM));
        }
        assert_eq!(format!("{:?}", Mask::of_this_thread()), before);
    }
}
