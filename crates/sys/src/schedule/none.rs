//! Systems without such a policy for a single thread.

pub(super) fn run_in_background() {}
