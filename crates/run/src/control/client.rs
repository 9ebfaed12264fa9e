//! The end of a control socket that asks.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use winddown_sys::local_socket::{LocalStream, addresses};
use winddown_sys::wait_any;

use super::error::ControlError;
use super::protocol::{Answer, Request};

/// The longest answer: the status of a good many services.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// How long winddown may take to take a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a winddown that supervises.
#[derive(Debug)]
pub struct Client {
    stream: LocalStream,
    address: PathBuf,
    received: Vec<u8>,
}

impl Client {
    /// Connects to what listens at `address`.
    ///
    /// # Errors
    /// [`ControlError`] says whether nobody is there, or this user may not, or whoever is there is somebody else.
    pub fn connect(address: &Path) -> Result<Self, ControlError> {
        let stream = LocalStream::connect(address)
            .map_err(|error| ControlError::of_connecting(address, error))?;
        if !stream.peer().is_trusted {
            return Err(ControlError::NotTrusted(address.to_owned()));
        }
        Ok(Self {
            stream,
            address: address.to_owned(),
            received: Vec::new(),
        })
    }

    /// Sends a request. Its answers are read by [`Client::answer`].
    ///
    /// # Errors
    /// [`ControlError::Lost`] where the other end has gone or takes nothing for 10 s.
    pub fn ask(&mut self, request: &Request) -> Result<(), ControlError> {
        let line = request.line();
        let deadline = Instant::now() + PATIENCE;
        match self.stream.send(line.as_bytes()) {
            // Whoever refuses this user has said so and gone.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            sent => sent.map_err(|error| self.lost(error))?,
        }
        while self.stream.unsent() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.lost(io::ErrorKind::TimedOut.into()));
            }
            wait_any(&[&self.stream], Some(left));
            self.stream.send(&[]).map_err(|error| self.lost(error))?;
        }
        Ok(())
    }

    /// The next answer; waits for it, for ever or for at most `timeout`, after which there is `None`.
    ///
    /// # Errors
    /// [`ControlError::Lost`] where the other end has gone, [`ControlError::Strange`] where its answer is none.
    pub fn answer(&mut self, timeout: Option<Duration>) -> Result<Option<Answer>, ControlError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let answer = serde_json::from_slice(&line);
                return answer
                    .map(Some)
                    .map_err(|error| self.strange(error.to_string()));
            }
            if self.received.len() > MAX_ANSWER {
                return Err(self.strange("it is too long".to_owned()));
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let ready = wait_any(&[&self.stream], left);
            if ready == [false] && left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let open = self.stream.receive(&mut self.received);
            if !open.map_err(|error| self.lost(error))? && !self.received.contains(&b'\n') {
                return Err(self.lost(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn lost(&self, source: io::Error) -> ControlError {
        ControlError::Lost {
            address: self.address.clone(),
            source,
        }
    }

    fn strange(&self, why: String) -> ControlError {
        ControlError::Strange {
            address: self.address.clone(),
            why,
        }
    }
}

/// The control sockets in their usual place at which somebody listens, by the names of their definitions.
#[must_use]
pub fn running() -> Vec<(String, PathBuf)> {
    let mut found = addresses();
    found.retain(|(_, address)| LocalStream::connect(address).is_ok());
    found
}
