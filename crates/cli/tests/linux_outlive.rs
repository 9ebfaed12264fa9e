//! What `[stop] outlive` names lives on when its service is stopped (WD-109).
#![cfg(target_os = "linux")]

mod support;

use std::fs;

use support::{Place, Signal, kill, read_until, report_file, send};
use winddown_core::report::{Proof, Verdict};
use winddown_testkit::stubborn_program;

/// The service starts an updater, which leaves its session, and is stopped. Only the test ends the updater.
#[test]
fn wd_109_an_updater_lives_on_when_its_service_is_stopped() {
    let place = Place::new();
    let [updater, program] = ["updater", "program"].map(|name| place.path(name));
    for copy in [&updater, &program] {
        fs::copy(stubborn_program(), copy).unwrap();
    }
    let script = "./updater daemonizes ignores-term; exec ./program graceful";
    place.write(
        "winddown.toml",
        &format!("command = ['sh', '-c', '{script}']\n[stop]\noutlive = ['updater']\n"),
    );
    let mut winddown = place
        .winddown(["run", "--report=report", "--config=winddown.toml"])
        .spawn()
        .unwrap();
    // The first is the updater's own, before it leaves its daemon alone.
    let output = winddown.stdout.as_mut().unwrap();
    let said = read_until(output, "ready\n") + &read_until(output, "ready\n");
    let daemon = said.lines().find_map(|line| line.strip_prefix("child "));
    let daemon = daemon.unwrap().parse().unwrap();
    send(&winddown, Signal::TERM);
    assert!(winddown.wait().unwrap().success());

    let report = report_file(&place.path("report"));
    assert_eq!(report.verdict, Verdict::Graceful, "{report:#?}");
    assert_eq!(report.survivors, 0);
    let Proof::Outlived(which) = &report.proof else {
        panic!("{report:#?}");
    };
    assert!(which.contains(&format!("updater ({daemon},")), "{which}");
    kill(daemon, "KILL");
    place.census.assert_empty();
}
