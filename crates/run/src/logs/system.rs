//! The system's log: the journal, or the event log of Windows.

use std::io;

use winddown_sys::record::{Level, LineLog};

use super::line::{Output, lines};
use super::outlet::Store;

/// In front of each record: the stream and the length of its text.
const HEAD: usize = 5;

/// Writes a piece of output as records: a line each, the long ones in several.
pub(crate) fn write_records(output: Output, piece: &[u8], into: &mut Vec<u8>) {
    for (text, _) in lines(piece) {
        // An empty line is an entry, too.
        let parts = text
            .chunks(LineLog::LONGEST)
            .chain(text.is_empty().then_some(text));
        for part in parts {
            let length = u32::try_from(part.len()).expect("a record is short");
            into.push(u8::from(output == Output::Stderr));
            into.extend_from_slice(&length.to_le_bytes());
            into.extend_from_slice(part);
        }
    }
}

/// The first record of `bytes`: its level and its text.
fn first_record(bytes: &[u8]) -> Option<(Level, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let [output, length @ ..] = *head;
    let text = rest.get(..u32::from_le_bytes(length) as usize)?;
    let level = if output == 0 {
        Level::Info
    } else {
        Level::Warning
    };
    Some((level, text))
}

pub(crate) struct SystemStore {
    service: String,
    log: Option<LineLog>,
}

impl SystemStore {
    pub(crate) fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            log: None,
        }
    }
}

impl Store for SystemStore {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let log = match &mut self.log {
            Some(log) => log,
            closed => closed.insert(LineLog::open(&self.service).map_err(io::Error::other)?),
        };
        let (level, text) = first_record(bytes).expect("only whole records are written");
        match log.write(level, text) {
            Ok(()) => Ok(HEAD + text.len()),
            Err(error) => {
                // It may have been restarted.
                if error.kind() != io::ErrorKind::WouldBlock {
                    self.log = None;
                }
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn name(&self) -> String {
        "the system's log".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_of_every_line_is_in_a_record(
            piece in prop::collection::vec(prop_oneof![20 => any::<u8>(), 1 => Just(b'\n')], 0..10_000)
        ) {
            let mut records = Vec::new();
            write_records(Output::Stderr, &piece, &mut records);
            let (mut rest, mut texts) = (&records[..], Vec::new());
            while let Some((level, text)) = first_record(rest) {
                prop_assert_eq!(level, Level::Warning);
                prop_assert!(text.len() <= LineLog::LONGEST);
                texts.extend_from_slice(text);
                rest = &rest[HEAD + text.len()..];
            }
            prop_assert!(rest.is_empty());
            let expected: Vec<u8> = piece.into_iter().filter(|byte| *byte != b'\n').collect();
            prop_assert_eq!(texts, expected);
        }
    }
}
