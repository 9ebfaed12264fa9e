//! Reading the definition again.

use std::collections::{BTreeMap, HashMap, HashSet};

use winddown_core::Timestamp;
use winddown_core::order::{Need, Needs, Order, Standing};

use super::{Supervisor, control};
use crate::error::Error;
use crate::options::RunOptions;
use crate::service::{Service, StopRequest};
use crate::timeline::Timeline;

impl Supervisor<'_> {
    /// Reads the definition again and applies what has changed with the least disturbance; one that is wrong changes nothing.
    ///
    /// What has changed, for people.
    ///
    /// # Errors
    /// Why nothing has, for people.
    pub(super) fn reload(&mut self, now: Timestamp) -> Result<Vec<String>, String> {
        if self.stop.is_some() {
            return Err("winddown itself is being stopped".to_owned());
        }
        let Some(reread) = self.reread.clone() else {
            return Err("there is no definition file to read again".to_owned());
        };
        self.host.reloading();
        let applied = reread.read().and_then(|options| {
            self.apply(options, now)
                .map_err(|error: Error| error.to_string())
        });
        let what = match &applied {
            Ok(changes) if changes.is_empty() => "reloaded: nothing has changed".to_owned(),
            Ok(changes) => format!("reloaded: {}", changes.join(", ")),
            Err(error) => format!("not reloaded, nothing has changed: {error}"),
        };
        self.timeline.notice(now, what);
        self.host.running();
        applied
    }

    /// What was changed, for people.
    fn apply(&mut self, options: RunOptions, now: Timestamp) -> Result<Vec<String>, Error> {
        let places: BTreeMap<String, usize> = self
            .services
            .iter()
            .enumerate()
            .map(|(index, service)| (service.options().name.clone(), index))
            .collect();
        let order = self.order_after(&options)?;
        for service in &options.services {
            service.check_output()?;
        }
        let mut changes = Vec::new();
        if control::place(&options) != self.control_place {
            changes.push(
                "the control socket stays where it is until winddown itself is restarted"
                    .to_owned(),
            );
        }
        self.timeout = options.timeout;
        self.signals = options.signals;
        let request = StopRequest::own(now, "reload");
        let kept: HashSet<&str> = options
            .services
            .iter()
            .map(|new| new.name.as_str())
            .collect();
        let mut going = Vec::new();
        for (name, index) in &places {
            if !kept.contains(name.as_str()) && self.gone.insert(*index) {
                changes.push(format!("{name} is gone"));
                self.services[*index].give_up_sockets();
                self.dirty.insert(*index);
                going.push(*index);
            }
        }
        let mut wanted = Vec::new();
        for new in options.services {
            let name = new.name.clone();
            match places.get(&name) {
                Some(index) if self.gone.remove(index) => {
                    changes.push(format!("{name} is back"));
                    let starts = new.autostart;
                    self.services[*index].amend(new);
                    if starts {
                        self.restart_service(*index, &request, now);
                        wanted.push(*index);
                    }
                }
                Some(index) => {
                    let service = &mut self.services[*index];
                    if *service.options() == new {
                        continue;
                    }
                    let starts = new.autostart && !service.options().autostart;
                    // With the same sockets the old program can serve until the new one is ready.
                    let overlaps = !new.listen.is_empty() && new.listen == service.options().listen;
                    let given_up = service.is_down() && service.standing() == Standing::Failed;
                    if !service.amend(new) {
                        changes.push(match given_up {
                            true => format!("{name} is started again"),
                            false => format!("{name} is changed"),
                        });
                    } else {
                        let why_not = match overlaps {
                            true => self.replace_service(*index, now).err(),
                            false => None,
                        };
                        changes.push(match (overlaps, &why_not) {
                            (true, None) => format!("{name} is replaced"),
                            (_, None) => format!("{name} is restarted"),
                            (_, Some(why)) => format!("{name} is restarted, not replaced: {why}"),
                        });
                        if !overlaps || why_not.is_some() {
                            self.restart_service(*index, &request, now);
                        }
                    }
                    if starts || given_up {
                        wanted.push(*index);
                    }
                }
                None => {
                    changes.push(format!("{name} is new"));
                    let index = self.services.len();
                    if new.autostart {
                        wanted.push(index);
                    }
                    let timeline = Timeline::new(&name, now, &self.observer);
                    self.services
                        .push(Service::new(new, timeline, &self.common));
                    self.due_of.push(Timestamp::NEVER);
                }
            }
        }
        self.order = order;
        // By the new needs: whoever needs it no more goes on.
        for index in going {
            if self.services[index].is_wanted() {
                self.stop_service(index, &request, now);
            }
        }
        self.common.alone.set(self.services.len() == 1);
        let kept = self.services.iter().enumerate();
        let kept = kept.filter(|(index, _)| !self.gone.contains(index));
        let listed = kept.flat_map(|(_, service)| &service.options().listen);
        self.common.spare.borrow_mut().keep_for(listed);
        for index in wanted {
            self.want_again(index);
        }
        Ok(changes)
    }

    /// Has a service started, and those that have failed and require it, perhaps for want of it (WD-144).
    fn want_again(&mut self, index: usize) {
        self.want(index);
        let dependents = self.order.needed_by(index).to_vec();
        for (other, need) in dependents {
            let service = &self.services[other];
            let failed = service.is_down() && service.standing() == Standing::Failed;
            if need == Need::Requires && failed && !self.gone.contains(&other) {
                self.want_again(other);
            }
        }
    }

    /// The order of those that are there and those that come; who goes still stops before those that it needed.
    fn order_after(&self, options: &RunOptions) -> Result<Order, Error> {
        let new: HashMap<&str, &Needs> = options
            .services
            .iter()
            .map(|service| (service.name.as_str(), &service.needs))
            .collect();
        let there = self.services.iter().map(|service| {
            let name = service.options().name.as_str();
            let before = &service.options().needs;
            (name, new.get(name).copied().unwrap_or(before))
        });
        let is_new = |name: &str| {
            let mut there = self.services.iter();
            there.all(|service| service.options().name != name)
        };
        let come = options
            .services
            .iter()
            .filter(|service| is_new(&service.name))
            .map(|service| (service.name.as_str(), &service.needs));
        Ok(Order::new(there.chain(come))?)
    }
}
