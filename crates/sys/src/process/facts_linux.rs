//! Facts and evidence from `/proc`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use object::read::{FileKind, ReadCache};
use winddown_core::Signal;

use super::{Evidence, Facts, Runtime, State, ThreadEvidence};
use crate::process::procfs;
use crate::signal;

const USUAL_SIZE: usize = 4096;
const LARGEST: u64 = 1 << 20;
const MAX_COMMAND: u64 = 4096;
const MAX_THREADS: usize = 64;
const MAX_FRAMES: usize = 32;

pub(super) fn facts(pid: u32) -> Option<Facts> {
    // The status of its first thread.
    let status = read(&format!("/proc/{pid}/status"))?;
    let threads = procfs::threads(pid).ok()?;
    let blocked = threads
        .iter()
        .filter(|thread| **thread != pid)
        .filter_map(|thread| read(&format!("/proc/{pid}/task/{thread}/status")))
        .filter_map(|status| mask(&status, "SigBlk"))
        .fold(mask(&status, "SigBlk")?, |all, one| all & one);
    let awaited = threads
        .iter()
        .filter_map(|thread| awaited(pid, *thread))
        .fold(0, |all, one| all | one);
    Some(Facts {
        caught: signals(mask(&status, "SigCgt")?),
        ignored: signals(mask(&status, "SigIgn")?),
        blocked: signals(blocked),
        awaited: signals(awaited),
        init: field(&status, "NSpid")?.split_ascii_whitespace().last() == Some("1"),
        state: state(&status),
        runtime: runtime(pid),
    })
}

pub(super) fn evidence(pid: u32) -> Option<Evidence> {
    let mut threads = procfs::threads(pid).ok()?;
    threads.sort_unstable();
    let thread_count = threads.len();
    threads.truncate(MAX_THREADS);
    let mut command = Vec::new();
    let file = File::open(format!("/proc/{pid}/cmdline")).ok()?;
    let _ = file.take(MAX_COMMAND).read_to_end(&mut command);
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(Evidence {
        pid,
        command: command.trim_end().to_owned(),
        facts: facts(pid),
        open_files: procfs::numbers_in(&format!("/proc/{pid}/fd"))
            .ok()
            .map(|fds| fds.len()),
        threads: threads
            .into_iter()
            .filter_map(|tid| thread(pid, tid))
            .collect(),
        thread_count,
    })
}

fn thread(pid: u32, tid: u32) -> Option<ThreadEvidence> {
    let about = |what: &str| read(&format!("/proc/{pid}/task/{tid}/{what}"));
    let status = about("status")?;
    Some(ThreadEvidence {
        tid,
        name: field(&status, "Name")?.to_owned(),
        state: state(&status),
        // `0` is both "does not wait" and "you may not know".
        waits_in: about("wchan").filter(|function| !matches!(function.as_str(), "" | "0")),
        kernel_stack: about("stack")
            .unwrap_or_default()
            .lines()
            .take(MAX_FRAMES)
            .map(|line| line.trim_start_matches("[<0>] ").to_owned())
            .collect(),
    })
}

/// A file of `/proc`, whose size the system does not tell: with room for most of them it takes two calls, else a dozen.
fn read(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(USUAL_SIZE);
    let file = File::open(path).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of a line `name:\tvalue`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    status.lines().find_map(line).map(str::trim)
}

fn state(status: &str) -> State {
    let letter = field(status, "State").and_then(|state| state.split(' ').next());
    letter.map_or(State::Unknown, State::of_letter)
}

fn mask(status: &str, name: &str) -> Option<u64> {
    u64::from_str_radix(field(status, name)?, 16).ok()
}

fn signals(mask: u64) -> Vec<Signal> {
    (0..64)
        .filter(|bit| mask & (1 << bit) != 0)
        .filter_map(|bit| signal::from_number(bit + 1))
        .collect()
}

/// What a thread waits for in `sigwait(3)`, which its mask does not show: the set is the first argument of its system call.
fn awaited(pid: u32, tid: u32) -> Option<u64> {
    let call = read(&format!("/proc/{pid}/task/{tid}/syscall"))?;
    let mut words = call.split_ascii_whitespace();
    if words.next()?.parse() != Ok(libc::SYS_rt_sigtimedwait) {
        return None;
    }
    let set = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut mask = [0; size_of::<u64>()];
    memory.read_exact_at(&mut mask, set).ok()?;
    Some(u64::from_ne_bytes(mask))
}

/// From the executable's name, or, as Go programs have any name, from its sections.
fn runtime(pid: u32) -> Option<Runtime> {
    let exe = format!("/proc/{pid}/exe");
    let path = fs::read_link(&exe).ok()?;
    match path.file_name()?.to_str()? {
        "node" | "nodejs" => Some(Runtime::Node),
        "java" => Some(Runtime::Java),
        name if name.starts_with("python") || name.starts_with("pypy") => Some(Runtime::Python),
        // Through /proc it opens even if the file was replaced meanwhile.
        _ => is_go(Path::new(&exe)).then_some(Runtime::Go),
    }
}

/// By the names of its sections, which are read at once: the program is about to be asked to stop, and waits for this.
fn is_go(executable: &Path) -> bool {
    let Ok(file) = File::open(executable) else {
        return false;
    };
    let file = ReadCache::new(file);
    let names = match FileKind::parse(&file) {
        Ok(FileKind::Elf64) => section_names::<FileHeader64<Endianness>>(&file),
        Ok(FileKind::Elf32) => section_names::<FileHeader32<Endianness>>(&file),
        _ => return false,
    };
    let is_of_go = |name: &[u8]| matches!(name, b".go.buildinfo" | b".note.go.buildid");
    names.is_ok_and(|names| names.split(|byte| *byte == 0).any(is_of_go))
}

fn section_names<Elf: FileHeader>(file: &ReadCache<File>) -> object::Result<&[u8]> {
    let header = Elf::parse(file)?;
    let endian = header.endian()?;
    let sections = header.section_headers(endian, file)?;
    let names = header.shstrndx(endian, file)?;
    match sections.get(names as usize) {
        Some(names) => names.data(endian, file),
        None => Ok(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_as_signals() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigCgt:\t0000000000004003\n";
        assert_eq!(
            signals(mask(status, "SigCgt").unwrap()),
            [Signal::Hup, Signal::Int, Signal::Term]
        );
        assert_eq!(mask(status, "SigIgn"), None);
    }
}
