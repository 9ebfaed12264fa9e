//! `winddown host`.

use std::process::ExitCode;

use winddown_core::host::Host;

use crate::args::Output;
use crate::output::{Problem, print, print_json};

pub(crate) fn main(output: Output) -> Result<ExitCode, Problem> {
    let host = winddown_sys::host::detect();
    match output {
        Output::Json => print_json(&host)?,
        Output::Text => print(&text(&host))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn text(host: &Host) -> String {
    let mut text = format!("host: {}", host.kind.name());
    if let Some(name) = &host.name {
        text += &format!(" ({name})");
    }
    text += if host.in_container {
        ", in a container\n"
    } else {
        "\n"
    };
    for enclosing in &host.enclosing {
        text += &format!("inside: {}", enclosing.kind.name());
        if let Some(name) = &enclosing.name {
            text += &format!(" ({name})");
        }
        text += "\n";
    }
    text += "evidence:\n";
    for evidence in &host.evidence {
        let sign = if evidence.counts { '+' } else { '-' };
        text += &format!(
            "  {sign} {}: {} = {}: {}\n",
            evidence.about.name(),
            evidence.what,
            evidence.value,
            evidence.why
        );
    }
    text
}
