//! Handing the terminal to a program, so that interactive programs work behind this process.
//!
//! A terminal sends Ctrl+C, Ctrl+Z and changes of its size to its foreground process group, and stops whoever else reads from it.
//!
//! | System | What it does |
//! |---|---|
//! | Unix | makes the program's group the foreground group (`tcsetpgrp(3)`), and its own again at the end |
//! | Windows | nothing: whoever shares a console can use it |

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

use crate::Result;
use crate::process::Child;

/// The rows and columns of the terminal on standard error; `None` where that is none, where this process is in the background, and on
/// Windows.
#[must_use]
pub fn screen() -> Option<(u16, u16)> {
    imp::screen()
}

/// The terminal on standard input, of which this process's group is the foreground group.
///
/// Dropping it takes the terminal back, and restores the settings that it had.
#[derive(Debug)]
pub struct Terminal(imp::Terminal);

impl Terminal {
    /// The terminal; `None` where standard input is none, or where this process is in the background.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        imp::Terminal::of_this_process().map(Self)
    }

    /// Makes the group of `child`, which must be one of its own, the foreground group.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) where the terminal has gone, or the group is of another session.
    pub fn give_to(&self, child: &Child) -> Result<()> {
        self.0.give_to(child)
    }

    /// If Ctrl+Z has stopped `child`: stops this process as well, so that the shell that started it takes over, and hands the
    /// terminal to `child` again once that shell lets it go on.
    ///
    /// # Errors
    /// As for [`Terminal::give_to`].
    pub fn follow(&self, child: &Child) -> Result<()> {
        self.0.follow(child)
    }
}
