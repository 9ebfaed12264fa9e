//! Text from anywhere: as one bounded line with [`one_line`], from the bytes of a file with [`utf8`], and what may have been
//! meant by a misspelt name with [`nearest`].

use thiserror::Error;

/// `text` on one line of at most `limit` bytes: control characters and line separators become spaces, and what is too long
/// is cut at a character.
///
/// For what goes into a protocol or a log that takes lines: no text can begin a line of its own.
///
/// ```
/// assert_eq!(winddown_core::one_line("draining\nMAINPID=1", 100), "draining MAINPID=1");
/// ```
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let plain = |c| if is_plain(c) { c } else { ' ' };
    text[..end].chars().map(plain).collect()
}

/// Why the bytes of a file are no text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{line}:{column}: {what}")]
pub struct NotText {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub what: &'static str,
}

/// The text of a file that must be UTF-8.
///
/// # Errors
/// [`NotText`] names the first place that is not.
///
/// ```
/// let error = winddown_core::utf8(b"A=1\nB=\xff").unwrap_err();
/// assert_eq!(error.to_string(), "2:3: this is not UTF-8: save the file as UTF-8");
/// ```
pub fn utf8(bytes: &[u8]) -> Result<&str, NotText> {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes {
        return Err(NotText {
            line: 1,
            column: 1,
            what: "the file is UTF-16: save it as UTF-8",
        });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.rsplit('\n').next().unwrap_or_default();
        NotText {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            what: "this is not UTF-8: save the file as UTF-8",
        }
    })
}

/// The one of the `known` names that is most like `name`, if any is like it: what somebody may have meant. Of several that are
/// equally like it, the one that sorts first.
///
/// ```
/// use winddown_core::nearest;
/// assert_eq!(nearest("timeot", ["signal", "timeout"]), Some("timeout"));
/// assert_eq!(nearest("colour", ["signal", "timeout"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let rated = known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known), known));
    let best = rated.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)));
    best.filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, known)| known)
}

/// Whether `c` neither controls a terminal nor ends a line (U+2028 and U+2029 do in some readers).
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(one_line("aé", 2), "a");
        assert_eq!(one_line("aé", 3), "aé");
        assert_eq!(one_line("é", 0), "");
    }

    #[test]
    fn what_windows_programs_save_as_unicode_is_named() {
        let error = utf8(b"\xff\xfea\0").unwrap_err();
        assert!(error.to_string().contains("UTF-16"), "{error}");
        assert_eq!(utf8("\u{feff}ä".as_bytes()), Ok("\u{feff}ä"));
    }

    #[test]
    fn of_equally_near_names_it_is_always_the_same() {
        for known in [["web-1", "web-2"], ["web-2", "web-1"]] {
            assert_eq!(nearest("web-3", known), Some("web-1"));
        }
        assert_eq!(nearest("web", []), None);
    }

    proptest! {
        #[test]
        fn the_result_is_one_bounded_line(text in "(?s).*", limit in 0usize..64) {
            let line = one_line(&text, limit);
            prop_assert!(line.len() <= limit);
            prop_assert!(line.chars().all(is_plain));
        }

        #[test]
        fn plain_text_that_fits_stays(text in "[ -~é]*") {
            prop_assert_eq!(one_line(&text, text.len()), text);
        }
    }
}
