//! `docs/schema`: the JSON Schema of every file and document that others read or write.

use schemars::{JsonSchema, schema_for};
use winddown_core::host::Host;
use winddown_core::report::StopReport;
use winddown_run::Definition;
use winddown_run::control::{Answer, Request};
use winddown_run::history::Found;

use crate::verb::rehearse::Rehearsal;

pub(super) fn definition() -> String {
    json::<Definition>()
}

pub(super) fn report() -> String {
    json::<StopReport>()
}

pub(super) fn rehearsal() -> String {
    json::<Rehearsal>()
}

pub(super) fn history() -> String {
    json::<Found>()
}

pub(super) fn control_request() -> String {
    json::<Request>()
}

pub(super) fn control_answer() -> String {
    json::<Answer>()
}

pub(super) fn host() -> String {
    json::<Host>()
}

fn json<T: JsonSchema>() -> String {
    let schema = schema_for!(T);
    serde_json::to_string_pretty(&schema).expect("a schema is plain data") + "\n"
}
