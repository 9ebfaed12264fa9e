//! The questions that may block.

use std::fmt::Display;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::Answer;

/// By how much the time of a file may be behind the clock, where it has parts of a second: the kernel's tick.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// By how much where it has none: FAT counts in 2 s.
const WHOLE_SECONDS: Duration = Duration::from_secs(2);

/// Whether a connection can be made to one of the addresses of `host:port`.
pub(super) fn tcp(address: &str, timeout: Duration) -> Answer {
    let deadline = Instant::now() + timeout;
    let addresses = address
        .to_socket_addrs()
        .map_err(|error| format!("{address} cannot be looked up: {error}"))?;
    let mut last = format!("{address} has no address");
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(_) => return Ok(format!("it takes connections at {address}")),
            Err(error) => last = format!("{address} cannot be reached: {error}"),
        }
    }
    Err(last)
}

/// Whether `url` is answered with a status from 200 to 399. The answer itself counts, not where it points to, and no proxy is
/// asked: it would answer in the service's place.
pub(super) fn http(url: &Uri, timeout: Duration) -> Answer {
    judge(url, agent(timeout).get(url).call())
}

/// Sends a `POST` without a body, and judges as [`http`] does.
pub(super) fn post(url: &str, timeout: Duration) -> Answer {
    judge(url, agent(timeout).post(url).send_empty())
}

fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("winddown/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

fn judge(url: impl Display, answer: Result<Response<Body>, ureq::Error>) -> Answer {
    match answer {
        Ok(response) => match response.status().as_u16() {
            status @ 200..=399 => Ok(format!("{url} answers {status}")),
            status => Err(format!("{url} answers {status}")),
        },
        Err(error) => Err(format!("{url} does not answer: {error}")),
    }
}

/// Whether there is a file at `path` that was written at `since` or later.
pub(super) fn file(path: &Path, since: SystemTime) -> Answer {
    let path_name = path.display();
    let written = path
        .metadata()
        .and_then(|metadata| metadata.modified())
        .map_err(|error| format!("{path_name} is not there: {error}"))?;
    let age = written.duration_since(SystemTime::UNIX_EPOCH);
    let slack = match age.map(|age| age.subsec_nanos()) {
        Ok(0) => WHOLE_SECONDS,
        _ => TICK,
    };
    if written + slack < since {
        return Err(format!("{path_name} is from before the start"));
    }
    Ok(format!("{path_name} was written"))
}
