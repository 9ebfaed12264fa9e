//! `winddown run`: what goes in reaches the program, what comes out is the program's, and nothing of it is left.
#![cfg(target_os = "linux")]

mod support;

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use support::program::{shell, start, stop, until_ready, written};
use support::{
    End, Place, Signal, WINDDOWN, as_ordinary_user, children_of, kill, read_until, report, send,
    until,
};
use winddown_core::report::{ExitRecord, Proof, Verdict};
use winddown_testkit::stubborn_program;

#[test]
fn wd_72_the_exit_is_the_programs_own() {
    let place = Place::new();
    for code in [0, 3, 124, 255] {
        let mut command = shell(&place, &format!("exit {code}"));
        assert_eq!(End::of(command.spawn().unwrap()).code(), Some(code));
    }
    for (name, number) in [("TERM", 15), ("KILL", 9), ("ABRT", 6)] {
        let mut command = shell(&place, &format!("kill -{name} $$"));
        let end = End::of(command.spawn().unwrap());
        assert_eq!(end.status.signal(), Some(number), "{end:#?}");
        assert!(!end.status.core_dumped());
    }
    place.census.assert_empty();
}

#[test]
fn the_programs_streams_are_its_own() {
    let place = Place::new();
    let mut command = shell(&place, "cat; echo problem >&2");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"text").unwrap();
    let end = End::of(child);
    assert_eq!(
        (end.stdout.as_str(), end.stderr.as_str()),
        ("text", "problem\n")
    );
}

/// The program is asked by the signal that asked winddown, unless another was chosen.
#[test]
fn a_stop_request_is_passed_on_as_it_came() {
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
    ] {
        let place = Place::new();
        let end = stop(start(&place, &[], "graceful"), signal);
        assert_eq!(end.code(), Some(0), "{end:#?}");
        assert_eq!(end.stdout, format!("stopping: signal {name}\nstopped\n"));
        let report = written(&place);
        assert_eq!(report.verdict, Verdict::Graceful);
        assert_eq!(report.asked_by.mechanism, "signal");
        assert_eq!(report.asked_by.request.as_deref(), Some(name));
        assert_eq!(report.asked_by.pid, Some(std::process::id()));
        place.census.assert_empty();
    }
    let place = Place::new();
    let end = stop(
        start(&place, &["--stop-signal", "INT"], "graceful"),
        Signal::TERM,
    );
    assert_eq!(end.stdout, "stopping: signal INT\nstopped\n");
}

/// WD-90: the kill comes at the timeout, and the report says by what it is known that nothing is left.
#[test]
fn wd_90_a_forced_stop_exits_with_124() {
    let place = Place::new();
    let child = start(&place, &["--stop-timeout", "500ms"], "ignores-term");
    let end = stop(child, Signal::TERM);
    assert_eq!(end.code(), Some(124), "{end:#?}");
    assert!(end.stderr.contains("forced stop of"), "{end:#?}");
    let report = written(&place);
    assert_eq!(report.verdict, Verdict::Forced);
    assert_eq!((report.survivors, report.stragglers.len()), (0, 1));
    assert!(!matches!(report.proof, Proof::Unproven(_)), "{report:#?}");
    let rungs: Vec<_> = report.ladder.iter().map(|it| it.rung.as_str()).collect();
    assert_eq!(rungs, ["signal TERM", "capture", "kill tree"]);
    assert!(report.ladder[2].at >= 0.5, "{report:#?}");
    println!("over the timeout by {:.6} s", report.seconds - 0.5);
    assert_eq!(report.exit, Some(ExitRecord::Signal("KILL".to_owned())));
    place.census.assert_empty();
}

/// WD-92: managers send `TERM` twice in normal stops.
#[test]
fn wd_92_a_second_term_joins_the_first() {
    let place = Place::new();
    let mut child = start(&place, &[], "exits-late 500ms");
    send(&child, Signal::TERM);
    read_until(child.stdout.as_mut().unwrap(), "stopping: signal TERM\n");
    let end = stop(child, Signal::TERM);
    assert_eq!((end.code(), end.stdout.as_str()), (Some(0), "stopped\n"));
    let report = written(&place);
    assert_eq!(report.verdict, Verdict::Graceful);
    assert_eq!(report.also_asked.len(), 1, "{report:#?}");
    assert_eq!(report.ladder.len(), 1, "{report:#?}");
}

/// Nobody reads what winddown says: the exit is the program's all the same, and the report is written.
#[test]
fn wd_72_a_standard_error_that_takes_nothing_changes_no_exit() {
    for full in [true, false] {
        let place = Place::new();
        let stderr: Stdio = match full {
            true => File::options()
                .write(true)
                .open("/dev/full")
                .unwrap()
                .into(),
            // The reader of this pipe has gone.
            false => rustix::pipe::pipe().unwrap().1.into(),
        };
        let flags = ["--report", "report.json", "--stop-timeout", "300ms"];
        let mut command = place.winddown(["run"]);
        command.args(flags).arg("--").arg(stubborn_program());
        let child = until_ready(command.arg("exits-on-stop").arg("3").stderr(stderr));
        let end = stop(child, Signal::TERM);
        assert_eq!(end.code(), Some(3), "{end:#?}");
        assert_eq!(written(&place).verdict, Verdict::Failed);
        place.census.assert_empty();
    }
}

/// With `--output json` standard output is one document, whatever the program writes.
#[test]
fn the_json_is_not_mixed_with_what_the_program_says() {
    let place = Place::new();
    let script = "echo '{'; trap 'exit 3' TERM; kill -TERM $PPID; while :; do sleep 0.01; done";
    let mut command = place.winddown(["run", "--output=json", "--", "sh", "-c", script]);
    let end = End::of(command.spawn().unwrap());
    assert_eq!((end.code(), end.stderr.as_str()), (Some(3), "{\n"));
    let report = report(&serde_json::from_str(&end.stdout).unwrap());
    assert_eq!(report.verdict, Verdict::Failed);
    place.census.assert_empty();
}

/// A process chooses its own name, and may not write lines of the report or control the terminal with it.
#[test]
fn a_name_writes_no_line_of_the_report() {
    let place = Place::new();
    let program = place.path("a\n  exit code 0\u{1b}[2J");
    fs::copy(stubborn_program(), &program).unwrap();
    let mut command = place.winddown(["run", "--"]);
    let end = stop(
        until_ready(command.arg(program).arg("unhandled")),
        Signal::TERM,
    );
    assert!(
        end.stderr.contains("stop of a   exit code 0 [2J"),
        "{end:#?}"
    );
    assert!(!end.stderr.contains('\u{1b}'), "{end:#?}");
    place.census.assert_empty();
}

/// WD-72: nor one that comes when the program has ended already.
#[test]
fn wd_72_a_request_at_any_time_changes_no_exit() {
    let place = Place::new();
    for verb in ["run", "rehearse"] {
        let mut command = place.winddown([verb, "--"]);
        command.arg(stubborn_program()).arg("exits-on-stop");
        let mut child = until_ready(command.arg("3"));
        while child.try_wait().unwrap().is_none() {
            // It ends at any moment, but is not reaped before.
            send(&child, Signal::INT);
        }
        let end = End::of(child);
        let code = if verb == "run" { 3 } else { 1 };
        assert_eq!(end.code(), Some(code), "{:?} {}", end.status, end.stderr);
    }
    place.census.assert_empty();
}

#[test]
fn what_cannot_be_started_is_told_with_a_hint() {
    let place = Place::new();
    let no_program = place.write("text", "no program");
    let no_interpreter = place.write("script", "#!/no/such/interpreter\n");
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&no_interpreter, all).unwrap();
    for (program, code) in [
        ("no-such-program".as_ref(), 127),
        ("./no-such-program".as_ref(), 127),
        (no_program.as_os_str(), 126),
        (no_interpreter.as_os_str(), 126),
    ] {
        for verb in ["run", "rehearse"] {
            let mut command = place.winddown([verb, "--"]);
            let end = End::of(command.arg(program).spawn().unwrap());
            assert_eq!(end.code(), Some(code), "{end:#?}");
            assert!(end.stderr.starts_with("error: cannot "), "{end:#?}");
            assert!(end.stderr.contains("\nhint: "), "{end:#?}");
            assert_eq!(end.stdout, "");
        }
    }
}

/// WD-91: descendants in sessions of their own do not get away, whether winddown was asked or the program ended by itself.
#[test]
fn wd_91_nothing_of_the_tree_is_left() {
    for words in ["setsid-child", "double-forks", "deep-tree 3", "refork"] {
        let place = Place::new();
        let child = start(&place, &["--stop-timeout", "300ms"], words);
        let end = stop(child, Signal::TERM);
        assert_eq!(end.code(), Some(124), "{words}: {end:#?}");
        assert_eq!(written(&place).survivors, 0);
        place.census.assert_empty();
    }
    let place = Place::new();
    let child = start(&place, &["--stop-timeout=300ms"], "daemonizes ignores-term");
    assert_eq!(End::of(child).code(), Some(124));
    place.census.assert_empty();

    let child = start(&place, &[], "daemonizes graceful");
    assert_eq!(End::of(child).code(), Some(0));
    let report = written(&place);
    assert_eq!(report.asked_by.mechanism, "finished");
    assert!(
        report.notes[1].contains("left processes behind"),
        "{report:#?}"
    );
    place.census.assert_empty();
}

#[test]
fn wd_91_a_killed_leader_takes_its_tree_along() {
    let place = Place::new();
    let child = start(&place, &["--stop-timeout", "300ms"], "deep-tree 3");
    let leader = children_of(child.id());
    assert_eq!(leader.len(), 1);
    kill(leader[0], "KILL");
    let end = End::of(child);
    assert_eq!(end.code(), Some(124), "{end:#?}");
    let report = written(&place);
    assert_eq!(report.exit, Some(ExitRecord::Signal("KILL".to_owned())));
    assert_eq!(report.survivors, 0);
    place.census.assert_empty();
}

/// WD-71: without a cgroup of its own, winddown is a subreaper and has no child left.
#[test]
fn wd_71_an_ordinary_user_leaves_nothing_behind_either() {
    for (words, code) in [("graceful", 0), ("double-forks", 124), ("deep-tree 3", 124)] {
        let place = Place::new();
        let winddown = place.copy_for_all(WINDDOWN.as_ref());
        let stubborn = place.copy_for_all(&stubborn_program());
        let user = as_ordinary_user();
        let mut command = place.command(user[0], &user[1..]);
        command.arg(winddown);
        command.args(["run", "--output=json", "--stop-timeout=300ms", "--"]);
        command.arg(stubborn).args(words.split(' '));
        let mut child = command.spawn().unwrap();
        read_until(child.stderr.as_mut().unwrap(), "ready\n");
        let end = stop(child, Signal::TERM);
        assert_eq!(end.code(), Some(code), "{words}: {end:#?}");
        let report = report(&serde_json::from_str(&end.stdout).unwrap());
        assert_eq!((report.survivors, report.proof), (0, Proof::NoChildren));
        place.census.assert_empty();
    }
}

#[test]
fn every_key_of_a_definition_counts() {
    let place = Place::new();
    std::fs::create_dir(place.path("work")).unwrap();
    place.write(
        "winddown.toml",
        r#"
        name = "orders"
        description = "Order intake"
        command = ["sh", "-c", "trap 'echo $GREETING from $${PWD##*/}; exit 0' USR1; trap '' INT; echo ready; while :; do sleep 0.05; done"]
        directory = "work"
        environment = { GREETING = "bye" }
        [stop]
        timeout = "20s"
        ladder = [{ signal = "TERM", wait = "100ms" }, { signal = "USR1" }, { kill = "tree" }]
        signal = "INT"
        [ready]
        when = "spawned"
        timeout = "10s"
        "#,
    );
    let arguments = [
        "run",
        "--config",
        "winddown.toml",
        "--report",
        "report.json",
    ];
    let end = stop(until_ready(&mut place.winddown(arguments)), Signal::TERM);
    assert_eq!(
        (end.code(), end.stdout.as_str()),
        (Some(0), "bye from work\n"),
        "{end:#?}"
    );
    let report = written(&place);
    assert_eq!((report.service.as_str(), report.deadline), ("orders", 20.0));
    let rungs: Vec<_> = report.ladder.iter().map(|it| it.rung.as_str()).collect();
    assert_eq!(rungs, ["signal INT", "signal USR1"]);

    // Flags win over the file.
    let mut command = place.winddown(arguments);
    command.args([
        "--name=others",
        "--stop-timeout=15s",
        "--stop-signal=HUP",
        "--",
    ]);
    command.arg(stubborn_program()).arg("graceful");
    let end = stop(until_ready(&mut command), Signal::TERM);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    let report = written(&place);
    assert_eq!((report.service.as_str(), report.deadline), ("others", 15.0));
    assert_eq!(report.ladder[0].rung, "signal HUP");
    place.census.assert_empty();
}

#[test]
fn a_ladder_can_close_the_standard_input() {
    let place = Place::new();
    let stubborn = stubborn_program();
    place.write(
        "winddown.toml",
        &format!(
            "command = [{:?}, \"closes-stdin-stops\"]\n[stop]\nladder = [{{ stdin = \"close\" }}, {{ dump = true }}]\n",
            stubborn.to_str().unwrap()
        ),
    );
    let child = until_ready(&mut place.winddown(["run", "--config", "winddown.toml"]));
    let end = stop(child, Signal::TERM);
    assert_eq!(
        (end.code(), end.stdout.as_str()),
        (Some(0), "stopped\n"),
        "{end:#?}"
    );
}

/// What cannot be done is no reason to wait for what comes of it.
#[test]
fn a_rung_that_cannot_be_done_is_not_waited_for() {
    let place = Place::new();
    let ladder = "[{ windows = \"close\", wait = \"80s\" }, { signal = \"TERM\" }]";
    place.write(
        "winddown.toml",
        &format!("command = [\"sh\"]\n[stop]\ntimeout = \"90s\"\nladder = {ladder}\n"),
    );
    let flags = ["--config", "winddown.toml"];
    let end = stop(start(&place, &flags, "graceful"), Signal::TERM);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    let report = written(&place);
    let rungs: Vec<_> = report.ladder.iter().map(|it| it.rung.as_str()).collect();
    assert_eq!(rungs, ["close windows", "signal TERM"]);
    let outcome = &report.ladder[0].outcome;
    assert!(outcome.starts_with("could not be done: "), "{report:#?}");
    assert!(report.seconds < 80.0, "{report:#?}");
}

/// The kernel sends `HUP` when the terminal has gone, and no process's name is in it: that is a stop, no wish for a reload.
#[test]
fn a_terminal_that_goes_away_stops_the_program() {
    let place = Place::new();
    let program = stubborn_program();
    let line = format!(
        "exec {WINDDOWN} run --report report.json -- {} graceful",
        program.display()
    );
    let mut terminal = place.command("script", ["-qec", &line, "/dev/null"]);
    let mut child = terminal.stdin(Stdio::piped()).spawn().unwrap();
    read_until(child.stdout.as_mut().unwrap(), "ready\r\n");
    child.kill().unwrap();
    child.wait().unwrap();
    let path = place.path("report.json");
    until("the report", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.ends_with("}\n").then_some(())
    });
    let report = written(&place);
    assert_eq!(report.verdict, Verdict::Graceful, "{report:#?}");
    assert_eq!(report.asked_by.request.as_deref(), Some("HUP"));
    assert_eq!(report.asked_by.pid, None);
    place.census.assert_empty();
}
