//! A stream of bytes cut at the ends of lines.

/// The longest piece that is held back for its line end.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Cuts a stream into whole lines. A line that has not ended is held back, until it is too long or [`Splitter::flush`] wants it.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    held: Vec<u8>,
}

impl Splitter {
    /// Takes what came next, and gives `emit` what can go on: one or more lines with their ends, or a piece of a line that is
    /// longer than [`LONGEST`].
    pub(crate) fn push(&mut self, data: &[u8], mut emit: impl FnMut(&[u8])) {
        let whole = data.iter().rposition(|byte| *byte == b'\n');
        let (lines, rest) = data.split_at(whole.map_or(0, |at| at + 1));
        if !lines.is_empty() && self.held.is_empty() {
            emit(lines);
        } else if !lines.is_empty() {
            self.held.extend_from_slice(lines);
            self.flush(&mut emit);
        }
        self.held.extend_from_slice(rest);
        while self.held.len() >= LONGEST {
            let rest = self.held.split_off(LONGEST);
            emit(&self.held);
            self.held = rest;
        }
    }

    /// Gives `emit` the line that has not ended, if there is one.
    pub(crate) fn flush(&mut self, mut emit: impl FnMut(&[u8])) {
        if !self.held.is_empty() {
            // Thousands of quiet streams keep no memory.
            emit(&std::mem::take(&mut self.held));
        }
    }

    /// Whether a line has begun and not ended.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pushes: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let (mut splitter, mut pieces) = (Splitter::default(), Vec::new());
        for push in pushes {
            splitter.push(push, |piece| pieces.push(piece.to_vec()));
            assert!(splitter.held.len() < LONGEST);
        }
        splitter.flush(|piece| pieces.push(piece.to_vec()));
        assert!(!splitter.holds());
        pieces
    }

    #[test]
    fn wd_152_lines_stay_whole_and_a_line_without_end_is_held_back() {
        let pushes = ["one\ntw", "o\nthree\n", "fo", "ur"].map(|text| text.as_bytes().to_vec());
        let expected: [&[u8]; 3] = [b"one\n", b"two\nthree\n", b"four"];
        assert_eq!(split(&pushes), expected);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let pieces = split(&[vec![b'x'; LONGEST + 5], vec![b'\n']]);
        assert_eq!(
            pieces.iter().map(Vec::len).collect::<Vec<_>>(),
            [LONGEST, 6]
        );
    }

    proptest! {
        #[test]
        fn wd_151_no_byte_is_lost_and_no_short_line_cut(
            pushes in prop::collection::vec(prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..200), 0..20)
        ) {
            let pieces = split(&pushes);
            prop_assert_eq!(pieces.concat(), pushes.concat());
            if let Some((_, all_but_the_last)) = pieces.split_last() {
                prop_assert!(all_but_the_last.iter().all(|piece| piece.ends_with(b"\n")));
            }
        }

        #[test]
        fn nor_with_lines_of_any_length(
            lengths in prop::collection::vec((0..3 * LONGEST, any::<bool>()), 0..6)
        ) {
            let pushes: Vec<Vec<u8>> = lengths
                .iter()
                .map(|(length, ends)| {
                    let mut line = vec![b'x'; *length];
                    line.extend(ends.then_some(b'\n'));
                    line
                })
                .collect();
            prop_assert_eq!(split(&pushes).concat(), pushes.concat());
        }
    }
}
