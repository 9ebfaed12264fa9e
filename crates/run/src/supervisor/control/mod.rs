//! What is asked over the control socket, from the request to its last answer.

mod answers;
mod requests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use winddown_core::{Origin, Timestamp};
use winddown_sys::Waitable;

use super::{CONTROL, Supervisor};
use crate::control::{Answer, ClientId, ControlOptions, Refusal, Server, Tap, address};
use crate::error::Error;
use crate::logs::{News, Subscription};
use crate::options::RunOptions;
use crate::timeline::{Moment, Observer};

/// The control socket, and what was asked over it and is not done yet.
pub(super) struct Control {
    server: Server,
    tap: Tap,
    pending: Vec<Pending>,
    followers: Vec<Follower>,
    /// Services that somebody has stopped and that may be started again: winddown stays for them.
    held: BTreeSet<usize>,
    /// Whether what the server waits for may have changed.
    stirred: bool,
}

/// Who reads what a service writes.
struct Follower {
    client: ClientId,
    service: String,
    lines: Subscription,
    /// Whether it stays for what comes.
    stays: bool,
}

/// Something that takes time.
struct Pending {
    /// Who waits for the answer.
    client: Option<ClientId>,
    origin: Origin,
    /// The service that it was asked of.
    service: usize,
    /// The services that it is about.
    all: BTreeSet<usize>,
    goal: Goal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// The service is ready.
    Up,
    /// All of them are down.
    Down,
    /// All of them are down, and then started.
    UpAfterDown,
    /// Another process than this one is ready and alone.
    Replaced(Option<u32>),
}

impl Control {
    /// When to look at the clients again at the latest.
    pub(super) fn due(&self) -> Timestamp {
        self.server.due()
    }

    /// Something has arrived.
    pub(super) const fn stir(&mut self) {
        self.stirred = true;
    }

    /// Whether there is something for which winddown stays though nothing runs.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    fn answer(&mut self, client: ClientId, answer: &Answer, now: Timestamp) {
        self.stirred = true;
        self.server.answer(client, answer, now);
    }

    fn sources(&self) -> Vec<&dyn Waitable> {
        let mut sources = self.server.sources();
        let followers = self.followers.iter();
        let hungry = followers.filter(|it| self.server.takes_more(it.client) == Some(true));
        sources.extend(hungry.map(|it| &it.lines as &dyn Waitable));
        sources
    }

    /// Gives those who follow a service what it has written.
    fn feed(&mut self, now: Timestamp) {
        for follower in std::mem::take(&mut self.followers) {
            let client = follower.client;
            match self.server.takes_more(client) {
                None if follower.stays => {
                    self.stirred = true;
                    self.server.remove(client);
                    continue;
                }
                Some(false) => {}
                None | Some(true) => {
                    let news = follower.lines.take();
                    self.tell(&follower, news, now);
                }
            }
            if follower.stays {
                self.followers.push(follower);
            } else {
                let done = Answer::Done {
                    services: Vec::new(),
                    changes: Vec::new(),
                };
                self.answer(client, &done, now);
            }
        }
    }

    fn tell(&mut self, follower: &Follower, news: News, now: Timestamp) {
        let service = &follower.service;
        let lost = (news.lost > 0).then(|| Answer::Lost {
            service: service.clone(),
            lines: news.lost,
        });
        let lines = news.lines.iter().map(|line| Answer::Line {
            service: service.clone(),
            time: line.time,
            stream: line.output,
            text: String::from_utf8_lossy(&line.text).into_owned(),
            partial: line.partial,
        });
        for answer in lost.into_iter().chain(lines) {
            self.answer(follower.client, &answer, now);
        }
    }

    /// Whether a service is being stopped in order to be started again.
    fn starts_again(&self, service: usize) -> bool {
        let mut restarts = self.pending.iter();
        restarts.any(|it| it.goal == Goal::UpAfterDown && it.all.contains(&service))
    }

    /// Notes something that takes time. What it contradicts will not be done any more.
    fn add(&mut self, new: Pending, now: Timestamp) {
        if new.goal == Goal::Down {
            // A restart goes on without those that were merely to come back with it.
            for old in &mut self.pending {
                if old.goal == Goal::UpAfterDown && !new.all.contains(&old.service) {
                    old.all.retain(|it| !new.all.contains(it));
                }
            }
        }
        let (overtaken, kept) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|old| old.goal != new.goal && !old.all.is_disjoint(&new.all));
        self.pending = kept;
        for client in overtaken.into_iter().filter_map(|old| old.client) {
            let what = format!("overtaken by {}", new.origin);
            self.answer(client, &Answer::error(Refusal::Overtaken, what), now);
        }
        if new.goal != Goal::Up {
            self.held.extend(&new.all);
        }
        self.tap.open(true);
        self.pending.push(new);
    }
}

/// Where the control socket is to be; nowhere if there is to be none, or no place for it.
pub(super) fn place(options: &RunOptions) -> Option<PathBuf> {
    match &options.control {
        Some(ControlOptions::Usual(false)) => None,
        None | Some(ControlOptions::Usual(true)) => address(&options.name),
        Some(ControlOptions::At(path)) => Some(path.clone()),
    }
}

/// Opens the control socket, if there is to be one; `observer` hears where there is none though there could be.
///
/// # Errors
/// Where there must be one and it cannot be opened.
pub(super) fn open(
    options: &RunOptions,
    observer: &mut Box<dyn Observer>,
) -> Result<Option<Control>, Error> {
    let required = options.control.is_some();
    if options.control == Some(ControlOptions::Usual(false)) {
        return Ok(None);
    }
    let bound = match place(options) {
        Some(address) => Server::bind(&address).map_err(|error| match error {
            Error::System(error) => Error::Control(error),
            other => other,
        }),
        None => Err(Error::NoControlPlace),
    };
    match bound {
        Ok(server) => {
            let tap = Tap::default();
            *observer = tap.between(std::mem::replace(observer, Box::new(())));
            Ok(Some(Control {
                server,
                tap,
                pending: Vec::new(),
                followers: Vec::new(),
                held: BTreeSet::new(),
                stirred: true,
            }))
        }
        Err(error) if required => Err(error),
        Err(error) => {
            let moment = Moment {
                at: 0.0,
                what: error.in_full(),
                notable: true,
            };
            observer.moment("winddown", &moment);
            Ok(None)
        }
    }
}

impl Supervisor<'_> {
    /// Takes what was asked over the control socket.
    pub(super) fn serve(&mut self, now: Timestamp) {
        let Some(mut control) = self.control.take() else {
            return;
        };
        if control.stirred || control.due() <= now {
            control.stirred = true;
            for (client, origin, request) in control.server.receive(now) {
                if let Some(answer) = self.carry_out(&mut control, client, origin, request, now) {
                    control.answer(client, &answer, now);
                }
            }
        }
        self.control = Some(control);
    }

    /// Tells clients what has become of what they asked for.
    ///
    /// # Errors
    /// Where the system cannot watch a client.
    pub(super) fn attend(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(mut control) = self.control.take() else {
            return Ok(());
        };
        for (service, what) in control.tap.take() {
            let index = self.index_of(&service);
            for pending in &control.pending {
                if let (Some(client), true) = (
                    pending.client,
                    index.is_some_and(|index| pending.all.contains(&index)),
                ) {
                    let (service, what) = (service.clone(), what.clone());
                    let progress = Answer::Progress { service, what };
                    control.server.answer(client, &progress, now);
                    control.stirred = true;
                }
            }
        }
        for mut pending in std::mem::take(&mut control.pending) {
            match (self.outcome(&mut pending), pending.client) {
                (None, _) => control.pending.push(pending),
                (Some(answer), Some(client)) => control.answer(client, &answer, now),
                (Some(_), None) => {}
            }
        }
        control.tap.open(!control.pending.is_empty());
        control.feed(now);
        control
            .held
            .retain(|index| !self.services[*index].is_wanted());
        if std::mem::take(&mut control.stirred) {
            self.poller.watch(CONTROL, &control.sources())?;
        }
        self.control = Some(control);
        Ok(())
    }
}
