//! Clients of the example `shop`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// How many requests are in flight when a test asks for a stop.
const IN_FLIGHT: usize = 200;
/// How many of them may wait for the shop to accept them. Its queue holds 128; what comes when that is full may look
/// connected to its client and be none.
const AT_ONCE: usize = 50;

/// One whole request; its answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n")?;
    answer(stream)
}

/// Requests that are in flight until [`InFlight::finish`], whatever the speed of the machine: their last line is missing.
pub(crate) struct InFlight(Vec<TcpStream>);

impl InFlight {
    /// Begins [`IN_FLIGHT`] requests for `path`, each on a connection of its own that the shop has accepted.
    pub(crate) fn begin(address: SocketAddr, path: &str) -> Self {
        let begin = || {
            let mut stream = connect(address)?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\n")?;
            Ok(stream)
        };
        let mut streams = Vec::new();
        while streams.len() < IN_FLIGHT {
            let begun: io::Result<Vec<_>> = (0..AT_ONCE).map(|_| begin()).collect();
            streams.extend(begun.expect("every request can be begun"));
            wait_until_accepted(address);
        }
        Self(streams)
    }

    /// Sends what is missing of every request, and checks that every one is answered.
    #[track_caller]
    pub(crate) fn finish(self) {
        for mut stream in &self.0 {
            // A request that is lost shows below.
            let _ = stream.write_all(b"\r\n");
        }
        let answers = self.0.into_iter().map(answer);
        let lost: Vec<_> = answers
            .filter(|answer| !answer.as_ref().is_ok_and(|answer| is_complete(answer)))
            .collect();
        let count = lost.len();
        assert_eq!(count, 0, "lost; the first answer is {:?}", lost[0]);
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn answer(mut stream: TcpStream) -> io::Result<String> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Waits until no connection to `address` waits for being accepted any more.
#[track_caller]
fn wait_until_accepted(address: SocketAddr) {
    let start = Instant::now();
    while waiting(address).expect("something listens") > 0 {
        assert!(start.elapsed() < PATIENCE, "nothing is accepted");
        // The table takes the kernel long to write.
        thread::sleep(Duration::from_millis(5));
    }
}

/// How many connections to `address` wait for being accepted: `proc_pid_net(5)`, and for a listening socket `rx_queue` is
/// that number.
fn waiting(address: SocketAddr) -> Option<u32> {
    const LISTEN: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let port = format!(":{:04X}", address.port());
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (local, _remote, state) = (words.next()?, words.next()?, words.next()?);
        let (_transmit, receive) = words.next()?.split_once(':')?;
        (local.ends_with(&port) && state == LISTEN)
            .then(|| u32::from_str_radix(receive, 16).ok())?
    })
}

/// Whether `answer` is the shop's, to its end.
pub(crate) fn is_complete(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n")
}
