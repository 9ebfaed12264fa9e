//! Who asked, and how: [`Mechanism`], [`Origin`] and [`Arrival`].

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scm::Control;
use crate::{Signal, Timestamp};

/// An event that Windows sends to the programs of a console.
///
/// Source: <https://learn.microsoft.com/windows/console/handlerroutine>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleEvent {
    /// `CTRL_C_EVENT`: somebody pressed Ctrl+C, or a program sent it.
    CtrlC,
    /// `CTRL_BREAK_EVENT`.
    CtrlBreak,
    /// `CTRL_CLOSE_EVENT`: the console's window is being closed; the process ends when the handler returns, or after 5 s.
    Close,
    /// `CTRL_LOGOFF_EVENT`: a user logs off; only services see it.
    Logoff,
    /// `CTRL_SHUTDOWN_EVENT`: the system shuts down; only services see it, before `SERVICE_CONTROL_SHUTDOWN`.
    Shutdown,
}

/// The way by which a request reached this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// A Unix signal.
    Signal(Signal),
    /// A control of the Windows Service Control Manager.
    Control(Control),
    /// A Windows console event.
    Console(ConsoleEvent),
    /// `WM_ENDSESSION`: the user's session, or the system, ends.
    SessionEnd,
    /// `WM_CLOSE`: another program, such as `taskkill`, closes the windows of this one.
    WindowClose,
    /// The container runtime.
    Container,
    /// The process that started this one has gone.
    ParentGone,
    /// The program itself.
    Own,
    /// The body of the program returned without having been asked to stop.
    Finished,
    /// The signal proxy.
    Proxy,
    /// The control socket of the winddown that supervises the program, by this verb.
    ControlSocket(&'static str),
    /// A named event of this name.
    NamedEvent(String),
}

impl Mechanism {
    /// The kind, as reports and JSON write it: `signal`, `scm`, `console`, `session-end`, ...
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Signal(_) => "signal",
            Self::Control(_) => "scm",
            Self::Console(_) => "console",
            Self::SessionEnd => "session-end",
            Self::WindowClose => "window-close",
            Self::Container => "container",
            Self::ParentGone => "parent-gone",
            Self::Own => "own",
            Self::Finished => "finished",
            Self::Proxy => "proxy",
            Self::ControlSocket(_) => "control-socket",
            Self::NamedEvent(_) => "named-event",
        }
    }

    /// Which request of that kind, such as `TERM`, `preshutdown` or `ctrl-c`; `None` for kinds that have but one.
    #[must_use]
    pub fn request(&self) -> Option<String> {
        match self {
            Self::Signal(signal) => Some(signal.to_string()),
            Self::Control(control) => Some(control.to_string()),
            Self::Console(event) => Some(event.to_string()),
            Self::ControlSocket(verb) => Some((*verb).to_owned()),
            Self::NamedEvent(name) => Some(name.clone()),
            _ => None,
        }
    }
}

impl Mechanism {
    /// How long Windows lets a process live after such a request; `None` where the mechanism itself sets no limit.
    ///
    /// Sources: <https://learn.microsoft.com/windows/console/handlerroutine>,
    /// <https://learn.microsoft.com/windows/win32/shutdown/wm-endsession>.
    #[must_use]
    pub const fn limit(&self, in_service: bool) -> Option<Duration> {
        match self {
            Self::Console(ConsoleEvent::Shutdown) if in_service => Some(Duration::from_secs(20)),
            Self::Console(ConsoleEvent::Close | ConsoleEvent::Logoff | ConsoleEvent::Shutdown)
            | Self::SessionEnd => Some(Duration::from_secs(5)),
            _ => None,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self.request() {
            Some(request) => write!(f, " {request}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ConsoleEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CtrlC => "ctrl-c",
            Self::CtrlBreak => "ctrl-break",
            Self::Close => "close",
            Self::Logoff => "logoff",
            Self::Shutdown => "shutdown",
        })
    }
}

/// Who asked for something, as far as the mechanism tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// By which way the request came.
    pub mechanism: Mechanism,
    /// The sender's process, where the system names it. The kernel sends with no process.
    pub pid: Option<u32>,
    /// The sender's user, where the system names it.
    pub uid: Option<u32>,
    /// The sender's name, such as its command's, where it could still be looked up.
    pub name: Option<String>,
}

impl Origin {
    /// An origin of which only the mechanism is known.
    #[must_use]
    pub const fn of(mechanism: Mechanism) -> Self {
        Self {
            mechanism,
            pid: None,
            uid: None,
            name: None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AskedBy::from(self).fmt(f)
    }
}

/// A request that reached this process, before anything was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent it, and how.
    pub origin: Origin,
    /// When it reached this process.
    pub at: Timestamp,
    /// Whether a person pressed a key for it: `SIGINT` or `SIGQUIT` from the controlling terminal to its foreground group,
    /// or Ctrl+C on a console of one's own. Only such a request may force when it comes a second time.
    pub interactive: bool,
}

/// The least time between two key presses for the second to force: less is a key that bounces, or an impatient finger.
const FORCE_GAP: Duration = Duration::from_millis(500);

impl Arrival {
    /// Whether this, which came while a stop was under way, forces it (WD-14): both were key presses, the stop began with
    /// the first, and this is not right behind it.
    #[must_use]
    pub fn forces(&self, first_was_key: bool, begun: Timestamp) -> bool {
        first_was_key && self.interactive && self.at.since(begun) >= FORCE_GAP
    }
}

/// [`Origin`] as reports and JSON show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedBy {
    /// The kind of mechanism: `signal`, `scm`, `console`, `session-end`, `window-close`, `container`, `parent-gone`, `own`,
    /// `finished`, `proxy`, `control-socket` or `named-event`. `finished`: nobody asked, it ended by itself; `own`: it or its winddown did.
    pub mechanism: String,
    /// Which request of that kind: a signal, a control, a console event.
    pub request: Option<String>,
    /// The process that sent it. `null` where the kernel sent it, where the mechanism does not say, and where the sender is
    /// outside of the pid namespace of the process that was asked, as a container's runtime is: it has no number there.
    pub pid: Option<u32>,
    /// The user that sent it.
    pub uid: Option<u32>,
    /// The name of the process that sent it; `null` where that had ended, or was hidden, when its name was looked up. Of `own`: why.
    pub name: Option<String>,
}

/// A sender that nobody could name any more, or that this process may not see.
const UNNAMED: &str = "an ended or hidden process";

impl fmt::Display for AskedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mechanism.as_str(), &self.name) {
            ("finished", _) => return f.write_str("nobody"),
            ("own", Some(why)) => return write!(f, "own request: {why}"),
            ("own", None) => return f.write_str("own request"),
            (other, _) => f.write_str(other)?,
        }
        if let Some(request) = &self.request {
            write!(f, " {request}")?;
        }
        match (&self.name, self.pid, self.uid) {
            (Some(name), Some(pid), Some(uid)) => write!(f, " from {name} (pid {pid}, uid {uid})"),
            (Some(name), Some(pid), None) => write!(f, " from {name} (pid {pid})"),
            (Some(name), None, _) => write!(f, " from {name}"),
            (None, Some(pid), Some(uid)) => write!(f, " from {UNNAMED} (pid {pid}, uid {uid})"),
            (None, Some(pid), None) => write!(f, " from {UNNAMED} (pid {pid})"),
            (None, None, Some(uid)) => write!(f, " from uid {uid}"),
            (None, None, None) => Ok(()),
        }
    }
}

impl From<&Origin> for AskedBy {
    fn from(origin: &Origin) -> Self {
        Self {
            mechanism: origin.mechanism.kind().to_owned(),
            request: origin.mechanism.request(),
            pid: origin.pid,
            uid: origin.uid,
            name: origin.name.clone(),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop => f.pad("stop"),
            Self::Pause => f.pad("pause"),
            Self::Continue => f.pad("continue"),
            Self::Interrogate => f.pad("interrogate"),
            Self::Shutdown => f.pad("shutdown"),
            Self::ParamChange => f.pad("paramchange"),
            Self::Legacy(code) => write!(f, "legacy {code}"),
            Self::HardwareProfileChange(event) => write!(f, "hardwareprofilechange {event}"),
            Self::PowerEvent(event) => write!(f, "powerevent {event}"),
            Self::SessionChange { event, session } => {
                write!(f, "sessionchange {event} session {session}")
            }
            Self::Preshutdown => f.pad("preshutdown"),
            Self::TimeChange => f.pad("timechange"),
            Self::TriggerEvent => f.pad("triggerevent"),
            Self::UserModeReboot => f.pad("usermodereboot"),
            Self::Custom(code) => write!(f, "custom {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wd_14_only_a_second_key_press_forces_and_not_at_once() {
        let begun = Timestamp::from_origin(Duration::from_secs(7));
        for (first_was_key, second_is_key, millis, forces) in [
            (true, true, 500, true),
            (true, true, 60_000, true),
            (true, true, 499, false),
            (true, true, 0, false),
            (false, true, 60_000, false),
            (true, false, 60_000, false),
            (false, false, 60_000, false),
        ] {
            let second = Arrival {
                origin: Origin::of(Mechanism::Signal(Signal::Int)),
                at: begun + Duration::from_millis(millis),
                interactive: second_is_key,
            };
            assert_eq!(
                second.forces(first_was_key, begun),
                forces,
                "{first_was_key} {second_is_key} {millis}"
            );
        }
    }

    #[test]
    fn an_origin_reads_as_a_sentence() {
        for (pid, uid, name, text) in [
            (None, None, None, "signal TERM"),
            (
                Some(812),
                None,
                None,
                "signal TERM from an ended or hidden process (pid 812)",
            ),
            (
                Some(812),
                Some(0),
                None,
                "signal TERM from an ended or hidden process (pid 812, uid 0)",
            ),
            (
                Some(812),
                Some(0),
                Some("systemd"),
                "signal TERM from systemd (pid 812, uid 0)",
            ),
            (
                Some(812),
                None,
                Some("systemd"),
                "signal TERM from systemd (pid 812)",
            ),
            (None, None, Some("rehearsal"), "signal TERM from rehearsal"),
            // The sender is outside of the pid namespace.
            (None, Some(0), None, "signal TERM from uid 0"),
        ] {
            let origin = Origin {
                pid,
                uid,
                name: name.map(str::to_owned),
                ..Origin::of(Mechanism::Signal(Signal::Term))
            };
            assert_eq!(origin.to_string(), text);
            assert_eq!(AskedBy::from(&origin).to_string(), text);
        }
    }

    #[test]
    fn what_nobody_else_asked_for_reads_so() {
        let finished = Origin::of(Mechanism::Finished);
        assert_eq!(finished.to_string(), "nobody");
        let mut own = Origin::of(Mechanism::Own);
        assert_eq!(own.to_string(), "own request");
        own.name = Some("rehearsal".to_owned());
        assert_eq!(own.to_string(), "own request: rehearsal");
    }
}
