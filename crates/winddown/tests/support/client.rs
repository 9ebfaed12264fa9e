//! Clients of the example `shop`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use super::PATIENCE;

/// How many requests are in flight when a test asks for a stop.
const IN_FLIGHT: usize = 200;
/// How many connections may wait for the shop to accept them when another is made.
const AT_ONCE: u32 = 50;

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
        let begin = |_| {
            // The shop's queue holds 128; what comes when it is full is as good as not connected.
            wait_until_accepted(address, AT_ONCE);
            let mut stream = connect(address)?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\n")?;
            Ok(stream)
        };
        let streams: io::Result<_> = (0..IN_FLIGHT).map(begin).collect();
        wait_until_accepted(address, 0);
        Self(streams.expect("every request can be begun"))
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
        assert!(lost.is_empty(), "{} requests lost: {lost:?}", lost.len());
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

/// Waits until at most `left` connections to `address` wait for being accepted.
#[track_caller]
fn wait_until_accepted(address: SocketAddr, left: u32) {
    let start = Instant::now();
    while waiting(address).expect("something listens") > left {
        assert!(start.elapsed() < PATIENCE, "nothing is accepted");
        thread::yield_now();
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
