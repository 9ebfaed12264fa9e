//! The programs that may outlive their tree, and what they started.

use std::collections::{HashMap, HashSet};

use super::ancestry::Processes;
use crate::process::procfs::{self, Stat};

/// What the kernel keeps of a name (`TASK_COMM_LEN`, without the NUL).
const COMM: usize = 15;

/// Splits `found` into those that remain in their tree and those that may outlive it: programs with one of these names, and
/// what descends from one of them or from one of the `known`, or is in the session or process group that one leads. The
/// `leaders`, which were started into the tree, are its own.
pub(super) fn split(
    found: Processes,
    names: &[String],
    leaders: &[u32],
    known: &HashSet<u32>,
) -> (Processes, Processes) {
    let mut roots = known.clone();
    for (pid, stat) in &found {
        if !leaders.contains(pid) && is_named(*pid, stat, names) {
            roots.insert(*pid);
        }
    }
    // Those whose parent had ended before anybody looked.
    for (pid, stat) in &found {
        let groups = [stat.session, stat.group];
        if !leaders.contains(pid) && groups.iter().any(|group| roots.contains(group)) {
            roots.insert(*pid);
        }
    }
    let parents: HashMap<u32, u32> = found.iter().map(|(pid, stat)| (*pid, stat.ppid)).collect();
    // No line of ancestors is longer, unless it changed while it was listed.
    let longest = found.len() + 1;
    found.into_iter().partition(|(pid, _)| {
        let line = std::iter::successors(Some(*pid), |pid| parents.get(pid).copied());
        !line.take(longest).any(|pid| roots.contains(&pid))
    })
}

/// By the name that the kernel keeps, which for a script is the script's, or by that of the executable file.
fn is_named(pid: u32, stat: &Stat, names: &[String]) -> bool {
    let is_comm = |name: &String| {
        let kept = name.as_bytes().get(..COMM).unwrap_or(name.as_bytes());
        stat.name.as_bytes() == kept
    };
    let is_file = |file: &str| {
        // An updater may have replaced itself.
        let file = file.strip_suffix(" (deleted)").unwrap_or(file);
        names.iter().any(|name| name == file)
    };
    names.iter().any(is_comm)
        || procfs::executable(pid)
            .and_then(|path| Some(is_file(path.file_name()?.to_str()?)))
            .unwrap_or(false)
}
