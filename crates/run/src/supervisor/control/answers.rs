//! What is told of the services: how they are, and how what was asked for ended.

use winddown_core::order::Turn;
use winddown_core::{nearest, one_line};

use super::Pending;
use crate::control::{Answer, Refusal, ServiceStatus, Winddown};
use crate::supervisor::Supervisor;

/// The most bytes of an unknown name that are shown.
const LONGEST_SHOWN: usize = 200;

impl Supervisor<'_> {
    pub(super) fn done(&self, pending: &Pending) -> Answer {
        Answer::Done {
            services: self.statuses(pending.all.iter().copied()),
            changes: Vec::new(),
        }
    }

    pub(super) fn failed(&self, index: usize) -> Answer {
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

    pub(super) fn no_service(&self, name: &str) -> Answer {
        let there = (0..self.services.len()).filter(|index| !self.is_removed(*index));
        let names = there.map(|index| self.services[index].options().name.as_str());
        Answer::Error {
            error: Refusal::NoService,
            what: format!("there is no service `{}`", one_line(name, LONGEST_SHOWN)),
            hint: nearest(name, names).map(|known| format!("did you mean `{known}`?")),
        }
    }

    pub(super) fn status(&self, service: Option<&str>) -> Answer {
        let services = match service {
            None => self.all_statuses(),
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

    pub(super) fn all_statuses(&self) -> Vec<ServiceStatus> {
        self.statuses((0..self.services.len()).filter(|index| !self.is_removed(*index)))
    }

    pub(super) fn statuses(&self, all: impl IntoIterator<Item = usize>) -> Vec<ServiceStatus> {
        let mut services: Vec<_> = all.into_iter().map(|it| self.status_of(it)).collect();
        services.sort_by(|one, other| one.service.cmp(&other.service));
        services
    }

    pub(super) fn status_of(&self, index: usize) -> ServiceStatus {
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

    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        (0..self.services.len())
            .find(|index| self.services[*index].options().name == name && !self.is_removed(*index))
    }
}
