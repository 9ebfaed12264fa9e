//! The section `[ready]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::DurationText;
use crate::environment::Template;
use crate::options::ReadyWhen;
use crate::probe::{HttpUrl, LogPattern, ProbeTarget, TcpAddress};

/// When a program is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawReady", into = "RawReady")]
#[schemars(with = "RawReady")]
pub struct Ready {
    pub(super) when: ReadyWhen,
    pub(super) timeout: Option<DurationText>,
    pub(super) interval: Option<DurationText>,
}

/// When a program is ready: by at most one sign.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Ready")]
struct RawReady {
    /// By what the program itself does.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<When>,
    /// Once it takes connections at this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpAddress>,
    /// Once a GET of this URL is answered with a status from 200 to 399.
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpUrl>,
    /// Once this program exits with 0; never a shell's line.
    #[serde(skip_serializing_if = "Option::is_none")]
    exec: Option<Vec<Template>>,
    /// Once this file is written. Relative to the program's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// Once a line of its output matches this regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogPattern>,
    /// How long it may take; 60s without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<DurationText>,
    /// How often it is asked; 250ms without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<DurationText>,
}

/// What a program does by itself to be ready.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum When {
    /// It runs.
    Spawned,
    /// It sends `READY=1` to its `NOTIFY_SOCKET`.
    Notify,
    /// It sends `READY=1`, or listens on a TCP port and has come to rest, or has come to rest for a while, or has worked for 20 s and said
    /// nothing.
    Auto,
    /// It ends with a success: what it was started for is done.
    Exited,
}

impl TryFrom<RawReady> for Ready {
    type Error = &'static str;

    fn try_from(raw: RawReady) -> Result<Self, Self::Error> {
        let signs = [
            raw.when.map(|when| match when {
                When::Spawned => ReadyWhen::Spawned,
                When::Notify => ReadyWhen::Notify,
                When::Auto => ReadyWhen::Auto,
                When::Exited => ReadyWhen::Exited,
            }),
            raw.log.map(ReadyWhen::Line),
        ];
        if raw.interval.is_some_and(|interval| interval.0.is_zero()) {
            return Err("`interval` is longer than 0");
        }
        let targets = targets(raw.tcp, raw.http, raw.exec, raw.file)?;
        let targets = targets.into_iter().map(ReadyWhen::Probe);
        let mut signs = signs.into_iter().flatten().chain(targets);
        match (signs.next(), signs.next()) {
            (when, None) => Ok(Self {
                when: when.unwrap_or_default(),
                timeout: raw.timeout,
                interval: raw.interval,
            }),
            _ => Err(
                "a program is ready by one sign: give one of when, tcp, http, exec, file and log",
            ),
        }
    }
}

impl From<Ready> for RawReady {
    fn from(ready: Ready) -> Self {
        let mut raw = Self {
            timeout: ready.timeout,
            interval: ready.interval,
            ..Self::default()
        };
        match ready.when {
            ReadyWhen::Spawned => raw.when = Some(When::Spawned),
            ReadyWhen::Notify => raw.when = Some(When::Notify),
            ReadyWhen::Auto => raw.when = Some(When::Auto),
            ReadyWhen::Exited => raw.when = Some(When::Exited),
            ReadyWhen::Line(pattern) => raw.log = Some(pattern),
            ReadyWhen::Probe(target) => match target {
                ProbeTarget::Tcp(address) => raw.tcp = Some(address),
                ProbeTarget::Http(url) => raw.http = Some(url),
                ProbeTarget::Exec(command) => raw.exec = Some(command),
                ProbeTarget::File(path) => raw.file = Some(path),
            },
        }
        raw
    }
}

/// The probes among what was written.
pub(super) fn targets(
    tcp: Option<TcpAddress>,
    http: Option<HttpUrl>,
    exec: Option<Vec<Template>>,
    file: Option<PathBuf>,
) -> Result<Vec<ProbeTarget>, &'static str> {
    let no_program = |command: &Vec<Template>| command.first().is_none_or(Template::is_empty);
    if exec.as_ref().is_some_and(no_program) {
        return Err("the command of `exec` is empty: name a program");
    }
    let targets = [
        tcp.map(ProbeTarget::Tcp),
        http.map(ProbeTarget::Http),
        exec.map(ProbeTarget::Exec),
        file.map(ProbeTarget::File),
    ];
    Ok(targets.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_is_read_and_written() {
        let program =
            || ProbeTarget::Exec(vec!["./check".parse().unwrap(), "-${X}".parse().unwrap()]);
        for (text, when) in [
            ("", ReadyWhen::Spawned),
            ("when = \"notify\"", ReadyWhen::Notify),
            ("when = \"auto\"", ReadyWhen::Auto),
            ("when = \"exited\"", ReadyWhen::Exited),
            (
                "tcp = \"127.0.0.1:80\"",
                ReadyWhen::Probe(ProbeTarget::Tcp("127.0.0.1:80".parse().unwrap())),
            ),
            (
                "http = \"http://[::1]/x\"",
                ReadyWhen::Probe(ProbeTarget::Http("http://[::1]/x".parse().unwrap())),
            ),
            (
                "exec = [\"./check\", \"-${X}\"]",
                ReadyWhen::Probe(program()),
            ),
            (
                "file = \"run/ready\"",
                ReadyWhen::Probe(ProbeTarget::File("run/ready".into())),
            ),
            ("log = \"^up$\"", ReadyWhen::Line("^up$".parse().unwrap())),
        ] {
            let text = format!("{text}\ntimeout = \"10s\"\ninterval = \"1s\"");
            let ready: Ready = toml::from_str(&text).unwrap();
            assert_eq!(ready.when, when, "{text}");
            let written = toml::to_string(&ready).unwrap();
            assert_eq!(toml::from_str(&written), Ok(ready), "{written}");
        }
    }

    #[test]
    fn what_is_no_single_sign_is_refused() {
        for (text, what) in [
            ("when = \"auto\"\nfile = \"x\"", "one sign"),
            ("tcp = \"a:1\"\nhttp = \"http://a\"", "one sign"),
            ("log = \"x\"\nfile = \"x\"", "one sign"),
            ("exec = []", "`exec`"),
            ("exec = [\"\"]", "`exec`"),
            ("tcp = \"80\"", "127.0.0.1:80"),
            ("http = \"https://a\"", "exec"),
            ("log = \"(\"", "regular expression"),
            ("interval = \"0\"", "`interval`"),
        ] {
            let error = toml::from_str::<Ready>(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
