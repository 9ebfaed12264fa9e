//! The mark that members carry in their environment: who started them, whatever became of their parents.
//!
//! `WINDDOWN_TREE=ID.N`, with an ID of this process's own and the number of the tree. A program that itself runs in a tree of
//! another winddown keeps that one's mark in front: `OUTER.1:INNER.3`.

use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use crate::process::procfs::{self, Stat};
use crate::process::registry::TreeId;

const VARIABLE: &str = "WINDDOWN_TREE";

/// A number that no other process has.
pub(crate) fn of_this_process() -> &'static str {
    static OWN: OnceLock<String> = OnceLock::new();
    OWN.get_or_init(|| format!("{:016x}", RandomState::new().build_hasher().finish()))
}

/// The variable, and its value for the members of `tree`.
pub(super) fn of_tree(tree: TreeId) -> (&'static str, OsString) {
    let mut value = std::env::var_os(VARIABLE).unwrap_or_default();
    if !value.is_empty() {
        value.push(":");
    }
    value.push(format!("{}.{}", of_this_process(), tree.0));
    (VARIABLE, value)
}

/// A process has no environment at this moment, as it is becoming another program: to be looked at again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changing;

/// Which tree of this process the process carries the mark of.
///
/// `None` also where its environment cannot be read (another user's), or where the program wrote over it.
pub(super) fn tree_of(pid: u32) -> Result<Option<TreeId>, Changing> {
    let mut before = None;
    // An environment breaks off where the program goes while it is read: without a mark it counts when it is the same twice, of one
    // program.
    for _ in 0..3 {
        let environment = environment(pid);
        if let Some(number) = tree_in(&environment, of_this_process()) {
            return Ok(Some(TreeId(number)));
        }
        let stat = procfs::stat(pid).ok();
        if stat.as_ref().is_some_and(Stat::is_changing) {
            return Err(Changing);
        }
        let found = Some((environment, stat.map(|stat| stat.environment_end)));
        if before == found {
            return Ok(None);
        }
        before = found;
    }
    Err(Changing)
}

/// Whether the process carries a mark of the process that calls itself `own`.
pub(crate) fn is_carried_by(pid: u32, own: &str) -> bool {
    tree_in(&environment(pid), own).is_some()
}

/// Empty where it cannot be read.
fn environment(pid: u32) -> Vec<u8> {
    let environment = procfs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    if !environment.is_empty() {
        return environment;
    }
    // A main thread that has ended shows none; the others still do.
    let others = procfs::threads(pid).unwrap_or_default().into_iter();
    others
        .filter(|thread| *thread != pid)
        .find_map(|thread| procfs::read(format!("/proc/{pid}/task/{thread}/environ")).ok())
        .unwrap_or_default()
}

fn tree_in(environment: &[u8], own: &str) -> Option<u64> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    value.split(|byte| *byte == b':').find_map(|mark| {
        let number = mark.strip_prefix(own.as_bytes())?.strip_prefix(b".")?;
        std::str::from_utf8(number).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_mark_is_found_among_those_of_others() {
        let environment = b"PATH=/bin\0WINDDOWN_TREE=aa.1:bb.23:cc.4\0HOME=/\0";
        assert_eq!(tree_in(environment, "bb"), Some(23));
        assert_eq!(tree_in(environment, "aa"), Some(1));
        assert_eq!(tree_in(environment, "b"), None);
        assert_eq!(tree_in(b"XWINDDOWN_TREE=aa.1\0", "aa"), None);
        assert_eq!(tree_in(b"WINDDOWN_TREE=aa.x\0", "aa"), None);
    }

    #[test]
    fn a_tree_has_a_mark_that_is_recognised() {
        let (name, value) = of_tree(TreeId(7));
        let mut entry = name.as_bytes().to_vec();
        entry.push(b'=');
        entry.extend(value.as_bytes());
        assert_eq!(tree_in(&entry, of_this_process()), Some(7));
    }
}
