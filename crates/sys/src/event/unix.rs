//! There are none.

use crate::{Error, Result};

pub(super) fn set(name: &str) -> Result<()> {
    Err(Error::Unsupported {
        what: format!("the named event {name}"),
        instead: "ask by a signal",
    })
}
