//! Facts and evidence from `/proc`.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use object::Endianness;
use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use object::read::{FileKind, ReadCache};
use winddown_core::Signal;

use super::{Evidence, Facts, Glance, Runtime, State, ThreadEvidence};
use crate::process::procfs;
use crate::signal;

const MAX_COMMAND: u64 = 4096;
const MAX_THREADS: usize = 64;
const MAX_FRAMES: usize = 32;

pub(super) fn facts(pid: u32) -> Option<Facts> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let glance = Glance {
        facts: of_all_threads(pid, of_first_thread(&status)?)?,
        executable: executable(pid),
    };
    Some(glance.into_facts())
}

pub(super) fn glance(pid: u32, signals: &[Signal]) -> Option<Glance> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let first = of_first_thread(&status)?;
    let facts = match signals.iter().all(|signal| first.caught.contains(signal)) {
        true => first,
        false => of_all_threads(pid, first)?,
    };
    let executable = executable(pid);
    Some(Glance { facts, executable })
}

fn of_first_thread(status: &str) -> Option<Facts> {
    Some(Facts {
        caught: signals(mask(status, "SigCgt")?),
        ignored: signals(mask(status, "SigIgn")?),
        blocked: signals(mask(status, "SigBlk")?),
        awaited: Vec::new(),
        init: field(status, "NSpid")?.split_ascii_whitespace().last() == Some("1"),
        state: state(status),
        runtime: None,
    })
}

fn of_all_threads(pid: u32, first: Facts) -> Option<Facts> {
    let threads = procfs::threads(pid).ok()?;
    let blocked = threads
        .iter()
        .filter(|thread| **thread != pid)
        .filter_map(|thread| read(&format!("/proc/{pid}/task/{thread}/status")))
        .filter_map(|status| mask(&status, "SigBlk"))
        .fold(u64::MAX, |all, one| all & one);
    let awaited = threads
        .iter()
        .filter_map(|thread| awaited(pid, *thread))
        .fold(0, |all, one| all | one);
    let mut facts = first;
    facts
        .blocked
        .retain(|signal| signal::number(*signal).is_some_and(|n| blocked & (1 << (n - 1)) != 0));
    facts.awaited = signals(awaited);
    Some(facts)
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

fn read(path: &str) -> Option<String> {
    procfs::read_text(path).ok()
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

/// Through /proc it opens even if the file was replaced meanwhile.
fn executable(pid: u32) -> Option<File> {
    File::open(format!("/proc/{pid}/exe")).ok()
}

/// From the executable's name, or, as Go programs have any name, from its sections.
pub(super) fn runtime(executable: &File) -> Option<Runtime> {
    let path = fs::read_link(format!("/proc/self/fd/{}", executable.as_raw_fd())).ok()?;
    match path.file_name()?.to_str()? {
        "node" | "nodejs" => Some(Runtime::Node),
        "java" => Some(Runtime::Java),
        name if name.starts_with("python") || name.starts_with("pypy") => Some(Runtime::Python),
        _ => is_go(executable).then_some(Runtime::Go),
    }
}

/// By the names of its sections, which are read at once.
fn is_go(executable: &File) -> bool {
    let file = ReadCache::new(executable);
    let names = match FileKind::parse(&file) {
        Ok(FileKind::Elf64) => section_names::<FileHeader64<Endianness>>(&file),
        Ok(FileKind::Elf32) => section_names::<FileHeader32<Endianness>>(&file),
        _ => return false,
    };
    let is_of_go = |name: &[u8]| matches!(name, b".go.buildinfo" | b".note.go.buildid");
    names.is_ok_and(|names| names.split(|byte| *byte == 0).any(is_of_go))
}

fn section_names<'a, Elf: FileHeader>(file: &'a ReadCache<&File>) -> object::Result<&'a [u8]> {
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
