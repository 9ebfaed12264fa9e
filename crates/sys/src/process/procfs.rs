//! What `/proc` says about a process. Source: `proc(5)` and its pages.

use std::fs::{self, File};
use std::io::{self, Read};
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use super::State;

/// What most files of `/proc` have room in.
const USUAL_SIZE: usize = 4096;

/// No file that is read here is as long.
const LONGEST: u64 = 1 << 24;

/// A file of `/proc` or of a cgroup, whose size the system does not tell: with room for most of them it takes two calls, else a
/// dozen.
pub(crate) fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(USUAL_SIZE);
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// [`read()`], as text.
pub(crate) fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = read(path)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

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
    has_environment: bool,
    /// Where that ends: elsewhere in every program that it becomes. 0 for who may not know.
    pub(crate) environment_end: u64,
}

impl Stat {
    /// It is about to become another program, or to end: for this moment it has no environment, not even an empty one.
    pub(crate) fn is_changing(&self) -> bool {
        self.state != State::Zombie && !self.has_environment
    }

    /// A zombie whose other threads run is live: only its main thread has ended.
    pub(crate) fn is_live(&self) -> bool {
        self.state != State::Zombie || self.threads > 1
    }
}

pub(crate) fn stat(pid: u32) -> io::Result<Stat> {
    let text = read_text(format!("/proc/{pid}/stat"))?;
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
        // Where it ends. Who may not know reads 0 there, and 1 as where the code begins.
        has_environment: number(51) != Some(0) || number(26) == Some(1),
        environment_end: number(51).unwrap_or(0),
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

/// Whether more than twice as many threads of the system are ready to run as it has processors; also where it does not say.
/// Source: `proc_loadavg(5)`.
pub(crate) fn is_crowded() -> bool {
    let ready = || {
        let load = read_text("/proc/loadavg").ok()?;
        let (ready, _) = load.split_ascii_whitespace().nth(3)?.split_once('/')?;
        ready.parse::<usize>().ok()
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    ready().is_none_or(|ready| ready > 2 * processors)
}

/// The file that it runs, as far as this user may know.
pub(crate) fn executable(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The ids of a process's threads.
pub(crate) fn threads(pid: u32) -> io::Result<Vec<u32>> {
    numbers_in(&format!("/proc/{pid}/task"))
}

/// How many threads this process has. Their directory has a link for each, besides the two that every directory has.
pub(crate) fn own_threads() -> io::Result<u64> {
    let directory = "/proc/self/task";
    match fs::metadata(directory)?.nlink() {
        links @ 3.. => Ok(links - 2),
        // It keeps no count.
        _ => Ok(numbers_in(directory)?.len() as u64),
    }
}

/// The signals that this process ignores, a bit for each number, beginning with 1.
pub(crate) fn own_ignored() -> Option<u64> {
    let status = read_text("/proc/self/status").ok()?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
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
        let list = read_text(format!("/proc/{pid}/task/{thread}/children"));
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
    fn what_may_not_be_looked_into_is_not_taken_for_changing() {
        let line = |code: u8, environment: u8| {
            let addresses =
                format!("{code} 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {environment} 0");
            format!("42 (a) S 7 5 6 0 -1 0 1 2 3 4 10 20 30 40 20 0 1 0 987 0 0 0 {addresses}")
        };
        let is_changing = |line: String| parse_stat(&line).unwrap().is_changing();
        assert!(!is_changing(line(9, 9)));
        assert!(!is_changing(line(1, 0)), "another user's");
        assert!(is_changing(line(0, 0)));
    }

    #[test]
    fn a_file_is_read_whatever_its_size() {
        let path = std::env::temp_dir().join(format!("winddown-read-{}", std::process::id()));
        for size in [0, 1, USUAL_SIZE - 1, USUAL_SIZE, 5 * USUAL_SIZE + 3] {
            let content: Vec<u8> = (0..size).map(|at| at as u8).collect();
            fs::write(&path, &content).unwrap();
            assert_eq!(read(&path).unwrap(), content);
        }
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn threads_are_counted() {
        let one = own_threads().unwrap();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        assert_eq!(
            own_threads().unwrap(),
            numbers_in("/proc/self/task").unwrap().len() as u64
        );
        assert!(own_threads().unwrap() > 1, "{one}");
        drop(done);
        let _ = thread.join().unwrap();
    }

    #[test]
    fn this_process_is_found_among_the_children_of_its_parent() {
        let own = std::process::id();
        let stat = stat(own).unwrap();
        assert!(stat.is_live());
        assert!(children(stat.ppid).unwrap().contains(&own));
    }
}
