//! `SERVICE_CONTROL_PARAMCHANGE` has a service read its definition again (under Wine).
#![cfg(windows)]

mod windows_support;

use std::ffi::OsString;
use std::fs;

use winddown_core::scm::{Control, ScmError, ServiceState, code};
use winddown_testkit::stubborn_program;
use windows_support::{Installed, wait_for, wait_for_event};

/// A definition of services that each write the file that they are named after, and `NAME.stopped` when they are stopped.
fn definition(services: &[&str]) -> String {
    let program = stubborn_program().display().to_string();
    let table = |name: &&str| {
        format!(
            "[service.{name}]\ncommand = ['{program}', '--ready-file', '{name}', 'graceful', '{name}.stopped']\n"
        )
    };
    services.iter().map(table).collect()
}

fn reload(service: &Installed, definition: &str) {
    fs::write(service.path("winddown.toml"), definition).unwrap();
    service.service.control(Control::ParamChange).unwrap();
}

/// WD-140, WD-141: what has changed is applied, and what is wrong changes nothing. Both are said in the event log: a service has no
/// standard error.
#[test]
fn wd_140_paramchange_reloads_the_definition() {
    let service = Installed::defined("reload", &definition(&["reload-one"]));
    service.start();
    wait_for(&service.path("reload-one"));

    reload(&service, &definition(&["reload-one", "reload-two"]));
    wait_for(&service.path("reload-two"));
    wait_for_event("reloaded: reload-two is new");

    reload(&service, "[service.reload-one]\ncommand = 7\n");
    wait_for_event("not reloaded, nothing has changed: ");
    let state = service.service.status().unwrap().status.state;
    assert_eq!(state, ServiceState::Running);
    for name in ["reload-one.stopped", "reload-two.stopped"] {
        assert!(!service.path(name).exists(), "{name}");
    }

    reload(&service, &definition(&["reload-two"]));
    wait_for(&service.path("reload-one.stopped"));
    wait_for_event("reloaded: reload-one is gone");
    assert!(!service.path("reload-two.stopped").exists());
    service.stop().assert_graceful();
    assert!(service.path("reload-two.stopped").exists());
}

/// WD-142: without a definition there is nothing to read again, and the SCM is told so.
#[test]
fn wd_142_without_a_definition_paramchange_is_not_accepted() {
    let service = Installed::new("no-reload", |directory| {
        let mut arguments: Vec<OsString> = vec!["--".into(), stubborn_program().into()];
        arguments.extend(["--ready-file".into(), directory.join("ready").into()]);
        arguments.push("graceful".into());
        arguments
    });
    service.start();
    wait_for(&service.path("ready"));
    let refused = service.service.control(Control::ParamChange);
    let Err(ScmError::Os { code: refused, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refused, code::ERROR_INVALID_SERVICE_CONTROL);
    service.stop().assert_graceful();
}
