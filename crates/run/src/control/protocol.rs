//! What goes over a control socket: JSON, one request or answer a line, in UTF-8.
//!
//! A request has one last answer: `status`, `done` or `error`. Before it there may be any number of `progress`, `line` and `lost`.

use jiff::Timestamp as WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use winddown_core::exit::{self, ExitCode};
use winddown_core::report::{ExitRecord, Verdict};

use crate::logs::Output;

/// The version of the protocol. It changes when something is taken away or changes its meaning.
pub const VERSION: u32 = 1;

/// The longest request, in bytes, its line feed included.
pub const MAX_REQUEST: usize = 64 * 1024;

/// What a client asks for: an object with `verb`, and `version` if the client cares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "winddown control request")]
pub enum Request {
    /// How services stand.
    Status {
        /// Only this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
    },
    /// To start a service with what it needs.
    Start(Operation),
    /// To stop a service, and those that require it before it. They stay down until somebody starts them.
    Stop(Operation),
    /// To stop a service and those that require it, and to start them again.
    Restart(Restart),
    /// To read the definition again.
    Reload {},
    /// The last lines that a service wrote, and those that it writes from now on.
    Logs(Logs),
    /// To set the files aside that the output of a service goes to, and to begin new ones.
    RotateLogs {
        /// The service's name.
        service: String,
    },
}

/// The service that an operation is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its name.
    pub service: String,
    /// Whether the answer comes once it is done; otherwise once it has begun.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// A restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The service's name.
    pub service: String,
    /// Whether the new program is started first, and the old one stopped once the new one is ready.
    #[serde(default)]
    pub overlap: bool,
    /// Whether the answer comes once it is done; otherwise once it has begun.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// What a service wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// The service's name.
    pub service: String,
    /// Whether more lines follow as they come; otherwise there are only those of the past.
    #[serde(default)]
    pub follow: bool,
    /// How many lines of the past, as far as they are kept.
    #[serde(default = "ten")]
    pub lines: usize,
}

const fn ten() -> usize {
    10
}

const fn yes() -> bool {
    true
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// The answer to one that is malformed, of another version, or of an unknown verb.
    pub fn parse(line: &[u8]) -> Result<Self, Answer> {
        let malformed =
            |what: String| Answer::error(Refusal::Malformed, format!("malformed request: {what}"));
        let mut request: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        match request.remove("version") {
            None => {}
            Some(version) if version == VERSION => {}
            Some(version) => {
                return Err(malformed(format!(
                    "version {version}, and this winddown speaks {VERSION}"
                )));
            }
        }
        Self::deserialize(Value::Object(request)).map_err(|error| malformed(error.to_string()))
    }

    /// The line that asks for this.
    #[must_use]
    pub fn line(&self) -> String {
        line(self)
    }
}

/// An answer, or a step on the way to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[schemars(title = "winddown control answer")]
pub enum Answer {
    /// Something has happened that the request is about; more follows.
    Progress {
        /// To which service.
        service: String,
        /// What.
        what: String,
    },
    /// A line that a service wrote; more follows.
    Line {
        /// Which service.
        service: String,
        /// When winddown read it.
        time: WallTime,
        /// Which of its streams.
        stream: Output,
        /// What it wrote, without the line's end. Bytes that are not UTF-8 are replaced.
        text: String,
        /// Whether more of this line follows.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        partial: bool,
    },
    /// So many lines are left out, since the client was too slow; more follows.
    Lost {
        /// Which service's.
        service: String,
        /// How many.
        lines: u64,
    },
    /// How services stand.
    Status {
        /// The winddown that supervises them.
        winddown: Winddown,
        /// The services, in the order of their names.
        services: Vec<ServiceStatus>,
    },
    /// It is done, or begun where the client did not want to wait.
    Done {
        /// How the services stand now that it was about.
        services: Vec<ServiceStatus>,
        /// What a reload has changed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<String>,
    },
    /// It is not done.
    Error {
        /// Why, for programs.
        error: Refusal,
        /// Why, for people.
        what: String,
        /// What to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

impl Answer {
    pub(crate) fn error(error: Refusal, what: impl Into<String>) -> Self {
        Self::Error {
            error,
            what: what.into(),
            hint: None,
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        !matches!(
            self,
            Self::Progress { .. } | Self::Line { .. } | Self::Lost { .. }
        )
    }

    /// The line that says this.
    #[must_use]
    pub fn line(&self) -> String {
        line(self)
    }
}

fn line(message: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        version: u32,
        #[serde(flatten)]
        message: &'a T,
    }
    let message = Versioned {
        version: VERSION,
        message,
    };
    serde_json::to_string(&message).expect("messages are plain data") + "\n"
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The request cannot be read.
    Malformed,
    /// There is no such service.
    NoService,
    /// The client's user may not ask for it.
    NotPermitted,
    /// It was tried and failed.
    Failed,
    /// Somebody asked for something else before it was done.
    Overtaken,
    /// winddown itself is being stopped.
    Stopping,
}

impl Refusal {
    /// The code that the command exits with.
    #[must_use]
    pub const fn exit_code(self) -> ExitCode {
        match self {
            Self::Malformed => exit::USAGE,
            Self::NoService => exit::NO_SERVICE,
            Self::NotPermitted => exit::NOT_PERMITTED,
            Self::Failed | Self::Overtaken | Self::Stopping => exit::FAILED,
        }
    }
}

/// A winddown that supervises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Winddown {
    /// The definition's name.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub release: String,
    /// Whether it is being stopped itself.
    pub stopping: bool,
}

/// Where a service is between its starts and its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Nothing of it runs, and nothing will before somebody asks.
    Down,
    /// The same, since it has ended by itself with a success.
    Done,
    /// The same, since it has failed.
    Failed,
    /// It waits for services that it needs.
    Waiting,
    /// It has ended, and is started again after a while.
    BackOff,
    /// It is being started and not ready yet.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It is being stopped.
    Stopping,
}

impl ServiceState {
    /// As text and JSON write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::BackOff => "back-off",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
        }
    }

    /// Whether its program may run.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(self, Self::Starting | Self::Ready | Self::Stopping)
    }
}

/// How a service stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// Its name.
    pub service: String,
    /// Where it is between its starts and its ends.
    pub state: ServiceState,
    /// What it waits for, for people; nothing where it waits for nothing.
    pub awaits: Option<String>,
    /// The process of its program.
    pub pid: Option<u32>,
    /// For how long the program has run, in seconds.
    pub seconds: Option<f64>,
    /// What it says itself that it is doing, by `STATUS=` on its notify socket.
    pub says: Option<String>,
    /// By what it is known to be ready, for people.
    pub ready_by: Option<String>,
    /// How often it was started again.
    pub restarts: u32,
    /// How its last run ended.
    pub last_stop: Option<LastStop>,
    /// Why it could not be started the last time.
    pub problem: Option<String>,
}

/// How a run of a service ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastStop {
    /// How its stop ended.
    pub verdict: Verdict,
    /// When the stop was asked for, or the program ended by itself.
    pub at: WallTime,
    /// Who asked for it, for people; nobody where the program ended by itself.
    pub asked_by: Option<String>,
    /// How the program ended.
    pub exit: Option<ExitRecord>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn operation(service: &str) -> Operation {
        Operation {
            service: service.to_owned(),
            wait: true,
        }
    }

    #[test]
    fn requests_are_read() {
        for (line, request) in [
            (r#"{"verb":"status"}"#, Request::Status { service: None }),
            (
                r#"{"version":1,"verb":"status","service":"db"}"#,
                Request::Status {
                    service: Some("db".to_owned()),
                },
            ),
            (
                r#" {"service":"db","verb":"stop"} "#,
                Request::Stop(operation("db")),
            ),
            (
                r#"{"verb":"restart","service":"web","overlap":true,"wait":false}"#,
                Request::Restart(Restart {
                    service: "web".to_owned(),
                    overlap: true,
                    wait: false,
                }),
            ),
            (r#"{"verb":"reload"}"#, Request::Reload {}),
        ] {
            assert_eq!(Request::parse(line.as_bytes()), Ok(request), "{line}");
        }
    }

    /// WD-171: what is wrong is answered, and said.
    #[test]
    fn wd_171_a_wrong_request_is_answered_with_what_is_wrong() {
        for (line, what) in [
            (&b""[..], "EOF"),
            (b"[]", "map"),
            (b"\xff", "malformed"),
            (b"{}", "verb"),
            (br#"{"verb":"explode"}"#, "explode"),
            (br#"{"verb":"stop"}"#, "service"),
            (br#"{"verb":"stop","service":1}"#, "string"),
            (br#"{"verb":"stop","service":"a","force":true}"#, "force"),
            (br#"{"version":2,"verb":"status"}"#, "version 2"),
            (br#"{"verb":"status"} {}"#, "trailing"),
        ] {
            let Err(Answer::Error {
                error, what: said, ..
            }) = Request::parse(line)
            else {
                panic!("{}", String::from_utf8_lossy(line));
            };
            assert_eq!(error, Refusal::Malformed);
            assert!(said.contains(what), "{said}");
        }
    }

    #[test]
    fn what_is_written_is_one_line_with_a_version() {
        let answer = Answer::error(Refusal::Failed, "a\nb");
        let line = answer.line();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(
            line.starts_with(r#"{"version":1,"answer":"error""#),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::parse(&line);
        }

        #[test]
        fn what_is_written_is_read_back(service in ".*", overlap: bool, wait: bool) {
            let request = Request::Restart(Restart { service, overlap, wait });
            prop_assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
        }
    }
}
