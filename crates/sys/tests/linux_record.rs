//! Entries for the operator, on a real standard error.

#![cfg(target_os = "linux")]

mod host_support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use host_support::{command, watchdog};
use winddown_testkit::Census;

const ENTRY: &str = "error=orders did not stop\nMESSAGE=x \u{1b}[31m";

/// What `host_steps` writes to its standard error when `JOURNAL_STREAM` is what `journal` makes of that file.
fn written(journal: impl FnOnce(&File) -> String) -> String {
    let _watchdog = watchdog();
    let census = Census::begin();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let (mut reader, writer) = (File::from(reader), File::from(writer));
    let mut steps = command([ENTRY]);
    steps.env("JOURNAL_STREAM", journal(&writer)).stderr(writer);
    let status = census.mark(&mut steps).status().unwrap();
    drop(steps);
    assert!(status.success());
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    census.assert_empty();
    text
}

#[test]
fn where_standard_error_is_the_journal_the_priority_comes_first() {
    let line = written(|file| {
        let file = file.metadata().unwrap();
        format!("{}:{}", file.dev(), file.ino())
    });
    assert_eq!(
        line,
        "<3>orders did not stop MESSAGE=x  [31m (event 2003)\n"
    );
}

#[test]
fn where_it_is_another_file_the_source_comes_first() {
    for inherited in ["", "9:1", "nonsense"] {
        assert_eq!(
            written(|_| inherited.to_owned()),
            "steps: error: orders did not stop MESSAGE=x  [31m (event 2003)\n"
        );
    }
}

#[test]
fn a_full_pipe_that_nobody_reads_holds_nobody_up() {
    let _watchdog = watchdog();
    let census = Census::begin();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut writer = File::from(writer);
    let size = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    writer.write_all(&vec![b'x'; size]).unwrap();
    let mut steps = command([ENTRY]);
    let output = census
        .mark(&mut steps)
        .stderr(writer)
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "the step says that it failed"
    );
    drop(reader);
    census.assert_empty();
}
