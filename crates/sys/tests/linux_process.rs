//! Children: what they start with, how they end, what a failed start says.
#![cfg(target_os = "linux")]

use std::io::Read;
use std::time::Duration;

use winddown_core::Signal;
use winddown_sys::process::{Child, Exit, SpawnOptions, Stream, spawn};
use winddown_sys::{Error, wait_any};

const LIMIT: Duration = Duration::from_secs(20);

fn sh(script: &str) -> SpawnOptions {
    SpawnOptions::new("sh", ["-c", script])
}

fn end_of(child: &Child) -> Exit {
    if wait_any(&[child], Some(LIMIT)) != [true] {
        child.kill().unwrap();
        panic!("{} did not end within {LIMIT:?}", child.pid());
    }
    child.try_wait().unwrap().expect("the child is ready")
}

fn output_of(mut options: SpawnOptions) -> String {
    options.stdout = Stream::Pipe;
    let mut child = spawn(&options).unwrap();
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    assert_eq!(end_of(&child), Exit::Code(0), "{options:?} said {output}");
    output
}

#[test]
fn exits_are_told_exactly_and_again() {
    let child = spawn(&sh("exit 7")).unwrap();
    assert_eq!(end_of(&child), Exit::Code(7));
    assert_eq!(child.try_wait().unwrap(), Some(Exit::Code(7)));
    assert!(matches!(child.signal(Signal::Term), Err(Error::Gone)));
    child.kill().unwrap();
    let child = spawn(&SpawnOptions::new("sleep", ["60"])).unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    child.signal(Signal::Term).unwrap();
    assert_eq!(end_of(&child).to_string(), "SIGTERM");
}

#[test]
fn a_child_has_only_its_streams() {
    let listed = output_of(sh("ls /proc/self/fd"));
    // 3 is the directory that ls reads.
    assert_eq!(
        listed.split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn a_failed_start_says_why() {
    let failure = |program: &str| spawn(&SpawnOptions::new(program, [""; 0])).unwrap_err();
    assert!(matches!(
        failure("no-such-program"),
        Error::ProgramNotFound { .. }
    ));
    assert!(matches!(
        failure("/no/such/program"),
        Error::ProgramNotFound { .. }
    ));
    assert!(matches!(failure("/etc"), Error::NotExecutable { .. }));
    assert!(matches!(
        failure("/etc/passwd"),
        Error::NotExecutable { .. }
    ));
}
