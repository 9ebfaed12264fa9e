//! The section `[hooks]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command;
use super::text::DurationText;
use crate::environment::Template;

/// Programs to run at points in the life of a service. Each is run without input, in the service's directory and with its variables,
/// and told of the event by `WINDDOWN_EVENT`, `WINDDOWN_SERVICE` and, where they are known, `WINDDOWN_PID`, `WINDDOWN_ASKED_BY`,
/// `WINDDOWN_EXIT_CODE`, `WINDDOWN_EXIT_SIGNAL` and `WINDDOWN_VERDICT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hooks {
    /// Before each start. If it fails, the program is not started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_start: Option<Box<Hook>>,
    /// Once the program is ready. If it fails, the program is stopped again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_start: Option<Box<Hook>>,
    /// Before the program is asked to stop; it has at most half of the time of the stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<Box<Hook>>,
    /// Once nothing of the program is left, also where it ended by itself; up to a quarter of the time of a stop is kept for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_stop: Option<Box<Hook>>,
    /// After an end that is a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Box<Hook>>,
}

/// A program to run at a point in the life of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hook {
    /// The program and its arguments; never a shell's line.
    #[serde(deserialize_with = "command")]
    #[schemars(length(min = 1))]
    pub command: Vec<Template>,
    /// How long it may take before it is killed; 30s without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// Goes on as if it had succeeded where it fails. Only pre-start and post-start hooks hold anything up by failing.
    #[serde(default)]
    pub may_fail: bool,
}
