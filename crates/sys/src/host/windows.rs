//! What Windows tells.

use std::sync::atomic::Ordering;

use winddown_core::host::{Facts, Process, WindowsFacts};

use crate::windows::origin;

pub(super) fn collect(facts: &mut Facts) {
    if let Some(parent) = origin::parent() {
        facts.parent = Process {
            pid: parent.pid,
            name: Some(parent.name.to_string_lossy().into_owned()),
        };
    }
    facts.windows = Some(WindowsFacts {
        session_id: origin::session().unwrap_or_default(),
        console: origin::has_console(),
        interactive: origin::is_interactive(),
        dispatcher_refused: origin::DISPATCHER_REFUSED.load(Ordering::Relaxed),
    });
}
