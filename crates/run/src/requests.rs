//! Where requests come from: signals and console events, and, as a Windows service, controls.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use winddown_core::scm::{Accepted, Control};
use winddown_core::{Arrival, Clock, Meaning, Mechanism, Origin, Signal, Wants};

use crate::signals::is_stop;
use winddown_sys::{Monotonic, SignalQueue, Waitable, Wake};

/// Every request to the supervisor, in one order.
pub(crate) struct Requests {
    signals: SignalQueue,
    controls: Option<Arc<Controls>>,
}

/// What a request asks of the supervisor.
pub(crate) enum Request {
    /// To stop the program.
    Stop(Arrival),
    /// To look for children that have ended.
    Reap,
    /// To pass this signal on to the program.
    Forward(Signal),
    /// To read the definition again.
    Reload,
}

impl Requests {
    pub(crate) fn attach(controls: Option<Arc<Controls>>) -> Result<Self, winddown_sys::Error> {
        Ok(Self {
            signals: SignalQueue::attach()?,
            controls,
        })
    }

    /// What to wait for.
    pub(crate) fn waitables(&self) -> Vec<&dyn Waitable> {
        let controls = self
            .controls
            .as_ref()
            .map(|controls| &controls.wake as &dyn Waitable);
        std::iter::once(&self.signals as &dyn Waitable)
            .chain(controls)
            .collect()
    }

    /// Takes what has arrived.
    pub(crate) fn take(&self) -> Vec<Request> {
        let controls = self
            .controls
            .as_deref()
            .map(Controls::take)
            .unwrap_or_default();
        self.signals
            .drain()
            .into_iter()
            .filter_map(classify)
            .chain(controls)
            .collect()
    }
}

fn classify(arrival: Arrival) -> Option<Request> {
    let Mechanism::Signal(signal) = arrival.origin.mechanism else {
        return meant(&Wants::default(), arrival);
    };
    match signal {
        signal if is_stop(signal) => Some(Request::Stop(arrival)),
        // The terminal has gone; a HUP that a process sent is a wish for a reload and is the program's affair.
        Signal::Hup if arrival.origin.pid.is_none() => Some(Request::Stop(arrival)),
        Signal::Chld => Some(Request::Reap),
        Signal::Pipe | Signal::Ttin | Signal::Ttou => None,
        other => Some(Request::Forward(other)),
    }
}

/// What an arrival that is no signal asks of a supervisor that `wants` these.
fn meant(wants: &Wants, arrival: Arrival) -> Option<Request> {
    match wants.meaning(&arrival.origin.mechanism)? {
        Meaning::Stop => Some(Request::Stop(arrival)),
        Meaning::Reload => Some(Request::Reload),
        _ => None,
    }
}

/// The inbox of a service's control handler.
pub(crate) struct Controls {
    wants: Wants,
    inbox: Mutex<VecDeque<Arrival>>,
    wake: Wake,
}

impl Controls {
    /// For a service that `wants` these.
    pub(crate) fn new(wants: Wants) -> Result<Self, winddown_sys::Error> {
        Ok(Self {
            wants,
            inbox: Mutex::default(),
            wake: Wake::new()?,
        })
    }

    /// What the SCM is told to send.
    pub(crate) fn accepted(&self) -> Accepted {
        self.wants.accepted()
    }

    /// Notes a control; whether it is one that the supervisor takes.
    pub(crate) fn note(&self, control: Control) -> bool {
        let mechanism = Mechanism::Control(control);
        let wanted = self.wants.meaning(&mechanism).is_some();
        if wanted {
            let arrival = Arrival {
                origin: Origin::of(mechanism),
                at: Monotonic.now(),
                interactive: false,
            };
            self.inbox
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(arrival);
            self.wake.wake();
        }
        wanted
    }

    fn take(&self) -> Vec<Request> {
        self.wake.clear();
        self.inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .filter_map(|arrival| meant(&self.wants, arrival))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wd_55_controls_ask_what_the_supervisor_wants() {
        for reload in [true, false] {
            let controls = Controls::new(Wants {
                reload,
                ..Wants::default()
            })
            .unwrap();
            assert_eq!(controls.note(Control::ParamChange), reload);
            assert!(controls.note(Control::Interrogate));
            assert!(controls.note(Control::Stop));
            let taken = controls.take();
            let (stop, before) = taken.split_last().unwrap();
            assert!(matches!(stop, Request::Stop(_)));
            let reloads = before.iter().map(|it| matches!(it, Request::Reload));
            assert_eq!(reloads.collect::<Vec<_>>(), vec![true; reload.into()]);
        }
    }
}
