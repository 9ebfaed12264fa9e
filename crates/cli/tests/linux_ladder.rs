//! `winddown run`: each rung of a ladder, and those that cannot be done or never answer.
#![cfg(target_os = "linux")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use support::free_port;
use support::services::{Over, Running, outcome};
use winddown_core::report::Verdict;

/// Logs `NAME SIGNAL` for what it is asked, and ends by `TERM` and `USR2`. Its child, if it has one, does the same.
const TELLS: &str = r#"
test -n "$2" && sh tells.sh "$2" &
for signal in USR1 USR2 TERM; do
    end='exit 0'; test $signal = USR1 && end=:
    trap "echo $1 $signal >>log; $end" $signal
done
echo "$1 up" >>log
while :; do sleep 0.02; done
"#;

/// Hangs with a child, and ignores every polite request.
const HANG: &str = r#"
trap '' TERM INT HUP
sleep 61 &
echo "hangs $WINDDOWN_SERVICE" >>log
sleep 62
"#;

/// The service `s`, of this command, with this ladder.
fn ladder(command: &str, rungs: &str) -> String {
    format!(
        r#"
        name = "s"
        command = {command}
        [stop]
        timeout = "2h"
        ladder = [{rungs}]
        "#
    )
}

const MAIN: &str = r#"["sh", "tells.sh", "main"]"#;
const MAIN_AND_CHILD: &str = r#"["sh", "tells.sh", "main", "child"]"#;

fn start(definition: &str, up: &str) -> Running {
    let running = Running::start(&[("tells.sh", TELLS), ("hang.sh", HANG)], definition);
    running.logged(up);
    running
}

/// How a stop ended that took nothing by force.
#[track_caller]
fn graceful(running: Running) -> Over {
    let over = running.stop();
    let report = over.report("s");
    assert_eq!(
        (report.verdict, over.code),
        (Verdict::Graceful, Some(0)),
        "{over:#?}"
    );
    over
}

#[test]
fn wd_98_a_signal_asks_the_program_or_all_of_its_tree() {
    let rungs = r#"{ signal = "USR1", wait = "100ms" }, { signal = "USR2", to = "tree" }"#;
    let running = start(&ladder(MAIN_AND_CHILD, rungs), "main up");
    running.logged("child up");
    let mut log = graceful(running).log.split_off(2);
    log.sort_unstable();
    assert_eq!(log, ["child USR2", "main USR1", "main USR2"]);
}

#[test]
fn wd_98_standard_input_that_closes_asks() {
    let command = r#"["sh", "-c", "echo up >>log; read line; echo closed >>log"]"#;
    let running = start(&ladder(command, r#"{ stdin = "close" }"#), "up");
    assert_eq!(graceful(running).log, ["up", "closed"]);
}

#[test]
fn wd_98_a_program_asks() {
    let ask = r#"{ command = ["sh", "-c", "echo ask $WINDDOWN_SERVICE >>log; kill -USR2 $WINDDOWN_PID"] }"#;
    let over = graceful(start(&ladder(MAIN, ask), "main up"));
    assert_eq!(over.log, ["main up", "ask s", "main USR2"]);
}

#[test]
fn wd_98_an_http_request_asks() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let command = r#"["sh", "-c", "echo up >>log; until test -e asked; do sleep 0.02; done"]"#;
    let rungs = format!("{{ http = \"http://{address}/stop?now=1\" }}");
    let running = start(&ladder(command, &rungs), "up");
    let asked = running.place.path("asked");
    let server = thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        while !matches!(stream.by_ref().lines().next(), Some(Ok(header)) if header.is_empty()) {}
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        std::fs::write(asked, "").unwrap();
        line
    });
    graceful(running);
    assert_eq!(server.join().unwrap(), "POST /stop?now=1 HTTP/1.1\r\n");
}

#[test]
fn wd_99_rungs_that_cannot_be_done_are_passed_at_once() {
    let nobody = free_port();
    let rungs = format!(
        r#"
        {{ event = "Global\\stop", wait = "1h" }}, {{ windows = "close", wait = "1h" }}, {{ windows = "quit", wait = "1h" }},
        {{ command = ["./missing"], wait = "1h" }}, {{ command = ["false"], wait = "1h" }},
        {{ http = "http://127.0.0.1:{nobody}/", wait = "1h" }}, {{ signal = "TERM" }}"#
    );
    let rungs = rungs.replace('\n', " ");
    let over = graceful(start(&ladder(MAIN, &rungs), "main up"));
    let report = over.report("s");
    for rung in [
        "event ",
        "close windows",
        "quit threads",
        "command ./missing",
    ] {
        assert!(
            outcome(report, rung).starts_with("could not be done: "),
            "{report:#?}"
        );
    }
    assert_eq!(outcome(report, "answer to command false"), "exit code 1");
    assert!(!outcome(report, "answer to POST ").is_empty());
}

#[test]
fn wd_99_a_command_that_hangs_is_killed_when_its_wait_is_over() {
    let rungs = r#"{ command = ["sh", "hang.sh"], wait = "100ms" }, { signal = "TERM" }"#;
    let over = graceful(start(&ladder(MAIN, rungs), "main up"));
    assert!(over.log.contains(&"main TERM".to_owned()), "{over:#?}");
    let answer = outcome(over.report("s"), "answer to command sh hang.sh");
    assert_eq!(answer, "none within its wait");
}

#[test]
fn wd_99_an_http_server_that_never_answers_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let rungs =
        format!("{{ http = \"http://{address}/\", wait = \"100ms\" }}, {{ signal = \"TERM\" }}");
    let over = graceful(start(&ladder(MAIN, &rungs), "main up"));
    assert_eq!(over.log, ["main up", "main TERM"]);
    // The wait and the request end at the same time.
    let answer = outcome(over.report("s"), "answer to POST ");
    assert!(
        answer == "none within its wait" || answer.contains("does not answer: timeout"),
        "{answer}"
    );
}

#[test]
fn wd_90_what_a_ladder_has_asked_in_vain_is_written_down_and_killed() {
    let rungs =
        r#"{ signal = "TERM", wait = "50ms" }, { dump = true, wait = "0s" }, { kill = "tree" }"#;
    let running = start(&ladder(r#"["sh", "stubborn.sh", "s"]"#, rungs), "s up");
    let over = running.stop();
    let report = over.report("s");
    assert_eq!(
        (report.verdict, report.survivors, over.code),
        (Verdict::Forced, 0, Some(124))
    );
    assert_eq!(outcome(report, "capture"), "1 process written down");
    assert!(report.evidence[0].contains("sleep 60"), "{report:#?}");
}

#[test]
fn wd_93_a_command_is_not_told_a_pid_that_may_be_anothers() {
    let leader = r#"["sh", "-c", "sh tells.sh child & until grep -q child log; do sleep 0.02; done; exit 0"]"#;
    let rungs = r#"{ signal = "USR1", wait = "50ms" }, { command = ["sh", "-c", "echo pid $WINDDOWN_PID >>log"], wait = "100ms" }, { signal = "TERM" }"#;
    // The rung is the first to be reached after the end of the leader, and it succeeds: the ladder waits for the child.
    let running = start(&ladder(leader, rungs), "child up");
    running.logged("pid");
    let over = running.stop();
    assert!(
        !over.log.iter().any(|line| line.starts_with("pid ")),
        "{over:#?}"
    );
}

/// F1bonacc1/process-compose#520: the tree goes on when its leader has ended.
#[test]
fn wd_91_what_goes_on_when_its_leader_has_ended_is_asked_and_awaited() {
    for asked in [true, false] {
        let end = if asked { "sleep 61" } else { "exit 0" };
        let leader =
            format!("sh tells.sh child & until grep -q child log; do sleep 0.02; done; {end}");
        let definition = ladder(
            &format!("[\"sh\", \"-c\", \"touch log; {leader}\"]"),
            r#"{ signal = "TERM" }"#,
        );
        let running = start(&definition, "child up");
        let over = match asked {
            true => running.stop(),
            false => running.end(),
        };
        assert_eq!(over.log, ["child up", "child TERM"], "{over:#?}");
        let report = over.report("s");
        let rung = if asked {
            "signal TERM to the rest"
        } else {
            "signal TERM"
        };
        assert_eq!(outcome(report, rung), "sent");
        let left_behind = report
            .notes
            .iter()
            .any(|note| note.starts_with("it left processes behind"));
        assert_eq!(left_behind, !asked, "{report:#?}");
        assert_eq!(report.survivors, 0);
    }
}
