//! Where a socket listens: [`ListenAddress`].

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a socket listens.
///
/// ```
/// use winddown_core::ListenAddress;
/// let address: ListenAddress = "127.0.0.1:8080".parse().unwrap();
/// assert_eq!(address.to_string(), "127.0.0.1:8080");
/// assert_eq!("8080".parse::<ListenAddress>().unwrap().to_string(), "[::]:8080");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ListenAddress {
    /// A TCP port: `127.0.0.1:8080`, `[::1]:8080`, or `8080` for all addresses of both families.
    Tcp(SocketAddr),
    /// A UDP port: `udp:127.0.0.1:53`.
    Udp(SocketAddr),
    /// A stream socket of the Unix domain: `unix:/run/orders.sock`.
    Unix(PathBuf),
}

/// Why a text is no [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no address: write 127.0.0.1:8080, [::1]:8080, 8080, udp:127.0.0.1:53 or unix:/run/name.sock"
)]
pub struct ParseListenAddressError(String);

impl FromStr for ListenAddress {
    type Err = ParseListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port) => Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)),
            Err(_) => text.parse().ok(),
        };
        let address = if let Some(path) = text.strip_prefix("unix:") {
            path.starts_with('/')
                .then(|| Self::Unix(PathBuf::from(path)))
        } else if let Some(address) = text.strip_prefix("udp:") {
            port(address).map(Self::Udp)
        } else {
            port(text).map(Self::Tcp)
        };
        address.ok_or_else(|| ParseListenAddressError(text.to_owned()))
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = ParseListenAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "127.0.0.1:80",
            "[::1]:80",
            "udp:[::]:53",
            "unix:/run/a b.sock",
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "localhost:80",
            "80:80",
            "65536",
            "unix:",
            "unix:run",
            "tcp:80",
        ] {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.contains("127.0.0.1:8080"), "{error}");
        }
    }
}
