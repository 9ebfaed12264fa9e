//! What the tests about hosts share.

#![allow(dead_code, reason = "each test file uses its part")]

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use winddown_core::host::Host;
use winddown_testkit::Watchdog;

pub(crate) fn watchdog() -> Watchdog {
    Watchdog::arm(Duration::from_secs(60))
}

/// The example `host_steps`, which `cargo build --examples` puts beside the directory of the tests.
pub(crate) fn steps() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own executable");
    let program = test.parent().unwrap().with_file_name("examples/host_steps");
    assert!(
        program.is_file(),
        "host_steps is not built: run `cargo build -p winddown-sys --examples` first"
    );
    program
}

/// What `command` printed, once it has ended.
pub(crate) fn output_of(command: &mut Command) -> String {
    let Output { stdout, stderr, .. } = command.output().expect("the command can be started");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(stderr.is_empty(), "{command:?}: {stderr}");
    String::from_utf8(stdout).expect("it prints text")
}

/// The host that `host_steps host` found, in the last line of `output`.
#[track_caller]
pub(crate) fn host_in(output: &str) -> Host {
    let line = output.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// `host_steps` with `steps`, knowing nothing of the host that the tests run under.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(steps());
    for name in winddown_core::host::VARIABLES {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}
