//! WD-14: a second key press forces; a second `TERM` does not.

#![cfg(target_os = "linux")]

mod support;

use std::thread;
use std::time::Duration;

use support::client::InFlight;
use support::program::Program;
use support::terminal::Keyboard;
use winddown::{Signal, Verdict};

/// Longer than the half second within which a second request is a bouncing key.
const LATER: Duration = Duration::from_millis(600);

#[test]
fn wd_14_a_second_key_press_forces() {
    let stuck = ["--stuck-ms", "110000", "--stop-within-ms", "100000"];
    let (mut keyboard, shop) = Keyboard::of("shop", &stuck);
    shop.address();
    keyboard.press_ctrl_c();
    shop.expect("stop asked by signal INT");
    thread::sleep(LATER);
    keyboard.press_ctrl_c();
    let ended = shop.end();
    assert_eq!(ended.status.code(), Some(124), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Forced, "{ended:#?}");
    assert!(ended.report.seconds < 100.0, "{ended:#?}");
}

#[test]
fn wd_14_a_second_term_does_not_force() {
    let shop = Program::start("shop", &[]);
    let requests = InFlight::begin(shop.address(), "/");
    shop.send(Signal::Term);
    shop.hear_after("stop asked by signal TERM");
    thread::sleep(LATER);
    shop.send(Signal::Term);
    requests.finish();
    let ended = shop.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.also_asked.len(), 1, "{ended:#?}");
}

/// A program can send `INT` as well as a terminal can, and presses no key with it.
#[test]
fn wd_14_a_second_int_that_no_key_sent_does_not_force() {
    let shop = Program::start("shop", &[]);
    let requests = InFlight::begin(shop.address(), "/");
    shop.send(Signal::Int);
    shop.hear_after("stop asked by signal INT");
    thread::sleep(LATER);
    shop.send(Signal::Int);
    requests.finish();
    let ended = shop.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.also_asked.len(), 1, "{ended:#?}");
}
