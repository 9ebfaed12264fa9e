//! `winddown run --interactive` in a terminal, under a shell with job control.
#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::process::Stdio;

use support::{End, Place, WINDDOWN, read_until};

/// WD-89: the program reads from the terminal, Ctrl+Z gives the terminal to the shell and `fg` back, Ctrl+C is the program's.
#[test]
fn wd_89_the_terminal_is_the_programs() {
    let place = Place::new();
    // It gives its command a terminal, whose keyboard is its own standard input.
    let mut command = place.command(
        "script",
        ["-qec", "exec bash --norc --noprofile -i", "/dev/null"],
    );
    command.env("PS1", "shell: ");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
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
