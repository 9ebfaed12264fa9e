//! A wish for the stop of a service, whoever has it.

use winddown_core::{Arrival, Mechanism, Origin, Signal, Timestamp};

/// A wish for the stop of a service.
#[derive(Clone, Debug)]
pub(crate) struct StopRequest {
    pub(crate) arrival: Arrival,
    /// The signal that asks the programs, where the request says which.
    pub(crate) ask_by: Option<Signal>,
    /// When the host's patience ends.
    pub(crate) until: Option<Timestamp>,
    /// Whether what is left is to be killed now.
    pub(crate) force: bool,
}

impl StopRequest {
    /// winddown's own wish, for the reason `name`.
    pub(crate) fn own(now: Timestamp, name: impl Into<String>) -> Self {
        let origin = Origin {
            name: Some(name.into()),
            ..Origin::of(Mechanism::Own)
        };
        Self {
            arrival: Arrival {
                origin,
                at: now,
                interactive: false,
            },
            ask_by: None,
            until: None,
            force: false,
        }
    }
}
