//! WD-72: a program that somebody stopped with a key dies of the signal, as shells expect; one that a program stopped exits.

#![cfg(target_os = "linux")]

mod support;

use std::os::unix::process::ExitStatusExt;

use support::program::Program;
use support::terminal::Keyboard;
use winddown::report::ExitRecord;
use winddown::{Signal, Verdict};

const SIGINT: i32 = 2;

#[test]
fn wd_72_a_key_press_is_died_of() {
    let (mut keyboard, shop) = Keyboard::of("shop", &[]);
    shop.address();
    keyboard.press_ctrl_c();
    shop.expect("stop asked by signal INT");
    let ended = shop.end();
    assert_eq!(ended.status.signal(), Some(SIGINT), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    let died = ExitRecord::Signal("INT".to_owned());
    assert_eq!(ended.report.exit, Some(died));
    assert_eq!(ended.report.asked_by.pid, None, "a key has no process");
}

#[test]
fn wd_72_an_int_of_a_program_is_exited_after() {
    let shop = Program::start("shop", &[]);
    shop.address();
    shop.send(Signal::Int);
    let ended = shop.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.exit, Some(ExitRecord::Code(0)));
}
