//! Which tree a process belongs to, where no cgroup says so.
//!
//! This process is a child subreaper, so that every member of every tree descends from it, and a member whose parent has ended
//! becomes its child. A child that it started itself is of the tree that it was started into. One that it inherited is, by the
//! first of these that says something:
//!
//! 1. of the tree in which it was seen before its parent ended (pid and start time);
//! 2. of the tree whose mark its environment carries;
//! 3. of the tree whose members had its session or process group.
//!
//! All three fail for a process that was never seen, made a session of its own, and wrote over its environment. Such a stray is
//! counted with the last tree that has not ended; until then no tree's emptiness is proven.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::process::procfs::{self, Stat};
use crate::process::registry::{self, Registry, TreeId};
use crate::tree::mark::{self, Changing};

/// Pid and start time: a process, and no later one with its number.
type Key = (u32, u64);

/// Pids, and what they were at one moment.
pub(super) type Processes = Vec<(u32, Stat)>;

#[derive(Default)]
pub(super) struct Ancestry {
    /// Whether children that were there before the first tree have been noted.
    begun: bool,
    /// What may outlive its tree, and is of none since.
    spared: Known,
    /// The trees that have ended and left such: what carries their marks is of none either.
    outlived: BTreeSet<TreeId>,
    trees: BTreeMap<TreeId, Known>,
}

/// What is known of a tree.
#[derive(Default)]
struct Known {
    /// Its processes, when it was last walked.
    seen: BTreeSet<Key>,
    /// The sessions and process groups of those, and of the children started into it.
    groups: BTreeSet<u32>,
    /// It is empty, and remains so until something is started into it: members come from members.
    vacant: bool,
}

/// What is among the inherited children.
pub(super) struct Inherited {
    /// Those of the tree in question.
    of_tree: Vec<u32>,
    /// Those that may be of any tree.
    pub(super) strays: Processes,
}

/// Whose a process is.
enum Owner {
    Tree(TreeId),
    /// Nobody's: it may outlive its tree.
    Spared,
    Unknown,
    /// To be seen when it is another program.
    Changing,
}

pub(super) fn lock() -> MutexGuard<'static, Ancestry> {
    static ANCESTRY: LazyLock<Mutex<Ancestry>> = LazyLock::new(Mutex::default);
    ANCESTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ancestry {
    pub(super) fn begin(&mut self, tree: TreeId) -> io::Result<()> {
        if !self.begun {
            let own = std::process::id();
            // Not every kernel has it, and without it everything looks empty.
            std::fs::metadata(format!("/proc/{own}/task/{own}/children"))?;
            let mut registry = registry::lock();
            let started: HashSet<u32> = registry.started().map(|(pid, _)| pid).collect();
            for pid in procfs::children(own)? {
                if !started.contains(&pid) {
                    registry.inherit(pid, None);
                }
            }
            self.begun = true;
        }
        let empty = Known {
            vacant: true,
            ..Known::default()
        };
        self.trees.insert(tree, empty);
        Ok(())
    }

    /// What it leaves is a stray, unless something may outlive it.
    pub(super) fn end(&mut self, tree: TreeId, is_outlived: bool) {
        self.trees.remove(&tree);
        if is_outlived {
            self.outlived.insert(tree);
        }
        registry::lock().disinherit(tree);
    }

    /// `pid` was started into `tree`.
    pub(super) fn started(&mut self, tree: TreeId, pid: u32) {
        let known = self.trees.entry(tree).or_default();
        known.vacant = false;
        known.groups.insert(pid);
    }

    /// Whether nothing of `tree` is known to be left. Reaps.
    pub(super) fn is_empty(&mut self, tree: TreeId) -> io::Result<bool> {
        if self.is_vacant(tree) {
            return Ok(true);
        }
        let mut registry = registry::lock();
        if registry.reap_all() {
            for known in self.trees.values_mut() {
                known.vacant = true;
            }
            return Ok(true);
        }
        let mut known = registry.started().chain(registry.inherited());
        if known.any(|(_, of)| of == Some(tree)) {
            return Ok(false);
        }
        drop(known);
        self.look(tree, &mut registry)?;
        Ok(self.is_vacant(tree))
    }

    /// Every process of `tree`. Reaps, so that the many that have just been killed are not looked at again.
    pub(super) fn walk(&mut self, tree: TreeId) -> io::Result<Processes> {
        self.visit(tree, usize::MAX, |_| (), |(), _, _| ())
    }

    /// `most` of the processes of `tree`.
    pub(super) fn some(&mut self, tree: TreeId, most: usize) -> io::Result<Processes> {
        self.visit(tree, most, |_| (), |(), _, _| ())
    }

    /// The same, calling `open` for what may be one before it is looked at, and `visit` for what is one once its children are known.
    pub(super) fn visit<T>(
        &mut self,
        tree: TreeId,
        most: usize,
        open: impl Fn(u32) -> T,
        mut visit: impl FnMut(T, u32, &Stat),
    ) -> io::Result<Processes> {
        let own = std::process::id();
        let (leaders, inherited) = {
            let mut registry = registry::lock();
            registry.reap_all();
            let started = registry.started().filter(|(_, of)| *of == Some(tree));
            let leaders: Vec<u32> = started.map(|(pid, _)| pid).collect();
            (leaders, self.look(tree, &mut registry)?.of_tree)
        };
        let roots = leaders.iter().chain(&inherited);
        let mut next: Vec<(u32, u32)> = roots.map(|pid| (*pid, own)).collect();
        let mut found = Vec::new();
        while let Some((pid, parent)) = next.pop() {
            if found.len() == most {
                return Ok(found);
            }
            let opened = open(pid);
            let Ok(stat) = procfs::stat(pid) else {
                continue;
            };
            // With another parent the number has come to be another process's.
            if stat.ppid == parent || stat.ppid == own {
                let children = procfs::children_of(pid, &stat).into_iter();
                next.extend(children.map(|child| (child, pid)));
                visit(opened, pid, &stat);
                found.push((pid, stat));
            }
        }
        self.remember(tree, leaders, &found);
        Ok(found)
    }

    /// Sorts the inherited children, and finds out which trees are empty.
    ///
    /// The list is complete: while the registry is locked nobody reaps, so that children are only ever added, behind those that
    /// are there; and a process that has ended has passed its children on before it can be seen to have ended.
    pub(super) fn look(&mut self, tree: TreeId, registry: &mut Registry) -> io::Result<Inherited> {
        let mut known: HashMap<u32, Option<TreeId>> =
            registry.started().chain(registry.inherited()).collect();
        let mut strays = Vec::new();
        let mut changing = Vec::new();
        for pid in procfs::children(std::process::id())? {
            if known.contains_key(&pid) {
                continue;
            }
            let stat = procfs::stat(pid)?;
            let owner = match self.owner(pid, &stat) {
                Owner::Tree(tree) => Some(tree),
                Owner::Spared => None,
                Owner::Unknown => {
                    strays.push((pid, stat));
                    continue;
                }
                Owner::Changing => {
                    changing.push(pid);
                    continue;
                }
            };
            registry.inherit(pid, owner);
            known.insert(pid, owner);
        }
        let occupied: HashSet<TreeId> = known.into_values().flatten().collect();
        for (id, known) in &mut self.trees {
            // What is changing may be of any tree that was not empty.
            known.vacant = !occupied.contains(id) && (known.vacant || changing.is_empty());
        }
        let mut others = self.trees.iter().filter(|(id, _)| **id != tree);
        let no_other = others.all(|(_, known)| known.vacant);
        if no_other && !strays.is_empty() {
            for (pid, _) in strays.drain(..) {
                registry.inherit(pid, Some(tree));
            }
            self.trees.entry(tree).or_default().vacant = false;
        }
        let inherited = registry.inherited();
        let of_tree = inherited.filter(|(_, owner)| *owner == Some(tree));
        // It may also be what somebody started who outlives a tree.
        let is_of_tree = no_other && self.spared.seen.is_empty();
        let changing = changing.into_iter().filter(|_| is_of_tree);
        let of_tree = of_tree.map(|(pid, _)| pid).chain(changing).collect();
        Ok(Inherited { of_tree, strays })
    }

    /// From now on these are of no tree, nor is what shares a session or group that one of them leads.
    pub(super) fn spare(&mut self, spared: &[(u32, Stat)]) {
        let own = std::process::id();
        let mut registry = registry::lock();
        for (pid, stat) in spared {
            if self.spared.seen.insert((*pid, stat.start_time)) && stat.ppid == own {
                registry.inherit(*pid, None);
            }
            if [stat.session, stat.group].contains(pid) {
                self.spared.groups.insert(*pid);
            }
        }
    }

    pub(super) fn is_vacant(&self, tree: TreeId) -> bool {
        self.trees.get(&tree).is_none_or(|known| known.vacant)
    }

    fn owner(&self, pid: u32, stat: &Stat) -> Owner {
        let holds = |test: &dyn Fn(&Known) -> bool| {
            let mut trees = self.trees.iter();
            trees.find(|(_, known)| test(known)).map(|(id, _)| *id)
        };
        let key = (pid, stat.start_time);
        let groups = [stat.session, stat.group];
        let has_group = |known: &Known| groups.iter().any(|group| known.groups.contains(group));
        if self.spared.seen.contains(&key) || has_group(&self.spared) {
            return Owner::Spared;
        }
        if let Some(tree) = holds(&|known| known.seen.contains(&key)) {
            return Owner::Tree(tree);
        }
        let mark = mark::tree_of(pid);
        let marked = mark.ok().flatten();
        if marked.is_some_and(|tree| self.outlived.contains(&tree)) {
            return Owner::Spared;
        }
        let marked = marked.filter(|tree| self.trees.contains_key(tree));
        match (marked.or_else(|| holds(&has_group)), mark) {
            (Some(tree), _) => Owner::Tree(tree),
            (None, Ok(_)) => Owner::Unknown,
            (None, Err(Changing)) => Owner::Changing,
        }
    }

    fn remember(&mut self, tree: TreeId, leaders: Vec<u32>, found: &[(u32, Stat)]) {
        let Some(known) = self.trees.get_mut(&tree) else {
            return;
        };
        known.seen = found
            .iter()
            .map(|(pid, stat)| (*pid, stat.start_time))
            .collect();
        // Not the groups of this process, which its children may share, nor 0, which stands for those of other namespaces.
        // rustix would take 0 for a fault.
        // SAFETY: neither takes a pointer, and both only ask.
        let own = unsafe { [libc::getpgrp(), libc::getsid(0)] };
        known.groups = found
            .iter()
            .flat_map(|(_, stat)| [stat.session, stat.group])
            .filter(|group| *group != 0 && own.iter().all(|own| own.unsigned_abs() != *group))
            .chain(leaders)
            .collect();
    }
}
