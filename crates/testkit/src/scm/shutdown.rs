//! The shutdown of the system.

use std::panic;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use winddown_core::Timestamp;
use winddown_core::scm::{Accepted, Control, ServiceState, code};

use super::inner::Inner;
use super::state::{ProcessEnd, Service, State};

/// A shutdown of the system under way, on a thread of its own.
#[derive(Debug)]
#[must_use = "it is over only when it was waited for"]
pub struct Shutdown {
    thread: JoinHandle<ShutdownReport>,
}

/// What a shutdown of the system did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How long it took, on the fake clock.
    pub took: Duration,
    /// The services that still ran when their preshutdown timeout passed.
    pub overran_preshutdown: Vec<String>,
    /// The services whose process was killed at the end, whether they were told of it or not.
    pub killed: Vec<String>,
}

impl Shutdown {
    /// Waits until the shutdown is over.
    ///
    /// # Panics
    /// After 30 s of real time in which a limit had to pass for it to go on: the test has to advance the clock.
    #[must_use]
    pub fn wait(self) -> ShutdownReport {
        self.thread
            .join()
            .unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }
}

pub(super) fn begin(inner: &Arc<Inner>) -> Shutdown {
    let began = inner.with(|state, now| {
        state.shutting_down = true;
        now
    });
    let inner = Arc::clone(inner);
    let thread = thread::Builder::new()
        .name("system shutdown".to_owned())
        .spawn(move || run(&inner, began))
        .expect("a thread can be started");
    Shutdown { thread }
}

fn run(inner: &Arc<Inner>, began: Timestamp) -> ShutdownReport {
    let (overran_preshutdown, over) = preshutdown(inner, began);
    shutdown(inner, over);
    let (killed, ended) = inner.with(|state, now| (kill_all(state, now), now));
    ShutdownReport {
        took: ended.since(began),
        overran_preshutdown,
        killed,
    }
}

/// Tells those who accept `PRESHUTDOWN`, first the ordered ones one after another, then the others together. Gives who did
/// not stop in time, and when it was over.
fn preshutdown(inner: &Inner, began: Timestamp) -> (Vec<String>, Timestamp) {
    let (ordered, others): (Vec<_>, Vec<_>) = inner.with(|state, _| {
        let mut names = accepting(state, Accepted::PRESHUTDOWN);
        let rank = |name: &String| {
            let order = &state.preshutdown_order;
            order.iter().position(|ordered| ordered == name)
        };
        names.sort_by_key(|name| rank(name).unwrap_or(usize::MAX));
        names.into_iter().partition(|name| rank(name).is_some())
    });
    if ordered.is_empty() && others.is_empty() {
        return (Vec::new(), began);
    }
    let mut overran = Vec::new();
    for name in ordered {
        let limit = tell_preshutdown(inner, &name);
        overran.extend(await_stop(inner, name, limit));
    }
    let told: Vec<_> = others
        .into_iter()
        .map(|name| (tell_preshutdown(inner, &name), name))
        .collect();
    for (limit, name) in told {
        overran.extend(await_stop(inner, name, limit));
    }
    (overran, inner.with(|_, now| now))
}

fn tell_preshutdown(inner: &Inner, name: &str) -> Timestamp {
    let limit = inner.with(|state, now| {
        let service = state.service(name);
        now + service.map_or(Duration::ZERO, |service| service.config.preshutdown_timeout)
    });
    // Whatever its handler answers, it is waited for.
    let _ = inner.send(name, Control::Preshutdown);
    limit
}

/// Waits until a service has stopped; gives its name when it has not by `limit`.
fn await_stop(inner: &Inner, name: String, limit: Timestamp) -> Option<String> {
    let stopped = inner.wait(&format!("{name} to stop"), |state, now| {
        match has_stopped(state, &name) {
            true => Some(true),
            false => (now >= limit).then_some(false),
        }
    });
    (!stopped).then_some(name)
}

/// Tells those who accept `SHUTDOWN` in the order of the database, and waits for all that are stopping.
fn shutdown(inner: &Inner, began: Timestamp) {
    let (told, limit) = inner.with(|state, _| {
        let names = accepting(state, Accepted::SHUTDOWN);
        (names, began + state.wait_to_kill)
    });
    for name in &told {
        let _ = inner.send(name, Control::Shutdown);
    }
    inner.wait("the services to stop", |state, now| {
        let stopping = |service: &Service| {
            let stops = service.ending || service.is(ServiceState::StopPending);
            stops && !service.is(ServiceState::Stopped)
        };
        (now >= limit || !state.services.iter().any(stopping)).then_some(())
    });
}

/// The services that accept this and were not told to stop already.
fn accepting(state: &State, accepted: Accepted) -> Vec<String> {
    let accepts =
        |service: &&Service| !service.ending && service.status.accepted.contains(accepted);
    let services = state.services.iter().filter(accepts);
    services
        .map(|service| service.config.name.clone())
        .collect()
}

fn has_stopped(state: &mut State, name: &str) -> bool {
    state
        .service(name)
        .is_ok_and(|service| service.is(ServiceState::Stopped))
}

fn kill_all(state: &mut State, now: Timestamp) -> Vec<String> {
    let running = state.services.iter().filter_map(|service| {
        let name = service.config.name.clone();
        service.process.map(|id| (id, name))
    });
    let running: Vec<_> = running.collect();
    for (id, _) in &running {
        state.end(now, *id, ProcessEnd::Killed, code::ERROR_PROCESS_ABORTED);
    }
    running.into_iter().map(|(_, name)| name).collect()
}
