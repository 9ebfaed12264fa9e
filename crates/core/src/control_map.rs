//! One table between SCM controls, signals, console events and what the program sees (WD-60).

use std::fmt;

use crate::scm::{Accepted, Control};
use crate::{ConsoleEvent, Input, Mechanism, Signal};

/// What a service wants to hear besides stops, which it always hears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Reloads: `SIGHUP`, PARAMCHANGE. Without it, `SIGHUP` is a stop, as its default action is.
    pub reload: bool,
    /// Pauses and resumes: `SIGTSTP` and `SIGCONT`, PAUSE and CONTINUE.
    pub pause: bool,
    /// The program's own events: `SIGUSR1`, `SIGUSR2`, realtime signals, controls 128 to 255.
    pub user: bool,
    /// Which of the system's events: session, power, time, hardware profile, trigger, network binding.
    pub system: Accepted,
    /// Signals that stop, besides `SIGTERM`, `SIGINT` and, without `reload`, `SIGHUP`.
    pub stop_on: Vec<Signal>,
}

/// What a request means to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// Stop.
    Stop,
    /// Pause.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Read the configuration again.
    Reload,
    /// An event of the program's own, 128 to 255.
    User(u8),
    /// An event of the system.
    System(Control),
    /// Answered without the program: the host asked for the present status.
    Interrogate,
}

impl Meaning {
    /// The input of the state table that stands for this meaning; none for an interrogation.
    #[must_use]
    pub const fn input(self) -> Option<Input> {
        match self {
            Self::Stop => Some(Input::Stop),
            Self::Pause => Some(Input::Pause),
            Self::Resume => Some(Input::Resume),
            Self::Reload => Some(Input::Reload),
            Self::User(_) | Self::System(_) => Some(Input::User),
            Self::Interrogate => None,
        }
    }
}

/// The code of the user event that `SIGUSR1` stands for; `SIGUSR2` is the next, `RTMIN+n` is [`FIRST_RT`]` + n`.
pub const FIRST_USER: u8 = 128;
/// The code of the user event that `SIGRTMIN` stands for.
pub const FIRST_RT: u8 = 130;

impl Wants {
    /// What a request means to a service with these wishes; `None` where it did not ask for such.
    #[must_use]
    pub fn meaning(&self, mechanism: &Mechanism) -> Option<Meaning> {
        match mechanism {
            Mechanism::Signal(signal) => self.signal(*signal),
            Mechanism::Control(control) => self.control(*control),
            Mechanism::Console(ConsoleEvent::Logoff) => None,
            _ => Some(Meaning::Stop),
        }
    }

    fn signal(&self, signal: Signal) -> Option<Meaning> {
        Some(match signal {
            Signal::Term | Signal::Int => Meaning::Stop,
            signal if self.stop_on.contains(&signal) => Meaning::Stop,
            Signal::Hup if self.reload => Meaning::Reload,
            Signal::Hup => Meaning::Stop,
            Signal::Tstp if self.pause => Meaning::Pause,
            Signal::Cont if self.pause => Meaning::Resume,
            Signal::Usr1 if self.user => Meaning::User(FIRST_USER),
            Signal::Usr2 if self.user => Meaning::User(FIRST_USER + 1),
            Signal::Rt(n) if self.user => Meaning::User(FIRST_RT + n),
            _ => return None,
        })
    }

    fn control(&self, control: Control) -> Option<Meaning> {
        Some(match control {
            Control::Stop | Control::Shutdown | Control::Preshutdown => Meaning::Stop,
            Control::Pause if self.pause => Meaning::Pause,
            Control::Continue if self.pause => Meaning::Resume,
            Control::ParamChange if self.reload => Meaning::Reload,
            Control::Custom(code) if self.user => Meaning::User(code),
            Control::Interrogate => Meaning::Interrogate,
            other => {
                let bit = other.accepted_by();
                if bit == Accepted::NONE || !self.system.contains(bit) {
                    return None;
                }
                Meaning::System(other)
            }
        })
    }

    /// The signals that a service with these wishes must receive.
    #[must_use]
    pub fn signals(&self) -> Vec<Signal> {
        let rt = (0..=crate::RT_MAX).map(Signal::Rt);
        Signal::named()
            .chain(rt)
            .filter(|signal| self.signal(*signal).is_some())
            .collect()
    }

    /// The controls that the SCM is told of while the service can take them.
    ///
    /// PRESHUTDOWN takes the place of SHUTDOWN where the SCM sends it, so both are accepted.
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        let mut accepted =
            Accepted::STOP | Accepted::SHUTDOWN | Accepted::PRESHUTDOWN | self.system;
        if self.pause {
            accepted |= Accepted::PAUSE_CONTINUE;
        }
        if self.reload {
            accepted |= Accepted::PARAM_CHANGE;
        }
        accepted
    }
}

/// A row of the map as the documentation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRow {
    /// What the program sees.
    pub event: &'static str,
    /// The SCM controls.
    pub controls: &'static str,
    /// The signals.
    pub signals: &'static str,
    /// The console events.
    pub console: &'static str,
    /// What the program says to hear of it.
    pub asked_for_by: &'static str,
}

/// The map, a row for each meaning. [`Wants::meaning`] decides; the tests hold the two together.
pub const CONTROL_MAP: [MapRow; 8] = [
    MapRow {
        event: "Stop",
        controls: "STOP, SHUTDOWN, PRESHUTDOWN",
        signals: "TERM, INT, HUP (without reloads), and those of `stop_on`",
        console: "Ctrl+C, Ctrl+Break, close, shutdown, end of session",
        asked_for_by: "always",
    },
    MapRow {
        event: "Pause",
        controls: "PAUSE",
        signals: "TSTP",
        console: "none",
        asked_for_by: "`pauses()`",
    },
    MapRow {
        event: "Resume",
        controls: "CONTINUE",
        signals: "CONT",
        console: "none",
        asked_for_by: "`pauses()`",
    },
    MapRow {
        event: "Reload",
        controls: "PARAMCHANGE",
        signals: "HUP",
        console: "none",
        asked_for_by: "`reloads()`",
    },
    MapRow {
        event: "User(128 to 160)",
        controls: "custom 128 to 160",
        signals: "USR1 (128), USR2 (129), RTMIN+n (130 + n)",
        console: "none",
        asked_for_by: "`user_events()`",
    },
    MapRow {
        event: "User(161 to 255)",
        controls: "custom 161 to 255",
        signals: "none",
        console: "none",
        asked_for_by: "`user_events()`",
    },
    MapRow {
        event: "System",
        controls: "SESSIONCHANGE, POWEREVENT, TIMECHANGE, HARDWAREPROFILECHANGE, TRIGGEREVENT, NETBIND*, USERMODEREBOOT",
        signals: "none",
        console: "none",
        asked_for_by: "`system_events(..)`",
    },
    MapRow {
        event: "none: answered with the present status",
        controls: "INTERROGATE",
        signals: "none",
        console: "none",
        asked_for_by: "always",
    },
];

impl fmt::Display for MapRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {} | {} | {} |",
            self.event, self.controls, self.signals, self.console, self.asked_for_by
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Wants {
        Wants {
            reload: true,
            pause: true,
            user: true,
            system: Accepted::from_bits(0xfff),
            stop_on: vec![Signal::Quit],
        }
    }

    #[test]
    fn wd_60_every_control_means_something_to_a_service_that_wants_all() {
        for code in 1..=255 {
            let Some(control) = Control::from_code(code, 0, 0) else {
                continue;
            };
            let meaning = all().meaning(&Mechanism::Control(control));
            // DEVICEEVENT is sent to those who registered a device, which winddown does not.
            assert_eq!(
                meaning.is_some(),
                control != Control::Legacy(11),
                "{control}"
            );
        }
    }

    #[test]
    fn wd_60_user_signals_and_custom_controls_are_the_same_events() {
        let wants = all();
        let user = |mechanism| match wants.meaning(&mechanism) {
            Some(Meaning::User(code)) => code,
            other => panic!("{other:?}"),
        };
        for (signal, code) in [
            (Signal::Usr1, 128),
            (Signal::Usr2, 129),
            (Signal::Rt(0), 130),
            (Signal::Rt(30), 160),
        ] {
            assert_eq!(user(Mechanism::Signal(signal)), code);
            assert_eq!(user(Mechanism::Control(Control::Custom(code))), code);
        }
    }

    #[test]
    fn wd_85_hup_is_a_stop_unless_reloads_are_wanted() {
        let hup = Mechanism::Signal(Signal::Hup);
        assert_eq!(Wants::default().meaning(&hup), Some(Meaning::Stop));
        assert_eq!(all().meaning(&hup), Some(Meaning::Reload));
    }

    #[test]
    fn wd_55_what_was_not_asked_for_has_no_meaning() {
        let wants = Wants::default();
        for control in [
            Control::Pause,
            Control::Continue,
            Control::ParamChange,
            Control::Custom(200),
            Control::TimeChange,
        ] {
            assert_eq!(
                wants.meaning(&Mechanism::Control(control)),
                None,
                "{control}"
            );
        }
        assert_eq!(
            wants.accepted(),
            Accepted::STOP | Accepted::SHUTDOWN | Accepted::PRESHUTDOWN
        );
        assert_eq!(wants.signals(), [Signal::Hup, Signal::Int, Signal::Term]);
    }
}
