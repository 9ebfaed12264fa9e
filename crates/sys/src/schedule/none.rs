//! Systems without such a policy.

pub(super) fn interrupt_no_thread() {}
