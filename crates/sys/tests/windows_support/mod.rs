//! Children of a test on Windows: this executable itself, started again in a role.

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use winddown_sys::process::{Child, EnvChange, Exit, SpawnOptions, Stream};
use winddown_sys::wait_any;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const ROLE: &str = "WINDDOWN_TEST_ROLE";

/// On a line of its own: the test harness writes to the same stream.
pub(crate) fn say(line: &str) {
    println!("\n{line}");
}

pub(crate) fn sleep() -> ! {
    std::thread::sleep(2 * PATIENCE);
    std::process::exit(99)
}

pub(crate) fn arguments() -> [&'static str; 4] {
    ["role", "--exact", "--nocapture", "--"]
}

pub(crate) fn options(role: &str) -> SpawnOptions {
    let mut options = SpawnOptions::new(env::current_exe().unwrap(), arguments());
    options.env.push((ROLE.into(), EnvChange::Set(role.into())));
    options
}

/// A child whose output the test reads.
pub(crate) fn piped(role: &str) -> SpawnOptions {
    SpawnOptions {
        stdout: Stream::Pipe,
        ..options(role)
    }
}

pub(crate) fn output(child: &mut Child) -> BufReader<File> {
    BufReader::new(child.stdout.take().unwrap())
}

#[track_caller]
pub(crate) fn wait_for(output: &mut impl BufRead, wanted: &str) {
    let mut lines = output.lines().map(Result::unwrap);
    assert!(lines.any(|line| line == wanted), "no `{wanted}`");
}

pub(crate) fn exit(child: &Child) -> Exit {
    wait_any(&[child], Some(PATIENCE));
    child.try_wait().unwrap().expect("it has ended")
}
