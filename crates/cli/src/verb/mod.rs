//! The verbs.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod host;
pub(crate) mod man;
pub(crate) mod rehearse;
pub(crate) mod run;
