//! Each request, from its beginning to its outcome.

use std::collections::BTreeSet;

use winddown_core::order::{Need, Standing};
use winddown_core::{Arrival, Origin, Timestamp};

use super::{Control, Follower, Goal, Pending};
use crate::control::{Answer, ClientId, Logs, Operation, Refusal, Request, Restart};
use crate::error::Error;
use crate::service::StopRequest;
use crate::supervisor::Supervisor;

impl Supervisor<'_> {
    /// Begins what was asked for; the answer where there is one at once.
    pub(super) fn carry_out(
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
        if self.gone.contains(&index) && !matches!(request, Request::Stop(_)) {
            return Some(self.no_service(service));
        }
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
                let all = self.requiring(control, index);
                self.stop_service(index, &stop, now);
                (Goal::UpAfterDown, all)
            }
            Request::Stop(_) => {
                let all = self.requiring(control, index);
                self.stop_service(index, &stop, now);
                (Goal::Down, all)
            }
            _ => {
                let ending = self.ending(index);
                if ending.is_empty() {
                    self.want(index);
                    (Goal::Up, self.awaited_by(index))
                } else {
                    (Goal::UpAfterDown, ending)
                }
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
    pub(super) fn outcome(&mut self, pending: &mut Pending) -> Option<Answer> {
        if self.stop.is_some() && pending.goal != Goal::Down {
            return Some(stopping());
        }
        match pending.goal {
            Goal::Down if pending.all.iter().any(|it| self.services[*it].is_wanted()) => {
                let what = "overtaken: it is started again".to_owned();
                Some(Answer::error(Refusal::Overtaken, what))
            }
            Goal::Down => {
                let all_down = pending.all.iter().all(|it| self.services[*it].is_down());
                all_down.then(|| self.done(pending))
            }
            Goal::UpAfterDown => {
                // Another request, or a reload, may have started them as soon as they were down.
                let is_over = |index: &usize| {
                    let service = &self.services[*index];
                    service.is_down() || service.is_wanted()
                };
                // Nor do they start while what they need is being stopped.
                let may_start = |index: &usize| is_over(index) && self.ending(*index).is_empty();
                if pending.all.iter().all(may_start) {
                    for index in &pending.all {
                        self.want(*index);
                    }
                    self.want(pending.service);
                    pending.goal = Goal::Up;
                }
                None
            }
            Goal::Up => match self.services[pending.service].standing() {
                Standing::Ready | Standing::Done | Standing::Down => Some(self.done(pending)),
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

    fn reload_for(&mut self, origin: &Origin, now: Timestamp) -> Answer {
        if self.stop.is_some() {
            return stopping();
        }
        self.timeline.add(now, format!("asked for: {origin}"));
        match self.reload(now) {
            Ok(changes) => Answer::Done {
                services: self.all_statuses(),
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

    /// Of a service and those that it is started with, those that have to be down before they can be started again.
    fn ending(&self, index: usize) -> BTreeSet<usize> {
        let started_with = self.closure(index, |supervisor, index| {
            let needs = supervisor.order.needs(index).iter();
            needs
                .filter(|(_, need)| *need != Need::After)
                .map(|(other, _)| *other)
                .collect()
        });
        let ending = started_with.into_iter();
        ending
            .filter(|index| self.services[*index].is_ending())
            .collect()
    }

    /// A service, and those that cannot do without it and run or are being restarted.
    fn requiring(&self, control: &Control, index: usize) -> BTreeSet<usize> {
        self.closure(index, |supervisor, index| {
            let needed_by = supervisor.order.needed_by(index).iter();
            needed_by
                .filter(|(other, need)| {
                    let goes_on =
                        supervisor.services[*other].is_wanted() || control.starts_again(*other);
                    *need == Need::Requires && goes_on
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
