//! A program that is to run to its end within a time: a check, a hook, a rung of a ladder.

mod tail;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use winddown_core::Timestamp;
use winddown_sys::pipe;
use winddown_sys::process::{Child, Exit, Stream};
use winddown_sys::tree::{Tree, TreeOptions};
use winddown_sys::{Error, Waitable};

use crate::process::Surroundings;

use tail::Tail;

/// How long the system may take to end what was killed, and to give the last of its output.
const CONFIRM: Duration = Duration::from_secs(2);
/// How often what was killed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskOptions {
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// What it is started in.
    pub(crate) surroundings: Surroundings,
    /// How long it may take.
    pub(crate) timeout: Duration,
}

/// How a [`Task`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// It is not over.
    Running,
    /// The program ended so, in time, and what it left behind was killed.
    Done(Exit),
    /// The program had not ended in time, and was killed with all that it started.
    TimedOut,
}

/// A program under way, in a session and a tree of its own.
///
/// Dropping it kills what is left.
#[derive(Debug)]
pub(crate) struct Task {
    tree: Tree,
    child: Child,
    output: Arc<Tail>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The program runs, at most until this point.
    Running(Timestamp),
    /// What is left of it is killed: how it ended, until when that may take, and when to look again.
    Clearing(TaskState, Timestamp, Timestamp),
    Over(TaskState),
}

impl Task {
    /// Starts a program without input. Its output is read, and the last of it kept.
    ///
    /// # Errors
    /// As for [`spawn`](winddown_sys::process::spawn), and [`Error::Os`] where there can be no tree or no thread for the output.
    pub(crate) fn start(options: &TaskOptions, now: Timestamp) -> Result<Self, Error> {
        let tree = Tree::new(TreeOptions {
            name: "task".to_owned(),
            ..TreeOptions::default()
        })?;
        let (reader, writer) = pipe::pair(pipe::AT_ONCE)?;
        let also_writer = writer
            .try_clone()
            .map_err(|error| Error::os("duplicating a pipe", error))?;
        let mut spawn = options.surroundings.clone().spawn(options.command.clone());
        spawn.stdin = Stream::Null;
        spawn.stdout = Stream::File(writer);
        spawn.stderr = Stream::File(also_writer);
        let output = Tail::read(reader)?;
        let child = tree.spawn(&spawn)?;
        Ok(Self {
            tree,
            child,
            output,
            stage: Stage::Running(now + options.timeout),
        })
    }

    /// Looks at how it stands, and goes as far as it can without waiting.
    pub(crate) fn advance(&mut self, now: Timestamp) -> TaskState {
        if let Stage::Running(deadline) = self.stage {
            // Where somebody else has reaped the program, its end is never seen and it times out.
            match self.child.try_wait().unwrap_or(None) {
                Some(exit) => self.clear(TaskState::Done(exit), now),
                None if now >= deadline => self.clear(TaskState::TimedOut, now),
                None => {}
            }
        }
        if let Stage::Clearing(state, until, _) = self.stage {
            if self.is_clear() || now >= until {
                self.stage = Stage::Over(state);
            } else {
                self.stage = Stage::Clearing(state, until, now + LOOK_EVERY);
            }
        }
        match self.stage {
            Stage::Over(state) => state,
            _ => TaskState::Running,
        }
    }

    fn clear(&mut self, state: TaskState, now: Timestamp) {
        self.stage = Stage::Clearing(state, now + CONFIRM, now);
    }

    /// Kills what is left; whether nothing is, and all of the output was read.
    fn is_clear(&self) -> bool {
        let nobody = |tree: &Tree| tree.is_empty().unwrap_or(false);
        if !nobody(&self.tree) {
            // What the system refuses is tried again until the time is over.
            let _ = self.tree.kill();
        }
        nobody(&self.tree) && self.output.is_complete()
    }

    /// Moves the end of its time to `deadline` if that is earlier, and says whether it is.
    pub(crate) fn tighten(&mut self, deadline: Timestamp) -> bool {
        match &mut self.stage {
            Stage::Running(until) if deadline < *until => {
                *until = deadline;
                true
            }
            _ => false,
        }
    }

    /// When to call [`Task::advance`] at the latest.
    pub(crate) const fn due(&self) -> Timestamp {
        match self.stage {
            Stage::Running(deadline) => deadline,
            Stage::Clearing(_, _, look) => look,
            Stage::Over(_) => Timestamp::NEVER,
        }
    }

    /// What [`Task::advance`] should be called for earlier.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &dyn Waitable> {
        let source: Option<&dyn Waitable> = match self.stage {
            Stage::Running(_) => Some(&self.child),
            Stage::Clearing(..) if !self.output.is_complete() => Some(self.output.completion()),
            _ => None,
        };
        source.into_iter()
    }

    /// The last of what the program wrote, at most 4 KiB, without control characters but line ends.
    pub(crate) fn output(&self) -> String {
        self.output.text()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Over(_)) {
            let _ = self.tree.kill();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
