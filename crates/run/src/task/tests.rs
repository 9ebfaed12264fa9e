use std::io::Write;

use winddown_core::{Clock, Signal};
use winddown_sys::{Monotonic, wait_any};
use winddown_testkit::{Census, Watchdog, stubborn_program};

use super::*;
use crate::process::own_variables;

/// What a test of programs needs: marks, and a limit of time.
pub(crate) struct Bench {
    pub(crate) census: Census,
    _watchdog: Watchdog,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            census: Census::begin(),
            _watchdog: Watchdog::arm(Duration::from_secs(60)),
        }
    }

    pub(crate) fn options(&self, behaviour: &[&str], timeout: Duration) -> TaskOptions {
        let (name, mark) = self.census.variable();
        let mut variables = own_variables();
        variables.set(name, mark);
        let mut command = vec![stubborn_program().into()];
        command.extend(behaviour.iter().map(Into::into));
        TaskOptions {
            command,
            surroundings: Surroundings {
                variables,
                ..Surroundings::default()
            },
            timeout,
        }
    }

    fn start(&self, behaviour: &[&str], timeout: Duration) -> Task {
        Task::start(&self.options(behaviour, timeout), Monotonic.now()).unwrap()
    }
}

/// Until the task is over, or says what is awaited.
fn drive(task: &mut Task, until: impl Fn(&Task) -> bool) -> TaskState {
    loop {
        let state = task.advance(Monotonic.now());
        if state != TaskState::Running || until(task) {
            return state;
        }
        let sources: Vec<_> = task.sources().collect();
        // The output wakes nobody before its end.
        let pause = Monotonic.now() + Duration::from_millis(20);
        wait_any(&sources, Monotonic.sleep_until(task.due().min(pause)));
    }
}

fn finish(task: &mut Task) -> TaskState {
    let state = drive(task, |_| false);
    assert_eq!(task.tree.proof().survivors, 0);
    state
}

const LONG: Duration = Duration::from_secs(50);

#[test]
fn a_program_that_ends_gives_its_exit_and_its_last_words() {
    let bench = Bench::new();
    let mut task = bench.start(&["exits", "3"], LONG);
    assert_eq!(finish(&mut task), TaskState::Done(Exit::Code(3)));
    assert_eq!(task.output(), "ready");
    assert_eq!((task.due(), task.sources().count()), (Timestamp::NEVER, 0));
    assert_eq!(
        task.advance(Timestamp::NEVER),
        TaskState::Done(Exit::Code(3))
    );
    bench.census.assert_empty();
}

#[test]
fn wd_123_a_program_that_takes_too_long_is_killed_with_all_that_it_started() {
    let bench = Bench::new();
    let mut task = bench.start(&["double-forks"], LONG);
    let ready = |task: &Task| task.output().contains("ready");
    assert_eq!(drive(&mut task, ready), TaskState::Running);
    task.tighten(Monotonic.now());
    assert_eq!(finish(&mut task), TaskState::TimedOut);
    bench.census.assert_empty();
}

#[test]
fn wd_123_what_a_program_leaves_behind_at_its_end_is_killed() {
    let bench = Bench::new();
    let mut task = bench.start(&["setsid-child"], LONG);
    let ready = |task: &Task| task.output().contains("ready");
    drive(&mut task, ready);
    task.child.signal(Signal::Term).unwrap();
    assert_eq!(finish(&mut task), TaskState::Done(Exit::Code(0)));
    bench.census.assert_empty();
}

#[test]
fn a_task_that_is_dropped_leaves_nothing() {
    let bench = Bench::new();
    let mut task = bench.start(&["ignores-term"], LONG);
    drive(&mut task, |task| task.output().contains("ready"));
    drop(task);
    bench.census.assert_empty();
}

#[test]
fn of_much_output_the_last_is_kept_and_nobody_is_blocked() {
    let bench = Bench::new();
    let mut task = bench.start(&["floods-on-stop", "1"], LONG);
    drive(&mut task, |task| task.output().contains("ready"));
    task.child.signal(Signal::Term).unwrap();
    assert_eq!(finish(&mut task), TaskState::Done(Exit::Code(0)));
    let output = task.output();
    assert!(output.ends_with("last line"), "{output}");
    assert!(output.len() > 1000);
    bench.census.assert_empty();
}

#[test]
fn it_is_not_over_before_all_of_its_output_was_read() {
    let bench = Bench::new();
    let mut task = bench.start(&["exits", "0"], LONG);
    let (reader, mut writer) = pipe::pair(0).unwrap();
    task.output = Tail::read(reader).unwrap();
    let cleared =
        |task: &Task| matches!(task.stage, Stage::Clearing(..)) && task.tree.proof().survivors == 0;
    assert_eq!(drive(&mut task, cleared), TaskState::Running);
    writer.write_all(b"last \x1b\xff words\n").unwrap();
    let sources: Vec<_> = task.sources().collect();
    drop(writer);
    wait_any(&sources, None);
    assert_eq!(finish(&mut task), TaskState::Done(Exit::Code(0)));
    assert_eq!(task.output(), "last \u{fffd} words");
    bench.census.assert_empty();
}

#[test]
fn a_deadline_only_gets_nearer() {
    let bench = Bench::new();
    let begun = Monotonic.now();
    let options = bench.options(&["ignores-term"], LONG);
    let mut task = Task::start(&options, begun).unwrap();
    assert_eq!(task.due(), begun + LONG);
    task.tighten(begun + LONG * 2);
    assert_eq!(task.due(), begun + LONG);
    assert_eq!(task.advance(begun), TaskState::Running);
    assert_eq!(task.sources().count(), 1);
    // Whether or not the system has ended it within these instructions, the answer is never a success.
    assert!(matches!(
        task.advance(begun + LONG),
        TaskState::Running | TaskState::TimedOut
    ));
    assert_eq!(task.advance(begun + LONG + CONFIRM), TaskState::TimedOut);
    bench.census.assert_empty();
}

#[test]
fn a_program_that_cannot_be_started_is_an_error() {
    let bench = Bench::new();
    let mut options = bench.options(&[], LONG);
    options.command = vec!["/no/such/program".into()];
    let error = Task::start(&options, Monotonic.now()).unwrap_err();
    assert!(matches!(error, Error::ProgramNotFound { .. }), "{error}");
    options.command.clear();
    assert!(Task::start(&options, Monotonic.now()).is_err());
}
