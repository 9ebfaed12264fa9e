//! Commands with a time limit, in a process group of their own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::census;
use crate::error::Error;
use crate::interrupt;
use crate::tally::Tally;
use crate::workspace;

const POLL: Duration = Duration::from_millis(20);
/// Between TERM and KILL: nextest uses it to end its tests.
const GRACE: Duration = Duration::from_secs(15);
/// How long output may stay open after the command has ended, held by a process it left behind.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);

/// A command to run; five minutes are its limit unless said otherwise.
pub(crate) struct Cmd {
    command: Command,
    limit: Duration,
}

impl Cmd {
    /// `program` in the root of the workspace.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(workspace::root())
            .stdin(Stdio::null())
            .process_group(0)
            .env("PATH", workspace::search_path())
            // Set by `cargo run` for this process, and wrong for every other toolchain.
            .env_remove("LD_LIBRARY_PATH");
        Self {
            command,
            limit: Duration::from_secs(300),
        }
    }

    /// The cargo that runs this program.
    pub(crate) fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// `program` as root, by sudo for a plain user.
    pub(crate) fn as_root(program: &str) -> Self {
        if rustix::process::geteuid().is_root() {
            Self::new(program)
        } else {
            Self::new("sudo").arg("--non-interactive").arg(program)
        }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    pub(crate) fn limit_seconds(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// The command line with the variables it sets, for people.
    pub(crate) fn line(&self) -> String {
        let variables = self
            .command
            .get_envs()
            .filter(|(name, _)| *name != census::MARK && *name != "PATH")
            .filter_map(|(name, value)| Some(format!("{}={:?}", name.to_string_lossy(), value?)));
        let words = std::iter::once(self.command.get_program())
            .chain(self.command.get_args())
            .map(|word| word.to_string_lossy().into_owned());
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs the command, passing its output on line by line, and counts the tests it reports.
    ///
    /// Returns whether it succeeded, with the counts.
    pub(crate) fn run(mut self) -> Result<(Result<(), Error>, Tally), Error> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let line = self.line();
        let mut child = self.start()?;
        let (counts, received) = mpsc::channel();
        let readers = [
            child
                .stdout
                .take()
                .map(|out| pass_on(out, io::stdout(), counts.clone())),
            child
                .stderr
                .take()
                .map(|err| pass_on(err, io::stderr(), counts)),
        ];
        let ended = wait(&mut child, self.limit, &line);

        let deadline = Instant::now() + OUTPUT_GRACE;
        while readers.iter().flatten().any(|reader| !reader.is_finished()) {
            if Instant::now() > deadline {
                eprintln!("warning: a process left behind by `{line}` holds its output open");
                break;
            }
            thread::sleep(POLL);
        }
        let mut tally = Tally::default();
        for count in received.try_iter() {
            tally += count;
        }
        match ended {
            Ok(status) => Ok((success(status, line), tally)),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => Ok((Err(error), tally)),
        }
    }

    /// Runs the command quietly and returns its standard output.
    pub(crate) fn capture(mut self) -> Result<String, Error> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::null());
        let line = self.line();
        let mut child = self.start()?;
        let mut stdout = child.stdout.take().expect("stdout was asked for");
        let reader = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let status = wait(&mut child, self.limit, &line)?;
        let text = reader.join().expect("the reader does not panic");
        success(status, line.clone())?;
        text.map_err(|source| Error::Start {
            command: line,
            source,
        })
    }

    /// Runs the command with its output in `log`.
    pub(crate) fn run_into(self, log: &Path) -> Result<(), Error> {
        let line = self.line();
        let limit = self.limit;
        let mut child = self.spawn_into(log, log)?;
        success(wait(&mut child, limit, &line)?, line)
    }

    /// Starts the command with its standard input open and its output in files.
    pub(crate) fn spawn_into(mut self, stdout: &Path, stderr: &Path) -> Result<Child, Error> {
        let out = File::create(stdout).map_err(Error::file(stdout))?;
        let err = if stdout == stderr {
            out.try_clone().map_err(Error::file(stderr))?
        } else {
            File::create(stderr).map_err(Error::file(stderr))?
        };
        self.command.stdin(Stdio::piped()).stdout(out).stderr(err);
        self.start()
    }

    /// Starts the command with its standard output for the caller to read.
    pub(crate) fn spawn_reading(mut self) -> Result<Child, Error> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::null());
        self.start()
    }

    /// Starts the command with nobody to read what it says.
    pub(crate) fn spawn_unheard(mut self) -> Result<Child, Error> {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.start()
    }

    fn start(&mut self) -> Result<Child, Error> {
        if interrupt::requested() {
            return Err(Error::Interrupted);
        }
        self.command.env(census::MARK, census::mark());
        self.command.spawn().map_err(|source| Error::Start {
            command: self.line(),
            source,
        })
    }
}

/// Waits for `child`; past `limit`, or when asked to stop, ends its process group.
pub(crate) fn wait(child: &mut Child, limit: Duration, line: &str) -> Result<ExitStatus, Error> {
    let deadline = Instant::now() + limit;
    let failure = |source| Error::Start {
        command: line.to_owned(),
        source,
    };
    loop {
        if let Some(status) = child.try_wait().map_err(failure)? {
            return Ok(status);
        }
        if interrupt::requested() {
            end_group(child);
            return Err(Error::Interrupted);
        }
        if Instant::now() > deadline {
            end_group(child);
            return Err(Error::TimedOut {
                command: line.to_owned(),
                limit,
            });
        }
        thread::sleep(POLL);
    }
}

/// TERM to the process group of `child`, KILL after a while, and reaps it.
pub(crate) fn end_group(child: &mut Child) {
    // Not yet reaped, so the number still belongs to this child.
    let group = Pid::from_child(child);
    let _ = kill_process_group(group, Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        thread::sleep(POLL);
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

fn success(status: ExitStatus, command: String) -> Result<(), Error> {
    if status.success() {
        Ok(())
    } else {
        Err(Error::Failed {
            command,
            status: status.to_string(),
        })
    }
}

fn pass_on(
    from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    counts: mpsc::Sender<Tally>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            // A closed pipe of ours does not concern the command.
            let _ = writeln!(to, "{line}");
            let tally = Tally::of_line(&line);
            if !tally.is_empty() {
                let _ = counts.send(tally);
            }
        }
    })
}
