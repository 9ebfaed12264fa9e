//! `winddown` on a console of its own, as from a shortcut or from Explorer (under Wine).
#![cfg(windows)]

use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use winddown_testkit::{Watchdog, stubborn_program};

const WINDDOWN: &str = env!("CARGO_BIN_EXE_winddown");
const CREATE_NEW_CONSOLE: u32 = 0x10;

/// Leaving the console would close it. The program is asked all the same, and winddown lives on to report it.
#[test]
fn wd_90_alone_on_its_console_winddown_still_asks_its_program() {
    let _watchdog = Watchdog::arm(Duration::from_secs(90));
    let rehearsal = Command::new(WINDDOWN)
        .args([
            "rehearse",
            "--repeat=2",
            "--timeout=20s",
            "--output=json",
            "--",
        ])
        .arg(stubborn_program())
        .arg("graceful")
        .creation_flags(CREATE_NEW_CONSOLE)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&rehearsal.stdout).unwrap();
    assert_eq!(json["graceful"], true, "{json:#}");
    for run in json["runs"].as_array().unwrap() {
        let ladder = &run["report"]["ladder"];
        assert_eq!(ladder[0]["outcome"], "sent", "{ladder:#}");
    }
    assert_eq!(rehearsal.status.code(), Some(0));
}
