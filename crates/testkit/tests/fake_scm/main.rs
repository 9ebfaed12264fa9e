//! The fake SCM follows Microsoft's rules: each test names the page, or the error code, of the rule that it shows.

mod controls;
mod database;
mod failures;
mod starts;
mod statuses;
mod support;
mod system_shutdown;
