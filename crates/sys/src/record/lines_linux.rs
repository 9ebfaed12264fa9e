//! The journal's own protocol: a datagram with the fields of an entry, of which the text may hold any byte.

use std::io;
use std::os::unix::net::UnixDatagram;

use super::super::{Level, imp::priority};
use crate::{Error, Result};

const SOCKET: &str = "/run/systemd/journal/socket";

/// What journald shows as one line: its `LineMax=`.
pub(super) const LONGEST: usize = 48 * 1024;

#[derive(Debug)]
pub(super) struct LineLog {
    socket: UnixDatagram,
    source: String,
}

impl LineLog {
    pub(super) fn open(source: &str) -> Result<Self> {
        Self::open_at(SOCKET, source)
    }

    fn open_at(path: &str, source: &str) -> Result<Self> {
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        Ok(Self {
            socket: connect().map_err(|error: io::Error| {
                Error::os(format!("connecting to the journal at {path}"), error)
            })?,
            source: winddown_core::one_line(source, 256),
        })
    }

    pub(super) fn write(&mut self, level: Level, line: &[u8]) -> io::Result<()> {
        let priority = priority(level);
        let head = format!(
            "SYSLOG_IDENTIFIER={}\nPRIORITY={priority}\nMESSAGE\n",
            self.source
        );
        let mut entry = head.into_bytes();
        entry.extend_from_slice(&(line.len() as u64).to_le_bytes());
        entry.extend_from_slice(line);
        entry.push(b'\n');
        self.socket.send(&entry).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_any_bytes_arrives_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let path = path.to_str().unwrap();
        let mut log = LineLog::open_at(path, "orders\nPRIORITY=0").unwrap();
        log.write(Level::Error, b"a\xff=\nb").unwrap();
        let mut entry = [0; 200];
        let length = journal.recv(&mut entry).unwrap();
        let expected =
            b"SYSLOG_IDENTIFIER=orders PRIORITY=0\nPRIORITY=3\nMESSAGE\n\x05\0\0\0\0\0\0\0a\xff=\nb\n";
        assert_eq!(
            String::from_utf8_lossy(&entry[..length]),
            String::from_utf8_lossy(expected)
        );
    }

    #[test]
    fn a_journal_that_takes_nothing_holds_up_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _journal = UnixDatagram::bind(&path).unwrap();
        let mut log = LineLog::open_at(path.to_str().unwrap(), "orders").unwrap();
        let refused = (0..100_000).find_map(|_| log.write(Level::Info, &[b'x'; 1_000]).err());
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
