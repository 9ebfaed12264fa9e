//! Services that cannot start, or not yet: what the SCM and the event log are told (under Wine).
#![cfg(windows)]

mod windows_support;

use winddown_core::scm::{ServiceState, code};
use winddown_testkit::stubborn_program;
use windows_support::{Installed, PATIENCE, wait_for, wait_for_event};

/// Starts a service that ends without having run, and gives its own exit code.
#[track_caller]
fn refused(service: &Installed) -> u32 {
    // Wine answers a start only after the first status, and then with 1053 where that is STOPPED.
    let _ = service.ask_to_start();
    let seen = service.service.wait_for(ServiceState::Stopped, PATIENCE);
    let seen = seen.unwrap().status;
    assert_eq!(seen.state, ServiceState::Stopped, "{seen:?}");
    assert_eq!(seen.exit_code, code::ERROR_SERVICE_SPECIFIC_ERROR);
    seen.specific_exit_code
}

/// WD-72: not 1053, which says that it did not answer in time.
#[test]
fn wd_72_a_definition_that_is_wrong_is_told() {
    let service = Installed::defined("wrong", "command = 'wrong-command'\n");
    assert_eq!(refused(&service), 2);
    wait_for_event("command: expected a list, such as");
}

#[test]
fn wd_72_a_program_that_is_missing_is_told_before_the_scm_hears_of_the_end() {
    let service = Installed::defined("missing", "command = ['no-such-program-of-a-service']\n");
    assert_eq!(refused(&service), 127);
    wait_for_event("cannot find the program no-such-program-of-a-service (give a path");
}

#[test]
fn a_control_pipe_that_is_in_use_keeps_a_service_from_starting() {
    let program = stubborn_program().display().to_string();
    let pipe = format!(r"\\.\pipe\winddown-test-start-{}", std::process::id());
    let definition = format!(
        "command = ['{program}', '--ready-file', 'ready', 'graceful']\ncontrol = '{pipe}'\n"
    );
    let first = Installed::defined("pipe-1", &definition);
    first.start();
    wait_for(&first.path("ready"));
    let second = Installed::defined("pipe-2", &definition);
    assert_eq!(refused(&second), 1);
    wait_for_event("is in use");
    first.stop().assert_graceful();
}

#[test]
fn a_command_line_that_is_wrong_is_in_the_event_log() {
    let service = Installed::new("command-line", |_| vec!["--no-such-flag".into()]);
    assert!(service.ask_to_start().is_err());
    wait_for_event("unexpected argument '--no-such-flag'");
}

/// While a start is pending the SCM passes on no stop, and one that is tried again and again would be pending for ever.
#[test]
fn a_service_that_never_becomes_ready_can_be_stopped() {
    let program = stubborn_program().display().to_string();
    let definition = format!(
        "command = ['{program}', 'graceful']\n[ready]\nfile = 'never'\ntimeout = '1s'\n\
         [restart]\npolicy = 'always'\n"
    );
    let service = Installed::defined("never-ready", &definition);
    service.start();
    assert_eq!(service.stop().report["survivors"], 0);
}
