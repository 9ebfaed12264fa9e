//! A line at the bottom of the terminal that says what is waited for.

use winddown_core::one_line;
use winddown_sys::terminal;

use crate::output::say;

/// The smallest terminal that has room for it.
const LEAST_ROWS: u16 = 4;
const LEAST_COLUMNS: u16 = 20;

/// A line at the bottom of the terminal on standard error. Nothing that is printed meanwhile touches it, or is touched by it: all else
/// scrolls in the rows above.
///
/// Source: `DECSTBM`, `DECSC`, `DECRC` and `IND` of the VT100, in `console_codes(4)`.
#[derive(Default)]
pub(crate) struct LiveLine {
    /// How many rows the terminal has, while the line is shown.
    rows: Option<u16>,
}

impl LiveLine {
    /// Shows `text` in place of what was shown, where there is a terminal and this process is in its foreground.
    pub(crate) fn show(&mut self, text: &str) {
        let large = |(rows, columns): &(u16, u16)| *rows >= LEAST_ROWS && *columns >= LEAST_COLUMNS;
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let Some((rows, columns)) = terminal::screen().filter(large).filter(|_| !dumb) else {
            return self.clear();
        };
        let mut codes = String::new();
        if self.rows != Some(rows) {
            // A row further and back, so that the cursor is not in the last one.
            codes += &format!("\x1bD\x1b[A\x1b7\x1b[1;{}r\x1b8", rows - 1);
        }
        let text = one_line(text, usize::from(columns) - 1);
        codes += &format!("\x1b7\x1b[{rows}H\x1b[K{text}\x1b8");
        say(&codes);
        self.rows = Some(rows);
    }

    /// Takes it away, and leaves the terminal as it was.
    pub(crate) fn clear(&mut self) {
        if let Some(rows) = self.rows.take() {
            say(&format!("\x1b7\x1b[r\x1b[{rows}H\x1b[K\x1b8"));
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.clear();
    }
}
