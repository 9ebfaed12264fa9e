//! [`one_line`]: text from anywhere as one bounded line.

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
