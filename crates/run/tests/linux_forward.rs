//! Output that is forwarded to winddown's own streams, by the example `capture` in its place.
#![cfg(target_os = "linux")]

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use winddown_testkit::{Census, Watchdog};

const LIMIT: Duration = Duration::from_secs(60);

fn capture(script: &str) -> Command {
    let test = env::current_exe().unwrap();
    let target: PathBuf = test.ancestors().nth(2).unwrap().into();
    let mut command = Command::new(target.join("examples/capture"));
    command.args(["--forward", "sh", "-c", script]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn each_stream_goes_to_its_own_with_the_name_in_front() {
    let _watchdog = Watchdog::arm(LIMIT);
    let census = Census::begin();
    let mut command = capture("echo one; printf two; echo three >&2");
    let output = census.mark(&mut command).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "app | one\napp | two\n"
    );
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("app | three\n"), "{stderr}");
    assert!(output.status.success());
    census.assert_empty();
}

#[test]
fn wd_150_a_reader_that_does_not_read_holds_up_no_program() {
    let _watchdog = Watchdog::arm(LIMIT);
    let census = Census::begin();
    // More than all pipes and the buffer hold.
    let mut command = capture("seq 1 3000000; echo done >&2; exec sleep 100");
    let mut winddown = census.mark(&mut command).spawn().unwrap();
    let mut stderr = BufReader::new(winddown.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "app | done\n");
    // What waited is there in the end, with a line that stands for what did not.
    let mut stdout = winddown.stdout.take().unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 65536]);
    while !text.ends_with(b"| 3000000\n") {
        let count = stdout.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the last line is missing");
        text.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8(text).unwrap();
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("winddown dropped"))
            .count(),
        1
    );
    assert!(text.starts_with("app | 1\n"));
    for survivor in census.survivors() {
        if survivor.name == "sleep" {
            let sleep = survivor.pid.to_string();
            assert!(Command::new("kill").arg(sleep).status().unwrap().success());
        }
    }
    winddown.wait().unwrap();
    census.assert_empty();
}

#[test]
fn a_reader_that_has_gone_is_no_trouble() {
    let _watchdog = Watchdog::arm(LIMIT);
    let census = Census::begin();
    let mut command = capture("seq 1 100000");
    let mut winddown = census.mark(&mut command).spawn().unwrap();
    drop(winddown.stdout.take());
    let mut told = String::new();
    let mut stderr = winddown.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert!(winddown.wait().unwrap().success());
    assert!(told.contains("\"warnings\":[]"), "{told}");
    census.assert_empty();
}
