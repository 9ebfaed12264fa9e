//! The Application log.

use super::Level;

pub(super) fn write(source: &str, level: Level, event: u16, text: &str) -> bool {
    let _ = (source, level, event, text);
    false
}
