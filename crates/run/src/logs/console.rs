//! Winddown's own streams, as where the output of many services comes together.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::line::{Output, lines};
use super::outlet::Store;

/// How forwarded lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsoleOptions {
    /// Puts the name of its service in front of each line: `orders | text`.
    pub prefix: bool,
    /// Gives each service a colour. For a terminal that takes them.
    pub colour: bool,
}

/// Cyan, yellow, green, magenta, blue, red.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// The name in front of the lines of one service.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    name: String,
    options: ConsoleOptions,
    colour: u8,
    /// The longest name, of all services.
    width: Arc<AtomicUsize>,
}

impl Label {
    pub(crate) fn new(
        name: &str,
        options: ConsoleOptions,
        number: usize,
        width: &Arc<AtomicUsize>,
    ) -> Self {
        width.fetch_max(name.chars().count(), Ordering::Relaxed);
        Self {
            name: name.to_owned(),
            options,
            colour: COLOURS[number % COLOURS.len()],
            width: Arc::clone(width),
        }
    }

    /// Writes a piece of output as it is shown.
    pub(crate) fn write(&self, piece: &[u8], into: &mut Vec<u8>) {
        if !self.options.prefix {
            into.extend_from_slice(piece);
            return;
        }
        let width = self.width.load(Ordering::Relaxed);
        let prefix = match (self.options.colour, &self.name) {
            (true, name) => format!("\x1b[{}m{name:width$} |\x1b[0m ", self.colour),
            (false, name) => format!("{name:width$} | "),
        };
        for (text, _) in lines(piece) {
            into.extend_from_slice(prefix.as_bytes());
            into.extend_from_slice(text);
            into.push(b'\n');
        }
    }
}

/// One of winddown's own streams.
pub(crate) struct ConsoleStore {
    output: Output,
    file: Option<File>,
    /// Nobody reads it any more, and nobody will.
    broken: bool,
}

impl ConsoleStore {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            output,
            file: None,
            broken: false,
        }
    }
}

impl Store for ConsoleStore {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Ok(bytes.len());
        }
        let file = match &mut self.file {
            Some(file) => file,
            closed => {
                let file = match self.output {
                    Output::Stdout => winddown_sys::file::standard_output(),
                    Output::Stderr => winddown_sys::file::standard_error(),
                };
                closed.insert(file.map_err(io::Error::other)?)
            }
        };
        match file.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.broken = true;
                Ok(bytes.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn name(&self) -> String {
        format!("winddown's own {}", self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(label: &Label, piece: &[u8]) -> String {
        let mut into = Vec::new();
        label.write(piece, &mut into);
        String::from_utf8(into).unwrap()
    }

    #[test]
    fn each_line_says_whose_it_is() {
        let width = Arc::default();
        let mut options = ConsoleOptions {
            prefix: true,
            colour: false,
        };
        let db = Label::new("db", options, 0, &width);
        options.colour = true;
        let orders = Label::new("orders", options, 7, &width);
        assert_eq!(shown(&db, b"one\ntwo"), "db     | one\ndb     | two\n");
        assert_eq!(shown(&orders, b"x\n"), "\x1b[33morders |\x1b[0m x\n");
        options.prefix = false;
        let plain = Label::new("orders", options, 7, &width);
        assert_eq!(shown(&plain, b"as it is"), "as it is");
    }
}
