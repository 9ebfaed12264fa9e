//! `winddown run` in a terminal.
#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use support::{End, Place, WINDDOWN, read_until, report_file, until};
use winddown_core::report::Verdict;

/// Longer than the half second within which a second key press is that of a bouncing key.
const LATER: Duration = Duration::from_millis(600);

/// A command in a terminal of its own, whose keyboard is the child's standard input.
fn in_a_terminal(place: &Place, command: &str) -> Child {
    let mut script = place.command("script", ["-qec", command, "/dev/null"]);
    script.env("PS1", "shell: ").stdin(Stdio::piped());
    script.spawn().unwrap()
}

/// WD-89: the program reads from the terminal, Ctrl+Z gives the terminal to the shell and `fg` back, Ctrl+C is the program's.
#[test]
fn wd_89_the_terminal_is_the_programs() {
    let place = Place::new();
    let mut child = in_a_terminal(&place, "exec bash --norc --noprofile -i");
    let mut keyboard = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut types = |text: &str| keyboard.write_all(text.as_bytes()).unwrap();

    types(&format!(
        "{WINDDOWN} run -i -- sh -c 'echo u\"\"p; for i in 1 2; do read word; echo go\"\"t $word; done; exec sleep 1000'\n"
    ));
    read_until(&mut screen, "up\r\n");
    types("hello\n");
    read_until(&mut screen, "got hello");
    types("\x1a");
    read_until(&mut screen, "Stopped");
    types("echo s\"\"hell; fg\n");
    read_until(&mut screen, "shell\r\n");
    // What reads from the terminal has it again.
    types("again\n");
    read_until(&mut screen, "got again");
    types("\x03");
    read_until(&mut screen, "survivors  0");
    types("echo code=$?; exit\n");
    read_until(&mut screen, "code=130");
    child.stdout = Some(screen);
    drop(keyboard);
    End::of(child);
    place.census.assert_empty();
}

/// WD-14, while a hook hangs that has all the time in the world.
#[test]
fn wd_14_a_second_key_press_during_a_hook_forces() {
    for (hook, verdict) in [
        ("pre-stop", Verdict::Forced),
        ("post-stop", Verdict::Graceful),
    ] {
        let place = Place::new();
        place.write(
            "winddown.toml",
            &format!(
                r#"
                command = ["sh", "-c", "trap 'exit 0' TERM INT; echo >up; while :; do sleep 0.1; done"]
                ready = {{ file = "up", interval = "10ms" }}
                stop = {{ timeout = "1h" }}
                hooks.{hook} = {{ command = ["sh", "-c", "echo >hangs; sleep 100"], timeout = "1h" }}
                "#
            ),
        );
        let run = format!("{WINDDOWN} run --config winddown.toml --report report.json");
        let mut child = in_a_terminal(&place, &run);
        let mut keyboard = child.stdin.take().unwrap();
        let mut press_ctrl_c = || keyboard.write_all(b"\x03").unwrap();
        let there = |file: &str| until(file, || place.path(file).exists().then_some(()));
        there("up");
        press_ctrl_c();
        there("hangs");
        thread::sleep(LATER);
        press_ctrl_c();
        there("report.json");
        drop(keyboard);
        End::of(child);
        let report = report_file(&place.path("report.json"));
        assert_eq!(
            (report.verdict, report.survivors),
            (verdict, 0),
            "{report:#?}"
        );
        let mut rungs = report.ladder.iter();
        let killed =
            rungs.any(|rung| rung.rung.starts_with(hook) && rung.outcome.starts_with("killed"));
        assert!(killed, "{report:#?}");
        assert!(report.seconds < 60.0, "{report:#?}");
        place.census.assert_empty();
    }
}

/// Waits long for its end, and says so in lines that must not be torn.
const SLOW: &str = r#"
trap 'for i in 1 2 3 4 5 6 7 8; do echo closing $i of 8; sleep 0.4; done; exit 0' TERM INT
echo >up
while :; do sleep 0.1; done
"#;

/// What is shown last in the row that `codes` go to, and whether the rows above were given back.
fn last_row(screen: &str) -> (Vec<&str>, bool) {
    let shown = screen.split("\x1b[24H\x1b[K").skip(1);
    let shown: Vec<_> = shown.filter_map(|rest| rest.split('\x1b').next()).collect();
    let whole = screen.rfind("\x1b[r").unwrap_or(0) > screen.rfind("\x1b[1;23r").unwrap_or(0);
    (shown, whole)
}

#[test]
fn wd_182_a_person_at_a_terminal_sees_how_long_a_stop_still_takes() {
    let place = Place::new();
    place.write("slow.sh", SLOW);
    let run = format!(
        "stty rows 24 cols 80; exec {WINDDOWN} run --stop-timeout 10s --report report.json -- sh slow.sh"
    );
    let mut script = place.command("script", ["-qec", &run, "/dev/null"]);
    script.env("TERM", "xterm").stdin(Stdio::piped());
    let mut child = script.spawn().unwrap();
    until("up", || place.path("up").exists().then_some(()));
    let mut keyboard = child.stdin.take().unwrap();
    keyboard.write_all(b"\x03").unwrap();
    until("report.json", || {
        place.path("report.json").exists().then_some(())
    });
    drop(keyboard);
    let screen = End::of(child).stdout;
    for number in 1..=8 {
        assert!(
            screen.contains(&format!("closing {number} of 8\r\n")),
            "{screen:?}"
        );
    }
    let (shown, whole) = last_row(&screen);
    assert!(whole, "{screen:?}");
    let (last, countdown) = shown.split_last().unwrap();
    assert_eq!(*last, "", "{screen:?}");
    assert!(countdown.len() >= 2, "{screen:?}");
    for line in countdown {
        let left = line.strip_prefix("winddown: signal INT, ").unwrap();
        let left = left.strip_suffix("s until kill tree").unwrap();
        assert!((1..=9).contains(&left.parse().unwrap()), "{line}");
    }
    assert!(countdown.is_sorted_by(|a, b| a > b), "{countdown:?}");
    place.census.assert_empty();
}

#[test]
fn wd_182_a_person_at_a_terminal_sees_when_the_next_attempt_is_made() {
    let place = Place::new();
    place.write(
        "winddown.toml",
        r#"
        command = ["sh", "-c", "test -e again && exit 0; echo >again; exit 3"]
        restart = { backoff = { initial = "3s", jitter = 0.0 } }
        "#,
    );
    let run = format!("stty rows 24 cols 80; exec {WINDDOWN} run --config winddown.toml");
    let mut script = place.command("script", ["-qec", &run, "/dev/null"]);
    let screen = End::of(script.env("TERM", "xterm").spawn().unwrap()).stdout;
    let (shown, whole) = last_row(&screen);
    assert!(whole, "{screen:?}");
    let expected = [
        "winddown: next attempt in 2s",
        "winddown: next attempt in 1s",
    ];
    assert!(shown.starts_with(&expected), "{screen:?}");
    place.census.assert_empty();
}

#[test]
fn wd_182_where_nobody_looks_on_nothing_is_drawn() {
    for (setting, stderr) in [
        ("TERM=xterm", "2>said"),
        ("TERM=dumb", ""),
        ("TERM=xterm", "& wait"),
    ] {
        let place = Place::new();
        place.write("slow.sh", SLOW);
        let run = format!(
            "stty rows 24 cols 80; set -m; {setting} timeout -s TERM 1 {WINDDOWN} run -- sh slow.sh {stderr}"
        );
        let mut script = place.command("script", ["-qec", &run, "/dev/null"]);
        let screen = End::of(script.env("SHELL", "/bin/sh").spawn().unwrap()).stdout;
        assert!(screen.contains("closing 8 of 8"), "{screen:?}");
        assert!(!screen.contains("until kill"), "{run}: {screen:?}");
        let said = std::fs::read_to_string(place.path("said")).unwrap_or_default();
        assert!(!said.contains('\x1b'), "{said:?}");
        place.census.assert_empty();
    }
}
