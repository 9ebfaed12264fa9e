//! What `/proc` says about processes that are measured.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

/// The directory of a process in `/proc`.
pub(super) fn directory(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()))
}

/// The directories of a process's threads in `/proc`.
pub(super) fn threads(pid: Pid) -> Vec<PathBuf> {
    fs::read_dir(directory(pid).join("task"))
        .map(|tasks| tasks.flatten().map(|task| task.path()).collect())
        .unwrap_or_default()
}

/// A process and all that descends from it, without `but` and what descends from those.
pub(super) fn tree(pid: Pid, but: &[Pid]) -> Vec<Pid> {
    let mut tree = vec![pid];
    let mut next = 0;
    while let Some(parent) = tree.get(next) {
        tree.extend(children(*parent).filter(|child| !but.contains(child)));
        next += 1;
    }
    tree
}

fn children(pid: Pid) -> impl Iterator<Item = Pid> {
    threads(pid).into_iter().flat_map(|thread| {
        let children = fs::read_to_string(thread.join("children")).unwrap_or_default();
        let pids = children.split_whitespace();
        pids.filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect::<Vec<_>>()
    })
}

/// The processes that are numbered so in the pid namespace of `leader`.
pub(super) fn numbered_by(leader: Pid, numbers: &[Pid]) -> Vec<Pid> {
    let namespace = |pid| fs::read_link(directory(pid).join("ns/pid")).ok();
    let wanted = namespace(leader);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids =
        processes.filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?));
    let inside = |pid: &Pid| {
        let status = fs::read_to_string(directory(*pid).join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))?;
        Pid::from_raw(line.split_whitespace().last()?.parse().ok()?)
    };
    pids.filter(|pid| inside(pid).is_some_and(|inside| numbers.contains(&inside)))
        .filter(|pid| namespace(*pid) == wanted)
        .collect()
}

/// What processes have in memory.
#[derive(Clone, Copy, Default)]
pub(super) struct Memory {
    pub(super) rss_kb: u64,
    pub(super) pss_kb: u64,
}

impl Memory {
    pub(super) fn of(pids: &[Pid]) -> Self {
        let mut memory = Self::default();
        for pid in pids {
            let rollup = directory(*pid).join("smaps_rollup");
            let rollup = fs::read_to_string(rollup).unwrap_or_default();
            memory.rss_kb += field(&rollup, "Rss:");
            memory.pss_kb += field(&rollup, "Pss:");
        }
        memory
    }
}

/// What processes have used so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Usage {
    /// How often their threads were switched out.
    pub(super) wake_ups: u64,
    /// Their time on a processor.
    pub(super) cpu_nanos: u64,
}

impl Usage {
    pub(super) fn of(pids: &[Pid]) -> Self {
        let mut usage = Self::default();
        for thread in pids.iter().flat_map(|pid| threads(*pid)) {
            let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
            usage.wake_ups += field(&status, "voluntary_ctxt_switches:");
            usage.wake_ups += field(&status, "nonvoluntary_ctxt_switches:");
            let schedule = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
            let on_cpu = schedule.split_whitespace().next();
            usage.cpu_nanos += on_cpu.and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
        }
        usage
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            wake_ups: self.wake_ups.saturating_sub(before.wake_ups),
            cpu_nanos: self.cpu_nanos.saturating_sub(before.cpu_nanos),
        }
    }
}

/// Whether every thread of a process sleeps.
pub(super) fn sleeps(pid: Pid) -> bool {
    let threads = threads(pid);
    !threads.is_empty() && threads.iter().all(|thread| state(thread) == Some('S'))
}

/// The state of a thread: the field after its name, which may hold anything.
fn state(thread: &Path) -> Option<char> {
    let stat = fs::read_to_string(thread.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The number in the line that begins with `name`; 0 where there is none.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
