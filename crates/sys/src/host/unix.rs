//! What every Unix tells, and `/proc` where there is one.

use std::fs;
use std::io;

use rustix::fs::{Mode, OFlags, fstat, open};
use rustix::process::getppid;
use winddown_core::host::{Facts, FileId, Process};

use crate::signal;

pub(super) fn collect(facts: &mut Facts) {
    let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    facts.parent = Process {
        pid: parent,
        name: signal::sender_name(parent),
    };
    facts.init = signal::sender_name(1);
    facts.session_leader = leads_its_session();
    facts.terminal = has_terminal();
    facts.stderr = file_id(&io::stderr());
    facts.cgroup = fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|groups| cgroup(&groups));
}

/// Not by rustix, whose pids cannot be 0: that is the session of a leader outside the pid namespace.
fn leads_its_session() -> bool {
    // SAFETY: neither call takes a pointer.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// The identity of an open file.
pub(crate) fn file_id(file: &impl std::os::fd::AsFd) -> Option<FileId> {
    let stat = fstat(file).ok()?;
    // Their widths and signs differ between systems.
    Some(FileId {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
    })
}

/// `/dev/tty` opens where there is a controlling terminal, and nowhere else.
fn has_terminal() -> bool {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    open("/dev/tty", flags, Mode::empty()).is_ok()
}

/// The path in the unified hierarchy, or else in the one that systemd or OpenRC keeps for names.
///
/// Source: `cgroups(7)`, "/proc files".
fn cgroup(groups: &str) -> Option<String> {
    let path = |controllers: &str| {
        groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let path = rest.strip_prefix(controllers)?.strip_prefix(':')?;
            (path != "/").then(|| path.to_owned())
        })
    };
    ["", "name=systemd", "name=openrc"]
        .into_iter()
        .find_map(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_comes_first() {
        let hybrid = "2:cpu:/other\n1:name=systemd:/a.service\n0::/b.service\n";
        assert_eq!(cgroup(hybrid).as_deref(), Some("/b.service"));
        let empty = "1:name=systemd:/system.slice/a:b.service\n0::/\n";
        assert_eq!(cgroup(empty).as_deref(), Some("/system.slice/a:b.service"));
        assert_eq!(
            cgroup("1:name=openrc:/openrc.orders").as_deref(),
            Some("/openrc.orders")
        );
        assert_eq!(cgroup("0::/\n"), None);
    }
}
