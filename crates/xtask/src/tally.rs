//! Counts of passed and failed tests, read from what test runners print.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Tally {
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The counts in one line of a test runner's output, zero in any other line.
    ///
    /// nextest: `Summary [   0.35s] 9 tests run: 7 passed, 1 failed, 1 timed out, 0 skipped`.
    /// libtest: `test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; ...`.
    pub(crate) fn of_line(line: &str) -> Self {
        let counts = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
            .or_else(|| {
                line.trim_start()
                    .strip_prefix("Summary [")
                    .and_then(|rest| rest.split_once(" run: "))
            });
        let Some((_, counts)) = counts else {
            return Self::default();
        };
        let mut tally = Self::default();
        for part in counts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let Some(Ok(number)) = words.next().map(str::parse::<u32>) else {
                continue;
            };
            match words.next() {
                Some("passed") => tally.passed += number,
                Some("failed" | "timed" | "exec" | "aborted") => tally.failed += number,
                _ => {}
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[track_caller]
    fn check(line: &str, passed: u32, failed: u32) {
        assert_eq!(Tally::of_line(line), Tally { passed, failed }, "{line}");
    }

    #[test]
    fn nextest_summaries_are_counted() {
        check(
            "     Summary [   0.353s] 8 tests run: 8 passed, 0 skipped",
            8,
            0,
        );
        check(
            "     Summary [   2.003s] 9/12 tests run: 6 passed (1 slow), 1 failed, 2 timed out, 3 skipped",
            6,
            3,
        );
        check(
            "     Summary [   0.1s] 1 test run: 1 passed (1 leaky), 0 skipped",
            1,
            0,
        );
    }

    #[test]
    fn libtest_results_are_counted() {
        check(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            3,
            0,
        );
        check(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            3,
            2,
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        check("test tally::tests::x ... ok", 0, 0);
        check("3 passed, 4 failed", 0, 0);
    }
}
