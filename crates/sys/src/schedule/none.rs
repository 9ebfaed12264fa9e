//! Systems without such policies for a single thread.

pub(super) fn interrupt_no_thread() {}

pub(super) fn run_in_background() {}
