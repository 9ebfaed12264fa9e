//! A line of output, and how it is written.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::options::Format;
use super::queue::Lost;

/// One of a program's two streams of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// A line that a program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When winddown read it.
    pub time: Timestamp,
    /// Where the program wrote it.
    pub output: Output,
    /// What the program wrote, without the line's end.
    pub text: Vec<u8>,
    /// Whether more of this line follows: it is longer than 64 KiB, or did not end within a second.
    pub partial: bool,
}

/// Cuts a piece into what one line of a log is made of: text without the line end, and whether it had none.
pub(crate) fn lines(piece: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    piece
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| match line.split_last() {
            Some((b'\n', text)) => (text, false),
            _ => (line, true),
        })
}

/// A line as a JSON object.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: &'a str,
    service: &'a str,
    stream: Output,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// What stands in a log for what was dropped.
#[derive(Serialize)]
struct JsonLost<'a> {
    time: &'a str,
    service: &'a str,
    stream: &'a str,
    text: &'a str,
    dropped: Lost,
}

impl Format {
    /// Writes a piece of output to `into`.
    pub(crate) fn write(
        self,
        service: &str,
        output: Output,
        time: Timestamp,
        piece: &[u8],
        into: &mut Vec<u8>,
    ) {
        if self == Self::Raw {
            into.extend_from_slice(piece);
            return;
        }
        let time = format!("{time:.6}");
        for (text, partial) in lines(piece) {
            match self {
                Self::Json => {
                    let lossy = String::from_utf8_lossy(text);
                    let is_exact = matches!(lossy, std::borrow::Cow::Borrowed(_));
                    json(
                        into,
                        &JsonLine {
                            time: &time,
                            service,
                            stream: output,
                            text: &lossy,
                            base64: (!is_exact).then(|| STANDARD.encode(text)),
                            partial,
                        },
                    );
                }
                _ => {
                    let tag = if partial { 'P' } else { 'F' };
                    into.extend_from_slice(format!("{time} {output} {tag} ").as_bytes());
                    into.extend_from_slice(text);
                }
            }
            into.push(b'\n');
        }
    }

    /// The line that stands for what was dropped.
    pub(crate) fn lost(self, service: &str, lost: Lost, time: Timestamp) -> Vec<u8> {
        let text = format!("winddown dropped {lost} here: they could not be written in time");
        let time = format!("{time:.6}");
        let mut line = Vec::new();
        match self {
            Self::Raw => line.extend_from_slice(text.as_bytes()),
            Self::Prefixed => line.extend_from_slice(format!("{time} stderr F {text}").as_bytes()),
            Self::Json => json(
                &mut line,
                &JsonLost {
                    time: &time,
                    service,
                    stream: "winddown",
                    text: &text,
                    dropped: lost,
                },
            ),
        }
        line.push(b'\n');
        line
    }
}

fn json(into: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(into, value).expect("lines are plain data");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const TIME: Timestamp = Timestamp::UNIX_EPOCH;

    fn written(format: Format, piece: &[u8]) -> Vec<u8> {
        let mut into = Vec::new();
        format.write("orders", Output::Stderr, TIME, piece, &mut into);
        into
    }

    #[test]
    fn a_line_says_when_and_where() {
        assert_eq!(
            String::from_utf8(written(Format::Json, b"a \"b\"\nrest")).unwrap(),
            "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"service\":\"orders\",\"stream\":\"stderr\",\"text\":\"a \\\"b\\\"\"}\n\
             {\"time\":\"1970-01-01T00:00:00.000000Z\",\"service\":\"orders\",\"stream\":\"stderr\",\"text\":\"rest\",\"partial\":true}\n"
        );
        assert_eq!(
            written(Format::Prefixed, b"a\n\xff"),
            b"1970-01-01T00:00:00.000000Z stderr F a\n1970-01-01T00:00:00.000000Z stderr P \xff\n"
        );
    }

    #[test]
    fn a_gap_is_a_line_of_its_own() {
        let lost = Lost {
            bytes: 2_000,
            lines: 3,
        };
        let text = String::from_utf8(Format::Raw.lost("orders", lost, TIME)).unwrap();
        assert!(text.contains("3 lines (2000 bytes)"), "{text}");
        assert!(text.ends_with('\n'));
        let json: Value = serde_json::from_slice(&Format::Json.lost("orders", lost, TIME)).unwrap();
        assert_eq!(json["dropped"]["bytes"], 2_000);
        assert_eq!(json["stream"], "winddown");
    }

    /// The bytes that the lines of a JSON log stand for.
    fn bytes_of_json(log: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in log.split_inclusive(|byte| *byte == b'\n') {
            let line: Value = serde_json::from_slice(line).unwrap();
            match line["base64"].as_str() {
                Some(base64) => bytes.extend(STANDARD.decode(base64).unwrap()),
                None => bytes.extend(line["text"].as_str().unwrap().as_bytes()),
            }
            if line["partial"] != true {
                bytes.push(b'\n');
            }
        }
        bytes
    }

    /// The bytes that the lines of a prefixed log stand for.
    fn bytes_of_prefixed(log: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in log.split_inclusive(|byte| *byte == b'\n') {
            let mut fields = line.splitn(4, |byte| *byte == b' ').skip(2);
            let partial = fields.next() == Some(b"P".as_slice());
            let text = fields.next().unwrap();
            let keep = text.len() - usize::from(partial);
            bytes.extend_from_slice(&text[..keep]);
        }
        bytes
    }

    proptest! {
        #[test]
        fn wd_151_every_format_keeps_every_byte(
            piece in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 3 => b' '..b'~'], 0..300)
        ) {
            prop_assert_eq!(&written(Format::Raw, &piece), &piece);
            prop_assert_eq!(&bytes_of_json(&written(Format::Json, &piece)), &piece);
            prop_assert_eq!(&bytes_of_prefixed(&written(Format::Prefixed, &piece)), &piece);
        }
    }
}
