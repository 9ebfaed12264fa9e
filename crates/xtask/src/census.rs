//! Nothing that a lane started may outlive it.
//!
//! Every command carries a mark in its environment, which its descendants inherit whatever process
//! group, session or parent they move to. Where there is no `/proc`, nothing is found.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The name of the marking environment variable.
pub(crate) const MARK: &str = "WINDDOWN_LANE";

/// The mark of this run: its process id.
pub(crate) fn mark() -> String {
    std::process::id().to_string()
}

/// A process that still carries the mark.
pub(crate) struct Survivor {
    pid: Pid,
    command_line: String,
}

impl Survivor {
    pub(crate) fn kill(&self) {
        // It may be gone by now, which is what was wanted.
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

impl std::fmt::Display for Survivor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pid.as_raw_nonzero(), self.command_line)
    }
}

/// The marked processes. Zombies have no environment left and are not counted.
pub(crate) fn survivors() -> Vec<Survivor> {
    let entry = format!("{MARK}={}", mark());
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(process.path().join("environ")).ok()?;
            if !environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == entry.as_bytes())
            {
                return None;
            }
            let command_line = fs::read(process.path().join("cmdline")).ok()?;
            Some(Survivor {
                pid: Pid::from_raw(pid)?,
                command_line: String::from_utf8_lossy(&command_line)
                    .replace('\0', " ")
                    .trim_end()
                    .to_owned(),
            })
        })
        .collect()
}
