//! Children on Windows: the standard library starts them, suspended where a job must have them before they run.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use winddown_core::Signal;
use windows_sys::Win32::Foundation::ERROR_BAD_EXE_FORMAT;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_SUSPENDED, DETACHED_PROCESS,
    GetExitCodeProcess, PROCESS_CREATION_FLAGS, SetPriorityClass, SetProcessAffinityMask,
    TerminateProcess,
};

use super::settings::imp as settings;
use super::{EnvChange, Exit, Group, SpawnOptions, Stream};
use crate::wake::is_signalled;
use crate::windows::console::{self, Event};
use crate::windows::job::Job;
use crate::windows::{snapshot, window};
use crate::{Descriptor, Error, Result, Waitable, pipe};

/// What a child is born into.
pub(crate) type Boundary<'a> = &'a Job;

#[derive(Debug)]
pub(super) struct Child {
    pid: u32,
    /// Open for as long as this value lives, so that the number is not used again.
    process: OwnedHandle,
    group: Group,
}

impl Child {
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn try_wait(&self) -> Result<Option<Exit>> {
        if !is_signalled(self.process.as_handle()) {
            return Ok(None);
        }
        let mut code = 0;
        // SAFETY: the handle is open and the number outlives the call.
        match unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code) } {
            0 => Err(Error::os("GetExitCodeProcess", io::Error::last_os_error())),
            _ => Ok(Some(Exit::Code(code as i32))),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        if is_signalled(self.process.as_handle()) {
            return Err(Error::Gone);
        }
        match (signal, self.group) {
            (Signal::Kill, _) => self.terminate(),
            (Signal::Term, Group::Session | Group::Detached) => ask_to_stop(self.pid).map(|_| ()),
            (Signal::Term | Signal::Quit, Group::Own) => console::send_break_to_group(self.pid)
                .map_err(|error| unsent(self.pid, Event::Break, error)),
            (Signal::Term, Group::Same) => close_windows(self.pid),
            (Signal::Int, _) => send(self.pid, Event::C).map(|_| ()),
            (Signal::Quit, _) => send(self.pid, Event::Break).map(|_| ()),
            _ => Err(Error::NoSuchSignal(signal)),
        }
    }

    pub(super) fn close_windows(&self) -> Result<()> {
        if is_signalled(self.process.as_handle()) {
            return Err(Error::Gone);
        }
        close_windows(self.pid)
    }

    pub(super) fn quit_threads(&self) -> Result<()> {
        if is_signalled(self.process.as_handle()) {
            return Err(Error::Gone);
        }
        let asked =
            window::quit_threads(self.pid).map_err(|error| Error::os("listing threads", error))?;
        match asked {
            0 => Err(unheard(self.pid, "has no thread with a message loop")),
            _ => Ok(()),
        }
    }

    fn terminate(&self) -> Result<()> {
        // SAFETY: the handle is open.
        let terminated = unsafe { TerminateProcess(self.process.as_raw_handle(), 1) } != 0;
        // Ending a process that is about to end is refused.
        if terminated || is_signalled(self.process.as_handle()) {
            return Ok(());
        }
        Err(Error::os("TerminateProcess", io::Error::last_os_error()))
    }
}

impl Waitable for Child {
    fn descriptor(&self) -> Descriptor<'_> {
        self.process.as_handle()
    }
}

/// Asks process `pid` to stop in the first way that reaches it, and tells which processes heard of it: Ctrl+C to all on its
/// console, or `WM_CLOSE` to its windows.
pub(crate) fn ask_to_stop(pid: u32) -> Result<Vec<u32>> {
    match console::send(pid, Event::C) {
        Ok(reached) => Ok(reached),
        Err(error) => match window::close_all(pid) {
            0 => Err(unsent(pid, Event::C, error)),
            _ => Ok(vec![pid]),
        },
    }
}

/// Sends `event` to all on the console of `pid`, and tells which processes those are.
pub(crate) fn send(pid: u32, event: Event) -> Result<Vec<u32>> {
    console::send(pid, event).map_err(|error| unsent(pid, event, error))
}

fn close_windows(pid: u32) -> Result<()> {
    match window::close_all(pid) {
        0 => Err(unheard(pid, "has no window that can be reached")),
        _ => Ok(()),
    }
}

fn unheard(pid: u32, why: &str) -> Error {
    Error::Unsupported {
        what: format!("a message to process {pid}, which {why},"),
        instead: "start it in a session of its own, and ask by Ctrl+C",
    }
}

fn unsent(pid: u32, event: Event, error: io::Error) -> Error {
    Error::os(format!("sending Ctrl+{event:?} to process {pid}"), error)
}

pub(crate) fn spawn_into(
    options: &SpawnOptions,
    tree: Option<Boundary<'_>>,
) -> Result<super::Child> {
    settings::check(&options.settings)?;
    let job = match tree {
        None if options.die_with_parent => Some(job_of_this_process()?),
        job => job,
    };
    let mut command = Command::new(program(options));
    command.args(&options.args);
    set_environment(&mut command, options)?;
    if let Some(directory) = &options.directory {
        command.current_dir(directory);
    }
    let (stdin, our_stdin) = open(&options.stdin, true)?;
    let (stdout, our_stdout) = open(&options.stdout, false)?;
    let (stderr, our_stderr) = open(&options.stderr, false)?;
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    let group = match options.group {
        Group::Session => CREATE_NO_WINDOW,
        Group::Detached => DETACHED_PROCESS,
        Group::Own => CREATE_NEW_PROCESS_GROUP,
        Group::Same => 0,
    };
    let priority = settings::priority_class(&options.settings);
    let affinity = settings::affinity_mask(&options.settings)?;
    let suspended = job.is_some() || priority.is_some() || affinity.is_some();
    command.creation_flags(group | if suspended { CREATE_SUSPENDED } else { 0 });

    console::undo_ignored_ctrl_c();
    let started = command.spawn().map_err(|error| explain(options, error))?;
    let child = Child {
        pid: started.id(),
        process: started.into(),
        group: options.group,
    };
    if suspended {
        let process = child.process.as_handle();
        let running = job
            .map_or(Ok(()), |job| job.assign(process))
            .and_then(|()| priority.map_or(Ok(()), |class| set_priority(&child, class)))
            .and_then(|()| affinity.map_or(Ok(()), |mask| bind(&child, mask)))
            .and_then(|()| resume(child.pid));
        if let Err(error) = running {
            child.terminate()?;
            return Err(error);
        }
    }
    Ok(super::Child {
        imp: child,
        stdin: our_stdin,
        stdout: our_stdout,
        stderr: our_stderr,
    })
}

/// The job of the children that must not outlive this process: it closes with it.
fn job_of_this_process() -> Result<&'static Job> {
    static JOB: OnceLock<Job> = OnceLock::new();
    match JOB.get() {
        Some(job) => Ok(job),
        None => {
            let job = Job::new()?;
            Ok(JOB.get_or_init(|| job))
        }
    }
}

/// A relative path with a directory in it is found from where the child starts.
fn program(options: &SpawnOptions) -> PathBuf {
    let program = Path::new(&options.program);
    match &options.directory {
        Some(directory) if program.components().nth(1).is_some() => directory.join(program),
        _ => program.to_owned(),
    }
}

fn set_environment(command: &mut Command, options: &SpawnOptions) -> Result<()> {
    if options.env_clear {
        command.env_clear();
    }
    for (name, change) in &options.env {
        match change {
            EnvChange::Set(value) => command.env(name, value),
            EnvChange::Remove => command.env_remove(name),
            EnvChange::OwnPid => {
                return Err(Error::Unsupported {
                    what: format!("its own process id in a child's {}", name.to_string_lossy()),
                    instead: "on Windows no protocol needs it",
                });
            }
        };
    }
    Ok(())
}

/// What the child gets, and this process's end of a pipe.
fn open(stream: &Stream, is_input: bool) -> Result<(Stdio, Option<File>)> {
    Ok(match stream {
        // A service has none. Its child would read from its own console, on whose keyboard nobody sits: cmd.exe would wait there for an
        // answer to "Terminate batch job (Y/N)?".
        Stream::Inherit if is_input && io::stdin().as_raw_handle().is_null() => {
            (Stdio::null(), None)
        }
        Stream::Inherit => (Stdio::inherit(), None),
        Stream::Null => (Stdio::null(), None),
        Stream::File(file) => {
            let file = file
                .try_clone()
                .map_err(|error| Error::os("duplicating a file for a child", error))?;
            (file.into(), None)
        }
        Stream::Pipe => {
            let (reader, writer) = pipe::pair(0)?;
            let (theirs, ours) = if is_input {
                (reader, writer)
            } else {
                (writer, reader)
            };
            (theirs.into(), Some(ours))
        }
    })
}

fn set_priority(child: &Child, class: PROCESS_CREATION_FLAGS) -> Result<()> {
    // SAFETY: the handle is open.
    match unsafe { SetPriorityClass(child.process.as_raw_handle(), class) } {
        0 => Err(Error::os("SetPriorityClass", io::Error::last_os_error())),
        _ => Ok(()),
    }
}

fn bind(child: &Child, processors: usize) -> Result<()> {
    // SAFETY: the handle is open.
    match unsafe { SetProcessAffinityMask(child.process.as_raw_handle(), processors) } {
        0 => Err(Error::Setting {
            what: format!("bind to the processors of the mask {processors:#x}"),
            source: io::Error::last_os_error(),
            remedy: Some("name processors that this machine has and that winddown itself may use"),
        }),
        _ => Ok(()),
    }
}

/// Lets a process run that was started suspended. The standard library keeps the handle of its thread to itself.
fn resume(pid: u32) -> Result<()> {
    snapshot::resume(pid).map_err(|error| Error::os(format!("resuming process {pid}"), error))
}

fn is_batch_file(program: &OsStr) -> bool {
    let extension = Path::new(program).extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("bat") || extension.eq_ignore_ascii_case("cmd")
}

fn explain(options: &SpawnOptions, source: io::Error) -> Error {
    let program = options.program.to_string_lossy().into_owned();
    let not_executable = source.kind() == io::ErrorKind::PermissionDenied
        || source.raw_os_error() == Some(ERROR_BAD_EXE_FORMAT as i32);
    match source.kind() {
        // What the standard library says of what cannot be quoted for cmd.exe (CVE-2024-24576).
        io::ErrorKind::InvalidInput if is_batch_file(&options.program) => Error::Setting {
            what: format!("pass these arguments to {program}"),
            source,
            remedy: Some(
                "cmd.exe takes a batch file's arguments as one line: leave out line breaks",
            ),
        },
        io::ErrorKind::NotFound => Error::ProgramNotFound { program },
        // `ERROR_DIRECTORY`.
        io::ErrorKind::NotADirectory => Error::Directory {
            program,
            directory: options.directory.clone().unwrap_or_default(),
            source,
        },
        _ if not_executable => Error::NotExecutable { program, source },
        _ => Error::os(format!("starting {program}"), source),
    }
}
