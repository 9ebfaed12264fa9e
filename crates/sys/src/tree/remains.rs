//! What is said of members that are left.

use winddown_core::report::{Proof, Remains};

use super::Member;

/// How many members a list names.
const SHOWN: usize = 5;

pub(super) fn none(proof: Proof) -> Remains {
    Remains {
        survivors: 0,
        proof,
    }
}

pub(super) fn some(members: &[Member]) -> Remains {
    Remains {
        survivors: members.len().try_into().unwrap_or(u32::MAX),
        proof: Proof::Unproven(format!("left: {}", list(members))),
    }
}

pub(super) fn list(members: &[Member]) -> String {
    let mut names: Vec<String> = members
        .iter()
        .take(SHOWN)
        .map(|member| format!("{} ({}, {})", member.name, member.pid, member.state))
        .collect();
    if members.len() > SHOWN {
        names.push(format!("and {} more", members.len() - SHOWN));
    }
    names.join(", ")
}
