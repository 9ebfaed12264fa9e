//! The section `[ready]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::DurationText;
use crate::options::ReadyWhen;

/// When a program is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ready {
    /// By what it is known to be ready.
    #[serde(default)]
    pub when: ReadyWhen,
    /// How long it may take.
    pub timeout: Option<DurationText>,
}
