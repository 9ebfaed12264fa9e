//! Signals need no courier.

pub(super) fn serve() {}
