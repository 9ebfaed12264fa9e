//! The errand is on the command line; the answer is the exit code, 0 or that of Windows, and a line for each process that was reached.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_GEN_FAILURE, ERROR_INVALID_PARAMETER};

use crate::process::{Exit, Group, SpawnOptions, Stream, spawn};
use crate::wait_any;
use crate::windows::console::{self, Event};

/// The first argument of a courier; the number of a process and the name of an event come next.
const COURIER: &str = "--winddown-courier";

/// How long a courier may take; it needs some milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether a process of this executable would know what it was started for.
static SERVES: AtomicBool = AtomicBool::new(false);

pub(super) fn serve() {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != COURIER) {
        SERVES.store(true, Ordering::Relaxed);
        return;
    }
    let code = match deliver(arguments) {
        Ok(reached) => {
            for pid in reached {
                println!("{pid}");
            }
            0
        }
        Err(error) => error.raw_os_error().unwrap_or(ERROR_GEN_FAILURE as i32),
    };
    process::exit(code)
}

fn deliver(arguments: impl Iterator<Item = OsString>) -> io::Result<Vec<u32>> {
    let words: Option<Vec<String>> = arguments.map(|word| word.into_string().ok()).collect();
    let errand = words.as_deref().and_then(|words| match words {
        [pid, event] => Some((pid.parse().ok()?, Event::named(event)?)),
        _ => None,
    });
    let (pid, event) =
        errand.ok_or_else(|| io::Error::from_raw_os_error(ERROR_INVALID_PARAMETER as i32))?;
    console::send(pid, event)
}

/// Has a courier send `event` to every program on the console of process `pid`, and tells which those are.
pub(crate) fn send(pid: u32, event: Event) -> io::Result<Vec<u32>> {
    if !SERVES.load(Ordering::Relaxed) {
        return Err(io::Error::other(
            "this process cannot leave its console for a moment: no other program keeps it open",
        ));
    }
    let arguments = [COURIER, &pid.to_string(), event.name()];
    let mut courier = spawn(&SpawnOptions {
        stdin: Stream::Null,
        stdout: Stream::Pipe,
        stderr: Stream::Null,
        group: Group::Detached,
        die_with_parent: true,
        ..SpawnOptions::new(env::current_exe()?, arguments)
    })
    .map_err(io::Error::other)?;
    wait_any(&[&courier], Some(PATIENCE));
    match courier.try_wait().map_err(io::Error::other)? {
        Some(Exit::Code(0)) => {
            let mut reached = String::new();
            if let Some(answer) = &mut courier.stdout {
                answer.read_to_string(&mut reached)?;
            }
            Ok(reached.lines().filter_map(|pid| pid.parse().ok()).collect())
        }
        Some(Exit::Code(code)) => Err(io::Error::from_raw_os_error(code)),
        _ => {
            courier.kill().map_err(io::Error::other)?;
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}
