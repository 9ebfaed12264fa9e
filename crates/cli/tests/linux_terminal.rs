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
