//! From options to a running program. What allocates is prepared by [`Image::new`]; [`Image::exec`] runs in the forked child,
//! where only async-signal-safe calls are allowed.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{fs, io, ptr, slice};

use rustix::fs::{Access, Mode, OFlags, openat};
use rustix::io::Errno;

use super::failure::{Failure, Step};
use super::imp::Boundary;
use super::settings::imp::{self as settings, Change};
use super::{EnvChange, Group, SpawnOptions};
use crate::{Error, Result, signal};

/// Room for a pid in decimal and a NUL.
const PID_ROOM: usize = 12;
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

pub(super) struct Image<'a> {
    program: CString,
    args: Strings,
    /// `sh PROGRAM ARGS`, for a script without a `#!` line, as `execvp(3)` has it.
    shell_args: Strings,
    env: Strings,
    /// Where in `env` the child's own pid belongs.
    own_pid: Vec<*mut u8>,
    directory: Option<CString>,
    group: Group,
    pub(super) settings: Vec<Change>,
    /// The pid that must still be the parent's, for a child that dies with it.
    parent: Option<c_int>,
    /// (a descriptor above every number in this list's right half, the number that the program gets it at)
    descriptors: Vec<(OwnedFd, RawFd)>,
    /// The directory of the cgroup that the program runs in.
    pub(super) cgroup: Option<BorrowedFd<'a>>,
}

impl<'a> Image<'a> {
    /// `descriptors` must hold sources that are above every target number.
    pub(super) fn new(
        options: &SpawnOptions,
        descriptors: Vec<(OwnedFd, RawFd)>,
        tree: Option<&Boundary<'a>>,
    ) -> Result<Self> {
        let mut variables = environment(options);
        if let Some((name, mark)) = tree.and_then(|tree| tree.mark.clone()) {
            variables.insert(name.into(), EnvChange::Set(mark));
        }
        let path = match variables.get(OsStr::new("PATH")) {
            Some(EnvChange::Set(path)) => path,
            _ => OsStr::new(DEFAULT_PATH),
        };
        let program = find(&options.program, path, options.directory.as_deref())?;
        let program = terminated(program.into_os_string())?;
        let args = [terminated(options.program.clone())]
            .into_iter()
            .chain(options.args.iter().cloned().map(terminated))
            .collect::<Result<Vec<_>>>()?;
        let shell_args = [c"sh".to_owned(), program.clone()]
            .into_iter()
            .chain(args[1..].iter().cloned())
            .collect();
        let (env, own_pid) = env_block(variables)?;
        let directory = options.directory.clone().map(PathBuf::into_os_string);
        Ok(Self {
            program,
            args: Strings::new(args),
            shell_args: Strings::new(shell_args),
            env,
            own_pid,
            directory: directory.map(terminated).transpose()?,
            group: options.group,
            settings: settings::changes(&options.settings)?,
            parent: (options.die_with_parent || tree.is_some_and(|tree| tree.die_with_parent))
                .then(|| rustix::process::getpid().as_raw_pid()),
            descriptors,
            cgroup: tree.and_then(|tree| tree.cgroup),
        })
    }

    /// Becomes the program; returns only what failed. `in_cgroup`: whether this process is in its cgroup already.
    ///
    /// # Safety
    ///
    /// Only in a process that `fork` has just made, with every signal blocked, and with `report` above every target number.
    pub(super) unsafe fn exec(&self, in_cgroup: bool) -> Failure {
        // SAFETY: the caller's promise.
        if let Err(failure) = unsafe { self.prepare(in_cgroup) } {
            return failure;
        }
        let (env, program) = (self.env.pointers(), self.program.as_ptr());
        // SAFETY: the arrays end in NULL, their strings in NUL, and both live until exec.
        unsafe {
            libc::execve(program, self.args.pointers(), env);
            if last_errno() == Errno::NOEXEC {
                libc::execve(c"/bin/sh".as_ptr(), self.shell_args.pointers(), env);
            }
        }
        Failure::at(Step::Exec)(last_errno())
    }

    unsafe fn prepare(&self, in_cgroup: bool) -> Result<(), Failure> {
        if let Some(cgroup) = self.cgroup.filter(|_| !in_cgroup) {
            enter(cgroup).map_err(Failure::at(Step::Tree))?;
        }
        close_on_exec_from_3();
        for (source, target) in &self.descriptors {
            // SAFETY: the source is open; what is open at the target belongs to the parent's copy of the table.
            if unsafe { libc::dup2(source.as_raw_fd(), *target) } < 0 {
                return Err(Failure::at(Step::Descriptors)(last_errno()));
            }
        }
        match self.group {
            Group::Session | Group::Detached => rustix::process::setsid().map(drop),
            Group::Own => rustix::process::setpgid(None, None),
            Group::Same => Ok(()),
        }
        .map_err(Failure::at(Step::Group))?;
        for (at, change) in (0..).zip(&self.settings) {
            // SAFETY: the caller's promise.
            unsafe { change.make() }.map_err(|errno| Failure {
                step: Step::Setting,
                setting: at,
                errno,
            })?;
        }
        // Not earlier: another user's process has lost it.
        if let Some(parent) = self.parent {
            die_with_parent(parent).map_err(Failure::at(Step::DieWithParent))?;
        }
        if let Some(directory) = &self.directory {
            rustix::process::chdir(directory).map_err(Failure::at(Step::Directory))?;
        }
        for room in &self.own_pid {
            // SAFETY: `env_block` left PID_ROOM bytes there, which nothing else refers to.
            let mut room = unsafe { slice::from_raw_parts_mut(*room, PID_ROOM) };
            let _ = write!(room, "{}", rustix::process::getpid().as_raw_pid());
        }
        signal::clean_for_child();
        Ok(())
    }
}

/// Moves this process into a cgroup.
fn enter(cgroup: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let procs = openat(cgroup, c"cgroup.procs", flags, Mode::empty())?;
    rustix::io::write(procs, b"0").map(drop)
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(target_os = "linux")]
fn die_with_parent(parent: c_int) -> Result<(), Errno> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before that call took effect.
    if getppid().is_some_and(|now| now.as_raw_pid() == parent) {
        Ok(())
    } else {
        Err(Errno::SRCH)
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_parent: c_int) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// Descriptors that this process inherited or opened without close-on-exec must not reach the program.
fn close_on_exec_from_3() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: sets flags of this process's own descriptors.
        let result = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3,
                c_int::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        if result == 0 {
            return;
        }
    }
    // Linux before 5.11, and systems that have no such call.
    const BOUND: u64 = 65_536;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.unwrap_or(BOUND).min(BOUND);
    for descriptor in 3..c_int::try_from(limit).unwrap_or(c_int::MAX) {
        // SAFETY: sets a flag of this process's own descriptor, or fails for a number that is not open.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// A NULL-terminated array of C strings.
struct Strings {
    _owned: Vec<Vec<u8>>,
    pointers: Vec<*mut u8>,
}

impl Strings {
    fn new(strings: Vec<CString>) -> Self {
        Self::from_bytes(
            strings
                .into_iter()
                .map(CString::into_bytes_with_nul)
                .collect(),
        )
    }

    fn from_bytes(mut owned: Vec<Vec<u8>>) -> Self {
        let pointers = owned.iter_mut().map(|string| string.as_mut_ptr());
        let pointers = pointers.chain([ptr::null_mut()]).collect();
        Self {
            _owned: owned,
            pointers,
        }
    }

    fn pointers(&self) -> *const *const c_char {
        self.pointers.as_ptr().cast()
    }
}

fn terminated(string: OsString) -> Result<CString> {
    CString::new(string.into_vec()).map_err(|error| {
        let what = format!("passing `{}`", error.clone().into_vec().escape_ascii());
        Error::os(what, io::Error::new(io::ErrorKind::InvalidInput, error))
    })
}

/// The child's variables: those of this process, changed.
fn environment(options: &SpawnOptions) -> BTreeMap<OsString, EnvChange> {
    let mut variables = BTreeMap::new();
    if !options.env_clear {
        variables.extend(std::env::vars_os().map(|(name, value)| (name, EnvChange::Set(value))));
    }
    let account = options.settings.account.iter();
    for (name, value) in account.flat_map(|account| account.variables()) {
        match value {
            None => variables.remove(OsStr::new(name)),
            Some(value) => variables.insert(name.into(), EnvChange::Set(value)),
        };
    }
    for (name, change) in &options.env {
        match change {
            EnvChange::Remove => variables.remove(name),
            change => variables.insert(name.clone(), change.clone()),
        };
    }
    variables
}

/// `NAME=value` for each, and where the child's own pid is to be written.
fn env_block(variables: BTreeMap<OsString, EnvChange>) -> Result<(Strings, Vec<*mut u8>)> {
    let mut entries = Vec::new();
    let mut own_pid_at = Vec::new();
    for (name, change) in variables {
        let mut entry = name;
        entry.push("=");
        if let EnvChange::Set(value) = &change {
            entry.push(value);
        }
        let mut entry = terminated(entry)?.into_bytes_with_nul();
        if change == EnvChange::OwnPid {
            own_pid_at.push((entries.len(), entry.len() - 1));
            entry.resize(entry.len() + PID_ROOM, 0);
        }
        entries.push(entry);
    }
    let block = Strings::from_bytes(entries);
    let own_pid = own_pid_at
        .into_iter()
        .map(|(entry, at)| block.pointers[entry].wrapping_add(at))
        .collect();
    Ok((block, own_pid))
}

/// The path to execute, as the child sees it from its directory: `program` itself if it has a slash, else the first
/// executable file of that name in `path`.
fn find(program: &OsStr, path: &OsStr, directory: Option<&Path>) -> Result<PathBuf> {
    let here = directory.unwrap_or(Path::new(""));
    let candidates: Vec<PathBuf> = if program.as_bytes().contains(&b'/') {
        vec![PathBuf::from(program)]
    } else {
        let directories = path.as_bytes().split(|byte| *byte == b':');
        directories
            .map(|directory| match directory {
                b"" => Path::new("."),
                named => Path::new(OsStr::from_bytes(named)),
            })
            .map(|directory| directory.join(program))
            .collect()
    };
    let mut refused = None;
    for candidate in candidates {
        let seen = here.join(&candidate);
        match usable(&seen) {
            Ok(()) => return Ok(candidate),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let program = program.to_string_lossy().into_owned();
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        let enter = fs::read_dir(directory);
        let source = enter
            .err()
            .unwrap_or_else(|| io::ErrorKind::NotADirectory.into());
        return Err(Error::Directory {
            program,
            directory: directory.to_owned(),
            source,
        });
    }
    Err(match refused {
        Some(source) if !program.is_empty() => Error::NotExecutable { program, source },
        _ => Error::ProgramNotFound { program },
    })
}

fn usable(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(rustix::fs::access(path, Access::EXEC_OK)?)
}
