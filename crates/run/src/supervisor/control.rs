//! What is asked over the control socket, from the request to its last answer.

use std::collections::BTreeSet;

use winddown_core::order::{Need, Standing, Turn};
use winddown_core::{Arrival, Origin, Timestamp};
use winddown_sys::Waitable;

use super::{CONTROL, Supervisor};
use crate::control::{
    Answer, ClientId, ControlOptions, Logs, Operation, Refusal, Request, Restart, Server,
    ServiceStatus, Tap, Winddown, address,
};
use crate::error::Error;
use crate::logs::{News, Subscription};
use crate::options::RunOptions;
use crate::service::StopRequest;
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

    /// Notes something that takes time. What it contradicts will not be done any more.
    fn add(&mut self, new: Pending, now: Timestamp) {
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

/// Opens the control socket, if there is to be one; `observer` hears where there is none though there could be.
///
/// # Errors
/// Where there must be one and it cannot be opened.
pub(super) fn open(
    options: &RunOptions,
    observer: &mut Box<dyn Observer>,
) -> Result<Option<Control>, Error> {
    let required = options.control.is_some();
    let address = match &options.control {
        Some(ControlOptions::Usual(false)) => return Ok(None),
        None | Some(ControlOptions::Usual(true)) => address(&options.name),
        Some(ControlOptions::At(path)) => Some(path.clone()),
    };
    let bound = match address {
        Some(address) => Server::bind(&address),
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
                what: format!("there is no control socket: {error}"),
                notable: true,
            };
            observer.moment("winddown", &moment);
            Ok(None)
        }
    }
}

impl Supervisor {
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

    /// Begins what was asked for; the answer where there is one at once.
    fn carry_out(
        &mut self,
        control: &mut Control,
        client: ClientId,
        origin: Origin,
        request: Request,
        now: Timestamp,
    ) -> Option<Answer> {
        let (service, wait) = match &request {
            Request::Status { service } => return Some(self.status(service.as_deref())),
            Request::Reload {} => return Some(self.reload_for(&origin, now)),
            Request::Logs(logs) => return self.follow(control, client, logs),
            Request::RotateLogs { service } => {
                return Some(self.rotate_logs(service, &origin, now));
            }
            Request::Start(Operation { service, wait })
            | Request::Stop(Operation { service, wait })
            | Request::Restart(Restart { service, wait, .. }) => (service, *wait),
        };
        let Some(index) = self.index_of(service) else {
            return Some(self.no_service(service));
        };
        if self.stop.is_some() && !matches!(request, Request::Stop(_)) {
            return Some(stopping());
        }
        self.services[index].note(format!("asked for: {origin}"), now);
        let stop = StopRequest {
            arrival: Arrival {
                origin: origin.clone(),
                at: now,
                interactive: false,
            },
            ask_by: None,
            until: None,
            force: false,
        };
        let (goal, all) = match request {
            Request::Restart(Restart { overlap: true, .. }) => {
                let before = self.services[index].pid();
                if let Err(error) = self.replace_service(index, now) {
                    return Some(refused(&error));
                }
                (Goal::Replaced(before), BTreeSet::from([index]))
            }
            Request::Restart(_) => {
                let all = self.requiring(index);
                self.stop_service(index, &stop, now);
                (Goal::UpAfterDown, all)
            }
            Request::Stop(_) => {
                let all = self.requiring(index);
                self.stop_service(index, &stop, now);
                (Goal::Down, all)
            }
            _ if self.is_going_down(index) => (Goal::UpAfterDown, BTreeSet::from([index])),
            _ => {
                self.want(index);
                (Goal::Up, self.awaited_by(index))
            }
        };
        let pending = Pending {
            client: wait.then_some(client),
            origin,
            service: index,
            all,
            goal,
        };
        let begun = (!wait).then(|| self.done(&pending));
        control.add(pending, now);
        begun
    }

    /// The last answer, once there is one.
    fn outcome(&mut self, pending: &mut Pending) -> Option<Answer> {
        if self.stop.is_some() && pending.goal != Goal::Down {
            return Some(stopping());
        }
        let all_down = |supervisor: &Self| {
            let mut all = pending.all.iter();
            all.all(|index| supervisor.services[*index].is_down())
        };
        match pending.goal {
            Goal::Down => all_down(self).then(|| self.done(pending)),
            Goal::UpAfterDown => {
                if all_down(self) {
                    for index in &pending.all {
                        self.want(*index);
                    }
                    pending.goal = Goal::Up;
                }
                None
            }
            Goal::Up => match self.services[pending.service].standing() {
                Standing::Ready | Standing::Down => Some(self.done(pending)),
                Standing::Failed => Some(self.failed(pending.service)),
                Standing::Waiting | Standing::Starting | Standing::Stopping => None,
            },
            Goal::Replaced(before) => {
                let service = &self.services[pending.service];
                match service.is_being_replaced() {
                    true => None,
                    false if service.pid() != before && service.standing() == Standing::Ready => {
                        Some(self.done(pending))
                    }
                    false => {
                        let name = &service.options().name;
                        let what =
                            format!("`{name}` is not replaced: the new program was not ready");
                        let hint = "`winddown status` and its log say more".to_owned();
                        Some(Answer::Error {
                            error: Refusal::Failed,
                            what,
                            hint: Some(hint),
                        })
                    }
                }
            }
        }
    }

    fn done(&self, pending: &Pending) -> Answer {
        Answer::Done {
            services: self.statuses(pending.all.iter().copied()),
            changes: Vec::new(),
        }
    }

    fn failed(&self, index: usize) -> Answer {
        let status = self.status_of(index);
        let why = match (&status.problem, &status.last_stop) {
            (Some(problem), _) => problem.clone(),
            (None, Some(last)) => match &last.exit {
                Some(exit) => format!("its program ended with {exit}"),
                None => format!("its last stop was {}", last.verdict),
            },
            (None, None) => "a service that it requires is not there".to_owned(),
        };
        let what = format!("`{}` is not ready: {why}", status.service);
        Answer::error(Refusal::Failed, what)
    }

    fn no_service(&self, name: &str) -> Answer {
        let names = self.services.iter().map(|it| it.options().name.as_str());
        let rated = names.map(|known| (strsim::jaro_winkler(name, known), known));
        let nearest = rated
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        Answer::Error {
            error: Refusal::NoService,
            what: format!("there is no service `{name}`"),
            hint: nearest.map(|(_, known)| format!("did you mean `{known}`?")),
        }
    }

    fn status(&self, service: Option<&str>) -> Answer {
        let services = match service {
            None => self.statuses(0..self.services.len()),
            Some(name) => match self.index_of(name) {
                Some(index) => vec![self.status_of(index)],
                None => return self.no_service(name),
            },
        };
        Answer::Status {
            winddown: Winddown {
                name: self.name.clone(),
                pid: std::process::id(),
                release: env!("CARGO_PKG_VERSION").to_owned(),
                stopping: self.stop.is_some(),
            },
            services,
        }
    }

    fn statuses(&self, all: impl IntoIterator<Item = usize>) -> Vec<ServiceStatus> {
        let mut services: Vec<_> = all.into_iter().map(|it| self.status_of(it)).collect();
        services.sort_by(|one, other| one.service.cmp(&other.service));
        services
    }

    fn status_of(&self, index: usize) -> ServiceStatus {
        let service = &self.services[index];
        let mut status = service.status();
        let name = |other: usize| &self.services[other].options().name;
        if service.is_waiting() {
            if let Turn::Await(other) = self.order.start(index, |it| self.services[it].standing()) {
                status.awaits = Some(format!("`{}` to be ready", name(other)));
            }
        }
        if service.stop_wish().is_some() {
            if let Turn::Await(other) = self.stop_turn(index) {
                status.awaits = Some(format!("the end of `{}`, which needs it", name(other)));
            }
        }
        status
    }

    fn reload_for(&mut self, origin: &Origin, now: Timestamp) -> Answer {
        if self.stop.is_some() {
            return stopping();
        }
        self.timeline.add(now, format!("asked for: {origin}"));
        match self.reload(now) {
            Ok(changes) => Answer::Done {
                services: self.statuses(0..self.services.len()),
                changes,
            },
            Err(what) => Answer::error(Refusal::Failed, what),
        }
    }

    /// Begins to give a client what a service writes.
    fn follow(&self, control: &mut Control, client: ClientId, logs: &Logs) -> Option<Answer> {
        let Some(index) = self.index_of(&logs.service) else {
            return Some(self.no_service(&logs.service));
        };
        match self.services[index].subscribe(logs.lines) {
            Ok(lines) => {
                if logs.follow {
                    control.server.let_follow(client);
                }
                control.followers.push(Follower {
                    client,
                    service: logs.service.clone(),
                    lines,
                    stays: logs.follow,
                });
                None
            }
            Err(error) => Some(refused(&error)),
        }
    }

    fn rotate_logs(&self, name: &str, origin: &Origin, now: Timestamp) -> Answer {
        let Some(index) = self.index_of(name) else {
            return self.no_service(name);
        };
        self.services[index].note(format!("asked for: {origin}"), now);
        match self.services[index].rotate_logs() {
            Ok(()) => Answer::Done {
                services: vec![self.status_of(index)],
                changes: Vec::new(),
            },
            Err(error) => refused(&error),
        }
    }

    fn is_going_down(&self, index: usize) -> bool {
        let service = &self.services[index];
        !service.is_wanted() && service.standing() == Standing::Stopping
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        let mut services = self.services.iter();
        services.position(|service| service.options().name == name)
    }

    /// A service, and those that run and cannot do without it.
    fn requiring(&self, index: usize) -> BTreeSet<usize> {
        self.closure(index, |supervisor, index| {
            let needed_by = supervisor.order.needed_by(index).iter();
            needed_by
                .filter(|(other, need)| {
                    *need == Need::Requires && supervisor.services[*other].is_wanted()
                })
                .map(|(other, _)| *other)
                .collect()
        })
    }

    /// A service, and those that are not ready and that it is started behind.
    fn awaited_by(&self, index: usize) -> BTreeSet<usize> {
        self.closure(index, |supervisor, index| {
            let needs = supervisor.order.needs(index).iter();
            needs
                .filter(|(other, _)| {
                    let service = &supervisor.services[*other];
                    service.is_wanted() && service.standing() != Standing::Ready
                })
                .map(|(other, _)| *other)
                .collect()
        })
    }

    fn closure(&self, index: usize, next: impl Fn(&Self, usize) -> Vec<usize>) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            if all.insert(index) {
                open.extend(next(self, index));
            }
        }
        all
    }
}

fn refused(error: &Error) -> Answer {
    Answer::error(Refusal::Failed, error.to_string())
}

fn stopping() -> Answer {
    Answer::error(Refusal::Stopping, "winddown itself is being stopped")
}
