//! [`LogPattern`]: a line of output that tells that a program is ready.

use std::fmt;
use std::str::FromStr;

use regex_lite::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::target::{ProbeTargetError, as_text};

/// A regular expression that one line of a program's output matches, somewhere in it.
#[derive(Clone, Debug)]
pub struct LogPattern(Regex);

impl LogPattern {
    /// Whether `line`, without its end, matches. What is no UTF-8 counts as U+FFFD.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        self.0.is_match(&String::from_utf8_lossy(line))
    }
}

impl FromStr for LogPattern {
    type Err = ProbeTargetError;

    fn from_str(text: &str) -> Result<Self, ProbeTargetError> {
        Regex::new(text)
            .map(Self)
            .map_err(|error| ProbeTargetError::Pattern {
                text: text.to_owned(),
                why: error.to_string(),
            })
    }
}

impl fmt::Display for LogPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl PartialEq for LogPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for LogPattern {}

as_text!(
    LogPattern,
    "LogPattern",
    "a regular expression that a line of output matches"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_matches_anywhere_whatever_bytes_it_holds() {
        let pattern: LogPattern = "listening on .*:[0-9]+$".parse().unwrap();
        assert!(pattern.matches(b"INFO listening on 0.0.0.0:80"));
        assert!(pattern.matches(b"\xff\xfe listening on \xff:80"));
        assert!(!pattern.matches(b"not listening"));
        assert!(!pattern.matches(b""));
        let error = "(ready".parse::<LogPattern>().unwrap_err();
        assert!(error.to_string().contains("(ready"), "{error}");
    }
}
