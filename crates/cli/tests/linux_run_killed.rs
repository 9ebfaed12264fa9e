//! `kill -9` of `winddown run`: nothing that it started outlives it (WD-97).
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{End, Place, Signal, WINDDOWN, as_ordinary_user, guard_of, kill, read_until, send};
use winddown_testkit::stubborn_program;

/// What every peer leaves behind when it is killed.
const SHAPES: [&str; 6] = [
    "graceful",
    "fork-ignores-term",
    "setsid-child",
    "double-forks",
    "deep-tree 4",
    "refork",
];

fn killed(place: &Place, mut winddown: Command) {
    let mut child = winddown.spawn().unwrap();
    read_until(child.stdout.as_mut().unwrap(), "ready\n");
    send(&child, Signal::KILL);
    // Its output ends with the last process that holds it.
    End::of(child);
    place.census.assert_empty();
}

#[test]
fn wd_97_nothing_outlives_a_killed_winddown() {
    for shape in SHAPES {
        let place = Place::new();
        let mut winddown = place.winddown(["run", "--"]);
        winddown.arg(stubborn_program()).args(shape.split(' '));
        killed(&place, winddown);
    }
}

#[test]
fn wd_97_nothing_outlives_a_killed_winddown_of_an_ordinary_user() {
    for shape in SHAPES {
        let place = Place::new();
        let [winddown, stubborn] =
            [Path::new(WINDDOWN), &stubborn_program()].map(|program| place.copy_for_all(program));
        let user = as_ordinary_user();
        let mut command = place.command(user[0], &user[1..]);
        command.arg(winddown).args(["run", "--"]);
        command.arg(stubborn).args(shape.split(' '));
        killed(&place, command);
    }
}

/// Somebody must know of it while there is time: nobody else would kill what a killed winddown leaves.
#[test]
fn wd_97_the_operator_is_told_of_a_guard_that_was_killed() {
    let place = Place::new();
    let mut winddown = place.winddown(["run", "--"]);
    winddown.arg(stubborn_program()).arg("graceful");
    let mut child = winddown.spawn().unwrap();
    read_until(child.stdout.as_mut().unwrap(), "ready\n");
    kill(guard_of(child.id()), "KILL");
    let said = read_until(child.stderr.as_mut().unwrap(), "\n");
    assert!(said.contains("its guard has been killed"), "{said}");
    send(&child, Signal::TERM);
    let end = End::of(child);
    assert_eq!((end.code(), end.stderr.as_str()), (Some(0), ""), "{end:#?}");
    place.census.assert_empty();
}
