//! A terminal with a key to press.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::program::Program;

/// The keyboard of a terminal that a program runs on; the terminal goes when this is dropped.
pub(crate) struct Keyboard(File);

impl Keyboard {
    /// Starts the example `name` as the leader of a session on a new terminal, in its foreground.
    pub(crate) fn of(name: &str, arguments: &[&str]) -> (Self, Program) {
        let (keyboard, terminal) = terminal().expect("a pseudo-terminal can be opened");
        let program = Program::start_with(&["setsid", "--ctty"], name, arguments, |command| {
            command.stdin(terminal);
        });
        (Self(keyboard), program)
    }

    pub(crate) fn press_ctrl_c(&mut self) {
        const CTRL_C: u8 = 3;
        self.0.write_all(&[CTRL_C]).unwrap();
    }
}

fn terminal() -> rustix::io::Result<(File, OwnedFd)> {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&keyboard)?;
    unlockpt(&keyboard)?;
    let name = ptsname(&keyboard, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = open(&name, flags, Mode::empty())?;
    Ok((keyboard.into(), terminal))
}
