//! How results and problems are written.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use winddown_core::exit::{self, ExitCode as Code};
use winddown_sys::file;
use winddown_sys::record::{self, Level};

/// How long what is said may wait to be read (WD-127).
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Something that went wrong: an exit code, what it was, and what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    what: String,
    hints: Vec<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            hints: Vec::new(),
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// Writes it to standard error; the exit code of the process.
    pub(crate) fn report(&self) -> ExitCode {
        let mut text = format!("error: {}\n", self.what);
        for hint in &self.hints {
            text += &format!("hint: {hint}\n");
        }
        match record::is_only_way() {
            true => {
                record::entry("winddown", Level::Error, record::OTHER, &self.to_string());
            }
            // There is nobody left to tell where standard error is closed.
            false => say(&text),
        }
        ExitCode::from(self.code.code)
    }
}

impl fmt::Display for Problem {
    /// What went wrong, and what to do, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for hint in &self.hints {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl From<winddown_run::Error> for Problem {
    fn from(error: winddown_run::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&winddown_run::Error> for Problem {
    fn from(error: &winddown_run::Error) -> Self {
        let problem = Self::new(error.exit_code(), error.to_string());
        match error.remedy() {
            Some(remedy) => problem.hint(remedy),
            None => problem,
        }
    }
}

/// Tells whoever operates `service`: on standard error, or in the system's log where there is none.
pub(crate) fn tell(service: &str, level: Level, event: u16, text: &str) {
    match record::is_only_way() {
        true => {
            record::entry(service, level, event, text);
        }
        false => say(&format!("winddown: {text}\n")),
    }
}

/// Says it on standard error, which may be closed, its reader gone or asleep.
pub(crate) fn say(text: &str) {
    let _ = file::write_standard_error(text.as_bytes(), PATIENCE);
}

/// Ends the process over a command line that cannot be understood, or that asks for help.
pub(crate) fn refuse(error: &clap::Error) -> ! {
    if record::is_only_way() {
        record::entry("winddown", Level::Error, record::OTHER, &error.to_string());
    }
    error.exit()
}

/// Writes to standard output. A reader that has gone away ends the output and is no problem.
pub(crate) fn print(text: &str) -> Result<(), Problem> {
    printed(anstream::stdout().write_all(text.as_bytes()))
}

/// As [`print`], while something is supervised, which a reader who is asleep must not hold up (WD-127).
pub(crate) fn print_in_time(text: &str) -> Result<(), Problem> {
    printed(file::write_standard_output(text.as_bytes(), PATIENCE))
}

fn printed(result: io::Result<()>) -> Result<(), Problem> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Problem::new(
            exit::FAILED,
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Writes a result as one JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Problem> {
    let json = serde_json::to_string_pretty(value).expect("results are plain data");
    print(&(json + "\n"))
}
