//! `winddown run` of a program that forks without end.
#![cfg(target_os = "linux")]

mod support;

use support::program::stop;
use support::{Place, Signal, read_until, report};
use winddown_core::report::{Proof, Verdict};

/// Up to 700 processes that ignore what asks them to stop, each of which forks as fast as it can. None lives longer than 20 s.
const BOMB: &str = r#"
$SIG{TERM} = $SIG{CHLD} = "IGNORE";
pipe(R, W); syswrite(W, "x" x 700); close W;
$until = time + 20; print STDERR "ready\n";
while (time < $until) { next if fork; sysread(R, $token, 1) or exit }
"#;

/// WD-90, WD-91: it has the processors and holds up whoever looks at it, and with a cgroup the stop ends soon after its time all
/// the same. Without one winddown has to outrun it (`wd_71_a_fork_bomb_is_ended_or_named`).
#[test]
fn wd_91_a_fork_bomb_does_not_hold_up_its_stop() {
    let place = Place::new();
    let mut command = place.winddown(["run", "--output=json", "--stop-timeout=1s", "--"]);
    let mut child = command.args(["perl", "-e", BOMB]).spawn().unwrap();
    read_until(child.stderr.as_mut().unwrap(), "ready\n");
    let end = stop(child, Signal::TERM);
    assert_eq!(end.code(), Some(124), "{end:#?}");
    let report = report(&serde_json::from_str(&end.stdout).unwrap());
    assert_eq!(report.verdict, Verdict::Forced, "{report:#?}");
    if report.proof == Proof::CgroupEmpty {
        // Where it was held up this was 5 to 18 s.
        assert!(report.seconds < 4.0, "{} s", report.seconds);
        place.census.assert_empty();
    }
}
