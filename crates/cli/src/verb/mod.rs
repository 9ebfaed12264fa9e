//! The verbs.

pub mod check;
pub mod completions;
pub mod host;
pub mod man;
pub mod rehearse;
pub mod run;
