//! What `/proc` says about a process. Source: `proc(5)` and its pages.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::State;

/// `/proc/PID/stat`, as far as it is used.
#[derive(Clone, Debug)]
pub(crate) struct Stat {
    pub(crate) ppid: u32,
    /// Its process group.
    pub(crate) group: u32,
    /// Its session; 0 if that is led from another pid namespace.
    pub(crate) session: u32,
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) start_time: u64,
    /// Of the process and of the children that it waited for.
    pub(crate) cpu_ticks: u64,
    threads: u64,
}

impl Stat {
    /// A zombie whose other threads run is live: only its main thread has ended.
    pub(crate) fn is_live(&self) -> bool {
        self.state != State::Zombie || self.threads > 1
    }
}

pub(crate) fn stat(pid: u32) -> io::Result<Stat> {
    let bytes = fs::read(format!("/proc/{pid}/stat"))?;
    let text = String::from_utf8_lossy(&bytes);
    parse_stat(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, text))
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may hold spaces and brackets; the last bracket ends it.
    let (name, fields) = text.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // proc_pid_stat(5) counts from 1 and the state is its field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let cpu_ticks = (14..=17).filter_map(number).sum();
    Some(Stat {
        ppid: number(4)?.try_into().ok()?,
        group: number(5)?.try_into().ok()?,
        session: number(6)?.try_into().ok()?,
        name: name.to_owned(),
        state: State::of_letter(fields.first()?),
        start_time: number(22)?,
        cpu_ticks,
        threads: number(20)?,
    })
}

/// Whether `/proc` shows the pid namespace of this process: else its numbers are other processes'.
pub(crate) fn is_ours() -> io::Result<()> {
    let own = fs::read_link("/proc/self")?;
    if own.as_os_str() == std::process::id().to_string().as_str() {
        return Ok(());
    }
    Err(io::Error::other("it is that of another pid namespace"))
}

/// The file that it runs, as far as this user may know.
pub(crate) fn executable(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The ids of a process's threads.
pub(crate) fn threads(pid: u32) -> io::Result<Vec<u32>> {
    numbers_in(&format!("/proc/{pid}/task"))
}

/// The children of a process. Some are missed when others end while the list is read: callers repeat.
pub(crate) fn children(pid: u32) -> io::Result<Vec<u32>> {
    Ok(children_of_threads(pid, &threads(pid)?))
}

/// The same of a process that has just been looked at: most have one thread, whose id is known.
pub(crate) fn children_of(pid: u32, stat: &Stat) -> Vec<u32> {
    match stat.threads {
        1 => children_of_threads(pid, &[pid]),
        _ => children(pid).unwrap_or_default(),
    }
}

fn children_of_threads(pid: u32, threads: &[u32]) -> Vec<u32> {
    let mut children = Vec::new();
    for thread in threads {
        // The thread may have ended; its children now belong to another thread of the process.
        let list = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children"));
        let list = list.unwrap_or_default();
        children.extend(
            list.split_ascii_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    children
}

/// Entries of a directory whose names are numbers.
pub(crate) fn numbers_in(directory: &str) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(directory)?;
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    Ok(entries.filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_read() {
        let fields = "S 7 5 6 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 987 0 0";
        let stat = parse_stat(&format!("42 (a) (b c) {fields}")).unwrap();
        assert_eq!(stat.name, "a) (b c");
        assert_eq!((stat.ppid, stat.start_time, stat.cpu_ticks), (7, 987, 100));
        assert_eq!((stat.group, stat.session), (5, 6));
        assert_eq!(stat.state, State::Sleeping);
        assert!(parse_stat("42 (cut off").is_none());
    }

    #[test]
    fn this_process_is_found_among_the_children_of_its_parent() {
        let own = std::process::id();
        let stat = stat(own).unwrap();
        assert!(stat.is_live());
        assert!(children(stat.ppid).unwrap().contains(&own));
    }
}
