//! The phases of a stop, in their order.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A step of every stop. The order of the variants is the order of the steps (WD-20).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Tell load balancers and registries, and keep serving what still comes.
    Unready,
    /// Stop accepting new work.
    Refuse,
    /// Wait for the work in flight: guards, and the body of the program.
    Drain,
    /// Close what the work depended on, the last opened first.
    Close,
    /// Write out telemetry and logs.
    Flush,
}

impl Phase {
    /// Every phase in order.
    pub const ALL: [Self; 5] = [
        Self::Unready,
        Self::Refuse,
        Self::Drain,
        Self::Close,
        Self::Flush,
    ];

    /// How much of the stop's time this phase may keep for itself, in tenths, where every phase has something to do.
    #[must_use]
    pub const fn weight(self) -> u32 {
        match self {
            Self::Unready | Self::Refuse | Self::Flush => 1,
            Self::Drain => 5,
            Self::Close => 2,
        }
    }

    /// Whether its hooks run in the reverse of the order in which they were registered (WD-24).
    #[must_use]
    pub const fn is_reversed(self) -> bool {
        matches!(self, Self::Close)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unready => "unready",
            Self::Refuse => "refuse",
            Self::Drain => "drain",
            Self::Close => "close",
            Self::Flush => "flush",
        })
    }
}
