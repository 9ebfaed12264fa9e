//! `docs/control-map.md`, and the table of it that the library's documentation shows.

use std::time::Duration;

use winddown_core::scm::{Accepted, Control};
use winddown_core::{
    CONTROL_MAP, ConsoleEvent, Meaning, Mechanism, RT_MAX, Signal, Wants, format_duration,
};

use super::made_from;

/// What only the system sends.
const SYSTEM: Accepted = Accepted::from_bits(
    Accepted::NETBIND_CHANGE.bits()
        | Accepted::HARDWARE_PROFILE_CHANGE.bits()
        | Accepted::POWER_EVENT.bits()
        | Accepted::SESSION_CHANGE.bits()
        | Accepted::TIME_CHANGE.bits()
        | Accepted::TRIGGER_EVENT.bits()
        | Accepted::USER_MODE_REBOOT.bits(),
);

pub(super) fn page() -> String {
    made_from("`CONTROL_MAP` and `Wants::meaning` in `crates/core/src/control_map.rs`")
        + "# Requests and events\n\n\
           What a request means to a program that uses the library (WD-60).\n\n"
        + &table()
        + "\n## Controls of the Windows SCM\n\n\
           A control that the program did not ask for is answered with `ERROR_CALL_NOT_IMPLEMENTED` (WD-55). The third column \
           is the bit of `dwControlsAccepted`; a control without one needs none.\n\n"
        + &controls()
        + "\n## Signals\n\n\
           Every other signal is left to the system and to the program; `stop_on(..)` makes a stop of it.\n\n"
        + &signals()
        + "\n## Windows, besides the SCM\n\n\
           The limit is how long Windows lets the process live after the event.\n\n"
        + &windows()
}

/// The map in a table, a row for each event.
pub(super) fn table() -> String {
    let mut text =
        "| event | SCM controls | signals | console | asked for by |\n|---|---|---|---|---|\n"
            .to_owned();
    for row in CONTROL_MAP {
        text += &format!("{row}\n");
    }
    text
}

fn controls() -> String {
    let mut text = "| code | control | accepted by | event |\n|---|---|---|---|\n".to_owned();
    for code in (0..=127).chain([128, 255]) {
        let Some(control) = Control::from_code(code, 0, 0) else {
            continue;
        };
        let bit = match control.accepted_by().bits() {
            0 => String::new(),
            bit => format!("`{bit:#x}`"),
        };
        let meaning = meanings(&Mechanism::Control(control));
        text += &format!("| {code} | {} | {bit} | {meaning} |\n", name(control));
    }
    text
}

fn signals() -> String {
    let mut text = "| signal | event |\n|---|---|\n".to_owned();
    let named = Signal::named().chain([Signal::Rt(0), Signal::Rt(RT_MAX)]);
    for signal in named {
        let meaning = meanings(&Mechanism::Signal(signal));
        if meaning != "none" {
            text += &format!("| {signal} | {meaning} |\n");
        }
    }
    text
}

fn windows() -> String {
    let mechanisms = [
        ("`CTRL_C_EVENT`", Mechanism::Console(ConsoleEvent::CtrlC)),
        (
            "`CTRL_BREAK_EVENT`",
            Mechanism::Console(ConsoleEvent::CtrlBreak),
        ),
        (
            "`CTRL_CLOSE_EVENT`",
            Mechanism::Console(ConsoleEvent::Close),
        ),
        (
            "`CTRL_LOGOFF_EVENT`",
            Mechanism::Console(ConsoleEvent::Logoff),
        ),
        (
            "`CTRL_SHUTDOWN_EVENT`",
            Mechanism::Console(ConsoleEvent::Shutdown),
        ),
        ("`WM_ENDSESSION`", Mechanism::SessionEnd),
        ("`WM_CLOSE`", Mechanism::WindowClose),
    ];
    let limit = |limit: Option<Duration>| match limit {
        Some(limit) => format_duration(limit).to_string(),
        None => "none".to_owned(),
    };
    let mut text =
        "| request | event | limit in a service | limit elsewhere |\n|---|---|---|---|\n"
            .to_owned();
    for (name, mechanism) in mechanisms {
        text += &format!(
            "| {name} | {} | {} | {} |\n",
            meanings(&mechanism),
            limit(mechanism.limit(true)),
            limit(mechanism.limit(false))
        );
    }
    text
}

/// What a request means, by default and with each wish that changes it.
fn meanings(mechanism: &Mechanism) -> String {
    let default = Wants::default();
    let wishes = [
        (
            "reloads()",
            Wants {
                reload: true,
                ..default.clone()
            },
        ),
        (
            "pauses()",
            Wants {
                pause: true,
                ..default.clone()
            },
        ),
        (
            "user_events()",
            Wants {
                user: true,
                ..default.clone()
            },
        ),
        (
            "system_events(..)",
            Wants {
                system: SYSTEM,
                ..default.clone()
            },
        ),
    ];
    let always = default.meaning(mechanism);
    let mut texts: Vec<_> = always.map(event).into_iter().collect();
    for (wish, wants) in wishes {
        let meaning = wants.meaning(mechanism);
        if let Some(meaning) = meaning.filter(|_| meaning != always) {
            texts.push(format!("{} with `{wish}`", event(meaning)));
        }
    }
    match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.join("; "),
    }
}

fn event(meaning: Meaning) -> String {
    match meaning {
        Meaning::System(_) => "System".to_owned(),
        Meaning::Interrogate => "none: answered with the present status".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The name of a control as `SERVICE_CONTROL_*` has it.
fn name(control: Control) -> String {
    match control.code() {
        7 => "NETBINDADD".to_owned(),
        8 => "NETBINDREMOVE".to_owned(),
        9 => "NETBINDENABLE".to_owned(),
        10 => "NETBINDDISABLE".to_owned(),
        11 => "DEVICEEVENT".to_owned(),
        128..=255 => "custom".to_owned(),
        _ => {
            let name = control.to_string();
            let word = name.split(' ').next().unwrap_or_default();
            word.to_uppercase()
        }
    }
}
