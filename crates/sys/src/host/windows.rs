//! What Windows tells.

use winddown_core::host::{Facts, WindowsFacts};

pub(super) fn collect(facts: &mut Facts) {
    facts.windows = Some(WindowsFacts::default());
}
