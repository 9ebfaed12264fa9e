//! In which order services start and stop.
//!
//! A service names others that it needs. It starts once these are ready, and they are stopped once it has ended. Services
//! between which there is no need start and stop beside each other.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::nearest;

/// How a service needs another one that it names.
///
/// Unlike in systemd, whoever needs a service is also ordered behind it: a need without an order is a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Starts behind it if it is to be started at all, and goes on where it fails or stops.
    After,
    /// Has it started as well, starts behind it, and goes on where it fails or stops.
    Wants,
    /// Has it started as well, and starts only once it is ready.
    Requires,
}

impl fmt::Display for Need {
    /// The definition's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::After => "after",
            Self::Wants => "wants",
            Self::Requires => "requires",
        })
    }
}

/// The services that one service names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// See [`Need::After`].
    pub after: Vec<String>,
    /// See [`Need::Wants`].
    pub wants: Vec<String>,
    /// See [`Need::Requires`].
    pub requires: Vec<String>,
}

/// Why services cannot be put in order.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrderError {
    /// There is no service of a name that is needed.
    #[error("`{service}` names `{name}` in {need}, and there is no such service")]
    Unknown {
        /// Who needs it.
        service: String,
        /// How.
        need: Need,
        /// What is needed.
        name: String,
        /// The service with the nearest name, if one is near.
        nearest: Option<String>,
    },
    /// A service needs itself.
    #[error("`{service}` names itself in {need}")]
    Itself {
        /// The service.
        service: String,
        /// How.
        need: Need,
    },
    /// Services need each other in a circle.
    #[error("services need each other in a circle: {}", circle(.0))]
    Cycle(
        /// Each needs the next, and the last needs the first.
        Vec<String>,
    ),
    /// Two services have one name.
    #[error("there are two services with the name `{0}`")]
    Twice(
        /// The name.
        String,
    ),
}

fn circle(names: &[String]) -> String {
    let first = names.first().cloned().unwrap_or_default();
    format!("{} -> {first}", names.join(" -> "))
}

/// How a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is to be started, and is not yet; also between an end and the restart that follows.
    Waiting,
    /// It is being started and not ready yet.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It is being stopped, and something of it may still run.
    Stopping,
    /// Nothing of it runs, and nothing will before somebody asks.
    Down,
    /// It has ended by itself with a success: nothing of it runs, and whoever needs it has what it was there for (WD-119).
    Done,
    /// It has failed: nothing of it runs, and nothing will before somebody asks.
    Failed,
}

impl Standing {
    /// Whether something of it may run.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(self, Self::Starting | Self::Ready | Self::Stopping)
    }
}

/// What a service can do now about its start or its stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Begin.
    Now,
    /// Wait for this service, and possibly others.
    Await(usize),
    /// Not start, since this service is required and is not there.
    Never(usize),
}

/// Services and their needs, checked: every name is known and there is no circle.
///
/// Services are known by their place in what [`Order::new`] was given. Each question about one service takes time in
/// proportion to its own needs, so that a start or a stop of all takes time in proportion to all needs.
#[derive(Clone, Debug)]
pub struct Order {
    needs: Vec<Vec<(usize, Need)>>,
    needed_by: Vec<Vec<(usize, Need)>>,
    /// Each behind all that it needs.
    sorted: Vec<usize>,
}

impl Order {
    /// Puts services in order. A service that is named several times by one counts once, by the strongest need.
    ///
    /// # Errors
    /// [`OrderError`] names the first service that cannot be put in order, and why.
    pub fn new<'a>(
        services: impl IntoIterator<Item = (&'a str, &'a Needs)>,
    ) -> Result<Self, OrderError> {
        let services: Vec<_> = services.into_iter().collect();
        let mut places = HashMap::new();
        for (place, (name, _)) in services.iter().enumerate() {
            if places.insert(*name, place).is_some() {
                return Err(OrderError::Twice((*name).to_owned()));
            }
        }
        let mut needs = Vec::with_capacity(services.len());
        let mut needed_by = vec![Vec::new(); services.len()];
        for (place, (service, named)) in services.iter().enumerate() {
            let named = resolve(service, named, &places)?;
            for (other, need) in &named {
                needed_by[*other].push((place, *need));
            }
            needs.push(named);
        }
        let mut order = Self {
            needs,
            needed_by,
            sorted: Vec::new(),
        };
        order.sorted = order.sort();
        match order.sorted.len() == services.len() {
            true => Ok(order),
            false => {
                let cycle = order.cycle().into_iter();
                let names = cycle.map(|place| services[place].0.to_owned());
                Err(OrderError::Cycle(names.collect()))
            }
        }
    }

    /// What a service needs, each once, by place.
    #[must_use]
    pub fn needs(&self, service: usize) -> &[(usize, Need)] {
        &self.needs[service]
    }

    /// Who needs a service, by place. When its standing changes these are the ones whose turn to start may have come.
    #[must_use]
    pub fn needed_by(&self, service: usize) -> &[(usize, Need)] {
        &self.needed_by[service]
    }

    /// Whether `service` may be started, when all stand like this.
    #[must_use]
    pub fn start(&self, service: usize, standing: impl Fn(usize) -> Standing) -> Turn {
        let mut turn = Turn::Now;
        for (other, need) in self.needs(service) {
            match (standing(*other), need) {
                (Standing::Ready | Standing::Done, _) => {}
                (Standing::Down | Standing::Failed, Need::Requires) => return Turn::Never(*other),
                (Standing::Down | Standing::Failed, _) => {}
                _ if turn == Turn::Now => turn = Turn::Await(*other),
                _ => {}
            }
        }
        turn
    }

    /// Whether `service` may be asked to stop, when all stand like this: nothing runs any more that needs it.
    #[must_use]
    pub fn stop(&self, service: usize, standing: impl Fn(usize) -> Standing) -> Turn {
        let needed_by = self.needed_by(service).iter();
        needed_by
            .map(|(other, _)| *other)
            .find(|other| standing(*other).runs())
            .map_or(Turn::Now, Turn::Await)
    }

    /// For each service, how many must be stopped one behind the other from it on, itself included: the longest chain of
    /// needs through services that run. 0 for a service that does not run.
    #[must_use]
    pub fn levels(&self, standing: impl Fn(usize) -> Standing) -> Vec<u32> {
        let mut levels = vec![0; self.needs.len()];
        for service in &self.sorted {
            if standing(*service).runs() {
                let below = self.needs[*service].iter().map(|(other, _)| levels[*other]);
                levels[*service] = below.max().unwrap_or(0) + 1;
            }
        }
        levels
    }

    /// The places, each behind all that it needs; shorter than the services where there is a circle.
    fn sort(&self) -> Vec<usize> {
        let mut open: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut sorted: Vec<usize> = (0..open.len()).filter(|place| open[*place] == 0).collect();
        let mut next = 0;
        while let Some(place) = sorted.get(next) {
            next += 1;
            for (other, _) in &self.needed_by[*place] {
                open[*other] -= 1;
                if open[*other] == 0 {
                    sorted.push(*other);
                }
            }
        }
        sorted
    }

    /// A circle: whoever could not be sorted needs another one that could not.
    fn cycle(&self) -> Vec<usize> {
        let mut is_open = vec![true; self.needs.len()];
        for place in &self.sorted {
            is_open[*place] = false;
        }
        let mut path: Vec<usize> = Vec::new();
        let mut seen_at: HashMap<usize, usize> = HashMap::new();
        let mut next = is_open.iter().position(|open| *open);
        while let Some(place) = next {
            if let Some(first) = seen_at.insert(place, path.len()) {
                return path.split_off(first);
            }
            path.push(place);
            let mut needs = self.needs[place].iter().map(|(other, _)| *other);
            next = needs.find(|other| is_open[*other]);
        }
        path
    }
}

/// The places of what `service` names, each once, by the strongest need.
fn resolve(
    service: &str,
    named: &Needs,
    places: &HashMap<&str, usize>,
) -> Result<Vec<(usize, Need)>, OrderError> {
    let all = [
        (&named.requires, Need::Requires),
        (&named.wants, Need::Wants),
        (&named.after, Need::After),
    ];
    let mut resolved: Vec<(usize, Need)> = Vec::new();
    for (names, need) in all {
        for name in names {
            let service = service.to_owned();
            let Some(place) = places.get(name.as_str()) else {
                return Err(OrderError::Unknown {
                    service,
                    need,
                    name: name.clone(),
                    nearest: nearest(name, places.keys().copied()).map(str::to_owned),
                });
            };
            if *name == service {
                return Err(OrderError::Itself { service, need });
            }
            resolved.push((*place, need));
        }
    }
    // The sort is stable: of one place the strongest need stays first, and that is the one that is kept.
    resolved.sort_by_key(|(place, _)| *place);
    resolved.dedup_by_key(|(place, _)| *place);
    Ok(resolved)
}

/// How long a service may take to stop (WD-113): an equal share of what is `left` of the budget for each of the `levels`
/// from it on (see [`Order::levels`]), and at most its `own` timeout.
///
/// What a level does not use falls to the ones behind it.
#[must_use]
pub fn stop_share(left: Duration, levels: u32, own: Duration) -> Duration {
    (left / levels.max(1)).min(own)
}

#[cfg(test)]
mod tests;
