//! What can be asked about a service from outside, as a definition writes it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use ureq::http::{self, Uri};

use crate::environment::Template;

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeTarget {
    /// Whether a TCP connection can be made.
    Tcp(TcpAddress),
    /// Whether a request by GET is answered with a status from 200 to 399. Redirects are not followed.
    Http(HttpUrl),
    /// Whether this program exits with 0.
    Exec(Vec<Template>),
    /// Whether this file is there and was written since the service was started.
    File(PathBuf),
}

impl ProbeTarget {
    /// Whether a socket that listens at `address` may be the one that is asked.
    pub(crate) fn may_ask(&self, address: SocketAddr) -> bool {
        match self {
            Self::Tcp(TcpAddress(asked)) => asked.rsplit_once(':').is_some_and(|(host, port)| {
                port.parse() == Ok(address.port()) && may_be(host, address.ip())
            }),
            Self::Http(HttpUrl(uri)) => {
                let host = uri.host().unwrap_or_default();
                uri.port_u16().unwrap_or(80) == address.port() && may_be(host, address.ip())
            }
            Self::Exec(_) | Self::File(_) => false,
        }
    }
}

/// Whether who connects to `host` may come to a socket that listens at `listening`.
fn may_be(host: &str, listening: IpAddr) -> bool {
    let listening = listening.to_canonical();
    if listening.is_unspecified() {
        // It answers at every address of this host, and which these are is not known here.
        return true;
    }
    if host.eq_ignore_ascii_case("localhost") {
        return listening.is_loopback();
    }
    let address = host.trim_matches(['[', ']']).parse();
    match address.map(|asked: IpAddr| asked.to_canonical()) {
        // Who connects to no address in particular comes to this host.
        Ok(asked) if asked.is_unspecified() => listening.is_loopback(),
        Ok(asked) => asked == listening,
        // Any name may be this host's.
        Err(_) => true,
    }
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp {address}"),
            Self::Http(url) => write!(f, "{url}"),
            Self::Exec(command) => {
                for (at, word) in command.iter().enumerate() {
                    let space = if at == 0 { "" } else { " " };
                    write!(f, "{space}{word}")?;
                }
                Ok(())
            }
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A host and a port, such as `127.0.0.1:80`, `[::1]:80` or `localhost:80`. Names are looked up each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpAddress(String);

/// A URL that begins with `http://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(Uri);

/// Why a text is no [`TcpAddress`], [`HttpUrl`] or [`LogPattern`](super::LogPattern).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProbeTargetError {
    /// There is no host or no port.
    #[error("`{0}` is no address: write a host and a port, such as 127.0.0.1:80")]
    Address(String),
    /// It is no URL.
    #[error("`{0}` is no URL: write one such as http://127.0.0.1:8080/healthz")]
    Url(String),
    /// The URL is not one of plain HTTP.
    #[error(
        "`{0}` is not asked by plain HTTP: use http://, or `exec` with a program that speaks it"
    )]
    Scheme(String),
    /// It is no regular expression.
    #[error("`{text}` is no regular expression: {why}")]
    Pattern {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

impl TcpAddress {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TcpAddress {
    type Err = ProbeTargetError;

    fn from_str(text: &str) -> Result<Self, ProbeTargetError> {
        let trimmed = text.trim();
        // An IPv6 address stands in brackets, or its last group would be taken for the port.
        let is_host = |host: &str| {
            !host.is_empty()
                && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'))
        };
        let parts = trimmed.rsplit_once(':');
        parts
            .filter(|(host, port)| is_host(host) && port.parse().is_ok_and(|port: u16| port != 0))
            .map(|_| Self(trimmed.to_owned()))
            .ok_or_else(|| ProbeTargetError::Address(text.to_owned()))
    }
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HttpUrl {
    pub(super) const fn as_uri(&self) -> &Uri {
        &self.0
    }
}

impl FromStr for HttpUrl {
    type Err = ProbeTargetError;

    fn from_str(text: &str) -> Result<Self, ProbeTargetError> {
        let url = || ProbeTargetError::Url(text.to_owned());
        let uri: Uri = text
            .trim()
            .parse()
            .map_err(|_: http::uri::InvalidUri| url())?;
        match uri.scheme_str() {
            Some("http") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(Self(uri)),
            Some("http") | None => Err(url()),
            Some(_) => Err(ProbeTargetError::Scheme(text.to_owned())),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Has a type read from and written to text, with a schema that says so.
macro_rules! as_text {
    ($type:ty, $name:literal, $what:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $what })
            }
        }
    };
}
pub(super) use as_text;

as_text!(
    TcpAddress,
    "TcpAddress",
    "a host and a port, such as 127.0.0.1:80"
);
as_text!(HttpUrl, "HttpUrl", "a URL that begins with http://");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for text in ["127.0.0.1:80", "[::1]:80", "localhost:65535", " db:5432 "] {
            let address: TcpAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text.trim());
        }
        for text in [
            "",
            "80",
            ":80",
            "localhost",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "::1:80",
            "a:b:80",
            "localhost:http",
        ] {
            let error = text.parse::<TcpAddress>().unwrap_err();
            assert!(error.to_string().contains("127.0.0.1:80"), "{text}");
        }
    }

    #[test]
    fn urls_are_of_plain_http() {
        for text in [
            "http://127.0.0.1:8080/healthz",
            "http://[::1]/",
            "http://db/x?y=z",
        ] {
            assert_eq!(text.parse::<HttpUrl>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "/healthz",
            "127.0.0.1:8080",
            "http://",
            "http:///x",
            "http://a b/",
        ] {
            let error = text.parse::<HttpUrl>().unwrap_err();
            assert!(matches!(error, ProbeTargetError::Url(_)), "{text}: {error}");
        }
        let error = "https://db/".parse::<HttpUrl>().unwrap_err();
        assert!(error.to_string().contains("exec"), "{error}");
    }

    #[test]
    fn wd_143_a_socket_is_asked_where_its_host_and_its_port_are() {
        let same = [
            ("127.0.0.1:81", "127.0.0.1:81"),
            ("127.0.0.1:81", "localhost:81"),
            ("127.0.0.1:81", "LOCALHOST:81"),
            ("127.0.0.1:81", "0.0.0.0:81"),
            ("127.0.0.1:81", "[::ffff:127.0.0.1]:81"),
            ("[::1]:81", "localhost:81"),
            ("[::1]:81", "[0:0::1]:81"),
            ("0.0.0.0:81", "localhost:81"),
            ("[::]:81", "127.0.0.1:81"),
            // An address of this host, for all that is known.
            ("[::]:81", "10.9.9.9:81"),
            ("10.9.9.9:81", "orders.example:81"),
        ];
        let different = [
            ("127.0.0.1:81", "127.0.0.1:82"),
            ("127.0.0.1:81", "10.9.9.9:81"),
            ("127.0.0.1:81", "[::1]:81"),
            ("10.9.9.9:81", "localhost:81"),
            ("10.9.9.9:81", "0.0.0.0:81"),
            ("0.0.0.0:81", "localhost:82"),
        ];
        let all = same.map(|pair| (pair, true)).into_iter();
        for ((listening, asked), is_same) in all.chain(different.map(|pair| (pair, false))) {
            let listening = listening.parse().unwrap();
            let tcp = ProbeTarget::Tcp(asked.parse().unwrap());
            let http = ProbeTarget::Http(format!("http://{asked}/").parse().unwrap());
            for target in [tcp, http] {
                assert_eq!(target.may_ask(listening), is_same, "{target} {listening}");
            }
        }
        let http = ProbeTarget::Http("http://localhost".parse().unwrap());
        assert!(http.may_ask("127.0.0.1:80".parse().unwrap()));
    }
}
