//! `winddown run`: what becomes of a program's output.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Child;

use support::{End, Place, Signal, read_until, send, until};

/// `winddown run` with this definition.
fn run(place: &Place, definition: &str) -> Child {
    place.write("winddown.toml", definition);
    let arguments = ["run", "--config", "winddown.toml"];
    place.winddown(arguments).spawn().unwrap()
}

/// The bytes of a log with all its old files.
fn all_of(place: &Place, name: &str) -> Vec<u8> {
    let mut paths: Vec<PathBuf> = fs::read_dir(place.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let path = path.file_name().unwrap().to_str().unwrap();
            path.starts_with(name)
        })
        .collect();
    paths.sort_by_key(|path| (path.ends_with(name), path.clone()));
    paths
        .iter()
        .flat_map(|path| fs::read(path).unwrap())
        .collect()
}

#[test]
fn wd_155_a_stop_in_the_middle_of_a_flood_loses_nothing() {
    let place = Place::new();
    // Without end, at a rate that any disk keeps up with, and the last words after the request.
    let child = run(
        &place,
        r#"
        command = ["sh", "-c", """
            trap 'echo last words | tee -a written; exit 0' TERM
            while :; do head -c 100000 /dev/urandom | tee -a written; sleep 0.01; done"""]
        [logs]
        file = "flood.log"
        rotate = { size = "1MB" }
        "#,
    );
    until("four old files", || {
        let names = fs::read_dir(place.path("")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        (names.filter(|name| name.starts_with("flood.log.")).count() >= 4).then_some(())
    });
    send(&child, Signal::TERM);
    let end = End::of(child);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    let written = fs::read(place.path("written")).unwrap();
    assert!(written.ends_with(b"last words\n"));
    assert!(all_of(&place, "flood.log") == written);
    place.census.assert_empty();
}

#[test]
fn a_reload_leaves_a_program_alone_whose_lines_are_looked_at() {
    let place = Place::new();
    let definition = |after: &str| {
        format!(
            r#"
            command = ["sh", "-c", "echo $$ >> starts; echo up; while :; do sleep 0.05; done"]
            ready = {{ log = "^up$" }}
            [restart]
            policy = "never"
            {after}
            "#
        )
    };
    let mut child = run(&place, &definition(""));
    let mut stdout = child.stdout.take().unwrap();
    // They still go where they would have gone.
    read_until(&mut stdout, "up\n");
    place.write("winddown.toml", &definition("[stop]\ntimeout = \"7s\""));
    let mut stderr = child.stderr.take().unwrap();
    send(&child, Signal::HUP);
    let told = read_until(&mut stderr, "reloaded: ") + &read_until(&mut stderr, "\n");
    assert!(told.contains("is changed"), "{told}");
    send(&child, Signal::TERM);
    child.wait().unwrap();
    let starts = fs::read_to_string(place.path("starts")).unwrap();
    assert_eq!(starts.lines().count(), 1, "{starts}");
    place.census.assert_empty();
}
