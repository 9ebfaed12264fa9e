//! `docs/state-table.md`.

use std::collections::BTreeMap;

use winddown_core::{Input, State, transition};

use super::made_from;

pub(super) fn page() -> String {
    made_from("`transition` in `crates/core/src/state.rs`")
        + "# The state table\n\n\
           What each input does in each state (WD-1). `Effect` in `winddown-core` says what each effect is.\n\n"
        + &diagram()
        + "\n"
        + &table()
}

/// The changes of state, one arrow for each pair of states.
fn diagram() -> String {
    let mut arrows: BTreeMap<(State, State), Vec<String>> = BTreeMap::new();
    for state in State::ALL {
        for input in Input::ALL {
            let (next, _) = transition(state, input);
            if next != state {
                let inputs = arrows.entry((state, next)).or_default();
                inputs.push(format!("{input:?}"));
            }
        }
    }
    let mut text = "```mermaid\nstateDiagram-v2\n    [*] --> idle\n".to_owned();
    for ((state, next), inputs) in arrows {
        text += &format!("    {state} --> {next}: {}\n", inputs.join(", "));
    }
    text + "    stopped --> [*]\n```\n"
}

/// Every pair; an empty row means that the input is only recorded.
fn table() -> String {
    let mut text =
        "A pair without an effect changes nothing: the input means nothing in that state.\n\n\
                    | state | input | next | effects, in order |\n|---|---|---|---|\n"
            .to_owned();
    for state in State::ALL {
        for input in Input::ALL {
            let (next, effects) = transition(state, input);
            let effects: Vec<_> = effects.iter().map(|effect| format!("{effect:?}")).collect();
            let next = match next {
                same if same == state => String::new(),
                other => other.to_string(),
            };
            text += &format!(
                "| {state} | {input:?} | {next} | {} |\n",
                effects.join(", ")
            );
        }
    }
    text
}
